"""`manjha notify test`: does every address that notes go to take one?"""

import os
from typing import Annotated

import typer

from manjha.app.cli.errors import FAULTY, OK

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Notes to people who are not looking at a screen.")


@app.callback()
def notify() -> None:
    """Notes to people who are not looking at a screen."""


@app.command("test")
def send_test(*, json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False) -> None:
    """Send a test message to every address and say what each answered. Exit code 1 if one did not take it."""
    from manjha.app.bootstrap import system_clock
    from manjha.app.cli.output import print_json, print_table
    from manjha.app.settings import load_settings
    from manjha.app.trading.account_parts import receivers
    from manjha.domain.errors import SettingsError
    from manjha.domain.notes import NoteLevel
    from manjha.services.notes import health_note

    found = receivers(load_settings(), os.environ)
    if not found:
        raise SettingsError(
            "no address is set that notes could go to",
            hint='Write [notify] and below it urls = ["…"] into manjha.toml, or set MANJHA_NOTIFY_URLS.',
        )
    words = "If you read this, notes from Manjha arrive here."
    note = health_note(words, system_clock().now_ns(), NoteLevel.INFO)
    answers = [(receiver.name, receiver.post(note)) for receiver in found]
    if json:
        print_json([{"receiver": name, "delivered": not why, "answer": why} for name, why in answers])
    else:
        print_table(("receiver", "answer"), [(name, why or "taken") for name, why in answers])
    raise typer.Exit(FAULTY if any(why for _, why in answers) else OK)

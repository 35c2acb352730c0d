"""`manjha logout`: end today's session at Kite and forget it."""

from typing import Annotated

import typer

from manjha.app.cli.errors import FAULTY, OK

app = typer.Typer(add_completion=False)


@app.command()
def logout(*, json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False) -> None:
    """End today's session: it is forgotten here, then ended at Kite. Exit code 1 where Kite did not take that."""
    import asyncio

    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json
    from manjha.app.kite.login import log_out
    from manjha.app.secret_stores import secret_store
    from manjha.app.settings import load_settings

    settings = load_settings()
    login, taken = asyncio.run(log_out(settings.kite.url, secret_store(settings)))
    if json:
        print_json({"user_id": login.user_id, "ended_at_kite": taken})
    elif taken:
        print(f"Logged out {login.user_id}.")
    if not taken:
        say("It is forgotten here, but Kite did not take the logout: it may have been over; it ends at 06:00 anyway.")
    raise typer.Exit(OK if taken else FAULTY)

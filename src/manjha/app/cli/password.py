"""`manjha password`: how a browser logs in at the API."""

import sys
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, help="The password that a browser logs in with.")

Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]


@app.command("set")
def set_() -> None:
    """Set the password: asked for on a terminal, else the first line of stdin. Whoever is logged in is logged out."""
    from manjha.app.bootstrap import whoever
    from manjha.app.serving.access import access_to
    from manjha.app.settings import load_settings

    passwords = access_to(load_settings())[0].passwords
    if sys.stdin.isatty():
        password = typer.prompt("The new password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    passwords.set_here(password, whoever())
    print("The password is set.")


@app.command()
def link(
    *,
    at: Annotated[str, typer.Option("--at", help="Where the API is, as your browser calls it.")] = (
        "http://127.0.0.1:8321"
    ),
    json: Json = False,
) -> None:
    """Make a link by which the password can be set, once, within half an hour."""
    from manjha.app.bootstrap import whoever
    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json
    from manjha.app.serving.access import access_to
    from manjha.app.settings import load_settings

    made = access_to(load_settings())[0].passwords.make_link(whoever())
    address = f"{at.rstrip('/')}/password#{made}"
    if json:
        print_json({"link": made, "address": address})
        return
    say("Good once, for half an hour:")
    print(address)


@app.command("drop-factor")
def drop_factor() -> None:
    """Have no code of a second factor asked for any more, as when the phone is lost."""
    from manjha.app.bootstrap import whoever
    from manjha.app.serving.access import access_to
    from manjha.app.settings import load_settings

    access_to(load_settings())[0].sessions.drop_factor(whoever(), "")
    print("No code is asked for any more.")

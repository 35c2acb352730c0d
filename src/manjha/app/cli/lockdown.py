"""`manjha lockdown`: what to do first when a token, a password or the machine may be in other hands."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from manjha.app.settings import Settings

app = typer.Typer(add_completion=False)


@app.command()
def lockdown(
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever reads it later.")],
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Throw the kill switch, end every token, session and link, forget the password, log out at Kite.

    Each step is tried whatever became of the others; what failed is said, with exit code 1.
    """
    from manjha.app.bootstrap import kill_switch, whoever
    from manjha.app.cli.errors import FAULTY, say
    from manjha.app.cli.output import print_json
    from manjha.app.serving.access import access_desk
    from manjha.app.settings import load_settings
    from manjha.services.identity.lockdown import lock_down

    settings = load_settings()
    done = lock_down(kill_switch(settings), access_desk(settings), reason, whoever(), lambda: _logged_out(settings))
    if json:
        print_json({"done": done.steps, "failed": done.failures})
    else:
        for step in done.steps:
            print(step)
    for failure in done.failures:
        say(f"failed: {failure}")
    if done.failures:
        raise typer.Exit(FAULTY)


def _logged_out(settings: "Settings") -> str:
    import asyncio

    from manjha.app.kite.login import log_out, saved_login
    from manjha.app.secret_stores import secret_store

    store = secret_store(settings)
    if saved_login(store) is None:
        return "nobody was logged in at Kite"
    login, ended = asyncio.run(log_out(settings.kite.url, store))
    if ended:
        return f"the session of {login.user_id} at Kite is ended and forgotten"
    return f"the login of {login.user_id} is forgotten; Kite did not confirm its end: end it at kite.zerodha.com"

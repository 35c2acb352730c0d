"""`manjha resume`: lift the kill switch, with a reason and the account's id in words."""

import sys
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def resume(
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why it is safe again.")],
    strategy: Annotated[str, typer.Option("--strategy", help="Only this strategy; all if left out.")] = "",
    instrument: Annotated[str, typer.Option("--instrument", help="Only this instrument.")] = "",
    yes: Annotated[str, typer.Option("--yes", help="The account's id, instead of typing it when asked.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Lift the kill switch for a scope and everything within it."""
    from manjha.app.bootstrap import kill_scope, kill_switch, system_clock, whoever
    from manjha.app.cli.kill_output import show
    from manjha.app.settings import load_settings
    from manjha.domain.errors import UsageError
    from manjha.services.kill_switch import in_force, lift

    settings = load_settings()
    scope = kill_scope(settings, strategy, instrument)
    given = yes or _typed(f"Type the account's id to lift the kill switch for {scope.display}: ")
    if given != settings.account:
        raise UsageError(
            f"expected the account's id {settings.account}, was {given!r}; the kill switch stays as it is",
            hint=f"Look at what happened first; then: manjha resume --reason ... --yes {settings.account}",
        )
    switch = kill_switch(settings)
    event = lift(switch, system_clock(), scope, reason, whoever())
    show(event, in_force(switch), as_json=json)


def _typed(prompt: str) -> str:
    """Ask a person; without a terminal there is nobody to ask."""
    if not sys.stdin.isatty():
        return ""
    print(prompt, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()

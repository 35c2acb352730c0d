"""`manjha kill`: stop trading, also when the trader is dead or does not answer."""

from typing import Annotated

import typer

app = typer.Typer(add_completion=False)

Strategy = Annotated[str, typer.Option("--strategy", help="Only this strategy; all if left out.")]
Instrument = Annotated[str, typer.Option("--instrument", help="Only this instrument (its id, or like NSE:RELIANCE).")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]


@app.command()
def kill(
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever reads it later.")],
    level: Annotated[
        str, typer.Option("--level", help="reduce-only, no-new, cancel-all or flatten: each forbids more.")
    ] = "cancel-all",
    strategy: Strategy = "",
    instrument: Instrument = "",
    json: Json = False,
) -> None:
    """Throw the kill switch. It holds until `manjha resume`, over restarts."""
    from manjha.app.bootstrap import kill_scope, kill_switch, system_clock, whoever
    from manjha.app.cli.kill_output import show
    from manjha.app.settings import load_settings
    from manjha.services.kill_switch import in_force, throw

    settings = load_settings()
    switch = kill_switch(settings)
    scope = kill_scope(settings, strategy, instrument)
    event = throw(switch, system_clock(), level, scope, reason, whoever())
    show(event, in_force(switch), as_json=json)

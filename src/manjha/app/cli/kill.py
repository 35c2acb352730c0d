"""`manjha kill`: stop trading, also when the trader is dead or does not answer."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from manjha.app.settings import Settings

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
    """Throw the kill switch. It holds until `manjha resume`, over restarts.

    A strategy that is not known here may still be one that trades from a file elsewhere: it is thrown, with a warning.
    """
    from manjha.app.bootstrap import kill_scope, kill_switch, system_clock, whoever
    from manjha.app.cli.kill_output import show
    from manjha.app.settings import load_settings
    from manjha.services.kill_switch import in_force, throw

    settings = load_settings()
    switch = kill_switch(settings)
    scope = kill_scope(settings, strategy, instrument)
    event = throw(switch, system_clock(), level, scope, reason, whoever())
    show(event, in_force(switch), as_json=json)
    if strategy:
        _warn_of_unknown(settings, strategy)


def _warn_of_unknown(settings: "Settings", strategy: str) -> None:
    """Say where no strategy of this name is known, so that the switch may hold nothing; only after it was thrown."""
    import difflib

    from manjha.app.bootstrap import strategy_source
    from manjha.app.cli.errors import say
    from manjha.domain.errors import UsageError
    from manjha.domain.orders import EXTERNAL, MANUAL

    try:
        names = [one.name for one in strategy_source(settings).all()]
    except UsageError as error:
        say(f"warning: whether there is a strategy {strategy!r} cannot be looked up: {error.message}")
        return
    if strategy in (*names, MANUAL, EXTERNAL):
        return
    close = difflib.get_close_matches(strategy.lower(), names, n=1)
    near = f" Did you mean {close[0]!r}?" if close else ""
    say(
        f"warning: no strategy named {strategy!r} is known here.{near} The switch was thrown, but holds nothing unless "
        "a strategy of exactly this name trades from a file elsewhere; `manjha control status` names the one that runs."
    )

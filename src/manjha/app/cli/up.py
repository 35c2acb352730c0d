"""`manjha up`: a synthetic market, a backtest on it, and a paper trader on it, in a process of its own. `make run`."""

import subprocess  # nosec B404 - it starts our own program
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer(add_completion=False)

STRATEGY, INSTRUMENT, INTERVAL = "nifty-intraday-trend", "NSE:PATANG", "5m"
DAY = "2025-12-30"
"""The last but one day of the synthetic market."""
RESTARTS_MAX = 5
CRASHED = (70, -9, 137)
"""How a process ends that is started again: our bug, or killed. Everything else is an answer."""


@app.command()
def up(
    *,
    seed: Annotated[int, typer.Option("--seed", help="Another seed is another market.")] = 7,
    day: Annotated[str, typer.Option("--day", help="The day that is traded on paper.")] = DAY,
    speed: Annotated[
        float, typer.Option("--speed", help="Times real time; 0 is as fast as it goes.", min=0, max=1_000_000)
    ] = 600.0,
) -> None:
    """Make a synthetic market, backtest on it, then trade a day of it on paper. Nothing in it is real.

    The trader is a process of its own; when it dies it is started again and goes on where its journal ends.
    """
    from manjha.app.cli.demo import FIRST, LAST, demo, demo_home
    from manjha.app.cli.errors import say
    from manjha.app.settings import load_settings

    _require_traded(day, FIRST, LAST)
    demo(seed=seed, start=FIRST, end=LAST, json=False)
    home = demo_home(load_settings(), seed, FIRST, LAST)
    say(f"\nTrading {STRATEGY} on {INSTRUMENT} on paper, {day} at {speed:g} times real time; ^C stops it ...")
    code = _watched(home, day, speed)
    if code:
        raise typer.Exit(code)
    told = _journal_words(home, account_of(day))
    say("\nIts journal, whole and replayed:\n" + "\n".join(f"  {told.format(word)}" for word in ("verify", "replay")))


def _require_traded(day: str, first: str, last: str) -> None:
    """Refuse a day that the synthetic market does not trade, before anything is made or run."""
    from manjha.app.bootstrap import market_rules
    from manjha.app.settings import load_settings
    from manjha.domain.errors import UsageError
    from manjha.domain.moments import parse_day
    from manjha.market.calendar import trading_days

    days = trading_days(market_rules(load_settings()), parse_day(first), parse_day(last))
    if parse_day(day) not in days:
        raise UsageError(
            f"{day} is no trading day of the synthetic market, which goes from {first} to {last}",
            hint=f"Give --day a day on which the exchange trades, like {DAY}.",
        )


def account_of(day: str) -> str:
    """Return the name of the paper account of a day."""
    return f"DEMO-{day}"


def _journal_words(home: "Path", account: str) -> str:
    """Return what is typed to look at an account's journal, with {} for what is to be done."""
    import os
    import shlex

    from manjha.app.cli.demo import program
    from manjha.app.settings import load_settings
    from manjha.app.trading.account_parts import journal_of

    where = journal_of(load_settings(os.environ | {"MANJHA_HOME": str(home)}), account)
    if "://" not in where:
        return f"{program()} journal {{}} {where}"
    # Its address may have a password in it, and its market data lie in that home.
    return f"MANJHA_HOME={shlex.quote(str(home))} {program()} journal {{}} --account {account}"


def _watched(home: "Path", day: str, speed: float) -> int:
    """Run the trader and start it again when it dies; return how it ended."""
    import os

    from manjha.app.cli.errors import say

    words = ["trade", "-s", STRATEGY, "--instrument", INSTRUMENT, "-i", INTERVAL, "--from", day, "--to", day]
    words += ["--account", account_of(day), "--speed", str(speed), "--cash", "10 lakh"]
    command = [sys.executable, "-c", "from manjha.app.cli import main; main()", *words]
    environment = os.environ | {"MANJHA_HOME": str(home)}
    for _ in range(RESTARTS_MAX):
        process = subprocess.Popen(command, env=environment)  # noqa: S603  # nosec B603 - our own program, fixed words
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # The trader hears of it as well, and ends in order.
            code = process.wait()
        if code not in CRASHED:
            return code
        say("The trader died; it is started again and goes on where its journal ends ...")
    return code

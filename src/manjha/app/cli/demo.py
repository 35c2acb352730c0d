"""`manjha demo`: a synthetic market, a backtest on it, a report. What `make run` does."""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from manjha.app.settings import Settings

app = typer.Typer(add_completion=False)

FIRST, LAST = "2024-01-01", "2025-12-31"
INSTRUMENT, INTERVAL, STRATEGY = "NSE:PATANG", "60m", "gap-fade"
PARAMS = ("stop_pct=0.3",)
"""A stop near enough that stop and target lie within one hour's bar on many days: then the order of prices inside it
decides between a loss and a profit, which is what the uncertainty table is there to show."""
FINER = "5m"


@app.command()
def demo(
    *,
    seed: Annotated[int, typer.Option("--seed", help="Another seed is another market.")] = 7,
    start: Annotated[str, typer.Option("--from", help="First day, like 2024-01-01.")] = FIRST,
    end: Annotated[str, typer.Option("--to", help="Last day, included.")] = LAST,
    json: Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")] = False,
) -> None:
    """Make a synthetic market, run a strategy on it, and write the report. Nothing in it is real.

    It has a home of its own, `demo` in MANJHA_HOME, so that it never mixes with your data.
    """
    import msgspec

    from manjha.app.bootstrap import bar_store, instrument_book, market_rules, strategy_source
    from manjha.app.cli.backtest import run_and_show
    from manjha.app.cli.errors import say
    from manjha.app.research.requests import make_request
    from manjha.app.research.terms import parse_params
    from manjha.app.settings import load_settings
    from manjha.domain.moments import parse_day
    from manjha.research.search.compiled import warm
    from manjha.services.synthetic_market import seed_store

    settings = load_settings()
    settings = msgspec.structs.replace(settings, home=demo_home(settings, seed, start, end))
    span = (parse_day(start), parse_day(end))
    say(f"Making a synthetic market, {start} to {end}, seed {seed} ...")
    seeded = seed_store(bar_store(settings), instrument_book(settings), market_rules(settings), seed, span)
    names = ", ".join(instrument.display for instrument in seeded.instruments)
    say(f"It has {names}: {seeded.rows:,} new bars of one minute." if seeded.rows else f"It was there: {names}.")
    say(f"Running {STRATEGY} on {INSTRUMENT} at {INTERVAL}, and again under other assumptions ...\n")
    strategy = strategy_source(settings).find(STRATEGY)(**parse_params(PARAMS))
    request = make_request(strategy, (INSTRUMENT,), {"interval": INTERVAL, "seed": seed})
    run_and_show(settings, request, settings.home / "reports", with_band=True, json=json)
    warm(lambda _what: say("\nCompiling the backtest kernel, once, so that no search waits for it later ..."))
    if not json:
        say(_next_steps(settings.home))


def demo_home(settings: "Settings", seed: int, start: str, end: str) -> Path:
    """Return the home of a demonstration's own."""
    return settings.home / "demo" / f"seed-{seed}-{start}-{end}"


def _next_steps(home: Path) -> str:
    manjha, here = program(), f"MANJHA_HOME={shlex.quote(str(home))}"
    again = " ".join((f"backtest -s {STRATEGY} --instrument {INSTRUMENT} -i {FINER}", *(f"-p {row}" for row in PARAMS)))
    return (
        f"\nNext, to paste:\n"
        f"  {here} {manjha} {again}   # finer bars, less doubt\n"
        f"  {here} {manjha} data list\n"
        f"  {manjha} strategy list\n"
        "docs/user-guide.md says how to bring in real data."
    )


def program() -> str:
    """Return what a shell in the working folder runs this program by: its name where that finds it, else its path."""
    called = Path(sys.argv[0])
    beside = Path(sys.executable).with_name("manjha")
    path = Path(os.path.abspath(called if called.name == beside.name else beside))  # noqa: PTH100 - links are kept
    found = shutil.which(path.name)
    if not path.exists() or (found and Path(found).resolve() == path.resolve()):
        return path.name
    inside = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return shlex.quote(str(inside))

"""`manjha demo`: a synthetic market, a backtest on it, a report. What `make run` does."""

from typing import Annotated

import typer

app = typer.Typer(add_completion=False)

FIRST, LAST = "2024-01-01", "2025-12-31"
INSTRUMENT, INTERVAL, STRATEGY = "NSE:PATANG", "15m", "supertrend"


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
    from manjha.app.requests import make_request
    from manjha.app.settings import load_settings
    from manjha.domain.moments import parse_day
    from manjha.services.synthetic_market import seed_store

    settings = load_settings()
    settings = msgspec.structs.replace(settings, home=settings.home / "demo" / f"seed-{seed}-{start}-{end}")
    span = (parse_day(start), parse_day(end))
    say(f"Making a synthetic market, {start} to {end}, seed {seed} ...")
    seeded = seed_store(bar_store(settings), instrument_book(settings), market_rules(settings), seed, span)
    names = ", ".join(instrument.display for instrument in seeded.instruments)
    say(f"It has {names}: {seeded.rows:,} new bars of one minute." if seeded.rows else f"It was there: {names}.")
    say(f"Running {STRATEGY} on {INSTRUMENT} at {INTERVAL}, and again under other assumptions ...\n")
    strategy = strategy_source(settings).find(STRATEGY)()
    request = make_request(strategy, (INSTRUMENT,), {"interval": INTERVAL, "seed": seed})
    run_and_show(settings, request, settings.home / "reports", with_band=True, json=json)
    if not json:
        say(f"\nMore: MANJHA_HOME={settings.home} manjha data list   ·   manjha strategy list   ·   docs/user-guide.md")

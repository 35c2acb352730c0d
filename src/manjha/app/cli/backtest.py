"""`manjha backtest`: run a strategy on stored data, print what came of it, write the report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manjha.app.cli import search_options as options
from manjha.domain.errors import ManjhaError

if TYPE_CHECKING:
    from manjha.app.research.backtests import Kept
    from manjha.app.settings import Settings
    from manjha.research.metrics.analysis import Band
    from manjha.services.backtests import BacktestRequest
    from manjha.services.trial_records import Counted

app = typer.Typer(add_completion=False)

Text = Annotated[str, typer.Option()]


@app.command()
@options.with_terms()
def backtest(
    strategy: options.Strategy,
    instrument: options.Instruments,
    *,
    terms: dict[str, Any],
    adjustment: Annotated[str, typer.Option("--adjustment", help="raw, split, total; else raw where stored.")] = "",
    param: Annotated[list[str] | None, typer.Option("-p", "--param", help="name=value; may be repeated.")] = None,
    ticks: Annotated[list[str] | None, typer.Option("--ticks", help="synthetic:10, or a file an instrument.")] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Where to write the page.")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no page.")] = False,
    no_band: Annotated[bool, typer.Option("--no-band", help="Skip the runs of the uncertainty table.")] = False,
    no_bias_check: Annotated[bool, typer.Option("--no-bias-check", help="Skip the look-ahead check.")] = False,
    journal: Annotated[str, typer.Option("--journal", help="File or database URL to record the run in.")] = "",
    json: options.Json = False,
) -> None:
    """Run a strategy on stored bars with every rupee of charges, and say what it assumes."""
    from manjha.app.research.backtests import Kept, asked_backtest
    from manjha.app.research.terms import parse_params
    from manjha.app.settings import load_settings

    settings = load_settings()
    words = {**terms, "adjustment": adjustment, "bias_check": not no_bias_check, "ticks": ticks or ()}
    request = asked_backtest(settings, strategy, dict(parse_params(param or [])), tuple(instrument), words)
    where = None if no_report else (report or settings.home / "reports")
    kept = Kept(journal, found_again(strategy)) if journal else None
    run_and_show(settings, request, where, with_band=not no_band, json=json, kept=kept)


def found_again(strategy: str) -> str:
    """Return a strategy's name, or the path of its file from the root, as a replay may be started elsewhere."""
    path, separator, chosen = strategy.partition(":")
    return f"{Path(path).expanduser().resolve()}{separator}{chosen}" if "/" in path or path.endswith(".py") else path


def run_and_show(
    settings: "Settings",
    request: "BacktestRequest",
    where: Path | None,
    *,
    with_band: bool,
    json: bool,
    kept: "Kept | None" = None,
) -> None:
    """Run a request, print the summary (or JSON), and write the report into a folder or to an .html path.

    `kept` writes the run into a journal. The run is counted in the trial ledger and recorded; where that cannot be, it
    is shown all the same, and then the error.
    """
    from manjha.app.cli.errors import say
    from manjha.app.cli.output import print_json, progress_bar
    from manjha.app.research.backtests import run_backtest
    from manjha.research.report import format_summary

    with progress_bar() as tell:
        ran = run_backtest(settings, request, where, tell, with_band=with_band, kept=kept)
    for words in ran.said:
        say(words)
    if json:
        print_json(ran.document)
    else:
        _print(format_summary(ran.analysis), ran.bands, ran.page, ran.counted)
    if ran.failed is not None:
        raise ran.failed


def _print(summary: str, bands: "list[Band]", page: Path | None, counted: "Counted | ManjhaError") -> None:
    print(summary)
    for band in bands:
        mark = "*" if band.is_reported else " "
        total = f"{band.total_return * 100:.2f} %".replace("-", "−")
        print(f"  {mark} {band.label:<34} {total:>11}  {band.trades:>6} trades")
    if bands:
        print("  * as reported above\n")
    if not isinstance(counted, ManjhaError):
        print(f"Trials: {counted.words}")
    if page is not None:
        print(f"Report: {page}")

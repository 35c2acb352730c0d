"""`manjha backtest`: run a strategy on stored data, print what came of it, write the report."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from manjha.app.cli import search_options as options
from manjha.domain.errors import ManjhaError

if TYPE_CHECKING:
    from manjha.app.settings import Settings
    from manjha.domain.moments import TsNs
    from manjha.domain.trials import Trial
    from manjha.research.backtest import BacktestSpec
    from manjha.research.drive import Progress
    from manjha.research.metrics.analysis import Band
    from manjha.research.result import BacktestResult
    from manjha.services.backtests import BacktestRequest, BacktestServices
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
    from manjha.app.bootstrap import strategy_source
    from manjha.app.research.terms import parse_params
    from manjha.app.settings import load_settings

    settings = load_settings()
    found = strategy_source(settings).find(strategy)
    made = found(**parse_params(param or []))
    words = {**terms, "adjustment": adjustment, "bias_check": not no_bias_check, "ticks": ticks or ()}
    from manjha.app.research.requests import make_request

    request = make_request(made, tuple(instrument), words)
    where = None if no_report else (report or settings.home / "reports")
    kept = Kept(journal, found_again(strategy)) if journal else None
    run_and_show(settings, request, where, with_band=not no_band, json=json, kept=kept)


class Kept(NamedTuple):
    """Where a run is recorded, and by which name or path its strategy is found again."""

    journal: str
    found_as: str


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
    kept: Kept | None = None,
) -> None:
    """Run a request, print the summary (or JSON), and write the report into a folder or to an .html path.

    `kept` writes the run into a journal. The run is counted in the trial ledger and recorded; where that cannot be, it
    is shown all the same, and then the error.
    """
    from manjha.app.bootstrap import backtest_services, system_clock
    from manjha.app.cli.output import print_json, progress_bar
    from manjha.research.metrics.analysis import analyse, document
    from manjha.research.report import format_summary, write_report
    from manjha.services.backtests import plan_backtest
    from manjha.services.trial_records import trial_of
    from manjha.services.uncertainty import uncertainty

    started_ns = system_clock().now_ns()
    with progress_bar() as tell:
        tell("loading", 0, 0)
        services = backtest_services(settings)
        spec = plan_backtest(services, request)
        result = _run(settings, services, request, spec, kept, partial(tell, "backtest"))
        # The rows of the table are runs over bars, which a run over ticks does not belong beside.
        has_band = with_band and not request.ticks
        bands = uncertainty(spec, result, lambda done, count: tell("uncertainty", done, count)) if has_band else []
        trial = trial_of(spec, result)
        counted = _count(settings, trial)
        tell("report", 0, 0)
        analysis = analyse(result)
        tried = "" if isinstance(counted, ManjhaError) else counted.sentence
        page = write_report(analysis, _page(where, result), bands, trials=tried) if where is not None else None
        failed = counted if isinstance(counted, ManjhaError) else _record(settings, result, trial, page, started_ns)
    if json:
        trials = counted.trials if not isinstance(counted, ManjhaError) else None
        print_json(document(analysis, bands) | {"report": str(page) if page else None, "trials": trials})
    else:
        _print(format_summary(analysis), bands, page, counted)
    if failed is not None:
        raise failed


def _run(
    settings: "Settings",
    services: "BacktestServices",
    request: "BacktestRequest",
    spec: "BacktestSpec",
    kept: Kept | None,
    tell: "Progress",
) -> "BacktestResult":
    """Run a plan, recorded where that is asked for."""
    from manjha.research.drive import Drive
    from manjha.services.backtests import run_by

    if kept is None:
        return run_by(services, request)(spec, tell, Drive)
    from manjha.app.bootstrap import journal_to_write, market_segments
    from manjha.app.cli.errors import say
    from manjha.research.backtest import BACKTEST
    from manjha.services.recorded_backtests import Recording

    journal, segments = journal_to_write(kept.journal, BACKTEST), market_segments(settings, kept.journal, BACKTEST)
    recording = Recording(journal, segments, kept.found_as)
    try:
        result = recording.run(run_by(services, request), spec, tell)
        rows = journal.head().seq
    finally:
        segments.close()
        journal.close()
    if recording.cut:
        say(f"{recording.cut:,} bytes of market data that an interrupted run had left were cut off.")
    say(f"Recorded in {kept.journal}, which has {rows:,} rows now; `manjha journal replay` steps through it again.")
    return result


def _count(settings: "Settings", trial: "Trial") -> "Counted | ManjhaError":
    from manjha.app.bootstrap import trial_ledger
    from manjha.services.trial_records import record_run

    try:
        return record_run(trial_ledger(settings), trial)
    except ManjhaError as error:
        return error


def _record(
    settings: "Settings", result: "BacktestResult", trial: "Trial", page: Path | None, started_ns: "TsNs"
) -> "ManjhaError | None":
    from contextlib import closing

    from manjha.app.bootstrap import system_clock, unit_of_work
    from manjha.services.run_records import Execution, record_backtest

    execution = Execution(started_ns, system_clock().now_ns(), str(page) if page is not None else "")
    try:
        with closing(unit_of_work(settings)) as work:
            record_backtest(work, result, trial, execution)
    except ManjhaError as error:
        return error
    return None


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


def _page(where: Path, result: "BacktestResult") -> Path:
    return where if where.suffix == ".html" else where / f"{result.strategy}-{result.run}.html"

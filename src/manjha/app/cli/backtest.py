"""`manjha backtest`: run a strategy on stored data, print what came of it, write the report."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manjha.app.cli import search_options as options
from manjha.domain.errors import ManjhaError

if TYPE_CHECKING:
    from manjha.app.settings import Settings
    from manjha.domain.moments import TsNs
    from manjha.domain.trials import Trial
    from manjha.research.metrics.analysis import Band
    from manjha.research.result import BacktestResult
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
    report: Annotated[Path | None, typer.Option("--report", help="Where to write the page.")] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no page.")] = False,
    no_band: Annotated[bool, typer.Option("--no-band", help="Skip the runs of the uncertainty table.")] = False,
    no_bias_check: Annotated[bool, typer.Option("--no-bias-check", help="Skip the look-ahead check.")] = False,
    json: options.Json = False,
) -> None:
    """Run a strategy on stored bars with every rupee of charges, and say what it assumes."""
    from manjha.app.bootstrap import strategy_source
    from manjha.app.settings import load_settings
    from manjha.app.terms import parse_params

    settings = load_settings()
    found = strategy_source(settings).find(strategy)
    made = found(**parse_params(param or []))
    words = {**terms, "adjustment": adjustment, "bias_check": not no_bias_check}
    from manjha.app.requests import make_request

    request = make_request(made, tuple(instrument), words)
    where = None if no_report else (report or settings.home / "reports")
    run_and_show(settings, request, where, with_band=not no_band, json=json)


def run_and_show(
    settings: "Settings", request: "BacktestRequest", where: Path | None, *, with_band: bool, json: bool
) -> None:
    """Run a request, print the summary (or JSON), and write the report into a folder or to an .html path.

    The run is counted in the trial ledger and recorded. Where that cannot be, it is shown all the same, and then the
    error.
    """
    from manjha.app.bootstrap import backtest_services, system_clock
    from manjha.app.cli.output import print_json, progress_bar
    from manjha.research.metrics.analysis import analyse, document
    from manjha.research.report import format_summary, write_report
    from manjha.services.backtests import plan_backtest, run_by, uncertainty
    from manjha.services.trial_records import trial_of

    started_ns = system_clock().now_ns()
    with progress_bar() as tell:
        tell("loading", 0, 0)
        spec = plan_backtest(backtest_services(settings), request)
        result = run_by(request)(spec, partial(tell, "backtest"))
        bands = uncertainty(spec, result, lambda done, count: tell("uncertainty", done, count)) if with_band else []
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

"""A backtest from a request to its page and its records: what the command line and jobs have in common."""

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from manjha.app.bootstrap import (
    backtest_services,
    journal_to_write,
    market_segments,
    strategy_source,
    system_clock,
    trial_ledger,
    unit_of_work,
)
from manjha.app.research.requests import make_request
from manjha.app.settings import Settings
from manjha.domain.errors import ManjhaError
from manjha.domain.moments import TsNs
from manjha.domain.trials import Trial
from manjha.research.backtest import BACKTEST, BacktestSpec
from manjha.research.drive import Drive, Progress
from manjha.research.metrics.analysis import Analysis, Band, analyse, document
from manjha.research.report import write_report
from manjha.research.result import BacktestResult
from manjha.services.backtests import BacktestRequest, BacktestServices, plan_backtest, run_by
from manjha.services.data_jobs import Progress as Tell
from manjha.services.recorded_backtests import Recording
from manjha.services.run_records import Execution, record_backtest
from manjha.services.trial_records import Counted, record_run, trial_of
from manjha.services.uncertainty import uncertainty


class Kept(NamedTuple):
    """Where a run is recorded, and by which name or path its strategy is found again."""

    journal: str
    found_as: str


class Ran(msgspec.Struct, frozen=True):
    """A backtest that was run. `counted` or `failed` is an error where the run could not be counted or recorded.

    `said` is what a person should hear beside the result.
    """

    analysis: Analysis
    bands: list[Band]
    page: Path | None
    counted: Counted | ManjhaError
    failed: ManjhaError | None
    said: tuple[str, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """The run for programs; the name of its page and the number of trials stand beside it."""
        trials = self.counted.trials if isinstance(self.counted, Counted) else None
        return document(self.analysis, self.bands) | {"report": str(self.page) if self.page else None, "trials": trials}


def asked_backtest(
    settings: Settings, strategy: str, params: dict[str, str], instruments: tuple[str, ...], words: dict[str, Any]
) -> BacktestRequest:
    """Return the request that words mean. Raises `UsageError` with what is expected."""
    return make_request(strategy_source(settings).find(strategy)(**params), instruments, words)


def run_backtest(
    settings: Settings,
    request: BacktestRequest,
    where: Path | None,
    tell: Tell,
    *,
    with_band: bool,
    kept: Kept | None = None,
) -> Ran:
    """Run a request, count it, record it, and write its page into a folder or to an .html path; None writes none.

    `kept` writes the run into a journal. Where a run cannot be counted or recorded it is returned all the same, with
    the error.
    """
    started_ns = system_clock().now_ns()
    tell("loading", 0, 0)
    services = backtest_services(settings)
    spec = plan_backtest(services, request)
    said: list[str] = []
    result = _run(settings, services, request, spec, kept, (partial(tell, "backtest"), said))
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
    return Ran(analysis, bands, page, counted, failed, tuple(said))


def _run(
    settings: Settings,
    services: BacktestServices,
    request: BacktestRequest,
    spec: BacktestSpec,
    kept: Kept | None,
    heard: tuple[Progress, list[str]],
) -> BacktestResult:
    """Run a plan, recorded where that is asked for."""
    tell, said = heard
    if kept is None:
        return run_by(services, request)(spec, tell, Drive)
    journal, segments = journal_to_write(kept.journal, BACKTEST), market_segments(settings, kept.journal, BACKTEST)
    recording = Recording(journal, segments, kept.found_as)
    try:
        result = recording.run(run_by(services, request), spec, tell)
        rows = journal.head().seq
    finally:
        segments.close()
        journal.close()
    if recording.cut:
        said.append(f"{recording.cut:,} bytes of market data that an interrupted run had left were cut off.")
    said.append(
        f"Recorded in {kept.journal}, which has {rows:,} rows now; `manjha journal replay` steps through it again."
    )
    return result


def _count(settings: Settings, trial: Trial) -> Counted | ManjhaError:
    try:
        return record_run(trial_ledger(settings), trial)
    except ManjhaError as error:
        return error


def _record(
    settings: Settings, result: BacktestResult, trial: Trial, page: Path | None, started_ns: TsNs
) -> ManjhaError | None:
    execution = Execution(started_ns, system_clock().now_ns(), str(page) if page is not None else "")
    try:
        with closing(unit_of_work(settings)) as work:
            record_backtest(work, result, trial, execution)
    except ManjhaError as error:
        return error
    return None


def _page(where: Path, result: BacktestResult) -> Path:
    return where if where.suffix == ".html" else where / f"{result.strategy}-{result.run}.html"

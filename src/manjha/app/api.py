"""The short Python API: what `import manjha` offers."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manjha.app.bootstrap import (
    backtest_services,
    bar_store,
    instrument_book,
    strategy_source,
    system_clock,
    trial_ledger,
    unit_of_work,
)
from manjha.app.settings import load_settings
from manjha.domain.bars import BarColumns, parse_interval
from manjha.domain.moments import TradingDay, parse_day
from manjha.services.stored import load_bars as load_stored
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param

if TYPE_CHECKING:
    from manjha.research.result import BacktestResult

__all__ = ["Strategy", "backtest", "load_bars", "param", "report", "summary"]


def load_bars(instrument: str, interval: str = "1d", start: str = "", end: str = "") -> BarColumns:
    """Return stored bars: `manjha.load_bars("NSE:RELIANCE", "1m", "2021-01-01", "2021-12-31")`.

    Both days are included; empty is open. `numpy.asarray(bars.close)` is free: int64 in 1e-4 rupee.

    Raises
    ------
    UsageError
        The instrument is not known, the interval or span is none, or nothing is stored; with a "did you mean".
    """
    settings = load_settings()
    found = instrument_book(settings).find(instrument)
    span = (_day(start), _day(end))
    return load_stored(bar_store(settings), found, parse_interval(interval), span)


def backtest(
    strategy: str | type[Strategy] | Strategy, instruments: str | Sequence[str], **terms: Any
) -> "BacktestResult":
    """Run a backtest on stored bars: `manjha.backtest("sma-cross", "NSE:RELIANCE", start="2020-01-01", fast=10)`.

    `terms` are the options of `manjha backtest` (interval, start, end, adjustment, cash, size, slippage, participation,
    fill, limit, path, latency_ms, product, index_proxy, also, seed, bias_check, ticks); what is none of them is a
    parameter of the strategy.
    The run is counted in the trial ledger and recorded.

    Raises
    ------
    ManjhaError
        What was asked for cannot be; the message says what was expected and what to do next.
    """
    from manjha.app.research.requests import DEFAULTS, make_request
    from manjha.services.backtests import backtest as run
    from manjha.services.run_records import Execution, record_backtest
    from manjha.services.trial_records import record_run, trial_of

    settings, started_ns = load_settings(), system_clock().now_ns()
    words = {name: value for name, value in terms.items() if name in DEFAULTS}
    params = {name: value for name, value in terms.items() if name not in DEFAULTS}
    found = strategy_source(settings).find(strategy) if isinstance(strategy, str) else strategy
    made = found if isinstance(found, Strategy) else found(**params)
    names = (instruments,) if isinstance(instruments, str) else tuple(instruments)
    spec, result = run(backtest_services(settings), make_request(made, names, words))
    trial = trial_of(spec, result)
    record_run(trial_ledger(settings), trial)
    with closing(unit_of_work(settings)) as work:
        record_backtest(work, result, trial, Execution(started_ns, system_clock().now_ns()))
    return result


def report(result: "BacktestResult", path: str | Path) -> Path:
    """Write the result's page, one self-contained HTML file, and return its path.

    It says how many variants of the strategy were tried on the data, as far as the trial ledger knows.
    """
    from manjha.research.report import write_report
    from manjha.services.trial_records import count_again

    counted = count_again(trial_ledger(load_settings()), result)
    return write_report(result, Path(path), trials=counted.sentence if counted.trials else "")


def summary(result: "BacktestResult") -> str:
    """Return the figures that a trader looks at first, as text."""
    from manjha.research.report import format_summary

    return format_summary(result)


def _day(text: str) -> TradingDay | None:
    return parse_day(text) if text else None

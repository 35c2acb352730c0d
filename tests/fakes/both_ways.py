"""A run by the event engine and compiled, and where the two part."""

from typing import Any

from manjha.domain.errors import DataError, UsageError
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.kernel.convert import divergence, result_of
from manjha.research.kernel.run import KernelMarket, run_kernel
from manjha.research.result import BacktestResult
from manjha.strategy.interface import Strategy

PLAIN = (bool, int, float, str)


def compiled(spec: BacktestSpec) -> BacktestResult:
    market = KernelMarket(spec)
    return result_of(spec, market, run_kernel(spec, market))


def open_at_once(run: BacktestResult) -> int:
    """Return how many orders were open in one instrument at the same moment, at most."""
    found = 0
    for instrument in {record.order.instrument for record in run.orders}:
        mine = [record for record in run.orders if record.order.instrument == instrument]
        turns = [(record.placed_ns, 1) for record in mine]
        turns += [(record.done_ns, -1) for record in mine if record.done_ns]
        now = 0
        for _, step in sorted(turns, key=lambda turn: (turn[0], -turn[1])):
            now += step
            found = max(found, now)
    return found


def attributes(strategy: Strategy) -> str:
    """Return what a strategy remembers, in words in which NaN equals NaN and 1 is 1.0."""
    held = {name: value for name, value in vars(strategy).items() if type(value) in PLAIN}
    return repr({name: float(v) if type(v) in (int, float) else v for name, v in sorted(held.items())})


def told(run: Any, spec: BacktestSpec) -> BacktestResult | Exception:
    try:
        found: BacktestResult = run(spec)
    except (ArithmeticError, ValueError, UsageError, DataError) as error:
        return error
    return found


def parted(one: BacktestSpec, two: BacktestSpec) -> str:
    """Say where the engine's run of one spec and the kernel's of an equal one part; a stop is no result, so none is."""
    engine, kernel = told(run_backtest, one), told(compiled, two)
    if isinstance(kernel, Exception):
        if isinstance(engine, Exception) or "beyond" in str(kernel):
            return ""
        return f"the kernel says: {kernel}"
    if isinstance(engine, Exception):
        return f"the engine says: {engine!r}"
    if attributes(one.strategy) != attributes(two.strategy):
        return f"{attributes(one.strategy)}\n{attributes(two.strategy)}"
    return divergence(engine, kernel)

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

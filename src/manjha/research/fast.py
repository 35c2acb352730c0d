"""A backtest the fastest way that gives the same result: compiled where the kernel does it, else event by event."""

from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.result import BacktestResult


def fast_backtest(spec: BacktestSpec, *, may_compile: bool = True) -> BacktestResult:
    """Return a run's result, from the compiled kernel where it does the run, else from the event engine.

    Fills, charges, orders and curve are the same either way; from the kernel there is no `state_digest`, and refusals
    carry no figures. `may_compile` false uses the kernel only once its code is in the cache, and the strategy's where
    it acts in `on_bar`, so that nobody waits. Raises as `run_backtest` does.
    """
    from manjha.research.compile.run import is_ready, remembered
    from manjha.research.kernel import cache
    from manjha.research.kernel.convert import result_of
    from manjha.research.kernel.refusal import acts_on_bar
    from manjha.research.kernel.run import KernelMarket, KernelRefused, check_kernel, run_kernel

    on_bar = acts_on_bar(spec.strategy)
    if may_compile or (cache.is_compiled(cache.entry_name()) and (not on_bar or is_ready(spec))):
        before = remembered(spec.strategy)
        try:
            check_kernel(spec)
            market = KernelMarket(spec)
            return result_of(spec, market, run_kernel(spec, market))
        except KernelRefused:
            vars(spec.strategy).clear()
            vars(spec.strategy).update(before)
    return run_backtest(spec)

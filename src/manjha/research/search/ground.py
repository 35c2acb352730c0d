"""Where variants run: one spec, parts of its span, and what the compiled kernel looks up about each, once."""

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from manjha.domain.errors import ManjhaError
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.metrics.sample import Sample, sample
from manjha.research.search.variants import vary
from manjha.research.walk_forward import cut_before

if TYPE_CHECKING:
    from manjha.domain.orders import Product
    from manjha.research.kernel.outcome import KernelOutcome
    from manjha.research.search.compiled import LookedUp
    from manjha.research.targets import Stated
    from manjha.strategy.interface import Strategy

REMEMBERED = 128 * 2**20
"""Bytes of indicators that a worker keeps: 160 averages of 100,000 bars."""
PARTS = 3
"""Parts of a span, and markets, that are kept: training, test and the whole, or two first parts and the whole."""
_SAME = ("bars", "further", "instruments", "rules", "rates", "actions")
_EQUAL = ("initial", "sessions_from_data", "contract_notes", "trade_from_ns")


class Ready(NamedTuple):
    """A variant that may be run. `found` is None where the event engine does it, `stated` where it acts in `on_bar`."""

    spec: BacktestSpec
    found: "LookedUp | None" = None
    stated: "Stated | None" = None

    @property
    def size(self) -> int:
        """Bytes of what it has stated."""
        return 0 if self.stated is None else sum(each.nbytes for each in self.stated if each is not None)


class Ground:
    """What a worker keeps between evaluations. Memory is bounded: of `PARTS` parts, whatever the number of runs.

    Attributes
    ----------
    spec
        The run whose variants are evaluated.
    """

    def __init__(self, spec: BacktestSpec) -> None:
        self.spec = spec
        self._parts: OrderedDict[Hashable, BacktestSpec] = OrderedDict()
        self._markets: list[tuple[BacktestSpec, LookedUp | None]] = []
        self._last: tuple[weakref.ref[Sample], KernelOutcome] | None = None
        self._done: tuple[type[Strategy], Product, BacktestSpec] | None = None

    def part(self, key: Hashable, cut: Callable[[BacktestSpec], BacktestSpec]) -> BacktestSpec:
        """Return a part of the spec, cut once: the same bars each time, so that what was looked up about them holds."""
        if key not in self._parts:
            self._parts[key] = cut(self.spec)
            if len(self._parts) > PARTS:
                self._parts.popitem(last=False)
        self._parts.move_to_end(key)
        return self._parts[key]

    def run(self, spec: BacktestSpec) -> Sample:
        """Run a variant: compiled where the kernel does it, else event by event; the same figures either way.

        Where trading is held back to a moment, the curve before it is left out. Raises as `run_backtest`.
        """
        return self.carry_out(self.ready(spec))

    def ready(self, spec: BacktestSpec) -> "Ready":
        """Have a variant state all that it wants, as far as that is known before it runs; see `carry_out`.

        Raises what the strategy raises; where it cannot run, that is found in the run.
        """
        found = self._looked_up(spec)
        if found is None:
            return Ready(spec)
        from manjha.research.kernel.refusal import acts_on_bar
        from manjha.research.kernel.run import stated_of

        if acts_on_bar(spec.strategy):
            return Ready(spec, found)
        try:
            return Ready(spec, found, stated_of(spec, found.market))
        except ManjhaError:
            # Refused, or not to be run at all: the event engine does it, or says why in its own words.
            return Ready(vary(spec, spec.strategy.values))

    def carry_out(self, ready: "Ready") -> Sample:
        """Run what is ready, once. Raises as `run`."""
        spec, found, stated = ready
        if found is not None:
            from manjha.research.kernel.run import run_kernel, run_stated
            from manjha.research.search.compiled import CompiledSample

            over = self._free()
            try:
                if stated is None:
                    outcome = run_kernel(spec, found.market)
                else:
                    outcome = run_stated(spec, found.market, stated, over=over)
            except ManjhaError:
                # As in `ready`; some things show only in the run.
                spec = vary(spec, spec.strategy.values)
            else:
                made = CompiledSample(spec, found, outcome)
                self._last = weakref.ref(made), outcome
                return made
        result = run_backtest(spec)
        return sample(cut_before(result, spec.trade_from_ns) if spec.trade_from_ns else result)

    def _free(self) -> "KernelOutcome | None":
        """Return the outcome of the last run for another to write over, unless somebody still looks at it."""
        last, self._last = self._last, None
        return last[1] if last is not None and last[0]() is None else None

    def _looked_up(self, spec: BacktestSpec) -> "LookedUp | None":
        """Return what was looked up about the market of a run; None where the kernel does not do the run."""
        for at, (held, found) in enumerate(self._markets):
            if _is_same(held, spec):
                self._markets.insert(0, self._markets.pop(at))
                if at:
                    self._remember()
                return found if found is None or self._does(spec) else None
        from manjha.research.search.compiled import look_up

        if not self._does(spec):
            return None
        try:
            made = look_up(spec)
        except ManjhaError:
            made = None
        self._markets = [(spec, made), *self._markets[: PARTS - 1]]
        self._remember()
        return made

    def _remember(self) -> None:
        """Keep results of indicators over the market of now, of no other."""
        for at, (_, found) in enumerate(self._markets):
            if found is not None:
                found.market.history.memo.limit = 0 if at else REMEMBERED
                if at:
                    found.market.history.memo.clear()

    def _does(self, spec: BacktestSpec) -> bool:
        """Tell whether the kernel does a run, asked once for all that differ in parameters only."""
        kind, product = type(spec.strategy), spec.strategy.product
        done = self._done
        if done is not None and done[:2] == (kind, product) and _is_same(done[2], spec):
            return True
        if not is_compilable(spec):
            return False
        self._done = (kind, product, spec)
        return True


def is_compilable(spec: BacktestSpec) -> bool:
    """Tell whether the kernel does a run, as far as that shows before it."""
    from manjha.research.kernel.run import check_kernel

    try:
        check_kernel(spec)
    except ManjhaError:
        return False
    return True


def prepare(spec: BacktestSpec, on_compile: Callable[[str], None]) -> None:
    """Compile here what workers would each compile for themselves; `on_compile` is told before, as it takes a while.

    Nothing is done where the code is in the cache already, or where the kernel does not do the run.
    """
    if not is_compilable(spec):
        return
    from manjha.research.kernel.refusal import acts_on_bar
    from manjha.research.search.compiled import warm

    warm(on_compile)
    if acts_on_bar(spec.strategy):
        from manjha.research.compile.run import warm as warm_on_bar
        from manjha.research.compile.source import NotCompilable

        # What numba does not take is refused again in the run, which the event engine then does.
        with suppress(NotCompilable):
            warm_on_bar(spec, on_compile)


def _is_same(one: BacktestSpec, other: BacktestSpec) -> bool:
    """Tell whether what was looked up for one run holds for another: the very same bars, not equal ones."""
    return (
        all(getattr(one, name) is getattr(other, name) for name in _SAME)
        and all(getattr(one, name) == getattr(other, name) for name in _EQUAL)
        and one.strategy.product is other.strategy.product
    )

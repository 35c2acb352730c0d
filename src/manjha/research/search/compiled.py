"""A compiled run as the metrics see it: of a row only what is asked for is made, and a whole result only if need be."""

from collections import Counter
from functools import cached_property, partial
from typing import NamedTuple

import numba
import numpy as np

from manjha.domain.commands import RefusalReason
from manjha.domain.money import Cash
from manjha.research.backtest import BacktestSpec
from manjha.research.curve import Walked, curve_of
from manjha.research.kernel.cache import OnCompile
from manjha.research.kernel.cache import warm as kernel_warm
from manjha.research.kernel.convert import REFUSALS, result_of
from manjha.research.kernel.curves import warm_curves
from manjha.research.kernel.outcome import KernelOutcome
from manjha.research.kernel.records import BRIEF, FILL, ORDER, Records
from manjha.research.kernel.run import KernelMarket
from manjha.research.metrics.daily import Daily, Floats, day_numbers, last_of_each, returns_from
from manjha.research.metrics.sample import Sample
from manjha.research.result import BacktestResult, Int64s
from manjha.research.walk_forward import cut_before


class LookedUp(NamedTuple):
    """What all runs over one market share. Rows of the curve before `first` are history, and left out.

    `ends` are the rows of the curve at which the days of `days` end; `benchmark` has a return for each, or none.
    """

    market: KernelMarket
    first: int
    days: Int64s
    ends: Int64s
    benchmark: Floats


def look_up(spec: BacktestSpec) -> LookedUp:
    """Look up what the runs over a market share. Raises as `KernelMarket`."""
    market = KernelMarket(spec)
    ts_ns = np.asarray(market.timeline.close_ns)
    first = int(np.searchsorted(ts_ns, spec.trade_from_ns, side="right")) if spec.trade_from_ns else 0
    ends, days = last_of_each(day_numbers(ts_ns[first:]))
    benchmark = np.empty(0)
    if not first:
        ids = [instrument.id for instrument in spec.instruments]
        walked = Walked(market.timeline, spec.bars[0].interval, ids, int(spec.initial))
        held = curve_of(walked, (), np.zeros((5, 0), np.int64), spec.actions).benchmark
        benchmark = returns_from(spec.initial, held[ends])
    return LookedUp(market, first, days, ends, benchmark)


def warm(on_compile: OnCompile) -> None:
    """Have all the code of a compiled evaluation in the cache and in this process, see `kernel.warm`."""
    kernel_warm(on_compile)
    warm_curves()
    _pairs(np.zeros(0, FILL), np.zeros(0, ORDER))


def _whole(spec: BacktestSpec, found: LookedUp, outcome: KernelOutcome) -> BacktestResult:
    made = result_of(spec, found.market, outcome)
    return cut_before(made, spec.trade_from_ns) if spec.trade_from_ns else made


class CompiledSample(Sample):
    """A compiled run. What it does not know from its arrays comes from the whole result, which is made then."""

    def __init__(self, spec: BacktestSpec, found: LookedUp, outcome: KernelOutcome) -> None:
        self._spec = spec
        self._found = found
        self._outcome = outcome
        # Not a method of its own: a sample that nobody looks at any more must be gone at once, see `Ground`.
        super().__init__(partial(_whole, spec, found, outcome))

    @property
    def initial(self) -> int:
        """Initial capital."""
        return self._spec.initial

    @property
    def final(self) -> int:
        """Final equity."""
        return self._outcome.final if len(self.ts) else Cash(self.initial)

    @property
    def ts(self) -> Int64s:
        """Bar timestamps."""
        return np.asarray(self._found.market.timeline.close_ns)[self._found.first :]

    @cached_property
    def equity(self) -> Int64s:
        """Equity, bar by bar."""
        return self._outcome.equity[self._found.first :]

    @cached_property
    def _brief(self) -> tuple[Int64s, float]:
        return self._outcome.brief(self._found.ends, self._found.first)

    @cached_property
    def daily(self) -> Daily:
        """The curve reduced to days."""
        found, equity = self._found, self._brief[0]
        return Daily(found.days, equity, returns_from(self.initial, equity), found.benchmark)

    @cached_property
    def max_drawdown(self) -> float:
        """Depth of the deepest fall."""
        return self._brief[1]

    @cached_property
    def trades(self) -> int:
        """Number of closed round trips."""
        if len(self._outcome.changes):
            # A split or an expiry changes what is held without a fill.
            return len(self.closed)
        fills = self._outcome.fills
        if len(self._spec.instruments) > 1 or (np.diff(fills["ts_ns"]) < 0).any():
            fills = fills[np.lexsort((fills["ts_ns"], fills["instrument"]))]
        pairs = _pairs(fills, self._outcome.order_heads)
        # Mostly there is one piece to a trip, and each was closed after the one before it.
        return len(pairs) if (pairs[1:] > pairs[:-1]).all() else len(np.unique(pairs))

    @property
    def refusals(self) -> Counter[RefusalReason]:
        """Orders that risk refused, by reason."""
        return Counter(REFUSALS[reason] for reason in self._outcome.refusals["reason"].tolist())


@numba.njit(cache=True)
def _pairs(fills: Records, orders: Records) -> Int64s:  # pragma: no cover - compiled
    """Match fills first in, first out; return a number for entry and exit order of each piece that was closed.

    `fills` stand instrument after instrument, each in order of time.
    """
    count, many = len(fills), len(orders)
    pairs, made = np.empty(2 * count, np.int64), 0
    entry, left = np.empty(count, np.int64), np.empty(count, np.int64)
    head = tail = 0
    held_side = 0
    for at in range(count):
        if at and fills[at].instrument != fills[at - 1].instrument:
            head = tail
        order, side, qty = fills[at].order, fills[at].side, fills[at].qty
        # As `round_trips`: slices belong to the order that they were cut from, what protects it does not.
        parent = -1 if orders[order].phase == BRIEF else orders[order].parent
        if parent >= 0 and orders[parent].side == orders[order].side:
            order = parent
        while qty and head < tail and held_side != side:
            piece = min(qty, left[head])
            pairs[made] = entry[head] * many + order
            made += 1
            left[head] -= piece
            qty -= piece
            if not left[head]:
                head += 1
        if qty:
            entry[tail], left[tail], held_side = order, qty, side
            tail += 1
    return pairs[:made]

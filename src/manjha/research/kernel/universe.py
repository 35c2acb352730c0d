"""The universe of each day of a compiled run, asked for before it, in the order and with what the engine would show."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from manjha.domain.actions import ActionKind
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, day_of
from manjha.engine.handlers.settlement import contracts_after
from manjha.engine.universe import chosen_of
from manjha.research.kernel.records import Ints
from manjha.research.targets import Stated
from manjha.strategy.context import Context, Market
from manjha.strategy.interface import Strategy

if TYPE_CHECKING:
    from manjha.research.kernel.run import KernelMarket

KEEPS_ACCOUNT = "the strategy chooses a universe and keeps its context, so that it may choose by what it holds"
HELD = frozenset({"equity", "_equity", "working_orders", "requests", "universe", "position", "cost_e4", "_resting"})
"""What a context or a market of it knows that comes about in the run."""


def with_universe(
    market: "KernelMarket", strategy: Strategy, ctx: Context | None, state: Callable[[], Stated]
) -> Stated:
    """Return what a strategy states, with its universe of each day. Raises as `engine.universe.choose_universe`.

    It is asked for that of the first day before `state` is called, and for the others after that, while its indicators
    stand where they stand when the session opens. If it then looks at what it holds, through the context that it was
    given and has kept in whatever way, it is refused.
    """
    if not market.first_day:
        return state()
    days = _Days(market, strategy)
    first = days.chosen(market.first_day, -1)
    stated = state()
    if ctx is not None:
        _hide_account(ctx)
    return stated._replace(universe=np.stack([first, *days.others(first)]))


class _Hiding:
    """Refuses the run where somebody looks at what is held, which nobody knows beforehand."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name in HELD:
            from manjha.research.kernel.run import KernelRefused

            raise KernelRefused(f"the kernel does not do this: {KEEPS_ACCOUNT}")
        return super().__getattribute__(name)


class _HidingContext(_Hiding, Context):
    __slots__ = ()


class _HidingMarket(_Hiding, Market):
    __slots__ = ()


def _hide_account(ctx: Context) -> None:
    """Let a context and its markets tell nothing any more of what comes about in the run."""
    for market in ctx.markets.values():
        market.__class__ = _HidingMarket
    ctx.__class__ = _HidingContext


def keeps_account(strategy: Strategy) -> bool:
    """Tell whether a strategy has kept its context, or an instrument's market, by which it sees what it holds."""
    return any(isinstance(value, Context | Market) for value in _values(vars(strategy).values()))


def _values(found: Iterable[object]) -> Iterator[object]:
    for value in found:
        yield value
        if isinstance(value, dict):
            yield from _values(value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            yield from _values(value)


class _Days:
    """The days of a market on which a strategy is asked, and what is listed on each."""

    def __init__(self, market: "KernelMarket", strategy: Strategy) -> None:
        self.market = market
        self.strategy = strategy
        self.listed = {one.id: one for one in market.spec.instruments}
        self.begun = {c.instrument: day_of(c.ts_open_ns[0]) for c in market.spec.bars}
        self.rows = {int(day): row for row, day in enumerate(market.days["day"])}

    def chosen(self, day: TradingDay, position: int) -> Ints:
        """Return 1 for each instrument that is chosen for a day, 0 for the others; `position` closed last before it."""
        cursor = self.market.timeline.cursor
        cursor.at = position
        try:
            ids = chosen_of(self.strategy, day, [self.listed[name] for name in self._trading(day)])
        finally:
            cursor.at = -1
        return np.array([name in ids for name in self.listed], np.int64)

    def others(self, first: Ints) -> Iterator[Ints]:
        """Yield the universe of each day that is traded; that of the first day is known."""
        ends = np.asarray(self.market.timeline.close_ns)
        for day, opens_ns in self.market.days[["day", "open_ns"]].tolist():
            self._act(day)
            if day == self.market.first_day:
                yield first
            else:
                yield self.chosen(TradingDay(day), int(np.searchsorted(ends, opens_ns, side="right")) - 1)

    def _trading(self, day: TradingDay) -> Iterator[InstrumentId]:
        row = self.rows.get(day)
        if row is not None:
            for name, trades in zip(self.listed, self.market.sessions["has_today"][row], strict=True):
                if trades and self.begun[name] <= day:
                    yield name

    def _act(self, day: int) -> None:
        """Let the splits and bonuses of a day change the contracts on the share."""
        for action in self.market.spec.actions:
            if action.ex_day == day and action.kind in (ActionKind.SPLIT, ActionKind.BONUS):
                self.listed |= {one.id: one for one in contracts_after(self.listed, action)}

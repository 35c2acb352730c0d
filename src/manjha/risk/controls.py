"""What the controls of one account remember.

All of it follows from events, so that a replay has it again: nothing here is kept anywhere else.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from manjha.domain.commands import Tripped
from manjha.domain.events import KillSwitched
from manjha.domain.instrument import Instrument, InstrumentId, Kind
from manjha.domain.kill import KillLevel, Scope
from manjha.domain.moments import TsNs, day_of
from manjha.domain.money import format_px
from manjha.domain.orders import Fill, Order, OrderId, Purpose, Side, StrategyId
from manjha.portfolio.positions import Position, PositionKey
from manjha.risk.control_limits import ControlLimits
from manjha.risk.governor import NEVER, Governor
from manjha.risk.kill import Levels, level_for, switched
from manjha.risk.protections import ClosedTrade, Pause, lookback, pauses

if TYPE_CHECKING:
    from manjha.market.bands import Band
    from manjha.orders.book import OrderRecord

Terms = tuple[StrategyId, InstrumentId, Side, int, str, int, int]


class Slices(msgspec.Struct):
    """Orders that one entry is cut into: which instrument and side, decided when, and whether the first has gone."""

    instrument: InstrumentId
    side: Side
    decided_ns: TsNs
    begun: bool = False


class Controls:
    """The memory of the controls.

    Attributes
    ----------
    levels, tripped
        Kill levels that somebody has thrown, and those that a control has until the next session.
    pauses, bands
        Who rests until when; the exchange's bands of the day.
    good, bad
        The last good price by instrument and when it was seen; how many in a row were not good.
    recent, entries
        Terms and moments of the last entries; moments of each strategy's entries by instrument.
    entry_ids
        Orders that open something; whatever else is open is an exit.
    modified, asked
        How often an order was modified; limits that were asked for and not answered yet.
    to_cancel, cancels_asked
        Orders that stand in the way of an exit; orders whose cancel was approved.
    carried_for
        The day of which orders were counted before this run opened it; 0 for none.
    peaks, base
        The day's highest profit by rule; each strategy's profit before the day.
    """

    def __init__(
        self,
        limits: ControlLimits,
        seen_ns: Callable[[InstrumentId], int],
        freeze: Callable[[InstrumentId, str], None],
    ) -> None:
        self.limits = limits
        self.freeze = freeze
        self.allowed = None if limits.allowed is None else frozenset(limits.allowed)
        self.seen_ns = seen_ns
        self.governor = None if limits.rate is None else Governor(limits.rate)
        self.levels: Levels = {}
        self.tripped: Levels = {}
        self.pauses: list[Pause] = []
        self.bands: dict[InstrumentId, Band] = {}
        self.good: dict[InstrumentId, tuple[int, int]] = {}
        self.bad: dict[InstrumentId, int] = {}
        self.watched: dict[InstrumentId, int] = {}
        self.recent: list[tuple[int, Terms]] = []
        self.entries: dict[tuple[StrategyId, InstrumentId], list[int]] = {}
        self.entry_ids: set[OrderId] = set()
        self.modified: dict[OrderId, int] = {}
        self.asked: dict[OrderId, list[int]] = {}
        self.cancels_asked: set[OrderId] = set()
        self.to_cancel: list[OrderRecord] = []
        self.orders_today = self.carried_for = 0
        self.rejections: dict[StrategyId, int] = {}
        self.rejected_at: dict[tuple[StrategyId, InstrumentId, Side], int] = {}
        self.slices: Slices | None = None
        self.trades: list[ClosedTrade] = []
        self.running: dict[PositionKey, tuple[int, int, int]] = {}
        self.peaks: dict[int, int] = {}
        self.base: dict[StrategyId, int] = {}
        self.trips: list[Tripped] = []

    # ---- prices

    def watch(self, instrument: Instrument, px: int) -> None:
        """Look at the newest price: a new one is good unless it is outside the band or far from the last good one."""
        seen_ns = self.seen_ns(instrument.id)
        if seen_ns == self.watched.get(instrument.id):
            return
        self.watched[instrument.id] = seen_ns
        why = self._unreasonable(instrument, px)
        if not why:
            self.good[instrument.id] = (px, seen_ns)
            self.bad.pop(instrument.id, None)
            return
        count = self.bad[instrument.id] = self.bad.get(instrument.id, 0) + 1
        most = self.limits.bad_prices_max
        if count == most:
            detail = f"{count} prices in a row were not good; the last, {why}"
            self.freeze(instrument.id, detail)
            self._trip("price reasonability", Scope(instrument=instrument.id), detail, seen_ns)

    def shown(self, instrument: Instrument, px: int, seen_ns: int) -> None:
        """Hear of a price that was seen between two closes; one that is not good counts for nothing."""
        if seen_ns > self.good.get(instrument.id, (0, 0))[1] and not self._unreasonable(instrument, px):
            self.good[instrument.id] = (px, seen_ns)

    def _unreasonable(self, instrument: Instrument, px: int) -> str:
        band = self.bands.get(instrument.id)
        if px <= 0 or (band is not None and not band.holds(px)):
            return f"{format_px(px)}, is outside the band"
        last = self.good.get(instrument.id, (0, 0))[0]
        most = 0 if instrument.kind is Kind.OPTION else self.limits.price_jump_max
        if most and last and abs(px - last) * 10_000 > last * most:
            return f"{format_px(px)}, is far from {format_px(last)}"
        return ""

    # ---- orders

    def placed(self, order: Order, opening: int, now_ns: int) -> None:
        """Remember an order that was approved; `opening` is its signed part that opens something."""
        self.orders_today += 1
        if not opening:
            return
        self.entry_ids.add(order.id)
        slices, oldest = self.slices, now_ns - self.limits.duplicate_ns
        self.recent = [one for one in self.recent if one[0] > oldest]
        self.recent.append((now_ns, terms_of(order)))
        if slices is not None and _is_slice(slices, order):
            if slices.begun:
                return
            slices.begun = True
        first = now_ns - self.limits.entries_window_ns
        key = (order.origin.strategy, order.instrument)
        self.entries[key] = [*(ts_ns for ts_ns in self.entries.get(key, ()) if ts_ns > first), now_ns]

    def changed(self, order_id: OrderId, limit: int) -> None:
        """Remember that new terms of an order were approved."""
        self.modified[order_id] = self.modified.get(order_id, 0) + 1
        self.asked.setdefault(order_id, []).append(limit)

    def answered(self, order_id: OrderId, limit: int) -> None:
        """Forget new terms that the exchange has taken or refused."""
        left = [one for one in self.asked.pop(order_id, ()) if one != limit]
        if left:
            self.asked[order_id] = left

    def is_duplicate(self, order: Order, now_ns: int) -> bool:
        """Tell whether an entry like this one was placed a moment ago."""
        if self._is_further_slice(order):
            return False
        terms, oldest = terms_of(order), now_ns - self.limits.duplicate_ns
        return any(ts_ns > oldest and one == terms for ts_ns, one in self.recent)

    def entries_since(self, order: Order, first_ns: int) -> int:
        """Return how often the order's strategy has entered its instrument after a moment."""
        if self._is_further_slice(order):
            return 0
        moments = self.entries.get((order.origin.strategy, order.instrument), ())
        return sum(ts_ns > first_ns for ts_ns in moments)

    def expect_slices(self, instrument: InstrumentId, side: Side, decided_ns: TsNs) -> None:
        """Let the orders that one entry is cut into, which come now, count as one."""
        self.slices = Slices(instrument, side, decided_ns)

    def rejected(self, order: Order, now_ns: int) -> None:
        """Remember a definitive rejection; several in a row pause the strategy for the day."""
        strategy = order.origin.strategy
        self.rejected_at[strategy, order.instrument, order.side] = now_ns
        count = self.rejections[strategy] = self.rejections.get(strategy, 0) + 1
        most = self.limits.rejections_max
        if most and count >= most:
            self.pause_for_day(strategy, "rejections", f"{count} in a row", now_ns)

    def taken(self, order: Order) -> None:
        """Forget the rejections in a row: the exchange has taken an order of the strategy."""
        self.rejections.pop(order.origin.strategy, None)

    # ---- pauses and levels

    def pause_for_day(self, strategy: StrategyId, control: str, detail: str, now_ns: int) -> None:
        """Let a strategy open nothing until the next session or until a person resumes it."""
        scope = Scope(strategy=strategy)
        if not any(pause.scope == scope and pause.until_ns == NEVER for pause in self.pauses):
            self.pauses.append(Pause(scope, NEVER, control, detail))
            self._trip(control, scope, detail, now_ns)

    def trip(self, control: str, level: KillLevel, scope: Scope, detail: str, now_ns: int) -> None:
        """Let a level hold for a scope until the next session opens or a person lifts it."""
        self.tripped[scope] = max(level, self.tripped.get(scope, KillLevel.OFF))
        self.trips.append(Tripped(control, level, scope, detail, TsNs(now_ns)))

    def level(self, strategy: str, instrument: str) -> KillLevel:
        """Return the kill level that holds for a strategy in an instrument, whoever has thrown it."""
        return max(level_for(self.levels, strategy, instrument), level_for(self.tripped, strategy, instrument))

    def switch(self, event: KillSwitched) -> None:
        """Throw or lift the kill switch; who lifts it also ends the pauses and what a control has forbidden there."""
        switched(self.levels, event)
        if event.level is KillLevel.OFF:
            switched(self.tripped, event)
            covers = event.scope.covers
            self.pauses = [one for one in self.pauses if not covers(one.scope.strategy, one.scope.instrument)]
            for strategy in [one for one in self.rejections if covers(one, "")]:
                del self.rejections[strategy]
            for key in [one for one in self.entries if covers(*one)]:
                del self.entries[key]

    def filled(self, order: Order, fill: Fill, position: Position, capital: int) -> None:
        """Remember a trade that this fill closed, if it did, and let those rest that the protections want to rest."""
        key = position.key
        held, realised, profit = self.running.get(key, (0, 0, 0))
        profit += position.realised - realised
        if held and held * position.qty <= 0:
            stopped = order.purpose is Purpose.STOP
            self._closed(ClosedTrade(key.strategy, key.instrument, fill.ts_ns, profit, stopped), capital)
            profit = 0
        self.running[key] = (position.qty, position.realised, profit)

    def _closed(self, trade: ClosedTrade, capital: int) -> None:
        rules = self.limits.protections
        oldest = trade.ts_ns - lookback(rules)
        self.trades = [*(one for one in self.trades if one.ts_ns >= oldest), trade]
        self.pauses = [one for one in self.pauses if one.until_ns > trade.ts_ns]
        for pause in pauses(rules, self.trades, capital):
            self.pauses.append(pause)
            until = TsNs(pause.until_ns)
            self.trips.append(
                Tripped(pause.control, KillLevel.OFF, pause.scope, pause.detail, TsNs(trade.ts_ns), until)
            )

    def _trip(self, control: str, scope: Scope, detail: str, now_ns: int) -> None:
        self.trips.append(Tripped(control, KillLevel.OFF, scope, detail, TsNs(now_ns)))

    def _is_further_slice(self, order: Order) -> bool:
        return self.slices is not None and self.slices.begun and _is_slice(self.slices, order)

    # ---- days

    def open_day(self, now_ns: int, open_ids: Iterable[OrderId], base: dict[StrategyId, int]) -> None:
        """Begin a day: its counts, prices and profits anew; what a control has forbidden for yesterday is over."""
        kept = set(open_ids)
        self.tripped.clear()
        self.good.clear()
        self.bad.clear()
        self.recent.clear()
        self.rejections.clear()
        self.rejected_at.clear()
        self.peaks.clear()
        self.base = base
        if self.carried_for != day_of(now_ns):
            self.orders_today = 0
        self.slices = None
        self.pauses = [pause for pause in self.pauses if now_ns < pause.until_ns != NEVER]
        self.entry_ids &= kept
        self.cancels_asked &= kept
        self.modified = {order_id: count for order_id, count in self.modified.items() if order_id in kept}
        self.asked = {order_id: limits for order_id, limits in self.asked.items() if order_id in kept}

    def memory(self) -> tuple[object, ...]:
        """Return everything that a later decision depends on, for the state digest."""
        return (
            sorted((*msgspec.structs.astuple(scope), level) for scope, level in self.levels.items()),
            sorted((*msgspec.structs.astuple(scope), level) for scope, level in self.tripped.items()),
            (self.pauses, sorted((name, band) for name, band in self.bands.items())),
            (sorted(self.good.items()), sorted(self.bad.items()), sorted(self.watched.items())),
            (self.recent, sorted(self.entries.items()), sorted(self.entry_ids), sorted(self.modified.items())),
            (
                sorted(self.asked.items()),
                sorted(self.cancels_asked),
                self.orders_today,
                sorted(self.rejections.items()),
            ),
            (sorted(self.rejected_at.items()), self.trades, sorted(self.running.items())),
            (sorted(self.peaks.items()), sorted(self.base.items())),
            () if self.governor is None else self.governor.memory(),
        )


def terms_of(order: Order) -> Terms:
    """Return what makes an entry the same as another."""
    return order.origin.strategy, order.instrument, order.side, order.qty, order.type, order.limit, order.trigger


def _is_slice(slices: Slices, order: Order) -> bool:
    return (slices.instrument, slices.side, slices.decided_ns) == (order.instrument, order.side, order.decided_ns)

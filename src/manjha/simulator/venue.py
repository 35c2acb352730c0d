"""The exchange as a pure model: a book a instrument, matched against bars by the rule book in `docs/fill-rules.md`.

The driver tells it where the market stands; it answers commands and bars with events, one at a time, so that what the
engine sends in answer to a fill takes part in the same bar.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from manjha.domain.bars import Interval
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.events import (
    Event,
    ModifyRejected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderModified,
    OrderRejected,
)
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Fill, FillId, Order, OrderId, OrderType, Validity
from manjha.market.bands import band
from manjha.risk.gate import DayRules
from manjha.simulator.auction import is_after_trading, takers
from manjha.simulator.book import InstrumentBook, Resting
from manjha.simulator.fills import MarketFill, VenueModels, fillable
from manjha.simulator.reach import reach_of
from manjha.simulator.slippage import NoSlippage
from manjha.strategy.views import Timeline

# Members by name: in Python 3.11 a look into an enum costs more than the comparison it is for.
_MARKET, _SL, _SL_M, _IOC = OrderType.MARKET, OrderType.SL, OrderType.SL_M, Validity.IOC
DAY_END = "the day ended"
"""Reason of a cancel when a DAY order was not traded by the close."""

Candidate = Callable[[InstrumentBook, int, set[OrderId]], tuple[Resting, int] | None]
"""Picks what trades next in a bar (row), of what was not tried yet, and its reference price in 1e-4 rupee."""


class Venue:
    """Implements `ports.venue.Venue` over the bars of the run's timeline; `dry` are orders that met no volume."""

    _taking_turns: list[InstrumentBook] | None = None

    def __init__(
        self, timeline: Timeline, instruments: Sequence[Instrument], interval: Interval, models: VenueModels
    ) -> None:
        self.timeline = timeline
        self.rules = models.rules
        self.slippage = models.slippage
        self.latency_ns = models.latency_ns
        self.bands = models.bands
        self.books = {i.id: InstrumentBook(i, timeline.series[i.id, interval]) for i in instruments}
        self.active: dict[InstrumentId, InstrumentBook] = {}
        self.fill_seq = 0
        self.dry: set[OrderId] = set()
        self.today: Mapping[InstrumentId, DayRules] = {}
        self.has_auctions = False
        self._resting_entries: dict[OrderId, OrderType] = {}
        self._immediate = False
        self._reach = reach_of(models.rules)
        self._participation = models.rules.participation_ppm
        self._plain_close = models.rules.market is MarketFill.DECIDING_CLOSE
        # A stop's turn among what could trade inside the same bar: before entries in the worst case, then targets.
        self._first = -1 if self._reach.worst else 1
        self._slips = not isinstance(models.slippage, NoSlippage)

    # ---- commands

    def submit(self, approved: Approved[SubmitOrder], now_ns: TsNs) -> Sequence[Event]:
        """Take an order into the book, or reject it; with fills at the deciding close a market order trades now."""
        order = approved.command.order
        book = self.books[order.instrument]
        if order.type is _MARKET:
            if self._plain_close and book.matching_row < 0:
                return self._trade_at_close(book, order, now_ns)
        else:
            refusal = book.refusal(order)
            if refusal:
                return (OrderRejected(order.id, now_ns, refusal),)
            if order.exits is not None:
                self._resting_entries[order.id] = order.type
        resting = Resting(order, order.qty, order.limit, order.trigger, now_ns + self.latency_ns)
        if order.parent is not None:
            resting.rank = self._first if order.trigger else -self._first
            book.came_with_entry(resting, self._resting_entries.get(order.parent))
        self._enter(book, resting)
        return (OrderAccepted(order.id, now_ns),)

    def modify(self, approved: Approved[ModifyOrder], now_ns: TsNs) -> Sequence[Event]:
        """Give a resting order new terms; a triggered stop cannot be changed back."""
        command = approved.command
        found = self._find(command.order_id)
        if found is None:
            return ()
        book, resting = found
        order, traded = resting.order, resting.order.qty - resting.left
        refusal = book.terms_refusal(resting, command.limit, command.trigger)
        if command.qty <= traded:
            refusal = f"{traded} have traded already"
        if refusal:
            return (ModifyRejected(command.order_id, now_ns, command.qty, command.limit, command.trigger, refusal),)
        if (
            self._reach.worst
            and command.qty > order.qty
            and not order.trigger
            and order.parent in self._resting_entries
        ):
            # More of a resting entry came in this bar: its target waits once more.
            book.came_with_entry(resting, self._resting_entries.get(order.parent))
        if command.qty != order.qty:
            resting.order = msgspec.structs.replace(order, qty=command.qty)
        resting.left = command.qty - traded
        resting.limit = int(command.limit)
        if resting.trigger:
            resting.trigger = int(command.trigger)
        book.touch_row = -1
        return (OrderModified(command.order_id, now_ns, command.qty, command.limit, command.trigger),)

    def cancel(self, approved: Approved[CancelOrder], now_ns: TsNs) -> Sequence[Event]:
        """Take an order out of the book; nothing happens if it has traded already."""
        found = self._find(approved.command.order_id)
        if found is None:
            return ()
        book, resting = found
        self._leave(book, resting)
        self._resting_entries.pop(resting.order.id, None)
        return (OrderCancelled(resting.order.id, now_ns, "asked for"),)

    # ---- the day

    def open_day(self, today: Mapping[InstrumentId, DayRules]) -> None:
        """Take over today's sessions."""
        self.today = today
        self.has_auctions = any(rules.auction_end_ns for rules in today.values())

    def set_bands(self, last: Mapping[InstrumentId, int]) -> None:
        """Set the day's bands from the last prices, which are in today's shares after a corporate action."""
        for instrument, fraction in self.bands.items():
            book, px = self.books[instrument], last.get(instrument, 0)
            if px:
                limits = band(px, fraction, book.instrument.tick)
                book.band_low, book.band_high = limits.low, limits.high

    def close_day(self) -> Iterator[Event]:
        """Sweep DAY orders that were in the book before their instrument's close."""
        if not self.rules.orders_end_with_day:
            return
        for book in list(self.active.values()):
            session = self.today.get(book.instrument.id)
            if session is None:
                continue
            close_ns = session.close_ns
            end_ns = session.auction_end_ns or close_ns
            for resting in list(book.orders.values()):
                # What is swept may bring the cancel of another order with it.
                if resting.since_ns < close_ns and resting.order.id in book.orders:
                    self._leave(book, resting)
                    self._resting_entries.pop(resting.order.id, None)
                    yield OrderCancelled(resting.order.id, TsNs(end_ns), DAY_END)

    # ---- the market

    def next_position(self, first: int, last: int) -> int:
        """Return the first timeline position in [first, last) at which an order could trade, `last` if none."""
        nearest = last
        for book in self.active.values():
            nearest = book.next_touch(first, nearest)
        return nearest

    def at_open(self, position: int) -> Iterator[Event]:
        """Match what rests against the opens of the bars that close at this position."""
        for book in self._turns():
            row = self._row_at(book, position)
            if row < 0 or book.is_quiet_open(row):
                continue
            if not (self.has_auctions and is_after_trading(book, row, self.today)):
                yield from self._match(book, row, self._open_candidate, book.series.columns.ts_open_ns[row])
        self._taking_turns = None

    def in_range(self, position: int) -> Iterator[Event]:
        """Match what rests against the ranges of the bars that close at this position."""
        for book in self._turns():
            row = self._row_at(book, position)
            if row < 0:
                continue
            if self.has_auctions and is_after_trading(book, row, self.today):
                yield from self._auction(book, row)
            else:
                yield from self._match(book, row, self._range_candidate, book.series.columns.ts_close_ns[row])
        self._taking_turns = None

    def _turns(self) -> list[InstrumentBook]:
        """Return the books to match; the list grows, as what one instrument's fill brings into another trades too."""
        self._taking_turns = list(self.active.values())
        return self._taking_turns

    # ---- matching

    def _match(self, book: InstrumentBook, row: int, candidate: Candidate, ts_ns: int) -> Iterator[Event]:
        """Trade one order after the other until none can: each fill may bring new orders into this very bar."""
        book.matching_row, book.matching_ns = row, ts_ns
        book.touch_row = -1
        if book.used_row != row:
            book.used_row, book.used = row, 0
        tried: set[OrderId] = set()
        try:
            while book.orders and (found := candidate(book, row, tried)) is not None:
                resting, px = found
                order = resting.order
                tried.add(order.id)
                if resting.trigger and self._reach.has_trades(book, row):
                    resting.trigger = 0
                traded = self._trade(book, order, resting.left, px, row, TsNs(ts_ns))
                if traded is None:
                    continue
                left = resting.left = resting.left - traded.fill.qty
                if left:
                    yield traded
                else:
                    self._leave(book, resting)
                    yield traded
                    # Until now the orders that protect this entry could come and ask what kind it was.
                    self._resting_entries.pop(order.id, None)
            if book.orders and self._immediate:
                yield from self._end_immediate(book, TsNs(book.series.columns.ts_open_ns[row]))
        finally:
            book.matching_row = -1

    def _end_immediate(self, book: InstrumentBook, opened_ns: TsNs) -> Iterator[Event]:
        """Cancel what should have traded at once and did not."""
        for resting in list(book.orders.values()):
            if resting.order.validity is _IOC and resting.since_ns <= opened_ns:
                self._leave(book, resting)
                yield OrderCancelled(resting.order.id, opened_ns, "not traded at once (IOC)")

    def _auction(self, book: InstrumentBook, row: int) -> Iterator[Event]:
        """Trade what rests at the closing auction's one price, if this bar has it."""
        px, ts_ns = book.series.columns.close[row], TsNs(book.series.columns.ts_close_ns[row])
        book.matching_row, book.used_row, book.used = row, row, 0
        try:
            for resting in takers(book, row, self.today[book.instrument.id], book.locked_side(row)):
                traded = self._trade(book, resting.order, resting.left, px, row, ts_ns)
                if traded is not None:
                    resting.left -= traded.fill.qty
                    if resting.left == 0:
                        self._leave(book, resting)
                    yield traded
                    if resting.left == 0:
                        self._resting_entries.pop(resting.order.id, None)
        finally:
            book.matching_row = -1

    def _open_candidate(self, book: InstrumentBook, row: int, tried: set[OrderId]) -> tuple[Resting, int] | None:
        """Return the order that trades next at the open and its reference price: the oldest that can."""
        locked = book.locked_side(row) if book.band_high else 0
        for resting in book.orders.values():
            order = resting.order
            if order.id in tried or (locked and locked == order.side):
                continue
            px = self._reach.at_open(book, resting, row)
            if px:
                return resting, px
        return None

    def _range_candidate(self, book: InstrumentBook, row: int, tried: set[OrderId]) -> tuple[Resting, int] | None:
        """Return the order that trades next inside the bar and its reference price, by the path that is assumed."""
        best: tuple[Resting, int] | None = None
        locked = book.locked_side(row) if book.band_high else 0
        for resting in book.orders.values():
            order = resting.order
            if order.id in tried or (locked and locked == order.side):
                continue
            px = self._reach.in_range(book, resting, row)
            if px and (best is None or resting.rank < best[0].rank):
                best = (resting, px)
        return best

    def _trade(
        self, book: InstrumentBook, order: Order, left: int, px: int, row: int, ts_ns: TsNs
    ) -> OrderFilled | None:
        """Trade what the bar's liquidity allows at a reference price; None when it allows nothing."""
        qty, traded, side, origin = left, px, order.side, order.origin
        if self._participation:
            instrument, volume = book.instrument, book.series.columns.volume[row]
            qty = fillable(left, volume, self._participation, book.used, instrument.lot)
            if qty == 0:
                if volume == 0:
                    self.dry.add(order.id)
                return None
            book.used += qty
        if self._slips and (order.type is _MARKET or order.type is _SL_M):
            volume = book.series.columns.volume[row]
            traded = self.slippage.px(px, side, qty, volume, book.instrument.tick)
            if book.band_high:
                traded = min(max(traded, book.band_low), book.band_high)
        self.fill_seq += 1
        fill_id = FillId(f"{origin.run}-f{self.fill_seq}")
        return OrderFilled(
            Fill(fill_id, order.id, origin, order.instrument, side, Qty(qty), Px(traded), Px(px), order.product, ts_ns)
        )

    def _trade_at_close(self, book: InstrumentBook, order: Order, now_ns: TsNs) -> tuple[Event, ...]:
        """Trade a market order at the close that decided it; what is not traded waits in the book."""
        series = book.series
        row = series.cursor.at if series.rows_view is None else series.row()
        filled, left = None, order.qty
        if row >= 0 and not (book.band_high and book.locked_side(row) == order.side):
            if book.used_row != row:
                book.used_row, book.used = row, 0
            filled = self._trade(book, order, left, series.close_e4[row], row, now_ns)
        if filled is not None:
            if filled.fill.qty == left:
                return (filled,)  # Traded in full at once: the fill says that it was accepted.
            left = Qty(left - filled.fill.qty)
        self._enter(book, Resting(order, left, order.limit, order.trigger, now_ns + self.latency_ns))
        accepted = OrderAccepted(order.id, now_ns)
        return (accepted,) if filled is None else (accepted, filled)

    # ---- the book

    def _enter(self, book: InstrumentBook, resting: Resting) -> None:
        order = resting.order
        book.orders[order.id] = resting
        book.touch_row = -1
        self.active[order.instrument] = book
        if self._taking_turns is not None and book not in self._taking_turns:
            self._taking_turns.append(book)
        if order.validity is _IOC:
            self._immediate = True

    def _leave(self, book: InstrumentBook, resting: Resting) -> None:
        del book.orders[resting.order.id]
        book.touch_row = -1
        if not book.orders:
            self.active.pop(book.instrument.id, None)

    def _find(self, order_id: OrderId) -> tuple[InstrumentBook, Resting] | None:
        for book in self.active.values():
            resting = book.orders.get(order_id)
            if resting is not None:
                return book, resting
        return None

    # ---- where the market stands

    def _row_at(self, book: InstrumentBook, position: int) -> int:
        """Return the row of the bar that closes at a position, -1 when the instrument has none there."""
        rows = book.series.rows_view
        if rows is None:
            return position
        row = rows[position]
        if row < 0 or book.series.columns.ts_close_ns[row] != self.timeline.close_ns[position]:
            return -1
        return row

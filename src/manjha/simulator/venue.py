"""The exchange as a pure model: a book a instrument, matched against bars by the rule book in `docs/fill-rules.md`.

The driver tells it where the market stands; it answers commands and bars with events, one at a time, so that what the
engine sends in answer to a fill takes part in the same bar.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from manjha.domain.bars import Interval
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.events import Event, OrderAccepted, OrderCancelled, OrderFilled, OrderModified, OrderRejected
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty, format_px
from manjha.domain.orders import Fill, FillId, Order, OrderId, OrderType, Side, Validity
from manjha.market.bands import band
from manjha.simulator.book import InstrumentBook, Resting
from manjha.simulator.fills import (
    FillRules,
    LimitFill,
    MarketFill,
    Path,
    fillable,
    limit_at_open,
    limit_in_range,
    locked,
    stop_at_open,
    stop_in_range,
    stop_price,
)
from manjha.simulator.scan import NEVER_ABOVE, NEVER_BELOW, first_touch
from manjha.simulator.slippage import NoSlippage, SlippageModel
from manjha.strategy.views import Timeline

DAY_END = "the day ended"
"""Reason of a cancel when a DAY order was not traded by the close."""
SCAN_ROWS = 4096
"""How far ahead a scan looks; bounds the cost of one order that is never touched."""


class VenueModels(msgspec.Struct, frozen=True, kw_only=True):
    """The named models of a venue.

    `latency_ns` is from our decision to the exchange's book. `bands` are daily price bands around the previous close,
    in 1e-9, for instruments that have one.
    """

    rules: FillRules = FillRules()
    slippage: SlippageModel = NoSlippage()
    latency_ns: int = 0
    bands: Mapping[InstrumentId, int] = {}


class Venue:
    """Implements `ports.venue.Venue` over the bars of the run's timeline."""

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
        self._resting_entries: dict[OrderId, OrderType] = {}
        self._plain_close = models.rules.market is MarketFill.DECIDING_CLOSE

    # ---- commands

    def submit(self, approved: Approved[SubmitOrder], now_ns: TsNs) -> Sequence[Event]:
        """Take an order into the book, or reject it; with fills at the deciding close a market order trades now."""
        order = approved.command.order
        book = self.books[order.instrument]
        refusal = self._refusal(book, order)
        if refusal:
            return (OrderRejected(order.id, now_ns, refusal),)
        resting = Resting(order, order.qty, order.limit, order.trigger, now_ns + self.latency_ns)
        accepted = OrderAccepted(order.id, now_ns)
        if order.type is OrderType.MARKET:
            if self._plain_close and book.matching_row < 0:
                return self._trade_at_close(book, resting, accepted)
        elif order.exits is not None:
            self._resting_entries[order.id] = order.type
        if order.parent is not None:
            resting.protective = True
            if book.matching_row >= 0:
                self._came_with_entry(book, resting, order.parent)
        self._enter(book, resting)
        return (accepted,)

    def modify(self, approved: Approved[ModifyOrder], now_ns: TsNs) -> Sequence[Event]:
        """Give a resting order new terms; a triggered stop cannot be changed back."""
        command = approved.command
        found = self._find(command.order_id)
        if found is None:
            return ()
        book, resting = found
        traded = resting.order.qty - resting.left
        resting.order = _with_qty(resting.order, command.qty)
        resting.left = command.qty - traded
        resting.limit = int(command.limit)
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

    def open_day(self) -> None:
        """Set today's bands from the last close."""
        for instrument, fraction in self.bands.items():
            book = self.books[instrument]
            row = book.series.row()
            if row >= 0:
                today = band(book.series.close_e4[row], fraction, book.instrument.tick)
                book.band_low, book.band_high = today.low, today.high

    def close_day(self, closes: Mapping[InstrumentId, int]) -> Iterator[Event]:
        """Sweep DAY orders that were in the book before their instrument's close."""
        if not self.rules.orders_end_with_day:
            return
        for book in list(self.active.values()):
            close_ns = closes.get(book.instrument.id, 0)
            for resting in list(book.orders.values()):
                if resting.since_ns < close_ns:
                    self._leave(book, resting)
                    self._resting_entries.pop(resting.order.id, None)
                    yield OrderCancelled(resting.order.id, TsNs(close_ns), DAY_END)

    # ---- the market

    def next_position(self, first: int, last: int) -> int:
        """Return the first timeline position in [first, last) at which an order could trade, `last` if none."""
        nearest = last
        for book in self.active.values():
            nearest = min(nearest, self._next_in_book(book, first, nearest))
        return nearest

    def at_open(self, position: int) -> Iterator[Event]:
        """Match what rests against the opens of the bars that close at this position."""
        for book in list(self.active.values()):
            row = self._row_at(book, position)
            if row >= 0:
                yield from self._match(book, row, at_open=True)

    def in_range(self, position: int) -> Iterator[Event]:
        """Match what rests against the ranges of the bars that close at this position."""
        for book in list(self.active.values()):
            row = self._row_at(book, position)
            if row >= 0:
                yield from self._match(book, row, at_open=False)

    # ---- matching

    def _match(self, book: InstrumentBook, row: int, *, at_open: bool) -> Iterator[Event]:
        """Trade one order after the other until none can: each fill may bring new orders into this very bar."""
        book.matching_row = row
        book.touch_row = -1
        if book.used_row != row:
            book.used_row, book.used = row, 0
        tried: set[OrderId] = set()
        try:
            while (found := self._candidate(book, row, tried, at_open=at_open)) is not None:
                resting, px = found
                tried.add(resting.order.id)
                columns = book.series.columns
                ts = columns.ts_open_ns[row] if at_open else columns.ts_close_ns[row]
                traded = self._trade(book, resting, px, row, TsNs(ts))
                if traded is not None:
                    if resting.left == 0:
                        self._leave(book, resting)
                    yield traded
                    # Until now the orders that protect this entry could come and ask what kind it was.
                    if resting.left == 0:
                        self._resting_entries.pop(resting.order.id, None)
            for resting in list(book.orders.values()):
                if resting.order.validity is Validity.IOC and resting.since_ns <= columns_open(book, row):
                    self._leave(book, resting)
                    yield OrderCancelled(resting.order.id, TsNs(columns_open(book, row)), "not traded at once (IOC)")
        finally:
            book.matching_row = -1

    def _candidate(
        self, book: InstrumentBook, row: int, tried: set[OrderId], *, at_open: bool
    ) -> tuple[Resting, int] | None:
        """Return the order that trades next and its reference price, by the path that the rules assume."""
        best: tuple[int, Resting, int] | None = None
        side_locked = self._locked_side(book, row)
        for resting in book.orders.values():
            order = resting.order
            if order.id in tried or side_locked == order.side:
                continue
            px = self._open_price(book, resting, row) if at_open else self._range_price(book, resting, row)
            if px == 0:
                continue
            rank = 0 if at_open else self._rank(resting)
            if best is None or rank < best[0]:
                best = (rank, resting, px)
        return None if best is None else (best[1], best[2])

    def _rank(self, resting: Resting) -> int:
        """Order within a bar: worst case stops, entries, targets; best case the other way round."""
        order = resting.order
        stop = order.type is OrderType.SL_M or order.type is OrderType.SL
        place = 0 if stop and resting.protective else (2 if resting.protective else 1)
        return place if self.rules.path is Path.WORST else 2 - place

    def _open_price(self, book: InstrumentBook, resting: Resting, row: int) -> int:
        """Return the price at which an order trades at the open, 0 for not."""
        columns = book.series.columns
        if resting.since_ns > columns.ts_open_ns[row] or resting.row == row:
            return 0
        opened, order = columns.open[row], resting.order
        side = int(order.side)
        if order.type is OrderType.MARKET:
            return opened
        if resting.trigger:
            if not stop_at_open(side, resting.trigger, opened):
                return 0
            if order.type is OrderType.SL_M:
                return opened
            resting.trigger = 0
        return opened if limit_at_open(side, resting.limit, opened) else 0

    def _range_price(self, book: InstrumentBook, resting: Resting, row: int) -> int:
        """Return the price at which an order trades inside the bar, 0 for not."""
        columns, order = book.series.columns, resting.order
        late = resting.since_ns > columns.ts_open_ns[row] and resting.row != row
        if order.type is OrderType.MARKET:
            inside = resting.since_ns <= columns.ts_close_ns[row]
            return columns.close[row] if late and inside else 0
        if late:
            return 0
        if resting.trigger:
            return self._stop_in_range(book, resting, row)
        if self._target_waits(resting, row):
            return 0
        through = book.instrument.tick if self.rules.limit is LimitFill.PENETRATION else 0
        low, high = columns.low[row], columns.high[row]
        return resting.limit if limit_in_range(order.side, resting.limit, low, high, through) else 0

    def _stop_in_range(self, book: InstrumentBook, resting: Resting, row: int) -> int:
        """Return the price of a stop that triggers inside the bar, 0 for not; one with a limit becomes a limit."""
        columns, order = book.series.columns, resting.order
        waits = self._stop_waits(resting, row)
        if waits or not stop_in_range(order.side, resting.trigger, columns.low[row], columns.high[row]):
            return 0
        reference = stop_price(order.side, resting.trigger, columns.open[row])
        if order.type is OrderType.SL_M:
            return reference
        resting.trigger = 0
        return reference if limit_at_open(order.side, resting.limit, reference) else 0

    def _target_waits(self, resting: Resting, row: int) -> bool:
        """A target does not fill in the bar in which a resting entry filled: the range may have come before it."""
        return resting.row == row and resting.after_resting and self.rules.path is Path.WORST

    def _stop_waits(self, resting: Resting, row: int) -> bool:
        """In the best case a stop does not hit in the bar of a stop entry: the low may have come before it."""
        return resting.row == row and resting.after_stop and self.rules.path is Path.BEST

    def _trade(self, book: InstrumentBook, resting: Resting, px: int, row: int, ts_ns: TsNs) -> OrderFilled | None:
        """Trade what the bar's liquidity allows at a reference price; None when it allows nothing."""
        order, instrument = resting.order, book.instrument
        volume = book.series.columns.volume[row]
        qty = fillable(resting.left, volume, self.rules.participation_ppm, book.used, instrument.lot)
        if qty == 0:
            return None
        book.used += qty
        traded = px
        if order.type is OrderType.MARKET or order.type is OrderType.SL_M:
            traded = self.slippage.px(px, order.side, qty, volume, instrument.tick)
            if book.band_high:
                traded = min(max(traded, book.band_low), book.band_high)
        resting.left -= qty
        self.fill_seq += 1
        fill_id = FillId(f"{order.origin.run}-f{self.fill_seq}")
        origin, product = order.origin, order.product
        return OrderFilled(
            Fill(fill_id, order.id, origin, order.instrument, order.side, Qty(qty), Px(traded), Px(px), product, ts_ns)
        )

    def _trade_at_close(self, book: InstrumentBook, resting: Resting, accepted: OrderAccepted) -> tuple[Event, ...]:
        """Trade a market order at the close that decided it; what is not traded waits in the book."""
        row = book.series.row()
        filled = None
        if row >= 0 and not (book.band_high and self._locked_side(book, row) == resting.order.side):
            if book.used_row != row:
                book.used_row, book.used = row, 0
            filled = self._trade(book, resting, book.series.close_e4[row], row, accepted.ts_ns)
        if resting.left:
            self._enter(book, resting)
        return (accepted,) if filled is None else (accepted, filled)

    # ---- the book

    def _refusal(self, book: InstrumentBook, order: Order) -> str:
        for price in (order.limit, order.trigger):
            if price and book.band_high and not book.band_low <= price <= book.band_high:
                band = f"{format_px(book.band_low)} to {format_px(book.band_high)}"
                return f"{format_px(price)} is outside the circuit limits {band}"
        if order.type is OrderType.LIMIT and not order.limit:
            return "a limit order needs a limit"
        return ""

    def _came_with_entry(self, book: InstrumentBook, resting: Resting, parent: OrderId) -> None:
        """Remember in which bar a protective order came, and after what kind of entry."""
        resting.row = book.matching_row
        kind = self._resting_entries.get(parent)
        resting.after_resting = kind is not None
        resting.after_stop = kind is OrderType.SL or kind is OrderType.SL_M

    def _enter(self, book: InstrumentBook, resting: Resting) -> None:
        book.orders[resting.order.id] = resting
        book.touch_row = -1
        self.active[book.instrument.id] = book

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

    def _locked_side(self, book: InstrumentBook, row: int) -> int:
        columns = book.series.columns
        return locked(columns.low[row], columns.high[row], book.band_low, book.band_high)

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

    def _next_in_book(self, book: InstrumentBook, first: int, last: int) -> int:
        rows = book.series.rows
        row = first if rows is None else int(rows[first - 1] if first > 0 else -1) + 1
        if row >= len(book.series.columns):
            return last
        if not row <= book.touch_row:
            book.touch_row = self._touch_row(book, row)
        touch = book.touch_row
        if rows is None:
            return min(last, touch)
        return min(last, int(np.searchsorted(rows, touch)))

    def _touch_row(self, book: InstrumentBook, row: int) -> int:
        """Return the next row, from `row` on, in which an order of the book could trade or the scan must go on."""
        below, above = NEVER_BELOW, NEVER_ABOVE
        for resting in book.orders.values():
            order = resting.order
            if order.type is OrderType.MARKET or order.validity is Validity.IOC:
                return row
            level = resting.trigger or resting.limit
            down = (order.side is Side.SELL) == bool(resting.trigger)
            if down:
                below = max(below, level)
            else:
                above = min(above, level)
        last = min(len(book.low), row + SCAN_ROWS)
        return int(first_touch(book.low, book.high, row, last, below, above))


def columns_open(book: InstrumentBook, row: int) -> int:
    """Return when a bar opened."""
    return book.series.columns.ts_open_ns[row]


def _with_qty(order: Order, qty: Qty) -> Order:
    return order if order.qty == qty else msgspec.structs.replace(order, qty=qty)

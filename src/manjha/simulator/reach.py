"""Whether, and at what price, a bar reaches an order: the fill rules applied to what rests in a book."""

import msgspec

from manjha.domain.orders import OrderType
from manjha.simulator.book import InstrumentBook, Resting
from manjha.simulator.fills import (
    FillRules,
    LimitFill,
    Path,
    limit_at_open,
    limit_in_range,
    stop_at_open,
    stop_in_range,
    stop_price,
)

# Members by name: in Python 3.11 a look into an enum costs more than the comparison it is for.
_MARKET, _SL_M = OrderType.MARKET, OrderType.SL_M


class Reach(msgspec.Struct, frozen=True, gc=False):
    """The choices of `FillRules` that decide about a price: `worst` path inside a bar, `penetrates` for limits."""

    worst: bool
    penetrates: bool
    participation_ppm: int

    def at_open(self, book: InstrumentBook, resting: Resting, row: int) -> int:
        """Return the price at which an order trades at the open, 0 for not."""
        columns = book.series.columns
        if resting.since_ns > columns.ts_open_ns[row] or resting.row == row:
            return 0
        opened, order = columns.open[row], resting.order
        side = order.side
        if order.type is _MARKET:
            return opened
        if resting.trigger and not stop_at_open(side, resting.trigger, opened):
            return 0
        through = book.instrument.tick if self.penetrates else 0
        if order.type is _SL_M or limit_at_open(side, resting.limit, opened, through):
            return opened
        if resting.trigger and self.has_trades(book, row):
            resting.trigger = 0
        return 0

    def in_range(self, book: InstrumentBook, resting: Resting, row: int) -> int:
        """Return the price at which an order trades inside the bar, 0 for not."""
        columns, order = book.series.columns, resting.order
        if resting.row != row and resting.since_ns > columns.ts_open_ns[row]:
            # It came after the open: a market order trades at the close, if it was there by then.
            return columns.close[row] if order.type is _MARKET and resting.since_ns <= columns.ts_close_ns[row] else 0
        if order.type is _MARKET:
            return 0
        if resting.trigger:
            return self._stop(book, resting, row)
        if order.type is _SL_M:
            # What is left of a triggered stop is a market order: it waits for the next open.
            return 0
        if self.worst and resting.after_resting and resting.row == row:
            # A target does not fill in the bar in which a resting entry filled: the range may have come before it.
            return 0
        through = book.instrument.tick if self.penetrates else 0
        low, high = columns.low[row], columns.high[row]
        return resting.limit if limit_in_range(order.side, resting.limit, low, high, through) else 0

    def _stop(self, book: InstrumentBook, resting: Resting, row: int) -> int:
        """Return the price of a stop that triggers inside the bar, 0 for not; one with a limit becomes a limit."""
        columns, order = book.series.columns, resting.order
        if resting.after_stop and resting.row == row and not self.worst:
            # In the best case a stop does not hit in the bar of a stop entry: the low may have come before it.
            return 0
        if not stop_in_range(order.side, resting.trigger, columns.low[row], columns.high[row]):
            return 0
        # Where its entry traded inside the bar, the open lies before it.
        reference = resting.trigger if resting.inside else stop_price(order.side, resting.trigger, columns.open[row])
        if order.type is _SL_M or limit_at_open(order.side, resting.limit, reference):
            return reference
        if self.has_trades(book, row):
            resting.trigger = 0
        return 0

    def has_trades(self, book: InstrumentBook, row: int) -> bool:
        """Tell whether a bar can trigger a stop: in one without volume nothing traded, at no price."""
        return not self.participation_ppm or book.series.columns.volume[row] > 0


def reach_of(rules: FillRules) -> Reach:
    """Return how bars reach orders under these rules."""
    return Reach(rules.path is Path.WORST, rules.limit is LimitFill.PENETRATION, rules.participation_ppm)

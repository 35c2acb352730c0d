"""The exchange's side of orders: what rests in the book of one instrument."""

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from manjha.domain.instrument import Instrument
from manjha.domain.money import format_px
from manjha.domain.orders import Order, OrderId, OrderType, Side, Validity
from manjha.simulator.fills import locked
from manjha.simulator.scan import NEVER_ABOVE, NEVER_BELOW, first_touch
from manjha.strategy.views import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray


_LIMIT, _IOC, _SELL = OrderType.LIMIT, Validity.IOC, Side.SELL
SCAN_ROWS = 512
"""How far ahead a scan looks at a time: most orders trade or go sooner, and a scan of more would be for nothing."""


class Resting(msgspec.Struct, gc=False):
    """An order in the exchange's book.

    `since_ns` is when it got there, `rank` its turn among those that could trade inside the same bar. `row` is the bar
    in whose matching it came (-1: between bars), `inside` whether that was after the open; `after_resting` and
    `after_stop` tell whether the entry that it protects was a resting order, and a stop.
    """

    order: Order
    left: int
    limit: int
    trigger: int
    since_ns: int
    rank: int = 0
    row: int = -1
    inside: bool = False
    after_resting: bool = False
    after_stop: bool = False


class InstrumentBook:
    """The resting orders of one instrument, in the order they came, and what today's bar has given.

    `touch_row` is where the last scan stopped (-1: the book has changed since), the same as `scanned` where it had
    found nothing so far; `below` and `above` are the levels that it looked for.
    """

    __slots__ = (
        "above", "band_high", "band_low", "below", "high", "instrument", "low", "matching_ns", "matching_row",
        "orders", "scanned", "series", "touch_row", "used", "used_row",
    )  # fmt: skip

    def __init__(self, instrument: Instrument, series: Series) -> None:
        self.instrument = instrument
        self.series = series
        self.low: NDArray[np.int64] = np.asarray(series.columns.low)
        self.high: NDArray[np.int64] = np.asarray(series.columns.high)
        self.orders: dict[OrderId, Resting] = {}
        self.touch_row = -1
        self.scanned = -1
        self.below = 0
        self.above = 0
        self.matching_row = -1
        self.matching_ns = 0
        self.used = 0
        self.used_row = -1
        self.band_low = 0
        self.band_high = 0

    def refusal(self, order: Order) -> str:
        """Say why the exchange refuses an order; empty when it takes it."""
        if self.band_high and (refusal := self.outside(order.limit) or self.outside(order.trigger)):
            return refusal
        if order.type is _LIMIT and not order.limit:
            return "a limit order needs a limit"
        return ""

    def outside(self, price: int) -> str:
        """Say that a price is outside the day's circuit limits; empty when it is inside or there is no price."""
        if not price or self.band_low <= price <= self.band_high:
            return ""
        return outside_text(price, self.band_low, self.band_high)

    def terms_refusal(self, resting: Resting, limit: int, trigger: int) -> str:
        """Say why the exchange refuses new prices of a resting order; a price that stays is never refused."""
        if not self.band_high:
            return ""
        moved = (
            limit if limit != resting.limit else 0,
            trigger if trigger != resting.trigger and resting.trigger else 0,
        )
        return self.outside(moved[0]) or self.outside(moved[1])

    def locked_side(self, row: int) -> int:
        """Return +1 when nobody sells in a bar, -1 when nobody buys, else 0."""
        columns = self.series.columns
        return locked(columns.low[row], columns.high[row], self.band_low, self.band_high)

    def came_with_entry(self, resting: Resting, kind: OrderType | None) -> None:
        """Remember where in the bar a protective order came, and after which kind of resting entry, if it was one."""
        if self.matching_row < 0:
            return
        inside = self.matching_ns != self.series.columns.ts_open_ns[self.matching_row]
        if kind is None and inside:
            return  # A market order inside a bar trades at its close: nothing of the bar is left.
        resting.row, resting.inside = self.matching_row, inside
        resting.after_resting = kind is not None
        resting.after_stop = kind is OrderType.SL or kind is OrderType.SL_M

    def next_touch(self, first: int, last: int) -> int:
        """Return the first timeline position in [first, last) at which an order could trade, `last` if none."""
        rows = self.series.rows
        if rows is None:
            touch = self.touch_row
            while touch < first or touch == self.scanned < last:
                touch = self.touch_row = self._scan(max(first, touch))
            return touch if touch < last else last
        row = int(rows[first - 1] if first > 0 else -1) + 1
        if row >= len(self.low):
            return last
        touch, at = self.touch_row, int(np.searchsorted(rows, self.touch_row))
        while touch < row or (touch == self.scanned and at < last):
            touch = self.touch_row = self._scan(max(row, touch))
            at = int(np.searchsorted(rows, touch))
        return min(at, last)

    def is_quiet_open(self, row: int) -> bool:
        """Tell whether no order can trade at the open of the bar that the last scan stopped at."""
        return self.touch_row == row and self.below < self.series.columns.open[row] < self.above

    def _scan(self, row: int) -> int:
        """Return the next row, from `row` on, in which an order could trade or the scan must go on."""
        below, above = NEVER_BELOW, NEVER_ABOVE
        for resting in self.orders.values():
            order = resting.order
            trigger = resting.trigger
            level = trigger or resting.limit
            # Without a level it is a market order, or what is left of a triggered stop.
            if not level or order.validity is _IOC:
                self.below, self.above, self.scanned = NEVER_ABOVE, NEVER_BELOW, -1
                return row
            # A stop to sell and a limit to buy wait below the market, the others above.
            if (order.side is _SELL) is (trigger != 0):
                below = max(below, level)
            elif level < above:
                above = level
        self.below, self.above = below, above
        end = min(len(self.low), row + SCAN_ROWS)
        touch = int(first_touch(self.low, self.high, row, end, below, above))
        self.scanned = end if touch == end < len(self.low) else -1
        return touch


def outside_text(price: int, low: int, high: int) -> str:
    """Say that a price is outside the day's circuit limits."""
    return f"{format_px(price)} is outside the circuit limits {format_px(low)} to {format_px(high)}"

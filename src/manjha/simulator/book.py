"""The exchange's side of orders: what rests in the book of one instrument."""

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from manjha.domain.instrument import Instrument
from manjha.domain.orders import Order, OrderId
from manjha.strategy.views import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Resting(msgspec.Struct, gc=False):
    """An order in the exchange's book.

    `since_ns` is when it got there. `row` is the bar in whose matching it came (-1: between bars); `after_resting` and
    `after_stop` tell whether the entry that it protects was a resting order, and a stop.
    """

    order: Order
    left: int
    limit: int
    trigger: int
    since_ns: int
    row: int = -1
    protective: bool = False
    after_resting: bool = False
    after_stop: bool = False


class InstrumentBook:
    """The resting orders of one instrument, in the order they came, and what today's bar has given."""

    __slots__ = (
        "band_high", "band_low", "high", "instrument", "low", "matching_row", "orders", "series", "touch_row",
        "used", "used_row",
    )  # fmt: skip

    def __init__(self, instrument: Instrument, series: Series) -> None:
        self.instrument = instrument
        self.series = series
        self.low: NDArray[np.int64] = np.asarray(series.columns.low)
        self.high: NDArray[np.int64] = np.asarray(series.columns.high)
        self.orders: dict[OrderId, Resting] = {}
        self.touch_row = -1
        self.matching_row = -1
        self.used = 0
        self.used_row = -1
        self.band_low = 0
        self.band_high = 0

"""The book of one instrument matched tick by tick: a tick is a bar of one price, and meets orders as an open does."""

from typing import TYPE_CHECKING, cast

from manjha.domain.instrument import Instrument
from manjha.simulator.book import InstrumentBook, Resting
from manjha.simulator.reach import Reach

if TYPE_CHECKING:
    from manjha.strategy.views import Series


class _Now:
    """A column of the tick of now: the same value whichever row is asked for."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def __getitem__(self, row: int) -> int:
        return self.value


class LatestTick:
    """The tick of now in the form of columns of bars, its number being its row: no later one is known."""

    __slots__ = ("close", "high", "low", "number", "open", "ts_close_ns", "ts_open_ns", "volume")

    def __init__(self) -> None:
        self.open = self.high = self.low = self.close = _Now()
        self.ts_open_ns = self.ts_close_ns = _Now()
        self.volume = _Now()
        self.number = -1

    def __len__(self) -> int:
        return self.number + 1


class _Ticks:
    """What a book takes for its series."""

    __slots__ = ("columns",)

    def __init__(self) -> None:
        self.columns = LatestTick()


class TickBook(InstrumentBook):
    """The resting orders of one instrument and the tick that they meet.

    `auction_px` and `auction_volume` are what the closing auction has shown so far; 0 for nothing.
    """

    __slots__ = ("auction_px", "auction_volume", "tick")

    def __init__(self, instrument: Instrument) -> None:
        series = _Ticks()
        self.tick = series.columns
        self.instrument = instrument
        # What of a series a book reads while it matches, this has.
        self.series = cast("Series", series)
        self.orders = {}
        self.touch_row = self.scanned = self.matching_row = self.used_row = -1
        self.below = self.above = self.matching_ns = self.used = 0
        self.band_low = self.band_high = 0
        self.auction_px = self.auction_volume = 0

    def show(self, ts_ns: int, px: int, volume: int) -> int:
        """Take the next tick; return its number."""
        tick = self.tick
        tick.ts_open_ns.value, tick.open.value, tick.volume.value = ts_ns, px, volume
        tick.number += 1
        return tick.number


class TickReach(Reach, frozen=True, gc=False):
    """Whether, and at what price, a tick reaches an order.

    As the open of a bar does, but an order with a limit that has been in the book for a tick trades at its limit:
    between two ticks of a feed the price has passed through it. `Resting.inside` tells that a tick has gone by.
    """

    def at_open(self, book: InstrumentBook, resting: Resting, row: int) -> int:
        """Return the price at which an order trades at a tick, 0 for not."""
        waits_at_limit = resting.inside and not resting.trigger and resting.limit != 0
        px = super().at_open(book, resting, row)
        if resting.row != row and resting.since_ns <= book.series.columns.ts_open_ns[row]:
            resting.inside = True
        return resting.limit if px and waits_at_limit else px

"""The break of the day's first range."""

from typing import ClassVar

from manjha.domain.bars import MINUTE, Interval
from manjha.domain.moments import MINUTE_NS, TradingDay, at
from manjha.domain.orders import Product
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy, require_bars
from manjha.strategy.params import param


class OpeningRangeBreakout(Strategy):
    """Trade the first close outside the range of the day's first `minutes`, once a day, and be flat by the evening.

    The range is the high and low of the bars that close within `minutes` of the open of the day's first bar. After the
    first close above it, it buys at the next open; the stop rests at the range's low, the target `reward` times the
    distance from the deciding close to that stop. A close below the range is sold short the same way unless `short_too`
    is false. No entry is decided after `last_entry` (a minute of the day). Intraday (MIS): what is open is squared off
    before the broker does it. Needs bars no longer than the range.
    """

    product: ClassVar[Product] = Product.MIS
    changeable: ClassVar[tuple[str, ...]] = ("reward", "short_too")
    minutes: int = param(15, low=5, high=120, help="length of the opening range in minutes")
    reward: float = param(2.0, low=0.25, high=10.0, help="target in multiples of the risk")
    last_entry: int = param(
        14 * 60, low=10 * 60, high=15 * 60, help="no entry after this minute of the day (840 is 14:00)"
    )
    short_too: bool = param(True, help="sell a break of the low as well")

    def init(self, ctx: Context) -> None:
        """Begin without a range."""
        require_bars(self, ctx, Interval(self.minutes * MINUTE))
        self.high = self.low = 0.0
        self.range_ends = self.last_ns = 0
        self.is_done = True

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        """Begin a new range."""
        del ctx
        self.high, self.low = 0.0, float("inf")
        self.range_ends = 0
        self.last_ns = at(day, self.last_entry * MINUTE_NS)
        self.is_done = False

    def on_bar(self, ctx: Context) -> None:
        """Build the range, then trade its first break."""
        if self.is_done:
            return
        market = ctx.market
        if not self.range_ends:
            self.range_ends = market.opened_ns + self.minutes * MINUTE_NS
        if ctx.now_ns <= self.range_ends:
            self.high, self.low = max(self.high, ctx.high[-1]), min(self.low, ctx.low[-1])
            return
        close, risk = ctx.close[-1], self.high - self.low
        if ctx.now_ns > self.last_ns or risk <= 0:
            self.is_done = True
        elif close > self.high:
            market.buy(stop=self.low, target=close + self.reward * (close - self.low), tag="high")
            self.is_done = True
        elif self.short_too and close < self.low:
            market.sell(stop=self.high, target=max(close - self.reward * (self.high - close), 0.05), tag="low")
            self.is_done = True

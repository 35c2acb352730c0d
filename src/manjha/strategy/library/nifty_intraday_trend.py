"""Ride an index's trend through the day."""

from typing import ClassVar

from manjha.domain.bars import HOUR
from manjha.domain.errors import UsageError
from manjha.domain.moments import TradingDay
from manjha.domain.orders import Product
from manjha.strategy.context import Context
from manjha.strategy.indicators import atr, ema
from manjha.strategy.interface import Strategy, require_bars
from manjha.strategy.params import param


class NiftyIntradayTrend(Strategy):
    """Long above, short below: two exponential averages on intraday bars, with an ATR stop, flat by the evening.

    When the averages cross, a position on the other side is closed at the next open, and the new side is due. What is
    due is entered once, at the open after the first close of the same day at which there is no position or resting
    order and the minute of the day lies from `first` to `last`: a turn takes two bars. The stop rests `stop` ATR of 20
    bars from the deciding close; after a stop it waits for the next cross. Intraday (MIS): what is open is squared off
    before the broker does it. Made for NIFTY: run it on the future, or on the index with its stand-in
    (`--index-proxy`). Needs bars of at most an hour.
    """

    product: ClassVar[Product] = Product.MIS
    changeable: ClassVar[tuple[str, ...]] = ("stop", "first", "last")
    fast: int = param(20, low=2, high=300, help="bars of the fast average")
    slow: int = param(60, low=3, high=600, help="bars of the slow average")
    stop: float = param(3.0, low=0.5, high=20.0, help="stop distance in ATR")
    first: int = param(9 * 60 + 30, low=9 * 60 + 15, high=15 * 60, help="no entry before this minute of the day")
    last: int = param(14 * 60 + 45, low=9 * 60 + 30, high=15 * 60 + 10, help="no entry after this minute of the day")

    def check_params(self) -> None:
        """Refuse a fast average that is not faster, and an empty window of entry."""
        if self.fast >= self.slow:
            raise UsageError(f"{self.name}: fast must be below slow, were {self.fast} and {self.slow}")
        if self.first >= self.last:
            raise UsageError(f"{self.name}: first must be before last, were {self.first} and {self.last}")

    def init(self, ctx: Context) -> None:
        """Make averages and ATR."""
        require_bars(self, ctx, HOUR)
        self.quick = ctx.indicator(ema, "close", length=self.fast)
        self.steady = ctx.indicator(ema, "close", length=self.slow)
        self.range = ctx.indicator(atr, "high", "low", "close", length=20)
        self.side = self.due = 0

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        """Forget what was due the day before."""
        del ctx, day
        self.due = 0

    def on_bar(self, ctx: Context) -> None:
        """Turn with the averages."""
        side = 1 if self.quick[-1] > self.steady[-1] else -1
        if self.side == -side:
            self.due = side
        self.side = side
        if not self.due:
            return
        market = ctx.market
        if market.position * self.due < 0:
            market.close_position(tag="turn")
        elif market.position == 0 and not market.working and self.first <= ctx.minute <= self.last:
            close, away = ctx.close[-1], self.stop * self.range[-1] * self.due
            enter = market.buy if self.due > 0 else market.sell
            enter(stop=close - away, tag="up" if self.due > 0 else "down")
            self.due = 0

"""Ride an index's trend through the day."""

from typing import ClassVar

from manjha.domain.orders import Product
from manjha.strategy.context import Context
from manjha.strategy.indicators import atr, ema
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param


class NiftyIntradayTrend(Strategy):
    """Long above, short below: two exponential averages on intraday bars, with an ATR stop, flat by the evening.

    Enters when the fast average crosses the slow one between `first` and `last` (minutes of the day); turns when they
    cross back. Made for NIFTY: run it on the future, or on the index with its stand-in (`--index-proxy`).
    """

    product: ClassVar[Product] = Product.MIS
    fast: int = param(20, low=2, high=300, help="bars of the fast average")
    slow: int = param(60, low=3, high=600, help="bars of the slow average")
    stop: float = param(3.0, low=0.5, high=20.0, help="stop distance in ATR")
    first: int = param(9 * 60 + 30, low=9 * 60 + 15, high=15 * 60, help="no entry before this minute of the day")
    last: int = param(14 * 60 + 45, low=9 * 60 + 30, high=15 * 60 + 10, help="no entry after this minute of the day")

    def init(self, ctx: Context) -> None:
        """Make averages and ATR."""
        self.quick = ctx.indicator(ema, "close", length=self.fast)
        self.steady = ctx.indicator(ema, "close", length=self.slow)
        self.range = ctx.indicator(atr, "high", "low", "close", length=20)
        self.side = 0

    def on_bar(self, ctx: Context) -> None:
        """Turn with the averages."""
        side = 1 if self.quick[-1] > self.steady[-1] else -1
        crossed = self.side == -side
        self.side = side
        market = ctx.market
        if not crossed:
            return
        if market.position * side < 0:
            market.close_position(tag="turn")
        elif market.position == 0 and not market.working and self.first <= ctx.minute <= self.last:
            close, away = ctx.close[-1], self.stop * self.range[-1]
            if side > 0:
                market.buy(stop=close - away, tag="up")
            else:
                market.sell(stop=close + away, tag="down")

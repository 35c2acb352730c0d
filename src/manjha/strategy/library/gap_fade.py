"""Fade the opening gap."""

from typing import ClassVar

from manjha.domain.moments import TradingDay
from manjha.domain.orders import Product
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param


class GapFade(Strategy):
    """After the day's first bar, trade against a gap of `gap_pct` to `gap_max_pct` per cent, once a day.

    The gap is that of the day's open to the close of the day before. The target is the close of the day before, the
    stop `stop_pct` per cent beyond the entry. Intraday: flat by the evening.
    """

    product: ClassVar[Product] = Product.MIS
    gap_pct: float = param(0.5, low=0.1, high=20.0, help="smallest gap, in per cent")
    gap_max_pct: float = param(4.0, low=0.2, high=20.0, help="largest gap, in per cent: a larger one has a reason")
    stop_pct: float = param(1.0, low=0.1, high=10.0, help="stop beyond the entry, in per cent")

    def init(self, ctx: Context) -> None:
        """Begin without a day before."""
        del ctx
        self.before = 0.0
        self.is_first = False

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        """Remember the close of the day before."""
        del day
        self.before = ctx.close[-1] if ctx.now_ns else 0.0
        self.is_first = True

    def on_bar(self, ctx: Context) -> None:
        """Judge the gap at the day's first close."""
        if not self.is_first:
            return
        self.is_first = False
        if not self.before > 0:
            return
        market, close = ctx.market, ctx.close[-1]
        gap = (ctx.open[-1] / self.before - 1) * 100
        if not self.gap_pct <= abs(gap) <= self.gap_max_pct:
            return
        away = close * self.stop_pct / 100
        if gap > 0 and close > self.before:
            market.sell(stop=close + away, target=self.before, tag="gap up")
        elif gap < 0 and close < self.before:
            market.buy(stop=close - away, target=self.before, tag="gap down")

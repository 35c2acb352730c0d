"""Fade the opening gap."""

from typing import ClassVar

from manjha.domain.bars import HOUR
from manjha.domain.errors import UsageError
from manjha.domain.moments import TradingDay
from manjha.domain.orders import Product
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy, require_bars
from manjha.strategy.params import param


class GapFade(Strategy):
    """After the day's first bar, trade against a gap of `gap_pct` to `gap_max_pct` per cent, once a day.

    The gap is that of the day's open to the last close of the day before (in today's shares after a split). A gap up
    that is not yet closed at the first close is sold short at the next open, a gap down bought. The target is the close
    of the day before, the stop `stop_pct` per cent beyond the deciding close. Intraday (MIS): what is open is squared
    off before the broker does it. Needs bars of at most an hour.
    """

    product: ClassVar[Product] = Product.MIS
    changeable: ClassVar[tuple[str, ...]] = ("gap_pct", "gap_max_pct", "stop_pct")
    gap_pct: float = param(0.5, low=0.1, high=20.0, help="smallest gap, in per cent")
    gap_max_pct: float = param(4.0, low=0.2, high=20.0, help="largest gap, in per cent: a larger one has a reason")
    stop_pct: float = param(1.0, low=0.1, high=10.0, help="stop beyond the entry, in per cent")

    def check_params(self) -> None:
        """Refuse limits between which no gap lies."""
        if self.gap_pct >= self.gap_max_pct:
            raise UsageError(
                f"{self.name}: gap_pct must be below gap_max_pct, were {self.gap_pct:g} and {self.gap_max_pct:g}"
            )

    def init(self, ctx: Context) -> None:
        """Begin without a day."""
        require_bars(self, ctx, HOUR)
        self.is_first = False

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        """Expect the day's first bar."""
        del ctx, day
        self.is_first = True

    def on_bar(self, ctx: Context) -> None:
        """Judge the gap at the day's first close."""
        if not self.is_first:
            return
        self.is_first = False
        # Read at the first bar and not the evening before: the line is then in today's shares.
        market, close, before = ctx.market, ctx.close[-1], ctx.close[-2]
        if not before > 0:
            return
        gap = (ctx.open[-1] / before - 1) * 100
        if not self.gap_pct <= abs(gap) <= self.gap_max_pct:
            return
        away = close * self.stop_pct / 100
        if gap > 0 and close > before:
            market.sell(stop=close + away, target=before, tag="gap up")
        elif gap < 0 and close < before:
            market.buy(stop=close - away, target=before, tag="gap down")

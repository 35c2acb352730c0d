"""Buy weakness, sell strength, measured by RSI."""

from typing import ClassVar

from manjha.domain.errors import UsageError
from manjha.strategy.context import Context
from manjha.strategy.indicators import rsi, sma
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param


class RsiMeanReversion(Strategy):
    """Buy a dip in an up-trend, sell when it has recovered.

    Flat and without a resting order, it buys at the open after a close where RSI is at or below `oversold` and the
    close is above the average of `trend` closes. Sells at the open after RSI closes above `exit_above`. A stop rests
    `stop_pct` per cent below the deciding close and does not move. Holds for delivery (CNC); never short.
    """

    changeable: ClassVar[tuple[str, ...]] = ("oversold", "exit_above", "stop_pct")
    length: int = param(2, low=2, high=50, help="bars of RSI")
    oversold: float = param(10.0, low=1.0, high=50.0, help="buy at or below this RSI")
    exit_above: float = param(60.0, low=20.0, high=99.0, help="sell above this RSI")
    trend: int = param(100, low=2, high=500, help="bars of the trend's average")
    stop_pct: float = param(5.0, low=0.1, high=50.0, help="stop below the close, in per cent")

    def check_params(self) -> None:
        """Refuse an exit below the entry."""
        if self.exit_above <= self.oversold:
            raise UsageError(
                f"{self.name}: exit_above must be above oversold, were {self.exit_above:g} and {self.oversold:g}"
            )

    def init(self, ctx: Context) -> None:
        """Make RSI and the trend."""
        self.strength = ctx.indicator(rsi, "close", price=False, length=self.length)
        self.average = ctx.indicator(sma, "close", length=self.trend)

    def on_bar(self, ctx: Context) -> None:
        """Enter on weakness, leave on strength."""
        market, close = ctx.market, ctx.close[-1]
        if market.position == 0:
            if self.strength[-1] <= self.oversold and close > self.average[-1] and not market.working:
                market.buy(stop=close * (1 - self.stop_pct / 100), tag="dip")
        elif self.strength[-1] > self.exit_above:
            market.close_position(tag="recovered")

"""Closes outside the Bollinger bands."""

from manjha.strategy.context import Context
from manjha.strategy.indicators import bollinger
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param


class BollingerBreakout(Strategy):
    """Buy a close above the upper Bollinger band, leave at a close below the middle.

    The bands are the average of `length` closes and `width` standard deviations around it. Flat and without a resting
    order, it buys at the open after a close above the upper band; a stop rests at the lower band of the deciding bar
    and does not move. Sells at the open after a close below the middle. Holds for delivery (CNC); never short.
    """

    length: int = param(20, low=5, high=300, help="bars of the bands")
    width: float = param(2.0, low=0.5, high=5.0, help="standard deviations")

    def init(self, ctx: Context) -> None:
        """Make the bands."""
        self.bands = ctx.indicator(bollinger, "close", length=self.length, width=self.width)

    def on_bar(self, ctx: Context) -> None:
        """Enter above, leave at the middle."""
        market, close = ctx.market, ctx.close[-1]
        if market.position == 0:
            if close > self.bands.upper[-1] and not market.working:
                market.buy(stop=self.bands.lower[-1], tag="breakout")
        elif close < self.bands.middle[-1]:
            market.close_position(tag="middle")

"""The turtles' channel breakout."""

from typing import ClassVar

from manjha.domain.orders import Side
from manjha.strategy.context import Context
from manjha.strategy.indicators import atr, donchian
from manjha.strategy.interface import Strategy
from manjha.strategy.params import param


class DonchianTurtle(Strategy):
    """Buy a new high of `entry` bars, leave at a new low of `leave` bars; the stop trails by `risk` ATR.

    Flat and without a resting order, it buys at the open after a close above the highest high of the `entry` bars
    before; it sells at the open after a close below the lowest low of the `leave` bars before. The stop starts `risk`
    ATR of the deciding bar below the fill and follows the best close at that distance, never back. With `both_sides`
    it does the same with new lows, short, which needs a product that may be short (`--product MIS` or NRML). Holds for
    delivery (CNC).
    """

    changeable: ClassVar[tuple[str, ...]] = ("risk", "both_sides")
    entry: int = param(20, low=2, high=300, help="bars of the entry channel")
    leave: int = param(10, low=2, high=300, help="bars of the exit channel")
    risk: float = param(2.0, low=0.5, high=10.0, help="distance of the trailing stop in ATR")
    atr_length: int = param(20, low=2, high=200, help="bars of ATR")
    both_sides: bool = param(False, help="be short as well")

    def init(self, ctx: Context) -> None:
        """Make the channels and ATR."""
        self.outer = ctx.indicator(donchian, "high", "low", length=self.entry)
        self.inner = ctx.indicator(donchian, "high", "low", length=self.leave)
        self.range = ctx.indicator(atr, "high", "low", "close", length=self.atr_length)

    def on_bar(self, ctx: Context) -> None:
        """Enter at a breakout, leave at the inner channel."""
        market, close = ctx.market, ctx.close[-1]
        if market.position == 0 and not market.working:
            trail = self.risk * self.range[-1]
            if close > self.outer.upper[-2]:
                ctx.order(market, Side.BUY, trail=trail, tag="high")
            elif self.both_sides and close < self.outer.lower[-2]:
                ctx.order(market, Side.SELL, trail=trail, tag="low")
        elif (market.position > 0 and close < self.inner.lower[-2]) or (
            market.position < 0 and close > self.inner.upper[-2]
        ):
            market.close_position(tag="channel")

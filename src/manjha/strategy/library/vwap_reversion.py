"""Back to the day's VWAP."""

from typing import ClassVar

from manjha.domain.bars import HOUR
from manjha.domain.errors import UsageError
from manjha.domain.orders import Product
from manjha.strategy.context import Context
from manjha.strategy.indicators import atr, vwap
from manjha.strategy.interface import Strategy, require_bars
from manjha.strategy.params import param


class VwapReversion(Strategy):
    """Fade a close far from the session's VWAP, and leave when the price is back at it.

    Flat and without a resting order, between the minutes of the day `first` and `last`, it buys at the open after a
    close more than `distance` ATR below VWAP, and sells short after one as far above. It leaves at the open after a
    close at or beyond VWAP; a stop rests `stop` ATR from the deciding close. VWAP begins anew each day. Intraday (MIS):
    what is open is squared off before the broker does it. Needs volume, so not an index, and bars of at most an hour.
    """

    product: ClassVar[Product] = Product.MIS
    needs_volume: ClassVar[bool] = True
    changeable: ClassVar[tuple[str, ...]] = ("distance", "stop", "first", "last")
    distance: float = param(3.0, low=0.5, high=10.0, help="entry distance from VWAP in ATR")
    stop: float = param(2.0, low=0.5, high=10.0, help="stop distance in ATR")
    length: int = param(14, low=2, high=200, help="bars of ATR")
    first: int = param(9 * 60 + 45, low=9 * 60 + 15, high=15 * 60, help="no entry before this minute of the day")
    last: int = param(14 * 60 + 30, low=9 * 60 + 30, high=15 * 60 + 10, help="no entry after this minute of the day")

    def check_params(self) -> None:
        """Refuse an empty window of entry."""
        if self.first >= self.last:
            raise UsageError(f"{self.name}: first must be before last, were {self.first} and {self.last}")

    def init(self, ctx: Context) -> None:
        """Make VWAP and ATR."""
        require_bars(self, ctx, HOUR)
        self.vwap = ctx.indicator(vwap, "ts", "high", "low", "close", "volume")
        self.range = ctx.indicator(atr, "high", "low", "close", length=self.length)

    def on_bar(self, ctx: Context) -> None:
        """Enter far away, leave at VWAP."""
        market, close, fair, unit = ctx.market, ctx.close[-1], self.vwap[-1], self.range[-1]
        if (market.position > 0 and close >= fair) or (market.position < 0 and close <= fair):
            market.close_position(tag="vwap")
        elif market.position == 0 and not market.working and self.first <= ctx.minute <= self.last:
            if close < fair - self.distance * unit:
                market.buy(stop=close - self.stop * unit, tag="below")
            elif close > fair + self.distance * unit:
                market.sell(stop=close + self.stop * unit, tag="above")

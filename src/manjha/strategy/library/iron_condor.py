"""Sell a strangle and buy its wings."""

from collections.abc import Sequence
from typing import ClassVar

from manjha.domain.bars import HOUR
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument, Kind, Right
from manjha.domain.orders import LegGroup, Product, Side
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy, require_bars
from manjha.strategy.params import param

OPEN_MINUTE = 555
"""9:15 IST."""
SIDES = (Side.SELL, Side.BUY, Side.SELL, Side.BUY)


class IronCondor(Strategy):
    """Once a day, `after` minutes after 9:15, sell the first and third instrument and buy the second and fourth as one.

    The instruments are, in this order: the call that is sold, a farther call, the put that is sold, a farther put, of
    one underlying and expiry. What is bought fills first and is sold last; where a leg fails the others are closed. The
    whole ends when it has lost `stop_pct` or gained `target_pct` per cent of what the sold legs were worth, and by
    square-off (MIS). `lots` of each; the run's sizing is not asked. Margin needs the index in the run's data, or a
    future on it. Needs bars of at most an hour.
    """

    product: ClassVar[Product] = Product.MIS
    instruments_min: ClassVar[int] = 4
    instruments_max: ClassVar[int] = 5
    changeable: ClassVar[tuple[str, ...]] = ("after", "lots", "stop_pct", "target_pct")
    after: int = param(15, low=5, high=300, help="minutes after 9:15 at which it enters")
    lots: int = param(1, low=1, high=1_000, help="lots of each leg")
    stop_pct: float = param(30.0, low=0.1, high=500.0, help="loss that ends it, in per cent of the sold legs' value")
    target_pct: float = param(40.0, low=0.1, high=100.0, help="profit that ends it, in per cent of the same")

    def init(self, ctx: Context) -> None:
        """Begin without a day; see that options are given in the order that is meant."""
        require_bars(self, ctx, HOUR)
        self.legs = list(ctx.markets.values())[:4]
        self.entered = 0
        _check_order([market.instrument for market in self.legs])

    def on_bar(self, ctx: Context) -> None:
        """Enter once a day, at the first close after the time, where all four have a price of it."""
        if ctx.minute < OPEN_MINUTE + self.after or self.entered == ctx.day or ctx.groups():
            return
        if not all(market.is_fresh for market in self.legs):
            return
        self.entered = ctx.day
        worth = sum(self.legs[sold].close[-1] * self.legs[sold].instrument.lot for sold in (0, 2))
        exits = ctx.combined(stop=worth * self.stop_pct / 100, target=worth * self.target_pct / 100)
        legs = tuple(market.leg(side) for market, side in zip(self.legs, SIDES, strict=True))
        ctx.legs(LegGroup(legs, units=self.lots, combined=exits, tag="condor"))


def _check_order(given: Sequence[Instrument]) -> None:
    """Refuse options in another order; anything else may be given to try the strategy out."""
    if any(one.kind is not Kind.OPTION for one in given):
        return
    call, far_call, put, far_put = given
    rights = [one.right for one in given] == [Right.CALL, Right.CALL, Right.PUT, Right.PUT]
    same = len({(one.underlying, one.expiry) for one in given}) == 1
    farther = (far_call.strike or 0) > (call.strike or 0) and (far_put.strike or 0) < (put.strike or 0)
    if not (rights and same and farther):
        found = ", ".join(one.display for one in given)
        raise UsageError(
            f"iron-condor expects the sold call, a farther call, the sold put, a farther put, was given {found}",
            hint="Give --instrument four times in this order, of one underlying and expiry.",
        )

"""Positions: the exact sum of fills in one instrument and product.

The arithmetic is scalar functions on plain integers, so that the compiled kernel can wrap the very same ones.
"""

from typing import NamedTuple

from manjha.domain.instrument import InstrumentId
from manjha.domain.money import Cash, Qty
from manjha.domain.orders import Product, StrategyId


class PositionKey(NamedTuple):
    """Whose position, in what, held as what."""

    strategy: StrategyId
    instrument: InstrumentId
    product: Product


def closing_part(position: int, signed: int) -> int:
    """Return how much of a signed fill closes what is open, in the fill's sign; 0 when it only adds."""
    if position * signed >= 0:
        return 0
    if abs(signed) <= abs(position):
        return signed
    return -position


def cost_released(cost: int, position: int, closing: int) -> int:
    """Return the part of the open cost that closing `closing` (opposite sign of `position`) takes out.

    Average cost; whole when the position closes, else rounded down towards minus infinity: what is left over stays in
    the open cost, so nothing is lost or made by rounding.
    """
    if closing == -position:
        return cost
    return cost * -closing // position


class Position:
    """An open position. Changed by `apply` only.

    `qty` is signed. `cost` is Σ signed qty × px of what is open, in 1e-4 rupee (negative for a short).
    `realised` is profit before charges since the run began. `bought_today` and `sold_today` are for settlement.
    """

    __slots__ = ("bought_today", "cost", "key", "margin", "opened_ns", "qty", "realised", "sold_today")

    def __init__(self, key: PositionKey) -> None:
        self.key = key
        self.qty = 0
        self.cost = 0
        self.realised = 0
        self.margin = 0
        self.opened_ns = 0
        self.bought_today = 0
        self.sold_today = 0

    def apply(self, signed: int, px: int, ts_ns: int) -> int:
        """Apply a fill of a signed quantity; return the profit it realises before charges, in 1e-4 rupee."""
        closing = closing_part(self.qty, signed)
        gain = 0
        if closing:
            released = cost_released(self.cost, self.qty, closing)
            gain = -closing * px - released
            self.cost -= released
            self.qty += closing
            self.realised += gain
        opening = signed - closing
        if opening:
            if self.qty == 0:
                self.opened_ns = ts_ns
            self.qty += opening
            self.cost += opening * px
        if signed > 0:
            self.bought_today += signed
        else:
            self.sold_today -= signed
        return gain

    def unrealised(self, px: int) -> Cash:
        """Return the profit that closing at a price would realise, before charges."""
        return Cash(self.qty * px - self.cost)

    @property
    def average(self) -> int:
        """Average entry price in 1e-4 rupee, rounded down; 0 when flat."""
        return self.cost // self.qty if self.qty else 0

    def is_flat(self) -> bool:
        """Whether nothing is held."""
        return self.qty == 0


def signed_qty(position: Position | None) -> Qty:
    """Return the signed quantity of a position that may not exist."""
    return Qty(position.qty if position is not None else 0)

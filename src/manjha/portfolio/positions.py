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
    # By unit and rest, so that no product exceeds int64 in the compiled kernel.
    each = cost // position
    return each * -closing + (cost - each * position) * -closing // position


def traded(qty: int, cost: int, signed: int, px: int) -> tuple[int, int, int]:
    """Return quantity and open cost after a fill of a signed quantity, and the profit that it realises.

    Before charges; amounts in 1e-4 rupee.
    """
    if qty == 0:
        return signed, signed * px, 0
    if signed == -qty:
        return 0, 0, qty * px - cost
    closing = closing_part(qty, signed)
    gain = 0
    if closing:
        released = cost_released(cost, qty, closing)
        gain = -closing * px - released
        cost -= released
    return qty + signed, cost + (signed - closing) * px, gain


class Position:
    """An open position. Changed by `apply` only.

    `qty` is signed. `cost` is Σ signed qty × px of what is open, in 1e-4 rupee (negative for a short).
    `realised` is profit before charges since the run began; `margin` is what is held for it. `number` counts the
    positions of a portfolio from 0.
    """

    __slots__ = ("cost", "key", "margin", "number", "qty", "realised")

    def __init__(self, key: PositionKey, number: int = 0) -> None:
        self.key = key
        self.qty = 0
        self.cost = 0
        self.realised = 0
        self.margin = 0
        self.number = number

    def apply(self, signed: int, px: int) -> int:
        """Apply a fill of a signed quantity; return the profit it realises before charges, in 1e-4 rupee."""
        self.qty, self.cost, gain = traded(self.qty, self.cost, signed, px)
        self.realised += gain
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

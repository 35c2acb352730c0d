"""How much of an order a bar lets trade in a compiled run, and at what price: participation and slippage."""

from manjha.research.kernel.circuits import inside
from manjha.research.kernel.records import MARKET, SL_M, SLIP_NONE, SLIP_TICKS, SLIP_VOLUME
from manjha.research.kernel.rows import holding
from manjha.research.kernel.scalars import (
    Rec,
    bps_in_ticks,
    fillable,
    inline,
    njit,
    ticks_worse,
    volume_bps_in_ticks,
)


@inline
def tradable(k: Rec, o: Rec, x: Rec, volume: int) -> int:
    """Return what the bar's liquidity allows of an order, and take it."""
    if k.participation == 0:
        return int(o.left)
    qty = fillable(o.left, volume, k.participation, x.used, x.venue_lot)
    x.used += qty
    if qty == 0 and volume == 0 and not o.dry:
        o.dry = 1
        k.dry += 1
    return int(qty)


@njit
def slipped(k: Rec, o: Rec, qty: int, px: int, volume: int) -> int:
    """Return the price that is traded at a reference price."""
    if k.slip_kind == SLIP_NONE or o.type not in (MARKET, SL_M):
        return px
    x, by = holding(k, o.instrument), k.slip_by
    tick = x.tick
    if k.slip_kind == SLIP_TICKS:
        ticks = by
    elif k.slip_kind == SLIP_VOLUME:
        ticks = volume_bps_in_ticks(px, by, qty, volume, tick)
    else:
        ticks = bps_in_ticks(px, by, tick)
    return inside(x, ticks_worse(px, o.side, ticks, tick))

"""Circuit limits of the day in a compiled run, as `simulator.venue` and `simulator.book` have them."""

from manjha.research.kernel.rows import holding
from manjha.research.kernel.scalars import Rec, band_high, band_low, inline, locked, njit


@njit
def set_bands(k: Rec) -> None:
    """Set the day's bands around the last prices."""
    for ix in range(k.instruments):
        x = holding(k, ix)
        if x.band >= 0 and x.mark:
            x.band_low, x.band_high = band_low(x.mark, x.band, x.tick), band_high(x.mark, x.band, x.tick)


@inline
def is_outside(x: Rec, px: int) -> bool:
    """Tell whether there is a price and it lies outside the day's band."""
    return bool(px and x.band_high and not x.band_low <= px <= x.band_high)


@inline
def locked_side(x: Rec, low: int, high: int) -> int:
    """Return +1 when nobody sells in a bar, -1 when nobody buys, else 0."""
    return int(locked(low, high, x.band_low, x.band_high)) if x.band_high else 0


@inline
def inside(x: Rec, px: int) -> int:
    """Return a traded price held inside the band, where there is one."""
    return int(min(max(px, x.band_low), x.band_high)) if x.band_high else int(px)

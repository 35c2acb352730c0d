"""What orders and positions need as margin in a compiled run, as `risk.margin` has it.

Shares by a fraction of the day; futures by all contracts on one underlying together: alone by their notional, several
by the scan of `pricing.margin`, which for futures is exact integers.
"""

from manjha.research.kernel.records import BOUND, OVERFLOW
from manjha.research.kernel.rows import day_at, holding
from manjha.research.kernel.scalars import (
    Rec,
    futures_exposure,
    futures_requirement,
    inline,
    njit,
    paired,
    proportion,
    scaled_up,
    spread_requirement,
)

Leg = tuple[int, int, int]
"""A future that is asked about beside those held: its instrument, signed quantity (0: none), price."""


@inline
def value_of(k: Rec, qty: int, px: int) -> int:
    """Return quantity × price; beyond the bound the run is stopped and the product does not matter."""
    # In floats, whose product does not wrap and is at most a little off: a division would cost as much as all the rest.
    if abs(float(qty) * float(px)) > BOUND:
        k.status = OVERFLOW
        return 0
    return qty * px


@njit
def for_order(k: Rec, ix: int, opening: int, closing: int, px: int) -> int:
    """Return what opening a signed quantity at a price needs, once `closing` is closed; -1 where that is not known."""
    if k.paid:
        return value_of(k, abs(opening), px)
    x = holding(k, ix)
    if x.group < 0:
        return scaled_up(value_of(k, abs(opening), px), day_at(k, k.day_row).margin)
    after = _together(k, (ix, opening + closing, px))
    return -1 if after < 0 else max(0, after - holding(k, x.group).group_margin)


@njit
def hold(k: Rec, ix: int) -> None:
    """Hold what a changed margined position needs now."""
    x = holding(k, ix)
    if x.group < 0:
        value = abs(x.cost)
        margin = scaled_up(value, day_at(k, k.day_row).margin) if value else 0
        k.margin += margin - x.margin
        x.margin = margin
    else:
        group = holding(k, x.group)
        margin = max(0, _together(k, (ix, 0, 0)))
        k.margin += margin - group.group_margin
        group.group_margin = margin
    k.margin_peak = max(k.margin_peak, k.margin)


@njit
def freed_margin(k: Rec, x: Rec, closing: int) -> int:
    """Return the margin that closing a quantity frees; none of a future beside others on its underlying."""
    if x.group < 0:
        return proportion(x.margin, closing, abs(x.qty)) if x.margin else 0
    sharing = 0
    for at in range(k.positions):
        other = holding(k, holding(k, at).nth_traded)
        sharing += 1 if other.qty and other.group == x.group else 0
    return proportion(holding(k, x.group).group_margin, closing, abs(x.qty)) if sharing == 1 else 0


@njit
def _leg(k: Rec, at: int, more: Leg) -> Leg:
    """Return instrument, signed quantity and price of what is held at a place, or of `more`; quantity 0 for another."""
    if at == k.positions:
        return more
    ix = int(holding(k, at).nth_traded)
    x = holding(k, ix)
    if x.qty == 0 or x.group != holding(k, more[0]).group:
        return ix, 0, 0
    return ix, int(x.qty), int(x.mark if x.mark else x.cost // x.qty)


@njit
def _together(k: Rec, more: Leg) -> int:
    """Return the margin of all futures on an underlying; -1 where several are held and its price is not known."""
    x, first, several, notional = holding(k, more[0]), -1, False, 0
    for at in range(k.positions + 1):
        ix, qty, px = _leg(k, at, more)
        if qty:
            several = several or first not in (-1, ix)
            first = ix
            notional += value_of(k, qty, px)
    if first < 0:
        return 0
    if not several:
        return int(futures_requirement(abs(notional), x.scan, x.exposure))
    spot = holding(k, x.spot_from).mark
    return _scanned(k, more, spot) if spot else -1


@njit
def _scanned(k: Rec, more: Leg, spot: int) -> int:
    """Return the margin of several futures on an underlying: scan, calendar spreads, exposure."""
    x, today, lasting, outright, far, spreads = holding(k, more[0]), 0, 0, 0, 0, 0
    for at in range(k.positions + 1):
        ix, qty, px = _leg(k, at, more)
        if qty == 0:
            continue
        outright += value_of(k, abs(qty), px)
        if holding(k, ix).expiry == k.day:
            today += qty
            continue
        lasting += qty
        for other in range(k.positions + 1 if qty > 0 else 0):
            both, of_far = _spread(k, at, other, more)
            outright -= both
            far += of_far
            spreads += spread_requirement(of_far)
    scan = scaled_up(value_of(k, abs(today), spot), x.scan) + scaled_up(value_of(k, abs(lasting), spot), x.scan)
    return int(scan + spreads + futures_exposure(outright, far, x.exposure))


@njit
def _spread(k: Rec, long_at: int, short_at: int, more: Leg) -> tuple[int, int]:
    """Return the notional of both legs and of the far leg of the spread that two positions make, zeros for none."""
    ix, qty, px = _leg(k, long_at, more)
    other, short, other_px = _leg(k, short_at, more)
    if short >= 0 or holding(k, other).expiry == k.day:
        return 0, 0
    pairs = paired(_before(k, long_at, 1, more), qty, _before(k, short_at, -1, more), -short)
    near, far = _until(k, ix), _until(k, other)
    far_px = 0 if near == far else (other_px if near < far else px)
    return pairs * (px + other_px), pairs * far_px


@njit
def _before(k: Rec, which: int, side: int, more: Leg) -> int:
    """Return how many units of a side end before a position does, or as it does and were there first."""
    until, units = _until(k, _leg(k, which, more)[0]), 0
    for at in range(k.positions + 1):
        ix, qty, _ = _leg(k, at, more)
        if qty * side > 0 and holding(k, ix).expiry != k.day:
            ends = _until(k, ix)
            units += abs(qty) if ends < until or (ends == until and at < which) else 0
    return units


@inline
def _until(k: Rec, ix: int) -> int:
    """Return until when a contract runs; one that has ended counts as if it did today."""
    return max(int(holding(k, ix).expiry), int(k.day))

"""Sizing by volatility in a compiled run: daily closes as `engine.closes` has them, sized as `risk.sizing` does."""

import numpy as np

from manjha.domain.money import PX_MAX
from manjha.research.kernel.records import BOUND, OVERFLOW
from manjha.research.kernel.rows import daily_at, floats, ints
from manjha.research.kernel.scalars import (
    Rec,
    annual_ppm,
    njit,
    qty_for_value,
    return_ppm,
    value_for_volatility,
    whole_root,
)

RETURN_MAX = 600_000_000
"""Largest change of a day, in parts per million, whose square the kernel computes with."""
PER_PPM = 1_000
"""Parts of 1e-9 in one of 1e-6."""


@njit
def qty_by_volatility(k: Rec, x: Rec, px: int, worth: int) -> int:
    """Return the whole-lot quantity that sizing by volatility gives; beyond the bound the run is stopped."""
    daily = _daily_volatility(k, x)
    if daily == 0 or worth <= 0:
        return 0
    if daily > BOUND // k.annual_days // daily:
        k.status = OVERFLOW
        return 0
    volatility = annual_ppm(daily, k.annual_days)
    if k.size_by and worth // (volatility * PER_PPM) > BOUND // k.size_by:
        k.status = OVERFLOW
        return 0
    return int(qty_for_value(value_for_volatility(worth, k.size_by, volatility), px, x.lot))


@njit
def _daily_volatility(k: Rec, x: Rec) -> int:
    """Return the root mean square of the last daily returns in parts per million, today's so far among them."""
    if x.row < 0:
        return 0
    days = daily_at(k, x.number)
    last = _days_before(k, days, x.row)
    total, returns, before = 0, 0, 0
    for at in range(max(last - k.lookback, 0), last + 1):
        now = _close(k, x, days, ints(k.day_ends_at, days.first + at) if at < last else x.row)
        if before:
            change = return_ppm(before, now)
            if abs(change) > RETURN_MAX or total > BOUND - change * change:
                k.status = OVERFLOW
                return 0
            total += change * change
            returns += 1
        before = now
    return int(whole_root(total // returns)) if returns else 0


@njit
def _days_before(k: Rec, days: Rec, row: int) -> int:
    """Return how many days have ended before a row, which is the last of today so far."""
    first, last = 0, days.count
    while first < last:
        middle = (first + last) // 2
        if ints(k.day_ends_at, days.first + middle) < row:
            first = middle + 1
        else:
            last = middle
    return int(first)


@njit
def _close(k: Rec, x: Rec, days: Rec, row: int) -> int:
    """Return the close of a row in the shares of the bar in hand, in the same order of operations as the engine."""
    px = ints(x.close_at, row)
    if days.basis_at:
        rebased = np.rint(float(px) / floats(days.basis_at, row) * floats(days.basis_at, x.row))
        if rebased > PX_MAX:
            k.status = OVERFLOW
            return 0
        px = int(rebased)
    return px

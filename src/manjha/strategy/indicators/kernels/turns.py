"""Kernels of what a strategy states: numbers at the bars at which they change, NaN at all others."""

import math

from manjha.strategy.indicators.kernels.compiled import Floats, Ints, njit


@njit
def keep_changes(wanted: Floats, out: Floats) -> None:
    """Leave out every number that repeats the last one."""
    last = math.nan
    for t in range(len(wanted)):
        x = wanted[t]
        if math.isnan(x) or x == last:
            out[t] = math.nan
        else:
            out[t] = last = x


@njit
def keep_crossings(one: Floats, other: Floats, below: float, out: Floats) -> None:
    """State 1 where one line comes to lie above another, `below` where it no longer does."""
    last = math.nan
    for t in range(len(one)):
        a, b = one[t], other[t]
        x = 1.0 if a > b else below
        if math.isnan(a) or math.isnan(b) or x == last:
            out[t] = math.nan
        else:
            out[t] = last = x


@njit
def find_crossings(
    one: Floats, other: Floats, terms: tuple[float, float, float], last: float, rows: Ints, values: Floats
) -> int:
    """Note the rows at which a line comes to lie above another or no longer does, and what is wanted; return how many.

    `terms` are by how much it must be above, and what is wanted above and below; `last` is what was wanted before.
    """
    by, above, below = terms
    count = 0
    for t in range(len(one)):
        a, b = one[t], other[t] + by
        x = above if a > b else below
        if x != last and not math.isnan(a) and not math.isnan(b):
            rows[count], values[count] = t, x
            count += 1
            last = x
    return count

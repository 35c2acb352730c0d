"""Kernels of what a strategy states: numbers at the bars at which they change, NaN at all others."""

import math
from typing import Any

from numba.cpython.unsafe.numbers import trailing_zeros as _trailing_zeros

from manjha.strategy.indicators.kernels.compiled import Floats, Ints, njit

trailing_zeros: Any = _trailing_zeros
"""Compiled code calls it with one number; its Python form has an argument more."""
WORD = 64
"""Rows that have their bits in one integer."""


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
def find_crossings(  # noqa: PLR0913, PLR0917 - of tuples numba finds the types anew at each call, which is slow
    one: Floats,
    other: Floats,
    by: float,
    above: float,
    below: float,
    first: int,
    last: float,
    rows: Ints,
    values: Floats,
) -> tuple[int, int]:
    """Note the rows at which a line comes to lie above another or no longer does, and what is wanted, from a row on.

    It must be above `by` so much; `above` and `below` are what is wanted then, and `last` what was wanted before.
    Return how many are noted and the row to go on from, which is the end unless `rows` is full.
    """
    count, differ = 0, above != below and not math.isnan(above) and not math.isnan(below)
    while first < len(one):
        end = min(first + WORD, len(one))
        # Many rows at once: whether each is above as one bit, so that few of them are looked at alone.
        if differ and last in (above, below) and end - first == WORD and count + WORD <= len(rows):
            ups, unknown = _above(one[first:end], other[first:end], by)
            if not unknown:
                turns = ups ^ (ups << 1 | (1 if last == above else 0))
                while turns:
                    bit = trailing_zeros(turns)
                    last = above if ups >> bit & 1 else below
                    rows[count], values[count] = first + bit, last
                    count += 1
                    turns &= turns - 1
                first = end
                continue
        for t in range(first, end):
            a, b = one[t], other[t] + by
            x = above if a > b else below
            if x != last and not math.isnan(a) and not math.isnan(b):
                if count == len(rows):
                    return count, t
                rows[count], values[count] = t, x
                count += 1
                last = x
        first = end
    return count, first


@njit
def _above(one: Floats, other: Floats, by: float) -> tuple[int, int]:
    """Return at which of 64 rows a line is above another by so much, as bits, and at how many either is no number."""
    ups = unknown = 0
    for t in range(WORD):
        a, b = one[t], other[t] + by
        ups |= int(a > b) << t
        unknown += int(not (a == a and b == b))  # noqa: PLR0124 - NaN is unequal to itself
    return ups, unknown

"""Kernels of the averages over a window of one column."""

import math
from math import isqrt

import numpy as np

from manjha.strategy.indicators.kernels.compiled import Floats, Ints, State, fma, njit

_ROWS = 512
"""Rows whose sums are taken before anything is divided: that is done for several at once, and the sums stay in the
nearest cache."""

# A running sum over a window. Sums of prices in whole 1e-4 rupee are exact, in any order: they stay below 2**53. For
# other floats the error must not pile up, so a second sum, begun afresh with every `length` bars, takes the place of
# the first one whenever it has come to cover the window.


@njit
def _slide(total: float, fresh: float, left: int, length: int, x: float, old: float) -> tuple[float, float, int]:
    total += x - old
    fresh += x
    left -= 1
    if left == 0:
        return fresh, 0.0, length
    return total, fresh, left


def sma_init(scale: float, length: int) -> State:
    """f: total, fresh, divisor, then the window; i: length, run of finite inputs, bars left in this block."""
    f = np.zeros(3 + length)
    f[2] = length * scale
    return f, np.array([length, 0, length], dtype=np.int64)


@njit
def sma_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value."""
    length = i[0]
    if not math.isfinite(x):
        f[0], f[1], i[1], i[2] = 0.0, 0.0, 0, length
        return math.nan
    slot = 3 + length - i[2]
    run = i[1] + 1
    old = f[slot] if run > length else 0.0
    f[slot] = x
    total, fresh, left = _slide(f[0], f[1], i[2], length, x, old)
    f[0], f[1], i[1], i[2] = total, fresh, run, left
    return _quotient(total, f[2], 1.0 / f[2]) if run >= length else math.nan


@njit
def _quotient(total: float, divisor: float, part: float) -> float:
    """Return total / divisor to the last bit, where `part` is 1 / divisor (Markstein's division).

    A product is near it and what is left over corrects it: a third of the time where processors multiply many at once.
    """
    near = total * part
    return fma(fma(-near, divisor, total), part, near)


@njit
def _divide(sums: Floats, divisor: float) -> None:
    part = 1.0 / divisor
    for t in range(len(sums)):
        sums[t] = _quotient(sums[t], divisor, part)


@njit
def _sma_block(new: Floats, old: Floats, sums: Floats, total: float, fresh: float) -> tuple[float, float]:
    """Slide over values within a block. Nothing is asked of each: one that is not finite leaves the fresh sum so."""
    for t in range(len(sums)):
        x = float(new[t])
        total += x - float(old[t])
        fresh += x
        sums[t] = total
    return total, fresh


@njit
def sma_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many values, block by block; one by one while the window fills or where a value is not finite.

    Once the window lies inside the column, old values are read from there. Until they are divided, the sums lie where
    the averages will.
    """
    n, length = len(column), i[0]
    t = min(n, length)
    for place in range(t):
        out[place] = sma_update(f, i, float(column[place]))
    total, fresh, run, left, divided = f[0], f[1], i[1], i[2], t
    while t < n:
        stop = min(t + left, n)
        ahead, anew = total, math.nan
        if run >= length:
            ahead, anew = _sma_block(column[t:stop], column[t - length : stop - length], out[t:stop], total, fresh)
        if math.isfinite(anew):
            total, fresh, run, left = ahead, anew, run + stop - t, left - (stop - t)
            if left == 0:
                out[stop - 1] = fresh
                total, fresh, left = fresh, 0.0, length
        else:
            for place in range(t, stop):
                x = float(column[place])
                if not math.isfinite(x):
                    total, fresh, run, left = 0.0, 0.0, 0, length
                    out[place] = math.nan
                    continue
                run += 1
                old = float(column[place - length]) if run > length else 0.0
                total, fresh, left = _slide(total, fresh, left, length, x, old)
                out[place] = total if run >= length else math.nan
        t = stop
        if t - divided >= _ROWS or t == n:
            _divide(out[divided:t], f[2])
            divided = t
    f[0], f[1], i[1], i[2] = total, fresh, run, left
    for back in range(min(length, run) if n > length else 0):
        f[3 + (2 * length - left - 1 - back) % length] = float(column[n - 1 - back])


# A linearly weighted sum: the newest value counts `length` times, the oldest once. Sliding takes the plain sum off and
# adds the newest value `length` times. As above, sums begun afresh with each block take over when it is full, which is
# also how the first value comes about. Layout from `a` in f: weighted, plain, fresh weighted, fresh plain, window; from
# `b` in i: length, run, position in the block.


@njit
def _wma_clear(f: Floats, i: Ints, a: int, b: int) -> None:
    f[a], f[a + 1], f[a + 2], f[a + 3] = 0.0, 0.0, 0.0, 0.0
    i[b + 1], i[b + 2] = 0, 0


@njit
def _wma_add(f: Floats, i: Ints, a: int, b: int, x: float) -> float:
    """Add a finite value; return the weighted sum over the window, NaN while it fills."""
    length, run, place = i[b], i[b + 1] + 1, i[b + 2]
    old = f[a + 4 + place] if run > length else 0.0
    f[a + 4 + place] = x
    f[a] += length * x - f[a + 1]
    f[a + 1] += x - old
    f[a + 2] += (place + 1) * x
    f[a + 3] += x
    place += 1
    if place == length:
        f[a], f[a + 1], f[a + 2], f[a + 3] = f[a + 2], f[a + 3], 0.0, 0.0
        place = 0
    i[b + 1], i[b + 2] = run, place
    return f[a] if run >= length else math.nan


def wma_init(scale: float, length: int) -> State:
    """f: divisor, weighted sums and window from 1; i: length, run, place from 0."""
    f = np.zeros(5 + length)
    f[0] = length * (length + 1) / 2 * scale
    return f, np.array([length, 0, 0], dtype=np.int64)


@njit
def wma_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value."""
    if not math.isfinite(x):
        _wma_clear(f, i, 1, 0)
        return math.nan
    out: float = _wma_add(f, i, 1, 0, x) / f[0]
    return out


@njit
def wma_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many values."""
    for t in range(len(column)):
        out[t] = wma_update(f, i, float(column[t]))


def hma_init(scale: float, length: int) -> State:
    """f: divisors of half, whole and root, then their sums and windows; i: offsets of whole and root, then as WMA."""
    lengths = (length // 2, length, isqrt(length))
    f = np.zeros(3 + sum(4 + each for each in lengths))
    f[:3] = [each * (each + 1) / 2 for each in lengths]
    f[2] *= scale
    whole = 3 + 4 + lengths[0]
    return f, np.array([whole, whole + 4 + length, *(v for each in lengths for v in (each, 0, 0))], dtype=np.int64)


@njit
def hma_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value."""
    if not math.isfinite(x):
        _wma_clear(f, i, 3, 2)
        _wma_clear(f, i, i[0], 5)
        _wma_clear(f, i, i[1], 8)
        return math.nan
    half = _wma_add(f, i, 3, 2, x) / f[0]
    whole = _wma_add(f, i, i[0], 5, x) / f[1]
    if math.isnan(whole):
        return math.nan
    out: float = _wma_add(f, i, i[1], 8, 2.0 * half - whole) / f[2]
    return out


@njit
def hma_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many values."""
    for t in range(len(column)):
        out[t] = hma_update(f, i, float(column[t]))

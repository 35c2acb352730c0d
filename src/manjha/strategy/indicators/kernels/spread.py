"""Kernels of the indicators that need the variance over a window."""

import math

import numpy as np

from manjha.strategy.indicators.kernels.compiled import Floats, Ints, Outs, State, njit

# Squares of prices do not fit the exact range, and E[x²] − E[x]² would lose everything to cancellation. So the sums are
# of deviations from an anchor, a value of the window itself. A second pair of sums begins with each block of `length`
# bars, anchored at its first value, and takes over when the block is full: the anchor stays near, errors do not pile
# up. A window of equal values has variance zero exactly. Layout from `a` in f: anchor, sum, squares, then the same
# afresh, last value, window; from `b` in i: length, run, position in the block, run of equal values.

_HEAD = 7


@njit
def _clear(f: Floats, i: Ints, a: int, b: int) -> None:
    f[a : a + _HEAD] = 0.0
    i[b + 1 : b + 4] = 0


@njit
def _add(f: Floats, i: Ints, a: int, b: int, x: float) -> tuple[float, float]:
    """Add a finite value; return sum and sum of squared deviations over the window, NaN while it fills."""
    length, run, place = i[b], i[b + 1] + 1, i[b + 2]
    if run == 1:
        f[a] = x
    if place == 0:
        f[a + 3] = x
    slot = a + _HEAD + place
    new = x - f[a]
    old = f[slot] - f[a] if run > length else 0.0
    f[slot] = x
    f[a + 1] += new - old
    f[a + 2] += (new - old) * (new + old)
    fresh = x - f[a + 3]
    f[a + 4] += fresh
    f[a + 5] += fresh * fresh
    place += 1
    if place == length:
        f[a], f[a + 1], f[a + 2] = f[a + 3], f[a + 4], f[a + 5]
        f[a + 4], f[a + 5] = 0.0, 0.0
        place = 0
    i[b + 3] = i[b + 3] + 1 if x == f[a + 6] and run > 1 else 1
    f[a + 6] = x
    i[b + 1], i[b + 2] = run, place
    if run < length:
        return math.nan, math.nan
    total = f[a] * length + f[a + 1]
    if i[b + 3] >= length:
        return total, 0.0
    return total, max(f[a + 2] - f[a + 1] * f[a + 1] / length, 0.0)


def bollinger_init(scale: float, length: int, width: float) -> State:
    """f: width, scale, sums and window; i: as `_add`."""
    f = np.zeros(2 + _HEAD + length)
    f[:2] = width, scale
    return f, np.array([length, 0, 0, 0], dtype=np.int64)


@njit
def bollinger_update(f: Floats, i: Ints, x: float) -> tuple[float, float, float]:
    """Add one price."""
    if not math.isfinite(x):
        _clear(f, i, 2, 0)
        return math.nan, math.nan, math.nan
    total, squares = _add(f, i, 2, 0, x)
    middle = total / (i[0] * f[1])
    band = f[0] * math.sqrt(squares / i[0]) / f[1]
    return middle + band, middle, middle - band


@njit
def bollinger_fold(f: Floats, i: Ints, column: Floats, out: Outs) -> None:
    """Add many prices."""
    upper, middle, lower = out
    n = len(column)
    for t in range(n):
        upper[t], middle[t], lower[t] = bollinger_update(f, i, float(column[t]))


def zscore_init(_: float, length: int) -> State:
    """f: sums and window; i: as `_add`. The scale cancels out."""
    return np.zeros(_HEAD + length), np.array([length, 0, 0, 0], dtype=np.int64)


@njit
def zscore_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value."""
    if not math.isfinite(x):
        _clear(f, i, 0, 0)
        return math.nan
    total, squares = _add(f, i, 0, 0, x)
    if squares == 0.0:
        return 0.0
    out: float = (x - total / i[0]) / math.sqrt(squares / i[0])
    return out


@njit
def zscore_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many values."""
    for t in range(len(column)):
        out[t] = zscore_update(f, i, float(column[t]))


def realised_vol_init(_: float, length: int, annual: float) -> State:
    """f: last price, √(annual / (length − 1)), sums and window; i: as `_add`, then whether there is a last price."""
    f = np.zeros(2 + _HEAD + length)
    f[1] = math.sqrt(annual / (length - 1.0))
    return f, np.array([length, 0, 0, 0, 0], dtype=np.int64)


@njit
def realised_vol_update(f: Floats, i: Ints, x: float) -> float:
    """Add one price; one that is not positive has no logarithm and counts as NaN."""
    if not (math.isfinite(x) and x > 0.0):
        _clear(f, i, 2, 0)
        i[4] = 0
        return math.nan
    last, f[0] = f[0], x
    if i[4] == 0:
        i[4] = 1
        return math.nan
    _, squares = _add(f, i, 2, 0, math.log(x / last))
    out: float = math.sqrt(squares) * f[1]
    return out


@njit
def realised_vol_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many prices."""
    for t in range(len(column)):
        out[t] = realised_vol_update(f, i, float(column[t]))

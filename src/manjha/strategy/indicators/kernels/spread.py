"""Kernels of the indicators that need the variance over a window."""

import math

import numpy as np

from manjha.strategy.indicators.kernels.compiled import Floats, Ints, Outs, State, fma, njit

# Squares of prices do not fit the exact range, and E[x²] − E[x]² would lose everything to cancellation. So the sums are
# of deviations from an anchor, a value of the window itself. A second pair of sums begins with each block of `length`
# bars, anchored at its first value, and takes over when the block is full: the anchor stays near, errors do not pile
# up. A window of equal values has variance zero exactly. Layout from `a` in f: anchor, sum, squares, then the same
# afresh, last value, window; from `b` in i: length, run, position in the block, run of equal values.

_HEAD = 7
_ROWS = 512
"""Rows whose sums are taken before anything is divided: processors divide and take roots of several at once, and the
sums stay in the nearest cache."""


@njit
def _clear(f: Floats, i: Ints, a: int, b: int) -> None:
    f[a : a + _HEAD] = 0.0
    i[b + 1 : b + 4] = 0


@njit
def _slide(f: Floats, i: Ints, a: int, b: int, x: float) -> tuple[float, float, float]:
    """Add a finite value; return the window's sum, and sum and squares of its deviations, NaN while it fills."""
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
        return math.nan, math.nan, math.nan
    total = f[a] * length + f[a + 1]
    if i[b + 3] >= length:
        return total, 0.0, 0.0
    return total, f[a + 1], f[a + 2]


@njit
def _squares(deviations: float, squares: float, length: int) -> float:
    """Return the sum of squared deviations from the mean; rounding does not make it negative. NaN stays NaN."""
    about_mean = squares - deviations * deviations / length
    return 0.0 if about_mean < 0.0 else about_mean


@njit
def _add(f: Floats, i: Ints, a: int, b: int, x: float) -> tuple[float, float]:
    """Add a finite value; return sum and sum of squared deviations over the window, NaN while it fills."""
    total, deviations, squares = _slide(f, i, a, b, x)
    return total, _squares(deviations, squares, i[b])


@njit
def _block(f: Floats, i: Ints, column: Floats, totals: Floats, deviations: Floats, squares: Floats) -> bool:
    """Add values to a full window as `_slide`, up to the end of its block. False, and no change, if not all are finite.

    The state is that of `bollinger_init`. A value that is not finite leaves the fresh squares so.
    """
    length, place, count = i[0], i[2], len(column)
    anchor, total, square, fresh, fresh_square = f[2], f[3], f[4], f[6], f[7]
    fresh_anchor = f[5] if place else float(column[0])
    window = f[2 + _HEAD + place : 2 + _HEAD + place + count]
    for t in range(count):
        x = float(column[t])
        new, old = x - anchor, window[t] - anchor
        total += new - old
        square += (new - old) * (new + old)
        gap = x - fresh_anchor
        fresh += gap
        fresh_square += gap * gap
        totals[t], deviations[t], squares[t] = anchor * length + total, total, square
    if not math.isfinite(fresh_square):
        return False
    for t in range(count):
        window[t] = float(column[t])
    i[1] += count
    i[2] += count
    if i[2] == length:
        anchor, total, square, fresh, fresh_square, i[2] = fresh_anchor, fresh, fresh_square, 0.0, 0.0, 0
        totals[count - 1], deviations[count - 1], squares[count - 1] = anchor * length + total, total, square
    f[2], f[3], f[4], f[5], f[6], f[7] = anchor, total, square, fresh_anchor, fresh, fresh_square
    _note_equals(f, i, column, deviations, squares)
    return True


@njit
def _note_equals(f: Floats, i: Ints, column: Floats, deviations: Floats, squares: Floats) -> None:
    """Count on how long values have been equal; a window of equal values has no deviations.

    A window that ends in a block holds the block's first value, so the equal values there are the only ones to see.
    """
    length, equal, last, count = i[0], i[3], f[8], len(column)
    t = 0
    while t < count and float(column[t]) == last:
        equal += 1
        if equal >= length:
            deviations[t], squares[t] = 0.0, 0.0
        t += 1
    if t < count:
        place, equal = count - 1, 1
        while place > t and column[place - 1] == column[place]:
            place -= 1
            equal += 1
        if equal >= length:
            deviations[count - 1], squares[count - 1] = 0.0, 0.0
    i[3], f[8] = equal, float(column[count - 1])


@njit
def _sums(f: Floats, i: Ints, column: Floats, totals: Floats, deviations: Floats, squares: Floats) -> None:
    """Add values, block by block; one by one while the window fills or where a value is not finite."""
    t, n = 0, len(column)
    while t < n:
        stop = min(t + i[0] - i[2], n)
        there = slice(t, stop)
        if i[1] < i[0] or not _block(f, i, column[there], totals[there], deviations[there], squares[there]):
            for place in range(t, stop):
                x = float(column[place])
                if math.isfinite(x):
                    totals[place], deviations[place], squares[place] = _slide(f, i, 2, 0, x)
                else:
                    _clear(f, i, 2, 0)
                    totals[place], deviations[place], squares[place] = math.nan, math.nan, math.nan
        t = stop


@njit
def _quotient(total: float, divisor: float, part: float) -> float:
    """Return total / divisor to the last bit, where `part` is 1 / divisor, as in `windows`."""
    near = total * part
    return fma(fma(-near, divisor, total), part, near)


@njit
def _bands(
    total: float, deviations: float, squares: float, length: int, width: float, scale: float
) -> tuple[float, float, float]:
    # The mean is divided to the last bit, so that the mean of equal prices is that price; else by `part` is multiplied.
    divisor, part = length * scale, 1.0 / length
    middle = _quotient(total, divisor, 1.0 / divisor)
    about_mean = squares - deviations * deviations * part
    band = math.sqrt((0.0 if about_mean < 0.0 else about_mean) * part) * (width / scale)
    return middle + band, middle, middle - band


def bollinger_init(scale: float, length: int, width: float) -> State:
    """f: width, scale, sums and window; i: as `_slide`."""
    f = np.zeros(2 + _HEAD + length)
    f[:2] = width, scale
    return f, np.array([length, 0, 0, 0], dtype=np.int64)


@njit
def bollinger_update(f: Floats, i: Ints, x: float) -> tuple[float, float, float]:
    """Add one price."""
    if not math.isfinite(x):
        _clear(f, i, 2, 0)
        return math.nan, math.nan, math.nan
    total, deviations, squares = _slide(f, i, 2, 0, x)
    return _bands(total, deviations, squares, i[0], f[0], f[1])


@njit
def bollinger_fold(f: Floats, i: Ints, column: Floats, out: Outs) -> None:
    """Add many prices; until they are divided, the sums lie where the bands will."""
    length, width, scale = i[0], f[0], f[1]
    for start in range(0, len(column), _ROWS):
        there = slice(start, min(start + _ROWS, len(column)))
        upper, middle, lower = out[0][there], out[1][there], out[2][there]
        _sums(f, i, column[there], middle, upper, lower)
        for t in range(len(middle)):
            upper[t], middle[t], lower[t] = _bands(middle[t], upper[t], lower[t], length, width, scale)


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

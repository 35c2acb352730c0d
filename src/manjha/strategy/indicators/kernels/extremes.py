"""Kernels of the indicators that need the highest or lowest value of a window."""

import math
from typing import Any

import numpy as np

from manjha.strategy.indicators.kernels.compiled import Floats, Ints, Outs, State, njit

# The maximum of a window is that of its part in the present block of `length` bars and of its part in the block before
# (van Herk 1992). The first is a running maximum; for the second, a block that is full is turned into the maxima from
# each of its bars to its end: one step a bar on average, whatever the prices do. Layout from `a` in f: running maximum,
# then `length` places, up to `place` values of this block, from there maxima of the one before; at `b` in i: place.
# A minimum is the maximum of the negated values.


@njit
def _push(f: Floats, i: Ints, a: int, b: int, x: float) -> Any:
    """Add a value; return the maximum of the window, of what there is while it fills. `i` begins with length, run."""
    length, place, best = i[0], i[b], f[a]
    if place == 0 or x > best:
        best = x
    f[a] = best
    f[a + 1 + place] = x
    place += 1
    if place < length:
        i[b] = place
        older = f[a + 1 + place]
        return older if i[1] > length and older > best else best
    i[b] = 0
    largest = x
    for back in range(1, length):
        value = f[a + length - back]
        largest = max(largest, value)
        f[a + length - back] = largest
    return best


def highest_init(scale: float, length: int) -> State:
    """f: scale, maximum, block; i: length, run, place."""
    return np.array([scale, *[0.0] * (1 + length)]), np.array([length, 0, 0], dtype=np.int64)


@njit
def highest_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value."""
    if not math.isfinite(x):
        i[1], i[2] = 0, 0
        return math.nan
    i[1] += 1
    best = _push(f, i, 1, 2, x)
    return best / f[0] if i[1] >= i[0] else math.nan


@njit
def highest_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many values."""
    for t in range(len(column)):
        out[t] = highest_update(f, i, float(column[t]))


def lowest_init(scale: float, length: int) -> State:
    """As `highest_init`, over negated values."""
    return highest_init(-scale, length)


@njit
def lowest_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value."""
    return highest_update(f, i, -x)


@njit
def lowest_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many values."""
    for t in range(len(column)):
        out[t] = highest_update(f, i, -float(column[t]))


# Both ends of a bar: f from `a`: maximum and block of highs, then of negated lows; i: length, run, the two places.


@njit
def _push_bar(f: Floats, i: Ints, a: int, high: float, low: float) -> tuple[float, float]:
    """Add a bar; return highest high and lowest low."""
    i[1] += 1
    return _push(f, i, a, 2, high), -_push(f, i, a + 1 + i[0], 3, -low)


@njit
def _clear(i: Ints) -> None:
    i[1], i[2], i[3] = 0, 0, 0


def donchian_init(scale: float, length: int) -> State:
    """f: scale, blocks; i: as above."""
    return np.array([scale, *[0.0] * (2 * length + 2)]), np.array([length, 0, 0, 0], dtype=np.int64)


@njit
def donchian_update(f: Floats, i: Ints, high: float, low: float) -> tuple[float, float, float]:
    """Add one bar."""
    if not math.isfinite(high + low):
        _clear(i)
        return math.nan, math.nan, math.nan
    top, floor = _push_bar(f, i, 1, high, low)
    if i[1] < i[0]:
        return math.nan, math.nan, math.nan
    return top / f[0], (top + floor) / (2.0 * f[0]), floor / f[0]


@njit
def donchian_fold(f: Floats, i: Ints, high: Floats, low: Floats, out: Outs) -> None:
    """Add many bars."""
    upper, middle, lower = out
    n = len(high)
    for t in range(n):
        upper[t], middle[t], lower[t] = donchian_update(f, i, float(high[t]), float(low[t]))


# Aroon needs the bar of the extreme, too: the same blocks with a bar number at each place. Of equals the newest stands.


@njit
def _age(f: Floats, i: Ints, a: int, b: int, x: float) -> Any:
    """Add a value; return how many bars ago the maximum of the window was. `b` in i: place, bar, bars of the block."""
    length, run, place = i[0], i[1], i[b]
    if place == 0 or x >= f[a]:
        f[a], i[b + 1] = x, run
    f[a + 1 + place], i[b + 2 + place] = x, run
    if place + 1 < length:
        i[b] = place + 1
        older = run > length and f[a + 2 + place] > f[a]
        newest = i[b + 3 + place] if older else i[b + 1]
        return run - newest
    i[b] = 0
    for back in range(length - 2, -1, -1):
        if f[a + 1 + back] <= f[a + 2 + back]:
            f[a + 1 + back], i[b + 2 + back] = f[a + 2 + back], i[b + 3 + back]
    newest = i[b + 1]
    return run - newest


def aroon_init(_: float, length: int) -> State:
    """f: blocks of length + 1; i: length + 1, run, then place, bar and bars of highs, the same of lows."""
    return np.zeros(2 * length + 4), np.array([length + 1, *[0] * (2 * length + 7)], dtype=np.int64)


@njit
def aroon_update(f: Floats, i: Ints, high: float, low: float) -> tuple[float, float]:
    """Add one bar."""
    size = i[0]
    if not math.isfinite(high + low):
        i[1], i[2], i[4 + size] = 0, 0, 0
        return math.nan, math.nan
    i[1] += 1
    up = size - 1 - _age(f, i, 0, 2, high)
    down = size - 1 - _age(f, i, 1 + size, 4 + size, -low)
    if i[1] < size:
        return math.nan, math.nan
    return 100.0 * up / (size - 1), 100.0 * down / (size - 1)


@njit
def aroon_fold(f: Floats, i: Ints, high: Floats, low: Floats, out: Outs) -> None:
    """Add many bars."""
    up, down = out
    for t in range(len(high)):
        up[t], down[t] = aroon_update(f, i, float(high[t]), float(low[t]))


@njit
def _position(f: Floats, i: Ints, high: float, low: float, close: float) -> float:
    """Add a finite bar; return where the close lies in the range of the window, 0 to 100. A range of nothing: 50."""
    top, floor = _push_bar(f, i, 0, high, low)
    if i[1] < i[0]:
        return math.nan
    return 100.0 * (close - floor) / (top - floor) if top > floor else 50.0


def williams_r_init(_: float, length: int) -> State:
    """f: blocks; i: as above."""
    return np.zeros(2 * length + 2), np.array([length, 0, 0, 0], dtype=np.int64)


@njit
def williams_r_update(f: Floats, i: Ints, high: float, low: float, close: float) -> float:
    """Add one bar."""
    if not math.isfinite(high + low + close):
        _clear(i)
        return math.nan
    return _position(f, i, high, low, close) - 100.0


@njit
def williams_r_fold(f: Floats, i: Ints, high: Floats, low: Floats, close: Floats, out: Floats) -> None:
    """Add many bars."""
    for t in range(len(close)):
        out[t] = williams_r_update(f, i, float(high[t]), float(low[t]), float(close[t]))


# The two averages of the stochastic are short: summed anew each bar, in the order of their places.


@njit
def _mean(f: Floats, a: int, length: int, count: int, x: float) -> float:
    """Add the `count`-th value, from 0, to the window at `a`; return its mean, NaN while it fills."""
    f[a + count % length] = x
    if count + 1 < length:
        return math.nan
    total = 0.0
    for place in range(length):
        total += f[a + place]
    return total / length


def stochastic_init(_: float, length: int, smooth: int, signal: int) -> State:
    """f: blocks, two windows; i: as above, then smooth, signal."""
    return np.zeros(2 * length + 2 + smooth + signal), np.array([length, 0, 0, 0, smooth, signal], dtype=np.int64)


@njit
def stochastic_update(f: Floats, i: Ints, high: float, low: float, close: float) -> tuple[float, float]:
    """Add one bar."""
    if not math.isfinite(high + low + close):
        _clear(i)
        return math.nan, math.nan
    raw = _position(f, i, high, low, close)
    length, smooth, signal = i[0], i[4], i[5]
    count = i[1] - length
    if count < 0:
        return math.nan, math.nan
    k = _mean(f, 2 * length + 2, smooth, count, raw)
    count -= smooth - 1
    if count < 0:
        return math.nan, math.nan
    d = _mean(f, 2 * length + 2 + smooth, signal, count, k)
    return (k, d) if count + 1 >= signal else (math.nan, math.nan)


@njit
def stochastic_fold(f: Floats, i: Ints, high: Floats, low: Floats, close: Floats, out: Outs) -> None:
    """Add many bars."""
    k, d = out
    for t in range(len(close)):
        k[t], d[t] = stochastic_update(f, i, float(high[t]), float(low[t]), float(close[t]))

"""Kernels of the indicators that need the highest or lowest value of a window."""

import math

import numpy as np

from manjha.strategy.indicators.kernels.compiled import Floats, Ints, State, njit, njit_inner

# The maximum of a window is the head of a queue of falling values: a new value drops all that are not above it, and the
# head goes when it is too old, so a bar costs a constant on average whatever the length. The queue is a ring of
# `length` places from `a` in f (values) and from `b + 2` in i (bar numbers), with head and count at `b` in i. A minimum
# is the maximum of the negated values. Of equal values the newest stands.


@njit_inner
def _push(f: Floats, i: Ints, a: int, b: int, length: int, bar: int, x: float) -> tuple[float, int]:  # noqa: PLR0913, PLR0917 - two offsets
    """Add the value of a bar; return the maximum of the last `length` bars and its age in bars."""
    head, count = i[b], i[b + 1]
    if count > 0 and i[b + 2 + head] <= bar - length:
        head = head + 1 if head + 1 < length else 0
        count -= 1
    place = head + count
    place = place - length if place >= length else place
    while count > 0:
        before = place - 1 if place > 0 else length - 1
        if f[a + before] > x:
            break
        place = before
        count -= 1
    f[a + place], i[b + 2 + place] = x, bar
    i[b], i[b + 1] = head, count + 1
    return f[a + head], bar - i[b + 2 + head]


def highest_init(scale: float, length: int) -> State:
    """f: scale, queue; i: length, run, queue."""
    return np.array([scale, *[0.0] * length]), np.array([length, *[0] * (3 + length)], dtype=np.int64)


@njit_inner
def highest_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value."""
    if not math.isfinite(x):
        i[1:4] = 0
        return math.nan
    i[1] += 1
    best, _ = _push(f, i, 1, 2, i[0], i[1], x)
    return best / f[0] if i[1] >= i[0] else math.nan


@njit
def highest_fold(f: Floats, i: Ints, column: Floats) -> Floats:
    """Add many values."""
    out = np.empty(len(column))
    for t in range(len(column)):
        out[t] = highest_update(f, i, float(column[t]))
    return out


def lowest_init(scale: float, length: int) -> State:
    """As `highest_init`, over negated values."""
    return highest_init(-scale, length)


@njit_inner
def lowest_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value."""
    return highest_update(f, i, -x)


@njit
def lowest_fold(f: Floats, i: Ints, column: Floats) -> Floats:
    """Add many values."""
    out = np.empty(len(column))
    for t in range(len(column)):
        out[t] = highest_update(f, i, -float(column[t]))
    return out


# Both queues of a bar: f from `a`: queue of highs, queue of lows; i: length, run, queue of highs, queue of lows.


@njit_inner
def _push_bar(f: Floats, i: Ints, a: int, high: float, low: float) -> tuple[float, float, int, int]:
    """Add a bar; return highest high, lowest low and their ages."""
    length = i[0]
    i[1] += 1
    top, top_age = _push(f, i, a, 2, length, i[1], high)
    floor, floor_age = _push(f, i, a + length, 4 + length, length, i[1], -low)
    return top, -floor, top_age, floor_age


@njit_inner
def _clear_bars(i: Ints) -> None:
    length = i[0]
    i[1:4] = 0
    i[4 + length : 6 + length] = 0


def _bar_queues(length: int) -> Ints:
    return np.array([length, *[0] * (5 + 2 * length)], dtype=np.int64)


def donchian_init(scale: float, length: int) -> State:
    """f: scale, queues; i: as above."""
    return np.array([scale, *[0.0] * (2 * length)]), _bar_queues(length)


@njit_inner
def donchian_update(f: Floats, i: Ints, high: float, low: float) -> tuple[float, float, float]:
    """Add one bar."""
    if not math.isfinite(high + low):
        _clear_bars(i)
        return math.nan, math.nan, math.nan
    top, floor, _, _ = _push_bar(f, i, 1, high, low)
    if i[1] < i[0]:
        return math.nan, math.nan, math.nan
    return top / f[0], (top + floor) / (2.0 * f[0]), floor / f[0]


@njit
def donchian_fold(f: Floats, i: Ints, high: Floats, low: Floats) -> tuple[Floats, Floats, Floats]:
    """Add many bars."""
    n = len(high)
    upper, middle, lower = np.empty(n), np.empty(n), np.empty(n)
    for t in range(n):
        upper[t], middle[t], lower[t] = donchian_update(f, i, float(high[t]), float(low[t]))
    return upper, middle, lower


def aroon_init(_: float, length: int) -> State:
    """f: queues; i: as above, for a window of length + 1 bars."""
    return np.zeros(2 * (length + 1)), _bar_queues(length + 1)


@njit_inner
def aroon_update(f: Floats, i: Ints, high: float, low: float) -> tuple[float, float]:
    """Add one bar."""
    if not math.isfinite(high + low):
        _clear_bars(i)
        return math.nan, math.nan
    _, _, top_age, floor_age = _push_bar(f, i, 0, high, low)
    if i[1] < i[0]:
        return math.nan, math.nan
    length = i[0] - 1
    return 100.0 * (length - top_age) / length, 100.0 * (length - floor_age) / length


@njit
def aroon_fold(f: Floats, i: Ints, high: Floats, low: Floats) -> tuple[Floats, Floats]:
    """Add many bars."""
    up, down = np.empty(len(high)), np.empty(len(high))
    for t in range(len(high)):
        up[t], down[t] = aroon_update(f, i, float(high[t]), float(low[t]))
    return up, down


@njit_inner
def _position(f: Floats, i: Ints, high: float, low: float, close: float) -> float:
    """Add a finite bar; return where the close lies in the range of the window, 0 to 100. A range of nothing: 50."""
    top, floor, _, _ = _push_bar(f, i, 0, high, low)
    if i[1] < i[0]:
        return math.nan
    return 100.0 * (close - floor) / (top - floor) if top > floor else 50.0


def williams_r_init(_: float, length: int) -> State:
    """f: queues; i: as above."""
    return np.zeros(2 * length), _bar_queues(length)


@njit_inner
def williams_r_update(f: Floats, i: Ints, high: float, low: float, close: float) -> float:
    """Add one bar."""
    if not math.isfinite(high + low + close):
        _clear_bars(i)
        return math.nan
    return _position(f, i, high, low, close) - 100.0


@njit
def williams_r_fold(f: Floats, i: Ints, high: Floats, low: Floats, close: Floats) -> Floats:
    """Add many bars."""
    out = np.empty(len(close))
    for t in range(len(close)):
        out[t] = williams_r_update(f, i, float(high[t]), float(low[t]), float(close[t]))
    return out


# The two averages of the stochastic are short: summed anew each bar, in the order of their places.


@njit_inner
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
    """f: queues, two windows; i: as above, then smooth, signal."""
    return np.zeros(2 * length + smooth + signal), np.append(_bar_queues(length), [smooth, signal])


@njit_inner
def stochastic_update(f: Floats, i: Ints, high: float, low: float, close: float) -> tuple[float, float]:
    """Add one bar."""
    if not math.isfinite(high + low + close):
        _clear_bars(i)
        return math.nan, math.nan
    raw = _position(f, i, high, low, close)
    length, smooth, signal = i[0], i[-2], i[-1]
    count = i[1] - length
    if count < 0:
        return math.nan, math.nan
    k = _mean(f, 2 * length, smooth, count, raw)
    count -= smooth - 1
    if count < 0:
        return math.nan, math.nan
    d = _mean(f, 2 * length + smooth, signal, count, k)
    return (k, d) if count + 1 >= signal else (math.nan, math.nan)


@njit
def stochastic_fold(f: Floats, i: Ints, high: Floats, low: Floats, close: Floats) -> tuple[Floats, Floats]:
    """Add many bars."""
    k, d = np.empty(len(close)), np.empty(len(close))
    for t in range(len(close)):
        k[t], d[t] = stochastic_update(f, i, float(high[t]), float(low[t]), float(close[t]))
    return k, d

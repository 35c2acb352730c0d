"""Kernels of the indicators that measure how far a price has come."""

import math

import numpy as np

from manjha.strategy.indicators.kernels.compiled import Floats, Ints, Outs, State, njit

# A window of the last values: a ring from `a` in f; i: length, run of finite inputs, place.


@njit
def _before(f: Floats, i: Ints, a: int, x: float) -> float:
    """Add a finite value; return the one `length` bars before it, NaN while there is none."""
    length, run, place = i[0], i[1], i[2]
    old = f[a + place] if run >= length else math.nan
    f[a + place] = x
    i[1], i[2] = run + 1, place + 1 if place + 1 < length else 0
    return old


def momentum_init(scale: float, length: int) -> State:
    """f: scale, window; i: length, run, place."""
    return np.array([scale, *[0.0] * length]), np.array([length, 0, 0], dtype=np.int64)


@njit
def momentum_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value."""
    if not math.isfinite(x):
        i[1], i[2] = 0, 0
        return math.nan
    out: float = (x - _before(f, i, 1, x)) / f[0]
    return out


@njit
def momentum_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many values."""
    for t in range(len(column)):
        out[t] = momentum_update(f, i, float(column[t]))


def roc_init(_: float, length: int) -> State:
    """f: window; i: length, run, place. The scale cancels out."""
    return np.zeros(length), np.array([length, 0, 0], dtype=np.int64)


@njit
def roc_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value; there is no change in percent from zero."""
    if not math.isfinite(x):
        i[1], i[2] = 0, 0
        return math.nan
    old = _before(f, i, 0, x)
    return 100.0 * (x - old) / old if old != 0.0 else math.nan


@njit
def roc_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many values."""
    for t in range(len(column)):
        out[t] = roc_update(f, i, float(column[t]))


def slope_init(scale: float, length: int) -> State:
    """f: divisor, window; i: length, run, place."""
    divisor = length * (length * length - 1) / 12.0 * scale
    return np.array([divisor, *[0.0] * length]), np.array([length, 0, 0], dtype=np.int64)


@njit
def slope_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value. The sum is taken anew each bar, of differences from the newest value."""
    if not math.isfinite(x):
        i[1], i[2] = 0, 0
        return math.nan
    length = i[0]
    _before(f, i, 1, x)
    if i[1] < length:
        return math.nan
    centre = (length - 1) / 2.0
    oldest = i[2]
    total = 0.0
    for place in range(oldest, length):
        total += (place - oldest - centre) * (f[1 + place] - x)
    for place in range(oldest):
        total += (place + length - oldest - centre) * (f[1 + place] - x)
    out: float = total / f[0]
    return out


@njit
def slope_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many values."""
    for t in range(len(column)):
        out[t] = slope_update(f, i, float(column[t]))


def cci_init(_: float, length: int) -> State:
    """f: window of high + low + close; i: length, run, place. Scale and the third cancel out."""
    return np.zeros(length), np.array([length, 0, 0], dtype=np.int64)


@njit
def cci_update(f: Floats, i: Ints, high: float, low: float, close: float) -> float:
    """Add one bar. Mean and mean deviation are taken anew each bar."""
    x = high + low + close
    if not math.isfinite(x):
        i[1], i[2] = 0, 0
        return math.nan
    length = i[0]
    _before(f, i, 0, x)
    if i[1] < length:
        return math.nan
    total = 0.0
    for place in range(length):
        total += f[place] - x
    mean = total / length
    deviation = 0.0
    for place in range(length):
        deviation += abs(f[place] - x - mean)
    return -mean / (0.015 * deviation / length) if deviation > 0.0 else 0.0


@njit
def cci_fold(f: Floats, i: Ints, high: Floats, low: Floats, close: Floats, out: Floats) -> None:
    """Add many bars."""
    for t in range(len(close)):
        out[t] = cci_update(f, i, float(high[t]), float(low[t]), float(close[t]))


def heikin_ashi_init(scale: float) -> State:
    """f: last open and close, scale; i: run of finite bars."""
    return np.array([0.0, 0.0, scale]), np.zeros(1, dtype=np.int64)


@njit
def heikin_ashi_update(
    f: Floats, i: Ints, opened: float, high: float, low: float, close: float
) -> tuple[float, float, float, float]:
    """Add one bar."""
    sum4 = opened + high + low + close
    if not math.isfinite(sum4):
        i[0] = 0
        return math.nan, math.nan, math.nan, math.nan
    smoothed = (f[0] + f[1]) / 2.0 if i[0] else (opened + close) / 2.0
    average = sum4 / 4.0
    f[0], f[1], i[0] = smoothed, average, 1
    top, floor = max(high, smoothed, average), min(low, smoothed, average)
    return smoothed / f[2], top / f[2], floor / f[2], average / f[2]


@njit
def heikin_ashi_fold(  # noqa: PLR0913, PLR0917 - a bar
    f: Floats, i: Ints, opened: Floats, high: Floats, low: Floats, close: Floats, out: Outs
) -> None:
    """Add many bars."""
    a, b, c, d = out
    n = len(close)
    for t in range(n):
        bar = heikin_ashi_update(f, i, float(opened[t]), float(high[t]), float(low[t]), float(close[t]))
        a[t], b[t], c[t], d[t] = bar

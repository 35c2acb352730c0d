"""Kernels of the indicators that use Wilder's smoothing: each new value has the weight 1 / length."""

import math

import numpy as np

from manjha.strategy.indicators.kernels.compiled import Floats, Ints, State, njit


@njit
def _wilder(value: float, count: int, length: int, weight: float, x: float) -> float:
    """Take the `count`-th value, from 1: a sum until there are `length`, then their mean, then smoothed."""
    if count < length:
        return value + x
    if count == length:
        return (value + x) / length
    return value * (1.0 - weight) + x * weight


@njit
def _rsi(
    last: float, up: float, down: float, run: int, length: int, x: float
) -> tuple[float, float, float, int, float]:
    if not math.isfinite(x):
        return 0.0, 0.0, 0.0, 0, math.nan
    if run == 0:
        return x, 0.0, 0.0, 1, math.nan
    change, weight = x - last, 1.0 / length
    up = _wilder(up, run, length, weight, max(change, 0.0))
    down = _wilder(down, run, length, weight, max(-change, 0.0))
    if run < length:
        return x, up, down, run + 1, math.nan
    moved = up + down
    # A price that never moved is neither strong nor weak.
    return x, up, down, run + 1, 100.0 * up / moved if moved > 0.0 else 50.0


def rsi_init(_: float, length: int) -> State:
    """f: last price, mean gain, mean loss; i: length, run of finite inputs. The scale cancels out."""
    return np.zeros(3), np.array([length, 0], dtype=np.int64)


@njit
def rsi_update(f: Floats, i: Ints, x: float) -> float:
    """Add one price."""
    last, up, down, run, out = _rsi(f[0], f[1], f[2], i[1], i[0], x)
    f[0], f[1], f[2], i[1] = last, up, down, run
    return out


@njit
def rsi_fold(f: Floats, i: Ints, column: Floats) -> Floats:
    """Add many prices."""
    last, up, down, run, length = f[0], f[1], f[2], i[1], i[0]
    out = np.empty(len(column))
    for t in range(len(column)):
        last, up, down, run, out[t] = _rsi(last, up, down, run, length, float(column[t]))
    f[0], f[1], f[2], i[1] = last, up, down, run
    return out


@njit
def _range(last: float, high: float, low: float) -> float:
    """Return the true range after the close `last`."""
    return max(high, last) - min(low, last)


@njit
def _atr(value: float, run: int, length: int, weight: float, true_range: float) -> tuple[float, float]:
    value = _wilder(value, run, length, weight, true_range)
    return value, value if run >= length else math.nan


def atr_init(scale: float, length: int) -> State:
    """f: last close, value, weight, scale; i: length, run of finite bars."""
    return np.array([0.0, 0.0, 1.0 / length, scale]), np.array([length, 0], dtype=np.int64)


@njit
def atr_update(f: Floats, i: Ints, high: float, low: float, close: float) -> float:
    """Add one bar."""
    if not math.isfinite(high + low + close):
        f[1], i[1] = 0.0, 0
        return math.nan
    out = math.nan
    if i[1] > 0:
        f[1], out = _atr(f[1], i[1], i[0], f[2], _range(f[0], high, low) / f[3])
    f[0] = close
    i[1] += 1
    return out


@njit
def atr_fold(f: Floats, i: Ints, high: Floats, low: Floats, close: Floats) -> Floats:
    """Add many bars."""
    last, value, weight, scale, run, length = f[0], f[1], f[2], f[3], i[1], i[0]
    out = np.empty(len(close))
    for t in range(len(close)):
        top, floor, c = float(high[t]), float(low[t]), float(close[t])
        out[t] = math.nan
        if not math.isfinite(top + floor + c):
            value, run = 0.0, 0
            continue
        if run > 0:
            value, out[t] = _atr(value, run, length, weight, _range(last, top, floor) / scale)
        last = c
        run += 1
    f[0], f[1], i[1] = last, value, run
    return out


def true_range_init(scale: float) -> State:
    """f: last close, scale; i: run of finite bars."""
    return np.array([0.0, scale]), np.zeros(1, dtype=np.int64)


@njit
def true_range_update(f: Floats, i: Ints, high: float, low: float, close: float) -> float:
    """Add one bar."""
    if not math.isfinite(high + low + close):
        i[0] = 0
        return math.nan
    out = _range(f[0], high, low) / f[1] if i[0] else math.nan
    f[0], i[0] = close, 1
    return out


@njit
def true_range_fold(f: Floats, i: Ints, high: Floats, low: Floats, close: Floats) -> Floats:
    """Add many bars."""
    out = np.empty(len(close))
    for t in range(len(close)):
        out[t] = true_range_update(f, i, float(high[t]), float(low[t]), float(close[t]))
    return out

"""Kernels of the moving averages of one column."""

import math

import numpy as np

from manjha.strategy.indicators.kernels.compiled import Floats, Ints, State, njit

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
    return total / f[2] if run >= length else math.nan


@njit
def sma_fold(f: Floats, i: Ints, column: Floats) -> Floats:
    """Add many values; once the window lies inside the column, old values are read from there."""
    n, length = len(column), i[0]
    out = np.empty(n)
    for t in range(min(n, length)):
        out[t] = sma_update(f, i, float(column[t]))
    total, fresh, run, left, divisor = f[0], f[1], i[1], i[2], f[2]
    for t in range(length, n):
        x = float(column[t])
        if not math.isfinite(x):
            total, fresh, run, left = 0.0, 0.0, 0, length
            out[t] = math.nan
            continue
        run += 1
        old = float(column[t - length]) if run > length else 0.0
        total, fresh, left = _slide(total, fresh, left, length, x, old)
        out[t] = total / divisor if run >= length else math.nan
    f[0], f[1], i[1], i[2] = total, fresh, run, left
    for back in range(min(length, run) if n > length else 0):
        f[3 + (2 * length - left - 1 - back) % length] = float(column[n - 1 - back])
    return out


# The exponential average begins with the mean of its first `length` values; until then `value` holds their sum.


@njit
def _ema(value: float, run: int, length: int, alpha: float, x: float) -> tuple[float, int, float]:
    if not math.isfinite(x):
        return 0.0, 0, math.nan
    run += 1
    if run < length:
        return value + x, run, math.nan
    value = (value + x) / length if run == length else value * (1.0 - alpha) + x * alpha
    return value, run, value


def ema_init(scale: float, length: int) -> State:
    """f: value, alpha, scale; i: length, run of finite inputs."""
    return np.array([0.0, 2.0 / (length + 1.0), scale]), np.array([length, 0], dtype=np.int64)


@njit
def ema_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value."""
    value, run, out = _ema(f[0], i[1], i[0], f[1], x / f[2])
    f[0], i[1] = value, run
    return out


@njit
def ema_fold(f: Floats, i: Ints, column: Floats) -> Floats:
    """Add many values."""
    value, run, length, alpha, scale = f[0], i[1], i[0], f[1], f[2]
    out = np.empty(len(column))
    for t in range(len(column)):
        value, run, out[t] = _ema(value, run, length, alpha, float(column[t]) / scale)
    f[0], i[1] = value, run
    return out

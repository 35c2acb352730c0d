"""Kernels of the exponential averages and what is made of them."""

import math

import numpy as np

from manjha.strategy.indicators.kernels.compiled import Floats, Ints, Outs, State, fma, njit

_ROWS = 256
"""Prices that are taken together after the warm-up, on trust that all are finite, and again one by one if not."""

# The exponential average begins with the mean of its first `length` values; until then `value` holds their sum.


@njit
def _ema(value: float, run: int, length: int, alpha: float, x: float) -> tuple[float, int, float]:
    if not math.isfinite(x):
        return 0.0, 0, math.nan
    run += 1
    if run < length:
        return value + x, run, math.nan
    value = (value + x) / length if run == length else fma(value, 1.0 - alpha, x * alpha)
    return value, run, value


# After its warm-up EMA takes two values at a time: from the average before a pair, `value`, both that follow are made,
# so that a processor waits for one step in two. `ahead` is what the first of a pair adds; the second needs it again.


@njit
def _second(value: float, keep: float, ahead: float, part: float) -> float:
    """Return the average after a pair, from the one before it and what both add."""
    return fma(value, keep * keep, fma(ahead, keep, part))


def ema_init(scale: float, length: int) -> State:
    """f: value, alpha, scale, ahead; i: length, run of finite inputs."""
    return np.array([0.0, 2.0 / (length + 1.0), scale, 0.0]), np.array([length, 0], dtype=np.int64)


@njit
def ema_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value."""
    past = i[1] - i[0]
    if past < 0 or not math.isfinite(x):
        f[0], i[1], out = _ema(f[0], i[1], i[0], f[1], x / f[2])
        return out
    i[1] += 1
    keep, part = 1.0 - f[1], x / f[2] * f[1]
    if past % 2 == 0:
        f[3] = part
        return fma(f[0], keep, part)
    f[0] = _second(f[0], keep, f[3], part)
    value: float = f[0]
    return value


@njit
def _ema_pairs(f: Floats, i: Ints, column: Floats, out: Floats, scale: float) -> bool:
    """Add pairs after the warm-up. False, and no change, if not all are finite: such a one leaves the average so."""
    value, weight = f[0], f[1]
    keep = 1.0 - weight
    for pair in range(len(out) // 2):
        t = 2 * pair
        ahead, part = float(column[t]) / scale * weight, float(column[t + 1]) / scale * weight
        out[t] = fma(value, keep, ahead)
        value = _second(value, keep, ahead, part)
        out[t + 1] = value
    if not math.isfinite(value):
        return False
    f[0] = value
    i[1] += len(out)
    return True


@njit
def _ema_block(f: Floats, i: Ints, column: Floats, out: Floats) -> bool:
    """Add values as `_ema_pairs`. Of a scale known to be one, no division is left."""
    return _ema_pairs(f, i, column, out, 1.0) if f[2] == 1.0 else _ema_pairs(f, i, column, out, f[2])


@njit
def _block_end(start: int, n: int, past: int) -> int:
    """Return where the pairs from `start` on end; one further where none may begin: in the warm-up or in mid-pair."""
    stop = min(start + _ROWS, start + (n - start) // 2 * 2)
    return stop if past >= 0 and past % 2 == 0 and stop > start else start + 1


@njit
def ema_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many values, one by one in the warm-up, in mid-pair, or where a value is not finite."""
    start, n = 0, len(column)
    while start < n:
        stop = _block_end(start, n, i[1] - i[0])
        there = slice(start, stop)
        if stop - start == 1 or not _ema_block(f, i, column[there], out[there]):
            for t in range(start, stop):
                out[t] = ema_update(f, i, float(column[t]))
        start = stop


def dema_init(scale: float, length: int) -> State:
    """f: first and second average, alpha, scale; i: length, runs of the two."""
    return np.array([0.0, 0.0, 2.0 / (length + 1.0), scale]), np.array([length, 0, 0], dtype=np.int64)


@njit
def dema_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value."""
    f[0], i[1], one = _ema(f[0], i[1], i[0], f[2], x / f[3])
    if i[1] == 0:
        f[1], i[2] = 0.0, 0
    if math.isnan(one):
        return math.nan
    f[1], i[2], two = _ema(f[1], i[2], i[0], f[2], one)
    return 2.0 * one - two


@njit
def dema_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many values."""
    for t in range(len(column)):
        out[t] = dema_update(f, i, float(column[t]))


def tema_init(scale: float, length: int) -> State:
    """f: three averages, alpha, scale; i: length, runs of the three."""
    return np.array([0.0, 0.0, 0.0, 2.0 / (length + 1.0), scale]), np.array([length, 0, 0, 0], dtype=np.int64)


@njit
def tema_update(f: Floats, i: Ints, x: float) -> float:
    """Add one value."""
    f[0], i[1], one = _ema(f[0], i[1], i[0], f[3], x / f[4])
    if i[1] == 0:
        f[1], f[2], i[2], i[3] = 0.0, 0.0, 0, 0
    if math.isnan(one):
        return math.nan
    f[1], i[2], two = _ema(f[1], i[2], i[0], f[3], one)
    if math.isnan(two):
        return math.nan
    f[2], i[3], three = _ema(f[2], i[3], i[0], f[3], two)
    return 3.0 * one - 3.0 * two + three


@njit
def tema_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many values."""
    for t in range(len(column)):
        out[t] = tema_update(f, i, float(column[t]))


# MACD as in TA-Lib: the fast average is seeded with the last `fast` of the first `slow` values, so that both begin at
# the same bar; the signal is seeded with the mean of the first `signal` differences, and all three lines begin with it.


@njit
def _macd(
    averages: tuple[float, float, float],
    run: int,
    lengths: tuple[int, int, int],
    alphas: tuple[float, float, float],
    x: float,
) -> tuple[tuple[float, float, float], int, float]:
    if not math.isfinite(x):
        return (0.0, 0.0, 0.0), 0, math.nan
    fast, slow, signal = averages
    skipped = lengths[1] - lengths[0]
    if run >= skipped:
        fast, _, _ = _ema(fast, run - skipped, lengths[0], alphas[0], x)
    slow, run, ready = _ema(slow, run, lengths[1], alphas[1], x)
    if math.isnan(ready):
        return (fast, slow, signal), run, math.nan
    signal, _, ready = _ema(signal, run - lengths[1], lengths[2], alphas[2], fast - slow)
    return (fast, slow, signal), run, fast - slow if not math.isnan(ready) else math.nan


def macd_init(scale: float, fast: int, slow: int, signal: int) -> State:
    """f: the three averages, their alphas, scale; i: the three lengths, run."""
    alphas = [2.0 / (length + 1.0) for length in (fast, slow, signal)]
    return np.array([0.0, 0.0, 0.0, *alphas, scale]), np.array([fast, slow, signal, 0], dtype=np.int64)


@njit
def macd_update(f: Floats, i: Ints, x: float) -> tuple[float, float, float]:
    """Add one price."""
    averages, run, line = _macd((f[0], f[1], f[2]), i[3], (i[0], i[1], i[2]), (f[3], f[4], f[5]), x / f[6])
    f[0], f[1], f[2] = averages
    i[3] = run
    if math.isnan(line):
        return math.nan, math.nan, math.nan
    return line, averages[2], line - averages[2]


@njit
def _macd_block(f: Floats, i: Ints, column: Floats, out: Outs, scale: float) -> bool:
    """Add prices after the warm-up. False, and no change, if not all are finite: such a one leaves the averages so."""
    lines, signals, gaps = out
    fast, slow, signal = f[0], f[1], f[2]
    new_fast, new_slow, new_signal = f[3], f[4], f[5]
    old_fast, old_slow, old_signal = 1.0 - new_fast, 1.0 - new_slow, 1.0 - new_signal
    for t in range(len(column)):
        x = float(column[t]) / scale
        fast = fma(fast, old_fast, x * new_fast)
        slow = fma(slow, old_slow, x * new_slow)
        line = fast - slow
        signal = fma(signal, old_signal, line * new_signal)
        lines[t], signals[t], gaps[t] = line, signal, line - signal
    if not math.isfinite(signal):
        return False
    f[0], f[1], f[2] = fast, slow, signal
    i[3] += len(column)
    return True


@njit
def macd_fold(f: Floats, i: Ints, column: Floats, out: Outs) -> None:
    """Add many prices, one by one in the warm-up or where a price is not finite."""
    lines, signals, gaps = out
    for start in range(0, len(column), _ROWS):
        stop = min(start + _ROWS, len(column))
        there = slice(start, stop)
        parts = (lines[there], signals[there], gaps[there])
        done = False
        if i[3] >= i[1] + i[2]:
            # Of a scale known to be one, no division is left.
            prices = column[there]
            done = _macd_block(f, i, prices, parts, 1.0) if f[6] == 1.0 else _macd_block(f, i, prices, parts, f[6])
        if not done:
            for t in range(start, stop):
                lines[t], signals[t], gaps[t] = macd_update(f, i, float(column[t]))

"""Kernels of the indicators that use Wilder's smoothing: each new value has the weight 1 / length."""

import math

import numpy as np

from manjha.strategy.indicators.kernels.compiled import Floats, Ints, Outs, State, fma, njit

_ROWS = 256
"""Bars that are taken together after the warm-up, on trust that all are finite, and again one by one if not."""


@njit
def _wilder(value: float, count: int, length: int, weight: float, x: float) -> float:
    """Take the `count`-th value, from 1: a sum until there are `length`, then their mean, then smoothed."""
    if count < length:
        return value + x
    if count == length:
        return (value + x) / length
    return fma(value, 1.0 - weight, x * weight)


@njit
def _rise(change: float) -> float:
    """Return a change that is a gain, of others nothing; of numbers only, which saves what `max` does for NaN."""
    return change if change > 0.0 else 0.0


@njit
def _rsi(
    last: float, up: float, down: float, run: int, length: int, x: float
) -> tuple[float, float, float, int, float]:
    if not math.isfinite(x):
        return 0.0, 0.0, 0.0, 0, math.nan
    if run == 0:
        return x, 0.0, 0.0, 1, math.nan
    change, weight = x - last, 1.0 / length
    up = _wilder(up, run, length, weight, _rise(change))
    down = _wilder(down, run, length, weight, _rise(-change))
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
def _rsi_block(f: Floats, i: Ints, column: Floats, out: Floats) -> bool:
    """Add prices after the warm-up. False, and no change, if not all are finite: such a one leaves `seen` so."""
    last, up, down, seen = f[0], f[1], f[2], 0.0
    weight = 1.0 / i[0]
    keep = 1.0 - weight
    for t in range(len(out)):
        x = float(column[t])
        change = x - last
        up = fma(up, keep, _rise(change) * weight)
        down = fma(down, keep, _rise(-change) * weight)
        last = x
        seen += x
        moved = up + down
        out[t] = 100.0 * up / moved if moved > 0.0 else 50.0
    if not math.isfinite(seen):
        return False
    f[0], f[1], f[2] = last, up, down
    i[1] += len(out)
    return True


@njit
def rsi_fold(f: Floats, i: Ints, column: Floats, out: Floats) -> None:
    """Add many prices, one by one in the warm-up or where a price is not finite."""
    for start in range(0, len(column), _ROWS):
        stop = min(start + _ROWS, len(column))
        if i[1] <= i[0] or not _rsi_block(f, i, column[start:stop], out[start:stop]):
            for t in range(start, stop):
                out[t] = rsi_update(f, i, float(column[t]))


@njit
def _range(last: float, high: float, low: float) -> float:
    """Return the true range after the close `last`; of numbers only, which saves what `max` does for NaN."""
    return (high if high > last else last) - (low if low < last else last)


@njit
def _atr(value: float, run: int, length: int, weight: float, true_range: float) -> tuple[float, float]:
    value = _wilder(value, run, length, weight, true_range)
    return value, value if run >= length else math.nan


# Bars after the warm-up are smoothed two at a time: from the value before a pair, `value`, both follow, so that a
# processor waits for one step in two. `ahead` is what the first bar of a pair adds; the second one needs it again.


def atr_init(scale: float, length: int) -> State:
    """f: last close, value, weight, scale, ahead; i: length, run of finite bars."""
    return np.array([0.0, 0.0, 1.0 / length, scale, 0.0]), np.array([length, 0], dtype=np.int64)


@njit
def _second(value: float, keep: float, ahead: float, part: float) -> float:
    """Return the value after a pair of bars, from the one before it and what both add."""
    return fma(value, keep * keep, fma(ahead, keep, part))


@njit
def _atr_smoothed(f: Floats, place: int, true_range: float) -> float:
    """Take a bar after the warm-up, the `place`-th from 1."""
    keep, part = 1.0 - f[2], true_range * f[2]
    if place % 2:
        f[4] = part
        return fma(f[1], keep, part)
    value: float = _second(f[1], keep, f[4], part)
    f[1] = value
    return value


@njit
def atr_update(f: Floats, i: Ints, high: float, low: float, close: float) -> float:
    """Add one bar."""
    if not math.isfinite(high + low + close):
        f[1], i[1] = 0.0, 0
        return math.nan
    out, run = math.nan, i[1]
    if run > i[0]:
        out = _atr_smoothed(f, run - i[0], _range(f[0], high, low) / f[3])
    elif run > 0:
        f[1], out = _atr(f[1], run, i[0], f[2], _range(f[0], high, low) / f[3])
    f[0], i[1] = close, run + 1
    return out


@njit
def _atr_pairs(f: Floats, i: Ints, bars: Outs, out: Floats, scale: float) -> bool:
    """Add pairs of bars after the warm-up. False, and no change, if not all are finite: such a one leaves `seen` so."""
    high, low, close = bars
    last, value, weight, seen = f[0], f[1], f[2], 0.0
    keep = 1.0 - weight
    for pair in range(len(out) // 2):
        t = 2 * pair
        top, floor, middle = float(high[t]), float(low[t]), float(close[t])
        ahead = _range(last, top, floor) / scale * weight
        seen += top + floor + middle
        top, floor, last = float(high[t + 1]), float(low[t + 1]), float(close[t + 1])
        part = _range(middle, top, floor) / scale * weight
        seen += top + floor + last
        out[t] = fma(value, keep, ahead)
        value = _second(value, keep, ahead, part)
        out[t + 1] = value
    if not math.isfinite(seen):
        return False
    f[0], f[1] = last, value
    i[1] += len(out)
    return True


@njit
def _atr_block(f: Floats, i: Ints, bars: Outs, out: Floats) -> bool:
    """Add bars as `_atr_pairs`. Of a scale known to be one, no division is left."""
    return _atr_pairs(f, i, bars, out, 1.0) if f[3] == 1.0 else _atr_pairs(f, i, bars, out, f[3])


@njit
def atr_fold(f: Floats, i: Ints, high: Floats, low: Floats, close: Floats, out: Floats) -> None:
    """Add many bars; one by one in the warm-up, in mid-pair, or where a bar is not finite."""
    start, n = 0, len(close)
    while start < n:
        stop = min(start + _ROWS, start + (n - start) // 2 * 2)
        there = slice(start, stop)
        begins = i[1] > i[0] and (i[1] - i[0]) % 2 == 1 and stop > start
        if not begins:
            stop = start + 1
        if not begins or not _atr_block(f, i, (high[there], low[there], close[there]), out[there]):
            for t in range(start, stop):
                out[t] = atr_update(f, i, float(high[t]), float(low[t]), float(close[t]))
        start = stop


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
def true_range_fold(f: Floats, i: Ints, high: Floats, low: Floats, close: Floats, out: Floats) -> None:
    """Add many bars."""
    for t in range(len(close)):
        out[t] = true_range_update(f, i, float(high[t]), float(low[t]), float(close[t]))


# ADX as in TA-Lib. The sums of true range and directional movement start with `length − 1` bars, each later bar takes a
# 1/length part off; the ADX starts with the mean of `length` values of DX and is smoothed from then on.


@njit
def _movement(high_change: float, low_change: float) -> tuple[float, float]:
    """Return the directional movement up and down; at most one is not zero."""
    if high_change > low_change and high_change > 0.0:
        return high_change, 0.0
    if low_change > high_change and low_change > 0.0:
        return 0.0, low_change
    return 0.0, 0.0


@njit
def _share(part: float, whole: float) -> float:
    """Return a percentage, of nothing none."""
    return 100.0 * part / whole if whole > 0.0 else 0.0


def adx_init(_: float, length: int) -> State:
    """f: last high, low, close, true range, movement up, down, ADX; i: length, run of bars. The scale cancels out."""
    return np.zeros(7), np.array([length, 0], dtype=np.int64)


@njit
def adx_update(f: Floats, i: Ints, high: float, low: float, close: float) -> tuple[float, float, float]:
    """Add one bar."""
    if not math.isfinite(high + low + close):
        f[:] = 0.0
        i[1] = 0
        return math.nan, math.nan, math.nan
    run, length = i[1], i[0]
    i[1] += 1
    last_high, last_low, last = f[0], f[1], f[2]
    f[0], f[1], f[2] = high, low, close
    if run == 0:
        return math.nan, math.nan, math.nan
    up, down = _movement(high - last_high, last_low - low)
    keep = 1.0 - 1.0 / length if run >= length else 1.0
    f[3] = f[3] * keep + _range(last, high, low)
    f[4] = f[4] * keep + up
    f[5] = f[5] * keep + down
    if run < length:
        return math.nan, math.nan, math.nan
    plus, minus = _share(f[4], f[3]), _share(f[5], f[3])
    f[6] = _wilder(f[6], run - length + 1, length, 1.0 / length, _share(abs(plus - minus), plus + minus))
    if run < 2 * length - 1:
        return math.nan, math.nan, math.nan
    return f[6], plus, minus


@njit
def adx_fold(f: Floats, i: Ints, high: Floats, low: Floats, close: Floats, out: Outs) -> None:
    """Add many bars."""
    adx, plus, minus = out
    n = len(close)
    for t in range(n):
        adx[t], plus[t], minus[t] = adx_update(f, i, float(high[t]), float(low[t]), float(close[t]))


# Supertrend: bands at (high + low) / 2 ± width × ATR that only tighten while the previous close stays within them; the
# line is the lower band while the trend is up and changes when the close crosses it. It begins falling.


def supertrend_init(scale: float, length: int, width: float) -> State:
    """f: last close, ATR, 1 / length, width, scale, upper band, lower band; i: length, run, trend."""
    f = np.array([0.0, 0.0, 1.0 / length, width, scale, 0.0, 0.0])
    return f, np.array([length, 0, -1], dtype=np.int64)


@njit
def supertrend_update(f: Floats, i: Ints, high: float, low: float, close: float) -> tuple[float, float]:
    """Add one bar."""
    if not math.isfinite(high + low + close):
        f[1], i[1], i[2] = 0.0, 0, -1
        return math.nan, math.nan
    last, run, ready = f[0], i[1], math.nan
    f[0], i[1] = close, run + 1
    if run > 0:
        f[1], ready = _atr(f[1], run, i[0], f[2], _range(last, high, low))
    if math.isnan(ready):
        return math.nan, math.nan
    middle = (high + low) / 2.0
    upper, lower = middle + f[3] * ready, middle - f[3] * ready
    if run > i[0]:
        upper = f[5] if upper >= f[5] and last <= f[5] else upper
        lower = f[6] if lower <= f[6] and last >= f[6] else lower
    f[5], f[6] = upper, lower
    if i[2] < 0:
        i[2] = 1 if close > upper else -1
    else:
        i[2] = -1 if close < lower else 1
    return (lower if i[2] > 0 else upper) / f[4], float(i[2])


@njit
def supertrend_fold(f: Floats, i: Ints, high: Floats, low: Floats, close: Floats, out: Outs) -> None:
    """Add many bars."""
    line, trend = out
    for t in range(len(close)):
        line[t], trend[t] = supertrend_update(f, i, float(high[t]), float(low[t]), float(close[t]))


def keltner_init(scale: float, length: int, atr_length: int, width: float) -> State:
    """f: last close, ATR, 1 / atr_length, width, scale, EMA, alpha; i: atr_length, run, length."""
    f = np.array([0.0, 0.0, 1.0 / atr_length, width, scale, 0.0, 2.0 / (length + 1.0)])
    return f, np.array([atr_length, 0, length], dtype=np.int64)


@njit
def keltner_update(f: Floats, i: Ints, high: float, low: float, close: float) -> tuple[float, float, float]:
    """Add one bar."""
    if not math.isfinite(high + low + close):
        f[1], f[5], i[1] = 0.0, 0.0, 0
        return math.nan, math.nan, math.nan
    last, run, ready = f[0], i[1], math.nan
    f[0], i[1] = close, run + 1
    if run > 0:
        f[1], ready = _atr(f[1], run, i[0], f[2], _range(last, high, low))
    f[5] = _wilder(f[5], run + 1, i[2], f[6], close)
    if math.isnan(ready) or run + 1 < i[2]:
        return math.nan, math.nan, math.nan
    band = f[3] * ready
    return (f[5] + band) / f[4], f[5] / f[4], (f[5] - band) / f[4]


@njit
def keltner_fold(f: Floats, i: Ints, high: Floats, low: Floats, close: Floats, out: Outs) -> None:
    """Add many bars."""
    upper, middle, lower = out
    n = len(close)
    for t in range(n):
        upper[t], middle[t], lower[t] = keltner_update(f, i, float(high[t]), float(low[t]), float(close[t]))

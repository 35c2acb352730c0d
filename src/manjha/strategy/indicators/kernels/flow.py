"""Kernels of the indicators that weigh prices with volume."""

import math

import numpy as np

from manjha.strategy.indicators.kernels.compiled import Floats, Ints, State, njit


def obv_init(_: float) -> State:
    """f: last close, balance; i: run of finite bars."""
    return np.zeros(2), np.zeros(1, dtype=np.int64)


@njit
def obv_update(f: Floats, i: Ints, close: float, volume: float) -> float:
    """Add one bar. The first counts as up."""
    if not math.isfinite(close + volume):
        f[1], i[0] = 0.0, 0
        return math.nan
    if i[0] == 0 or close > f[0]:
        f[1] += volume
    elif close < f[0]:
        f[1] -= volume
    f[0], i[0] = close, 1
    out: float = f[1]
    return out


@njit
def obv_fold(f: Floats, i: Ints, close: Floats, volume: Floats, out: Floats) -> None:
    """Add many bars."""
    for t in range(len(close)):
        out[t] = obv_update(f, i, float(close[t]), float(volume[t]))


def vwap_init(scale: float) -> State:
    """f: day, Σ (high + low + close) × volume, Σ volume, 3 × scale; i: whether this session is whole, begun."""
    return np.array([0.0, 0.0, 0.0, 3.0 * scale]), np.array([1, 0], dtype=np.int64)


@njit
def vwap_update(f: Floats, i: Ints, day: float, high: float, low: float, close: float, volume: float) -> float:  # noqa: PLR0913, PLR0917 - a bar
    """Add one bar. After a bar that is not finite the session has no VWAP any more."""
    if i[1] == 0 or (day != f[0] and math.isfinite(day)):
        f[0], f[1], f[2], i[0], i[1] = day, 0.0, 0.0, 1, 1
    sum3 = high + low + close
    if not math.isfinite(day + sum3 + volume):
        i[0] = 0
    if i[0] == 0:
        return math.nan
    f[1] += sum3 * volume
    f[2] += volume
    return f[1] / (f[2] * f[3]) if f[2] > 0.0 else math.nan


@njit
def vwap_fold(  # noqa: PLR0913, PLR0917 - a bar
    f: Floats, i: Ints, day: Floats, high: Floats, low: Floats, close: Floats, volume: Floats, out: Floats
) -> None:
    """Add many bars."""
    for t in range(len(close)):
        bar = (float(day[t]), float(high[t]), float(low[t]), float(close[t]), float(volume[t]))
        out[t] = vwap_update(f, i, bar[0], bar[1], bar[2], bar[3], bar[4])


# Money flow: a window of signed flows. Sums of rising and falling flow begun afresh with each block of `length` take
# over when it is full, so that errors do not pile up; a count of bars with flow tells a window without any exactly.


def mfi_init(_: float, length: int) -> State:
    """f: last price, rising, falling, the same afresh, window; i: length, run, place, bars with flow."""
    return np.zeros(5 + length), np.array([length, 0, 0, 0], dtype=np.int64)


@njit
def _mfi_add(f: Floats, i: Ints, flows: int, flow: float) -> float:
    """Add the `flows`-th flow, from 1."""
    length, place = i[0], i[2]
    old = f[5 + place] if flows > length else 0.0
    f[5 + place] = flow
    f[1] += max(flow, 0.0) - max(old, 0.0)
    f[2] += max(-flow, 0.0) - max(-old, 0.0)
    f[3] += max(flow, 0.0)
    f[4] += max(-flow, 0.0)
    i[3] += (flow != 0.0) - (old != 0.0)
    i[2] = place + 1
    if i[2] == length:
        f[1], f[2], f[3], f[4], i[2] = f[3], f[4], 0.0, 0.0, 0
    if flows < length:
        return math.nan
    rising, falling = max(f[1], 0.0), max(f[2], 0.0)
    return 100.0 * rising / (rising + falling) if i[3] > 0 else 50.0


@njit
def mfi_update(f: Floats, i: Ints, high: float, low: float, close: float, volume: float) -> float:
    """Add one bar."""
    price = high + low + close
    if not math.isfinite(price + volume):
        f[:5] = 0.0
        i[1:4] = 0
        return math.nan
    change, f[0] = price - f[0], price
    i[1] += 1
    if i[1] == 1:
        return math.nan
    return _mfi_add(f, i, i[1] - 1, price * volume * np.sign(change))


@njit
def mfi_fold(  # noqa: PLR0913, PLR0917 - a bar
    f: Floats, i: Ints, high: Floats, low: Floats, close: Floats, volume: Floats, out: Floats
) -> None:
    """Add many bars."""
    for t in range(len(close)):
        out[t] = mfi_update(f, i, float(high[t]), float(low[t]), float(close[t]), float(volume[t]))

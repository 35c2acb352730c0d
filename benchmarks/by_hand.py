"""W1, W2 and W4 in a hand-written compiled loop each, without outputs: the limit that a general engine is held against.

They know one quantity, one fee and one rule, and keep floats; their results are those of the contract to the paisa.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FEE = 0.0003
QTY = 100.0


@njit(cache=True)
def cross(close: Floats, equity: Floats) -> tuple[float, int]:
    """Run W1 over closes in rupees; write the equity of each bar, return the final equity and the number of fills."""
    fast = slow = 0.0
    cash, held, fills = 10_000_000.0, 0.0, 0
    for i in range(len(close)):
        fast += close[i]
        slow += close[i]
        if i >= 20:
            fast -= close[i - 20]
        if i >= 50:
            slow -= close[i - 50]
        if i >= 49:
            up = fast / 20 > slow / 50 + 1e-7
            if up and held == 0.0:
                cash -= close[i] * QTY * (1 + FEE)
                held = QTY
                fills += 1
            elif not up and held > 0.0:
                cash += close[i] * QTY * (1 - FEE)
                held = 0.0
                fills += 1
        equity[i] = cash + held * close[i]
    return equity[-1], fills


@njit(cache=True)
def pair(close: Floats, fast: Floats, slow: Floats) -> tuple[float, int]:
    """Run one pair of W4 over closes and averages in rupees; return the final equity and the number of fills."""
    cash, held, fills = 10_000_000.0, 0.0, 0
    for i in range(len(close)):
        up = fast[i] > slow[i]
        if up and held == 0.0:
            cash -= close[i] * QTY * (1 + FEE)
            held = QTY
            fills += 1
        elif not up and held > 0.0:
            cash += close[i] * QTY * (1 - FEE)
            held = 0.0
            fills += 1
    return cash + held * close[-1], fills


@njit(cache=True)
def pair_row(
    close: Floats, fast: Floats, slow: Floats, ends: Ints, returns: Floats
) -> tuple[float, int, float, float, float, float, float]:
    """Run one pair of W4 and reckon what a sweep keeps of it: returns of the days that end at `ends` are written.

    Returned are final equity, fills, deepest fall, and of the returns mean, deviation, skewness and kurtosis.
    """
    cash, held, fills, day = 10_000_000.0, 0.0, 0, 0
    before = peak = cash
    worst = 0.0
    for i in range(len(close)):
        up = fast[i] > slow[i]
        if up and held == 0.0:
            cash -= close[i] * QTY * (1 + FEE)
            held = QTY
            fills += 1
        elif not up and held > 0.0:
            cash += close[i] * QTY * (1 - FEE)
            held = 0.0
            fills += 1
        equity = cash + held * close[i]
        if equity >= peak:
            peak = equity
        else:
            worst = min(worst, equity / peak - 1.0)
        if i == ends[day]:
            returns[day] = equity / before - 1.0
            before = equity
            day += 1
    mean = returns.mean()
    second = third = fourth = 0.0
    for one in returns:
        square = (one - mean) ** 2
        second += square
        third += square * (one - mean)
        fourth += square * square
    count = len(returns)
    deviation = np.sqrt(second / (count - 1))
    skewness, kurtosis = third / count / (second / count) ** 1.5, fourth / count / (second / count) ** 2
    return cash + held * close[-1], fills, worst, mean, deviation, skewness, kurtosis


@njit(cache=True)
def bracket(opened: Floats, high: Floats, low: Floats, close: Floats) -> tuple[float, int, int, int]:
    """Run W2 over prices in rupees; return the final equity, entries, stops and targets."""
    fast = slow = limit = stop = target = 0.0
    cash, held, rests, before = 10_000_000.0, 0.0, False, False
    entries = stops = targets = 0
    for i in range(len(close)):
        entered = False
        if rests and low[i] <= limit:
            px = min(opened[i], limit)
            cash -= px * QTY * (1 + FEE)
            held, rests, entered = QTY, False, True
            entries += 1
        if held > 0.0 and low[i] <= stop:
            px = stop if entered and opened[i] > stop else min(opened[i], stop)
            cash += px * QTY * (1 - FEE)
            held = 0.0
            stops += 1
        elif held > 0.0 and not entered and high[i] >= target:
            cash += max(opened[i], target) * QTY * (1 - FEE)
            held = 0.0
            targets += 1
        fast += close[i]
        slow += close[i]
        if i >= 20:
            fast -= close[i - 20]
        if i >= 50:
            slow -= close[i - 50]
        if i < 49:
            continue
        up = fast / 20 > slow / 50 + 1e-7
        if up and not before and held == 0.0 and not rests:
            limit = np.rint(close[i] * 0.999 * 20) / 20
            stop, target = np.rint(limit * 0.995 * 20) / 20, np.rint(limit * 1.01 * 20) / 20
            rests = True
        elif before and not up and held == 0.0:
            rests = False
        before = up
    return cash + held * close[-1], entries, stops, targets

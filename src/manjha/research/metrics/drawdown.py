"""Falls from a peak: how deep, how long, how often. The initial capital is the first peak."""

import math

import msgspec
import numpy as np

from manjha.domain.moments import DAY_NS
from manjha.research.metrics.daily import Floats
from manjha.research.result import Int64s

NAN = math.nan


class Fall(msgspec.Struct, frozen=True):
    """One fall: rows of the peak (−1: the initial capital), the lowest point, and the recovery (None: not yet).

    `depth` is a fraction ≤ 0, `cash` ≤ 0 in 1e-4 rupee, both at the row where the fraction is lowest.
    """

    peak: int
    valley: int
    recovery: int | None
    depth: float
    cash: int


def underwater(initial: int, equity: Int64s) -> Floats:
    """equity[i] ÷ max(initial, equity[0..i]) − 1. Fraction ≤ 0, same length as equity."""
    peaks = np.maximum.accumulate(np.maximum(equity, initial))
    return np.asarray(equity / peaks - 1.0, np.float64)


def falls(initial: int, equity: Int64s) -> list[Fall]:
    """Return every fall from a peak to the row that reaches it again, oldest first."""
    below = underwater(initial, equity)
    wet = below < 0
    edges = np.diff(np.concatenate(([False], wet, [False])).astype(np.int8))
    result = []
    for first, end in zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True):
        valley = first + int(below[first:end].argmin())
        peak = int(equity[first - 1]) if first else initial
        recovery = end if end < len(equity) else None
        result.append(Fall(first - 1, valley, recovery, float(below[valley]), int(equity[valley]) - peak))
    return result


def deepest(found: list[Fall]) -> Fall | None:
    """Return the deepest fall by fraction, the first of equals; None where equity never fell."""
    return min(found, key=lambda fall: fall.depth, default=None)


def max_drawdown(found: list[Fall]) -> float:
    """min over time of equity ÷ highest equity so far − 1, at every bar. Fraction ≤ 0; 0 where equity never fell."""
    worst = deepest(found)
    return worst.depth if worst else 0.0


def max_drawdown_cash(initial: int, equity: Int64s) -> int:
    """min over time of equity − highest equity so far, at every bar. 1e-4 rupee, ≤ 0."""
    if not len(equity):
        return 0
    return int((equity - np.maximum.accumulate(np.maximum(equity, initial))).min())


def moment(ts_ns: Int64s, row: int | None) -> float:
    """Moment of a row; the first row's for the initial capital; NaN for none. UTC nanoseconds."""
    return NAN if row is None or not len(ts_ns) else int(ts_ns[max(row, 0)])


def fall_days(ts_ns: Int64s, fall: Fall | None) -> float:
    """From the peak to the recovery (to the last bar where there is none yet). Calendar days; 0 without a fall."""
    if fall is None:
        return 0.0
    end = fall.recovery if fall.recovery is not None else len(ts_ns) - 1
    return (int(ts_ns[end]) - int(ts_ns[max(fall.peak, 0)])) / DAY_NS


def recovery_days(ts_ns: Int64s, fall: Fall | None) -> float:
    """From the valley to the recovery. Calendar days. NaN where it has not recovered or never fell."""
    if fall is None or fall.recovery is None:
        return NAN
    return (int(ts_ns[fall.recovery]) - int(ts_ns[fall.valley])) / DAY_NS


def average_drawdown(found: list[Fall]) -> float:
    """Mean depth of all falls. Fraction ≤ 0; 0 where equity never fell."""
    return sum(fall.depth for fall in found) / len(found) if found else 0.0


def average_fall_days(ts_ns: Int64s, found: list[Fall]) -> float:
    """Mean of peak-to-recovery times of all falls, the last one as long as it is. Calendar days; 0 for none."""
    return sum(fall_days(ts_ns, fall) for fall in found) / len(found) if found else 0.0


def longest_underwater(ts_ns: Int64s, found: list[Fall]) -> float:
    """Longest time from a peak to its recovery, or to the last bar. Calendar days; 0 where equity never fell."""
    return max((fall_days(ts_ns, fall) for fall in found), default=0.0)


def ulcer_index(below: Floats) -> float:
    """√(Σ d² ÷ n) over daily underwater values d. Fraction ≥ 0 (Peter Martin). NaN for no days."""
    return float(np.sqrt(np.mean(below**2))) if len(below) else NAN

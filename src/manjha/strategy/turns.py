"""For strategies that state targets: from what is wanted at every bar to what is stated at few of them."""

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from manjha.strategy.views import Floats


class TargetsAt(msgspec.Struct, frozen=True, eq=False):
    """Targets at some bars only, for a strategy that says something at few of many; `Strategy.targets` may return it.

    `rows` are bars in ascending order, each once; `wanted` has shape (rows, instruments), or (rows,) for one
    instrument. NaN means no change, as at all other bars.
    """

    rows: ArrayLike
    wanted: ArrayLike


def changes(wanted: Floats) -> Floats:
    """Return a column with NaN wherever the last number repeats, so that the engine wakes only at changes.

    Shape (bars,), in time order. NaN is no wish and ends none: the number before it goes on.
    """
    from manjha.strategy.indicators.kernels.turns import keep_changes

    out = np.empty(len(wanted))
    keep_changes(wanted, out)
    return out


def crossings(one: Floats, other: Floats, *, below: float = 0.0) -> Floats:
    """Return 1 at bars where one line comes to lie above another, `below` where it no longer does, NaN elsewhere.

    Shape (bars,), in time order. Where either line is NaN nothing is stated; lines that are equal count as not above.
    """
    from manjha.strategy.indicators.kernels.turns import keep_crossings

    out = np.empty(len(one))
    keep_crossings(one, other, below, out)
    return out


def crossings_at(one: Floats, other: Floats, *, by: float = 0.0, above: float = 1.0, below: float = 0.0) -> TargetsAt:
    """Return what `crossings` does as the few bars that it speaks of: faster, and without a column in memory.

    One line is above the other if it is larger than the other plus `by`; `above` is what is wanted then.
    """
    from manjha.strategy.indicators.kernels.turns import find_crossings

    rows, values = np.empty(len(one), np.int64), np.empty(len(one))
    count = find_crossings(one, other, (by, above, below), rows, values)
    return TargetsAt(rows[:count].copy(), values[:count].copy())

"""For strategies that state targets: from what is wanted at every bar to what is stated at few of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from manjha.strategy.views import Floats


class Changes(NamedTuple):
    """Targets at few bars, without a number for every bar between: what `targets` may return in place of a column.

    Attributes
    ----------
    rows
        The bars at which something is stated, ascending.
    values
        What is stated there, of shape (rows, instruments), or (rows,) for one instrument; NaN means no change.
    """

    rows: NDArray[np.intp]
    values: Floats


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

"""For strategies that state targets: from what is wanted at every bar to what is stated at few of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from manjha.domain.errors import UsageError
from manjha.strategy.views import Floats

PIECE = 2**12
"""Crossings that are found at once, so that the search takes little memory."""


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


def _alike(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Return two lines as columns. Compiled code reads as far as the first one goes, so they must be of one length."""
    lines = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if lines[0].ndim != 1 or lines[0].shape != lines[1].shape:
        raise UsageError(
            f"crossings expects two lines of one number a bar, was of shapes {lines[0].shape} and {lines[1].shape}",
            hint="Of a column of history take one instrument: history.column('close')[:, 0].",
        )
    return lines


def crossings(one: Floats, other: Floats, *, below: float = 0.0) -> Floats:
    """Return 1 at bars where one line comes to lie above another, `below` where it no longer does, NaN elsewhere.

    Shape (bars,), in time order. Where either line is NaN nothing is stated; lines that are equal count as not above.
    """
    from manjha.strategy.indicators.kernels.turns import keep_crossings

    one, other = _alike(one, other)
    out = np.empty(len(one))
    keep_crossings(one, other, below, out)
    return out


def crossings_at(one: Floats, other: Floats, *, by: float = 0.0, above: float = 1.0, below: float = 0.0) -> Changes:
    """Return what `crossings` does as the few bars that it speaks of: faster, and without a column in memory.

    One line is above the other if it is larger than the other plus `by`; `above` is what is wanted then.
    """
    from manjha.strategy.indicators.kernels.turns import find_crossings

    one, other = _alike(one, other)
    by, above, below = float(by), float(above), float(below)
    found: list[Changes] = []
    first, last = 0, np.nan
    while first < len(one):
        rows, values = np.empty(PIECE, np.int64), np.empty(PIECE)
        count, first = find_crossings(one, other, by, above, below, first, last, rows, values)
        if count:
            found.append(Changes(rows[:count], values[:count]))
            last = values[count - 1]
    if len(found) == 1:
        return found[0]
    if not found:
        return Changes(np.empty(0, np.int64), np.empty(0))
    return Changes(np.concatenate([each.rows for each in found]), np.concatenate([each.values for each in found]))

"""Several indicators in one pass: rows go by in pieces that stay in the processor's cache while all of them read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manjha.domain.errors import UsageError
from manjha.strategy.indicators.entry import Asked, FloatArray

ROWS = 32_768
"""Rows of a piece: 256 KB a column. Shorter ones cost more in calls, microseconds each, than nearer caches save."""
WINDOWS = 8
"""Pieces are so many times as long as the longest window at least: going on from a state is slower for a window."""


def bundle(*asked: Asked, out: Sequence[Sequence[FloatArray]] | None = None) -> list[tuple[FloatArray, ...]]:
    """Return the outputs of each indicator over its columns, to the last bit what it gives alone.

    `bundle(get("sma").of(close, length=20), get("atr").of(high, low, close))`

    Parameters
    ----------
    asked
        Indicators with columns and parameters, all columns of one length.
    out
        Contiguous float64 arrays of that length to write into, as many for each indicator as it has outputs. Used
        again and again, they save more time than anything else: the system need not hand out and clear new memory.

    Raises
    ------
    UsageError
        Columns of different lengths, or arrays in `out` that do not fit.
    """
    lengths = sorted({len(column) for one in asked for column in one.columns})
    if len(lengths) > 1:
        raise UsageError(f"a bundle's columns must be of equal length, were {' and '.join(map(str, lengths))}")
    count = lengths[0] if lengths else 0
    lines = _lines(asked, out, count)
    states = [one.indicator.init(one.scale, **one.parameters) for one in asked]
    fills = [one.indicator.fill for one in asked]
    longest = max((value for one in asked for value in one.parameters.values() if isinstance(value, int)), default=1)
    rows = max(ROWS, WINDOWS * longest)
    for start in range(0, count, rows):
        there = slice(start, start + rows)
        for one, fill, state, line in zip(asked, fills, states, lines, strict=True):
            parts = tuple(each[there] for each in line)
            fill(*state, *[column[there] for column in one.columns], parts if len(parts) > 1 else parts[0])
    return lines


def _lines(
    asked: Sequence[Asked], out: Sequence[Sequence[FloatArray]] | None, count: int
) -> list[tuple[FloatArray, ...]]:
    """Return the arrays to write into, new ones where none are given."""
    if out is None:
        return [tuple(np.empty(count) for _ in one.indicator.outputs) for one in asked]
    wanted = [len(one.indicator.outputs) for one in asked]
    given = [len(line) for line in out]
    if wanted != given:
        raise UsageError(f"out must have {wanted} arrays for these indicators, had {given}")
    lines = [tuple(line) for line in out]
    for line in lines:
        for array in line:
            _check(array, count)
    return lines


def _check(array: NDArray[Any], count: int) -> None:
    fits = array.dtype == np.float64 and array.shape == (count,) and array.flags.c_contiguous and array.flags.writeable
    if not fits:
        raise UsageError(
            f"out must be writeable contiguous float64 arrays of {count} rows, was {array.dtype} of {array.shape}",
            hint="Make each with numpy.empty(rows).",
        )

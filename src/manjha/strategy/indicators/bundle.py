"""Several indicators in one pass: rows go by in pieces that stay in the processor's cache while all of them read."""

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

from manjha.domain.errors import UsageError
from manjha.strategy.indicators.entry import Asked, FloatArray

ROWS = 32_768
"""Rows of a piece: 256 KB a column. Shorter ones cost more in calls, microseconds each, than nearer caches save."""
WINDOWS = 8
"""Pieces are so many times as long as the longest window at least: going on from a state is slower for a window."""
HUGE = 262_144
"""Floats of a huge page, where a block begins: the system clears memory fastest in whole ones."""
SPARES = 2
"""Blocks remembered: `lines = bundle(...)` again and again has the lines of before until it has the new ones."""
SPARE_MAX = 16_777_216
"""Floats of the largest block that is remembered: 128 MB."""
_SPARE: deque[tuple[FloatArray, "ref[FloatArray]"]] = deque(maxlen=SPARES)
"""The latest blocks of bundles that made their own arrays, with what tells whether an array of theirs is left."""


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
        Without it arrays are made. Large ones lie in one block, which lasts as long as any of them; the memory of the
        last two blocks, 256 MB at most, is kept and used again when all of a block's arrays are gone.

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
        return _new(asked, count)
    wanted = [len(one.indicator.outputs) for one in asked]
    given = [len(line) for line in out]
    if wanted != given:
        raise UsageError(f"out must have {wanted} arrays for these indicators, had {given}")
    lines = [tuple(line) for line in out]
    for line in lines:
        for array in line:
            _check(array, count)
    return lines


def _new(asked: Sequence[Asked], count: int) -> list[tuple[FloatArray, ...]]:
    """Return new arrays, large ones side by side in one block."""
    parts = [len(one.indicator.outputs) for one in asked]
    size = sum(parts) * count
    if size < HUGE:
        return [tuple(np.empty(count) for _ in range(part)) for part in parts]
    lines = iter(_block(size).reshape(sum(parts), count))
    return [tuple(islice(lines, part)) for part in parts]


def _block(size: int) -> FloatArray:
    """Return so many floats, in memory whose arrays are all gone or in new memory."""
    memory = _spare(size)
    first = -memory.ctypes.data % (HUGE * memory.itemsize) // memory.itemsize
    # Through a memoryview: views of `block` refer to it then, not to `memory`, and it dies with the last of them.
    block: FloatArray = np.asarray(memory[first : first + size].data)
    if memory.size <= SPARE_MAX:
        _SPARE.append((memory, ref(block)))
    return block


def _spare(size: int) -> FloatArray:
    """Return memory that is used no more, if it fits, else new one. What is free and does not fit is given up."""
    for _ in range(SPARES):
        try:
            # Taken out before it is looked at, so that no other thread finds it too.
            memory, seen = _SPARE.popleft()
        except IndexError:
            break
        if seen() is not None:
            _SPARE.append((memory, seen))
        elif size <= memory.size - HUGE <= 2 * size:
            return memory
    return np.empty(size + HUGE)


def _check(array: NDArray[Any], count: int) -> None:
    fits = array.dtype == np.float64 and array.shape == (count,) and array.flags.c_contiguous and array.flags.writeable
    if not fits:
        raise UsageError(
            f"out must be writeable contiguous float64 arrays of {count} rows, was {array.dtype} of {array.shape}",
            hint="Make each with numpy.empty(rows).",
        )

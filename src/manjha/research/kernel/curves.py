"""The curve of a compiled run, made of the steps in which the account changed; and what a sweep looks at of it."""

import numba
import numpy as np

from manjha.research.kernel.records import STEP, Ints, Records
from manjha.research.kernel.rows import ints

PIECE = 2048
"""Positions of the curve that are computed at once."""
SEVERAL = -1


def warm_curves() -> None:
    """Have the curve's code in the cache and in this process."""
    nothing, none = np.zeros(0, np.int64), np.zeros((0, 0), np.int64)
    write_curve(nothing, np.zeros(0, STEP), nothing, none, (0, 0))
    write_brief(nothing, nothing, np.zeros(0, STEP), nothing, none, (1, 0, 0, 0))


@numba.njit(cache=True)
def _add_worth(piece: Ints, first: int, terms: tuple[int, int, int], rows: Ints) -> None:  # pragma: no cover - compiled
    """Add quantity × close less cost, the terms after the address of the closes, from a position on."""
    closes, qty, cost = terms
    if len(rows):
        for at in range(len(piece)):
            piece[at] += qty * ints(closes, max(rows[first + at], 0)) - cost
    else:
        for at in range(len(piece)):
            piece[at] += qty * ints(closes, first + at) - cost


@numba.njit(cache=True)
def _taken(
    steps: Records, step: int, at: int, cash: int, held: tuple[Ints, Ints, int]
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Take the steps up to a position into what is held; return the next step and the cash."""
    qty, cost, owed = held
    while step < len(steps) and steps[step].at <= at:
        s = steps[step]
        cash = s.cash
        if s.instrument >= 0:
            qty[s.instrument], cost[s.instrument] = s.qty, s.cost * owed
        step += 1
    return step, cash


@numba.njit(cache=True)
def _fill(
    piece: Ints, first: int, cash: int, held: tuple[Ints, Ints, int], closes: Ints, rows: Ints
) -> None:  # pragma: no cover - compiled
    """Write cash and what is held, valued at each close, for a piece in which the account does not change."""
    qty, cost, _ = held
    piece[:] = cash
    for i in range(len(closes)):
        if qty[i]:
            _add_worth(piece, first, (closes[i], qty[i], cost[i]), rows[i] if len(rows) else rows.ravel())


@numba.njit(cache=True)
def write_curve(
    total: Ints, steps: Records, closes: Ints, rows: Ints, terms: tuple[int, int]
) -> None:  # pragma: no cover - compiled
    """Write the curve of every position.

    `closes` are the addresses of the instruments' columns, `terms` the first cash and 1 where what a position cost is
    to be taken off. It goes piece by piece, so that each is complete while it is in the nearest cache.
    """
    cash, owed = terms
    held = np.zeros(len(closes), np.int64), np.zeros(len(closes), np.int64), owed
    at, step = 0, 0
    while at < len(total):
        step, cash = _taken(steps, step, at, cash, held)
        last = min(at + PIECE, len(total))
        if step < len(steps):
            last = min(last, steps[step].at)
        _fill(total[at:last], at, cash, held, closes, rows)
        at = last


@numba.njit(cache=True)
def write_brief(
    found: Ints, ends: Ints, steps: Records, closes: Ints, rows: Ints, terms: tuple[int, int, int, int]
) -> float:  # pragma: no cover - compiled
    """Write the curve at `ends`, counted from a first position, and return its deepest fall from there on.

    `terms` are the first cash, 1 where what a position cost is to be taken off, the first position and the number of
    all. The curve is the line of what is held; where that is more than one instrument, it is written piece by piece.
    """
    cash, owed, first, count = terms
    held = np.zeros(len(closes), np.int64), np.zeros(len(closes), np.int64), owed
    piece = np.empty(PIECE, np.int64)
    written = piece.ctypes.data
    peak, worst, at, end, step = cash, 0.0, first, 0, 0
    while at < count:
        step, cash = _taken(steps, step, at, cash, held)
        last = min(at + PIECE, count)
        if step < len(steps):
            last = min(last, steps[step].at)
        one = _only(held[0], rows)
        if one == SEVERAL:
            _fill(piece[: last - at], at, cash, held, closes, rows)
            line = written - 8 * at, 0, 1
        else:
            line = closes[one], cash - held[1][one], held[0][one]
        while end < len(ends) and ends[end] + first < last:
            found[end] = line[1] + line[2] * ints(line[0], ends[end] + first)
            end += 1
        peak, worst = _fallen(line, at, last, peak, worst)
        at = last
    return worst


@numba.njit(cache=True)
def _only(qty: Ints, rows: Ints) -> int:  # pragma: no cover - compiled
    """Return the one instrument that is held, any where none is; `SEVERAL` where one close a position will not do."""
    found = 0
    for i in range(len(qty)):
        if qty[i]:
            if (qty[found] and found != i) or len(rows):
                return SEVERAL
            found = i
    return found


@numba.njit(cache=True)
def _fallen(
    line: tuple[int, int, int], at: int, last: int, peak: int, worst: float
) -> tuple[int, float]:  # pragma: no cover - compiled
    """Return the height and the deepest fall after some more positions of a line.

    A line is the address of a column and what is added to its numbers after they are multiplied. Of values below one
    height the least gives the deepest fall: division rounds, but never turns an order round. So most pieces are done
    when their least and largest value are known.
    """
    column, base, by = line
    low = high = ints(column, at)
    if by:
        for t in range(at + 1, last):
            value = ints(column, t)
            low, high = min(low, value), max(high, value)
    low, high = (base + by * low, base + by * high) if by >= 0 else (base + by * high, base + by * low)
    if high <= peak:
        return peak, min(worst, low / peak - 1.0)
    low = peak
    for t in range(at, last):
        value = base + by * ints(column, t)
        if value >= peak:
            worst = min(worst, low / peak - 1.0)
            low = peak = value
        else:
            low = min(low, value)
    return peak, min(worst, low / peak - 1.0)

"""Where something could trade next in a compiled run, as `simulator.book` looks ahead."""

from manjha.research.kernel.records import NEVER
from manjha.research.kernel.rows import holding, ints, order_at
from manjha.research.kernel.scalars import Rec, njit
from manjha.simulator.book import SCAN_ROWS


@njit
def next_position(k: Rec, first: int, last: int) -> int:
    """Return the first position in [first, last) at which an order could trade, `last` if none."""
    nearest = last
    for at in range(k.active):
        nearest = _next_touch(k, holding(k, holding(k, at).nth_active), first, nearest)
    return nearest


@njit
def _next_touch(k: Rec, x: Rec, first: int, last: int) -> int:
    row = first
    mapped = k.mapped
    if mapped:
        row = (ints(k.rows_at, x.number * k.count + first - 1) if first > 0 else -1) + 1
    if row >= x.rows:
        return last
    if not row <= x.touch_row:
        x.touch_row = _scan(k, x, row)
    touch = x.touch_row
    if mapped:
        while first < last and ints(k.rows_at, x.number * k.count + first) < touch:
            first += 1
        touch = first
    return int(touch) if touch < last else last


@njit
def _scan(k: Rec, x: Rec, row: int) -> int:
    """Return the next row, from `row` on, in which an order could trade; the number of rows if none."""
    below, above = -NEVER, NEVER
    for at in range(x.rests):
        o = order_at(k, x.rest_ids[at])
        level = o.venue_trigger if o.venue_trigger else o.venue_limit
        if level == 0:
            return row
        if (o.side < 0) == (o.venue_trigger != 0):
            below = max(below, level)
        else:
            above = min(above, level)
    low, high = x.low_at, x.high_at
    last = min(x.rows, row + SCAN_ROWS)
    for at in range(row, last):
        if ints(low, at) <= below or ints(high, at) >= above:
            return int(at)
    return int(last)

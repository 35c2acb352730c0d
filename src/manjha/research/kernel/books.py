"""Lists of open orders in a compiled run: ours by instrument, the exchange's, and what a step puts out."""

from manjha.research.kernel.records import (
    BOOK_SIZE,
    CROWDED,
    PLAN_SIZE,
    WORKING,
)
from manjha.research.kernel.rows import holding, order_at, output
from manjha.research.kernel.scalars import Rec, inline, njit


@inline
def put_out(k: Rec, kind: int, order: int, now_ns: int) -> int:
    """Add an output to the step under way; return its row, whose terms may be set."""
    r = k
    at = r.outputs
    if at == PLAN_SIZE:
        r.status = CROWDED
        return 0
    w = output(k, at)
    w.kind, w.order, w.now_ns = kind, order, now_ns
    r.outputs = at + 1
    return int(at)


@njit
def end_step(k: Rec, first: int) -> None:
    """Turn what a step put out so that the oldest is taken first, and before what waited already."""
    last = k.outputs - 1
    while first < last:
        a, b = output(k, first), output(k, last)
        a.kind, b.kind = b.kind, a.kind
        a.order, b.order = b.order, a.order
        a.qty, b.qty = b.qty, a.qty
        a.limit, b.limit = b.limit, a.limit
        a.trigger, b.trigger = b.trigger, a.trigger
        a.now_ns, b.now_ns = b.now_ns, a.now_ns
        first += 1
        last -= 1


@njit
def add_open(k: Rec, order: int) -> None:
    """Enter an order in our book."""
    x = holding(k, order_at(k, order).instrument)
    if x.opens == BOOK_SIZE:
        k.status = CROWDED
        return
    x.open_ids[x.opens] = order
    x.opens += 1
    k.open_count += 1


@njit
def close_order(k: Rec, order: int, phase: int, ts_ns: int) -> None:
    """End an order in our book, unless it has ended."""
    o = order_at(k, order)
    if o.phase != WORKING:
        return
    o.phase, o.closed_ns = phase, ts_ns
    x = holding(k, o.instrument)
    kept = 0
    for at in range(x.opens):
        if x.open_ids[at] != order:
            x.open_ids[kept] = x.open_ids[at]
            kept += 1
    x.opens = kept
    k.open_count -= 1


@njit
def enter_venue(k: Rec, order: int) -> None:
    """Put an order into the exchange's book."""
    ix = order_at(k, order).instrument
    x = holding(k, ix)
    if x.rests == BOOK_SIZE:
        k.status = CROWDED
        return
    if x.rests == 0:
        holding(k, k.active).nth_active = ix
        k.active += 1
    x.rest_ids[x.rests] = order
    x.rests += 1
    x.touch_row = -1


@njit
def leave_venue(k: Rec, order: int) -> None:
    """Take an order out of the exchange's book."""
    ix = order_at(k, order).instrument
    x = holding(k, ix)
    kept = 0
    for at in range(x.rests):
        if x.rest_ids[at] != order:
            x.rest_ids[kept] = x.rest_ids[at]
            kept += 1
    x.rests = kept
    x.touch_row = -1
    if kept == 0:
        left = 0
        for at in range(k.active):
            if holding(k, at).nth_active != ix:
                holding(k, left).nth_active = holding(k, at).nth_active
                left += 1
        k.active = left


@inline
def rests(x: Rec, order: int) -> bool:
    """Tell whether an order is in the exchange's book."""
    found = False
    for at in range(x.rests):
        found = found or x.rest_ids[at] == order
    return found

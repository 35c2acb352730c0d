"""The exchange in a compiled run, as `simulator.venue` matches: first to the open, then to the range of each bar.

A fill may bring new orders into the very bar: after each one the outputs of the step are carried out.
"""

from manjha.research.kernel.auction import has_price, is_after_trading, takes_part
from manjha.research.kernel.books import end_step, enter_venue, leave_venue, rests
from manjha.research.kernel.circuits import is_outside, locked_side
from manjha.research.kernel.liquidity import slipped, tradable
from manjha.research.kernel.records import (
    ASKED_FOR,
    CANCEL,
    DAY_ENDED,
    MARKET,
    MODIFY,
    OUTSIDE,
    SL,
    SL_M,
    SLIP_VOLUME,
    SUBMIT,
    TIMER,
)
from manjha.research.kernel.rows import holding, ints, order_at, output
from manjha.research.kernel.scalars import (
    Rec,
    inline,
    limit_at_open,
    limit_in_range,
    njit,
    stop_at_open,
    stop_in_range,
    stop_price,
)
from manjha.research.kernel.timers import plan_timer
from manjha.research.kernel.trades import apply_fill, ended

OPEN, RANGE = range(2)


@njit
def drain(k: Rec, until: int) -> None:
    """Carry out outputs, the oldest first, until only `until` are left; what one brings forth comes before the next."""
    while k.outputs > until:
        k.outputs -= 1
        w = output(k, k.outputs)
        kind, order, now_ns = w.kind, w.order, w.now_ns
        first = k.outputs
        if kind == SUBMIT:
            _submit(k, order, now_ns)
        elif kind == CANCEL:
            if rests(holding(k, order_at(k, order).instrument), order):
                leave_venue(k, order)
                order_at(k, order).entry_type = -1
                ended(k, order, now_ns, ASKED_FOR)
        elif kind == MODIFY:
            _modify(k, order, w.qty, w.limit, w.trigger)
        elif kind == TIMER:
            plan_timer(k, w.qty, order)
        end_step(k, first)


@njit
def _submit(k: Rec, order: int, now_ns: int) -> None:
    """Take an order into the book; with fills at the deciding close a market order trades now."""
    o = order_at(k, order)
    x = holding(k, o.instrument)
    o.venue_qty, o.left, o.venue_limit, o.venue_trigger = o.qty, o.qty, o.limit, o.trigger
    o.since_ns, o.row, o.inside, o.after_resting, o.after_stop = now_ns + k.latency, -1, 0, 0, 0
    o.rank = _rank(k, o)
    if o.type == MARKET:
        if k.at_close and x.matching_row < 0:
            _trade_at_close(k, order, now_ns)
            return
    elif is_outside(x, o.limit) or is_outside(x, o.trigger):
        o.band_low, o.band_high = x.band_low, x.band_high
        ended(k, order, now_ns, OUTSIDE)
        return
    elif o.has_exits:
        o.entry_type = o.type
    if o.parent >= 0:
        _came_with_entry(o, x, order_at(k, o.parent).entry_type)
    enter_venue(k, order)


@njit
def _trade_at_close(k: Rec, order: int, now_ns: int) -> None:
    """Trade a market order at the close that decided it; what is not traded waits in the book."""
    o = order_at(k, order)
    x = holding(k, o.instrument)
    qty = 0
    if x.row >= 0 and not (x.band_high and _is_locked_at(x, o.side)):
        if x.used_row != x.row:
            x.used_row, x.used = x.row, 0
        # Read only where it counts: the column is far from everything else in memory.
        volume = ints(x.volume_at, x.row) if k.participation or k.slip_kind == SLIP_VOLUME else 0
        qty = tradable(k, o, x, volume)
        if qty:
            o.left -= qty
            if o.left:
                enter_venue(k, order)
            close = ints(x.close_at, x.row)
            apply_fill(k, order, qty, close, slipped(k, o, qty, close, volume), now_ns)
            return
    enter_venue(k, order)


@inline
def _is_locked_at(x: Rec, side: int) -> bool:
    """Tell whether the other side of an order was missing in the bar that closed last."""
    return locked_side(x, ints(x.low_at, x.row), ints(x.high_at, x.row)) == side


@njit
def _came_with_entry(o: Rec, x: Rec, kind: int) -> None:
    """Remember where in the bar a protective order came, and after which kind of resting entry, if it was one."""
    if x.matching_row < 0:
        return
    inside = x.matching_ns != x.ts_open
    if kind < 0 and inside:
        return
    o.row, o.inside = x.matching_row, 1 if inside else 0
    o.after_resting = 1 if kind >= 0 else 0
    o.after_stop = 1 if kind in (SL, SL_M) else 0


@inline
def _rank(k: Rec, o: Rec) -> int:
    """Return an order's turn within a bar: worst case stops, entries, targets; best case the other way round."""
    place = 1
    if o.parent >= 0:
        place = 0 if o.type in (SL_M, SL) else 2
    return place if k.worst else 2 - place


@njit
def _modify(k: Rec, order: int, qty: int, limit: int, trigger: int) -> None:
    """Give a resting order new terms; a triggered stop cannot be changed back."""
    o = order_at(k, order)
    x = holding(k, o.instrument)
    done = o.venue_qty - o.left
    if not rests(x, order) or qty <= done:
        return
    if (limit != o.venue_limit and is_outside(x, limit)) or (
        o.venue_trigger and trigger != o.venue_trigger and is_outside(x, trigger)
    ):
        return
    if k.worst and qty > o.venue_qty and not o.trigger and o.parent >= 0 and order_at(k, o.parent).entry_type >= 0:
        # More of a resting entry came in this bar: its target waits once more.
        _came_with_entry(o, x, order_at(k, o.parent).entry_type)
    o.venue_qty, o.left, o.venue_limit = qty, qty - done, limit
    if o.venue_trigger:
        o.venue_trigger = trigger
    x.touch_row = -1
    o.qty, o.limit, o.trigger = qty, limit, trigger


@njit
def sweep(k: Rec) -> None:
    """At the end of the day, cancel what was in the book before the close of its instrument."""
    many = k.active
    books = 0
    while books < many:
        ix = holding(k, books).nth_active
        x = holding(k, ix)
        at = 0
        while at < x.rests:
            order = x.rest_ids[at]
            if x.has_today and order_at(k, order).since_ns < x.close_ns:
                leave_venue(k, order)
                order_at(k, order).entry_type = -1
                ended(k, order, x.auction_end_ns if x.auction_end_ns else x.close_ns, DAY_ENDED)
            else:
                at += 1
        if x.rests:
            books += 1
        else:
            many -= 1


# ---- matching


@njit
def load_bar(k: Rec, x: Rec, position: int) -> bool:
    """Take the bar of an instrument that closes at a position in hand; tell whether there is one."""
    row = position
    if k.mapped:
        row = ints(k.rows_at, x.number * k.count + position)
        if row < 0 or ints(x.ts_close_at, row) != ints(k.end_at, position):
            return False
    x.opened, x.high, x.low = ints(x.opened_at, row), ints(x.high_at, row), ints(x.low_at, row)
    x.close, x.volume = ints(x.close_at, row), ints(x.volume_at, row)
    x.ts_open, x.ts_close, x.bar_row = ints(x.ts_open_at, row), ints(x.ts_close_at, row), row
    return True


@njit
def match(k: Rec, position: int, in_range: int, books: int) -> None:
    """Match what rests in the first `books` of `k.turns` against the opens or the ranges of bars."""
    for at in range(books):
        ix = holding(k, at).nth_turns
        x = holding(k, ix)
        if x.rests and load_bar(k, x, position):
            if k.auctions and is_after_trading(x):
                if in_range and has_price(x):
                    _auction(k, x)
            else:
                _match(k, x, in_range)


@njit
def _auction(k: Rec, x: Rec) -> None:
    """Trade what rests at the auction's one price: market orders first, then limits that allow it, by age."""
    x.matching_row, x.used_row, x.used = x.bar_row, x.bar_row, 0
    x.locked = locked_side(x, x.low, x.high)
    k.round += 1
    # Only what rests now takes part; what the answer to a fill brings comes too late.
    for at in range(x.rests):
        order_at(k, x.rest_ids[at]).tried = k.round
    for limited in range(2):
        at = 0
        while at < x.rests:
            order = x.rest_ids[at]
            o = order_at(k, order)
            at += 1
            if o.tried != k.round or (o.venue_limit != 0) != (limited == 1):
                continue
            o.tried = 0
            if takes_part(x, order, o) and _trade_in_auction(k, x, order):
                at = 0
    x.matching_row = -1


@njit
def _trade_in_auction(k: Rec, x: Rec, order: int) -> bool:
    """Trade an order at the close of the bar in hand; tell whether anything of it traded."""
    o = order_at(k, order)
    qty = tradable(k, o, x, x.volume)
    if qty == 0:
        return False
    o.left -= qty
    ends = o.left == 0
    if ends:
        leave_venue(k, order)
    first = k.outputs
    apply_fill(k, order, qty, x.close, slipped(k, o, qty, x.close, x.volume), x.ts_close)
    end_step(k, first)
    drain(k, first)
    if ends:
        o.entry_type = -1
    return True


@njit
def _match(k: Rec, x: Rec, in_range: int) -> None:
    """Trade one order after the other until none can: each fill may bring new orders into this very bar."""
    ts_ns = x.ts_close if in_range else x.ts_open
    x.matching_row, x.matching_ns, x.touch_row = x.bar_row, ts_ns, -1
    if x.used_row != x.bar_row:
        x.used_row, x.used = x.bar_row, 0
    k.round += 1
    x.locked = locked_side(x, x.low, x.high)
    while x.rests:
        order, px = _range_candidate(k, x) if in_range else _open_candidate(k, x)
        if order < 0:
            break
        o = order_at(k, order)
        o.tried = k.round
        if o.venue_trigger and _has_trades(k, x):
            o.venue_trigger = 0
        qty = tradable(k, o, x, x.volume)
        if qty == 0:
            continue
        o.left -= qty
        ends = o.left == 0
        if ends:
            leave_venue(k, order)
        first = k.outputs
        apply_fill(k, order, qty, px, slipped(k, o, qty, px, x.volume), ts_ns)
        end_step(k, first)
        drain(k, first)
        if ends:
            o.entry_type = -1
    x.matching_row = -1


@njit
def _open_candidate(k: Rec, x: Rec) -> tuple[int, int]:
    """Return the order that trades next at the open and its reference price: the oldest that can."""
    for at in range(x.rests):
        order = x.rest_ids[at]
        o = order_at(k, order)
        if o.tried != k.round and o.side != x.locked:
            px = _open_price(k, o, x)
            if px:
                return order, px
    return -1, 0


@njit
def _range_candidate(k: Rec, x: Rec) -> tuple[int, int]:
    """Return the order that trades next inside the bar and its reference price, by the path that is assumed."""
    best, best_px, best_rank = -1, 0, 0
    for at in range(x.rests):
        order = x.rest_ids[at]
        o = order_at(k, order)
        if o.tried == k.round or o.side == x.locked:
            continue
        px = _range_price(k, o, x)
        if px and (best < 0 or o.rank < best_rank):
            best, best_px, best_rank = order, px, o.rank
    return best, best_px


@njit
def _open_price(k: Rec, o: Rec, x: Rec) -> int:
    """Return the price at which an order trades at the open, 0 for not."""
    if o.since_ns > x.ts_open or o.row == x.bar_row:
        return 0
    if o.type == MARKET:
        return int(x.opened)
    if o.venue_trigger and not stop_at_open(o.side, o.venue_trigger, x.opened):
        return 0
    through = x.tick if k.penetrates else 0
    if o.type == SL_M or limit_at_open(o.side, o.venue_limit, x.opened, through):
        return int(x.opened)
    if o.venue_trigger and _has_trades(k, x):
        o.venue_trigger = 0
    return 0


@inline
def _has_trades(k: Rec, x: Rec) -> bool:
    """Tell whether a bar can trigger a stop: in one without volume nothing traded, at no price."""
    return bool(k.participation == 0 or x.volume > 0)


@njit
def _range_price(k: Rec, o: Rec, x: Rec) -> int:
    """Return the price at which an order trades inside the bar, 0 for not."""
    here = o.row == x.bar_row
    if not here and o.since_ns > x.ts_open:
        return int(x.close) if o.type == MARKET and o.since_ns <= x.ts_close else 0
    if o.type == MARKET:
        return 0
    if o.venue_trigger:
        return _stop_in_range(k, o, x)
    if o.type == SL_M:
        # What is left of a triggered stop is a market order: it waits for the next open.
        return 0
    if k.worst and o.after_resting and here:
        return 0
    through = x.tick if k.penetrates else 0
    return int(o.venue_limit) if limit_in_range(o.side, o.venue_limit, x.low, x.high, through) else 0


@njit
def _stop_in_range(k: Rec, o: Rec, x: Rec) -> int:
    """Return the price of a stop that triggers inside the bar, 0 for not; one with a limit becomes a limit."""
    if o.after_stop and o.row == x.bar_row and not k.worst:
        return 0
    if not stop_in_range(o.side, o.venue_trigger, x.low, x.high):
        return 0
    reference = o.venue_trigger if o.inside else stop_price(o.side, o.venue_trigger, x.opened)
    if o.type == SL_M or limit_at_open(o.side, o.venue_limit, reference, 0):
        return int(reference)
    if _has_trades(k, x):
        o.venue_trigger = 0
    return 0

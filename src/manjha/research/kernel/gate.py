"""Orders before the gate of a compiled run, as `risk.gate` and `engine.requests` put them there.

An order is drafted in the next free row of the orders; approval makes the row one of them.
"""

from manjha.research.kernel.account import affordable, available, equity, to_be_freed
from manjha.research.kernel.books import add_open, put_out
from manjha.research.kernel.margins import for_order, value_of
from manjha.research.kernel.records import (
    AFFORDABLE,
    BEYOND,
    CANCEL,
    CLOSING,
    MARKET,
    MODIFY,
    NOTHING,
    REFUSED_DAY_LOSS,
    REFUSED_EXPIRED,
    REFUSED_FREEZE,
    REFUSED_MARGIN,
    REFUSED_NO_PRICE,
    REFUSED_OPEN_ORDERS,
    REFUSED_ORDER_VALUE,
    REFUSED_POSITION_VALUE,
    REFUSED_PROTECTED,
    REFUSED_QUANTITY,
    REFUSED_SESSION,
    REFUSED_SHORT,
    REFUSED_SQUARE_OFF,
    REFUSED_STOP_SIDE,
    REFUSED_TICK,
    REFUSED_UNIVERSE,
    SIGNAL,
    SUBMIT,
    WORKING,
)
from manjha.research.kernel.rows import holding, order_at, output, refusal, slab_at
from manjha.research.kernel.scalars import Rec, closing_part, day_of, inline, njit, protected_limit, slice_size

EVERYTHING, ENTRIES = range(2)


@njit
def draft(k: Rec, ix: int, signed: int, purpose: int, now_ns: int) -> None:
    """Begin a market order of a signed quantity in the row after the last; other terms may be set before `place`."""
    k.order_seq += 1
    o = order_at(k, k.orders)
    o.seq, o.instrument, o.purpose, o.decided_ns = k.order_seq, ix, purpose, now_ns
    o.side = 1 if signed > 0 else -1
    o.qty, o.type, o.limit, o.trigger = abs(signed), MARKET, 0, 0
    o.parent = o.group = -1
    o.filled = o.turnover = o.reserved = o.closed_ns = 0
    o.stop = o.target = o.trail = o.exit_ns = o.has_exits = 0
    o.phase, o.note_day, o.dry, o.entry_type, o.tag = WORKING, 0, 0, -1, k.tag
    # What an earlier run wrote here must not be taken for what this one did.
    o.tried = o.band_low = o.band_high = o.note_back = o.note_rest = 0


@njit
def place(k: Rec, instead: int) -> int:
    """Put the draft before the gate; return its row once approved, -1 where nothing was."""
    r = k
    o = order_at(k, r.orders)
    while True:
        reserve, reason = _judge(k, o)
        if reason == 0:
            break
        smaller = 0
        if instead != NOTHING:
            smaller = _smaller(k, o, 1 if instead == AFFORDABLE and reason == REFUSED_MARGIN else 0)
        if not 0 < smaller < o.qty:
            smaller = 0
        _record_refusal(k, o, reason, smaller)
        if smaller == 0:
            return -1
        r.order_seq += 1
        o.seq, o.qty, instead = r.order_seq, smaller, CLOSING
    o.reserved = reserve
    r.reserved += reserve
    o.asked_qty, o.asked_trigger, o.reason = o.qty, o.trigger, 0
    row = r.orders
    r.orders += 1
    add_open(k, row)
    put_out(k, SUBMIT, row, o.decided_ns)
    return int(row)


@njit
def _record_refusal(k: Rec, o: Rec, reason: int, instead: int) -> None:
    n = refusal(k, k.refusals)
    n.seq, n.instrument, n.side, n.qty, n.type = o.seq, o.instrument, o.side, o.qty, o.type
    n.limit, n.trigger, n.reason, n.ts_ns, n.instead = o.limit, o.trigger, reason, o.decided_ns, instead
    n.tag = o.tag
    k.refusals += 1


@inline
def _judge(k: Rec, o: Rec) -> tuple[int, int]:
    """Return what to reserve for an order, and why it is refused (0: it is not)."""
    x = holding(k, o.instrument)
    reason = _terms(o, x)
    if reason or o.purpose != SIGNAL:
        return 0, reason
    opening = _opening(k, o)
    reason = _session(k, o, x, opening)
    if reason or opening == 0:
        return 0, reason
    return _funds(k, o, x, opening)


@inline
def _terms(o: Rec, x: Rec) -> int:
    """Check what does not depend on money: quantity, prices, product."""
    if o.qty <= 0 or (x.lot != 1 and o.qty % x.lot):
        return REFUSED_QUANTITY
    if x.freeze and o.qty > x.freeze:
        return REFUSED_FREEZE
    if (o.limit and o.limit % x.tick) or (o.trigger and o.trigger % x.tick):
        return REFUSED_TICK
    if o.limit and o.trigger and (o.limit - o.trigger) * o.side < 0:
        return REFUSED_STOP_SIDE
    return int(x.misfit)


@inline
def price_of(o: Rec, x: Rec) -> int:
    """Return the price that an order is judged at."""
    if o.limit:
        return int(o.limit)
    return int(o.trigger) if o.trigger else int(x.mark)


@inline
def _opening(k: Rec, o: Rec) -> int:
    """Return the signed part of an order that would open or add to a position, what is under way counted."""
    x = holding(k, o.instrument)
    signed = o.qty * o.side
    closable = x.qty
    for at in range(x.opens):
        other = order_at(k, x.open_ids[at])
        if other.side == o.side and other.parent < 0:
            closable += (other.qty - other.filled) * o.side
    return int(signed - closing_part(closable, signed) if closable else signed)


@inline
def _session(k: Rec, o: Rec, x: Rec, opening: int) -> int:
    """Check time, counts and the side of exits; what only closes a position is never kept from it."""
    r = k
    if opening:
        if r.intraday and x.has_today and o.decided_ns >= x.square_off_ns:
            if o.decided_ns < x.close_ns:
                return REFUSED_SQUARE_OFF
            if not r.overnight:
                return REFUSED_SESSION
        if r.open_count >= r.open_orders_max:
            return REFUSED_OPEN_ORDERS
    if x.slabs and o.limit and x.has_today and _is_beyond(k, o, x):
        return REFUSED_PROTECTED
    if o.has_exits and _is_on_wrong_side(o, price_of(o, x)):
        return REFUSED_STOP_SIDE
    expired = x.expiry and (not x.has_today or day_of(o.decided_ns) > x.expiry)
    return REFUSED_EXPIRED if expired else 0


@inline
def _is_on_wrong_side(o: Rec, px: int) -> bool:
    """Tell whether a stop would trigger at once or a target is already reached."""
    return bool(px and ((o.stop and (px - o.stop) * o.side <= 0) or (o.target and (o.target - px) * o.side <= 0)))


@njit
def _is_beyond(k: Rec, o: Rec, x: Rec) -> bool:
    """Tell whether limit price protection would refuse a limit: a buy too high, a sale too low."""
    if x.mark == 0:
        return False
    for at in range(x.slab, x.slab + x.slabs):
        row = slab_at(k, at)
        if row.above < x.mark and (row.up_to == 0 or x.mark <= row.up_to):
            limit = protected_limit(x.mark, o.side, row.fraction, row.amount, x.tick)
            return bool((o.limit - limit) * o.side > 0)
    k.status = BEYOND
    return False


@inline
def _funds(k: Rec, o: Rec, x: Rec, opening: int) -> tuple[int, int]:
    """Check value limits and funds of what opens; return the margin to reserve, and why not."""
    px = price_of(o, x)
    if px == 0:
        return 0, REFUSED_NO_PRICE
    if opening < 0 and k.paid:
        return 0, REFUSED_SHORT
    reason = _limits(k, o, x, px)
    if reason:
        return 0, reason
    closing = o.qty * o.side - opening
    reserve = for_order(k, o.instrument, opening, closing, px)
    if reserve < 0:
        return 0, REFUSED_NO_PRICE
    free = available(k)
    if reserve > free:
        free += to_be_freed(k, o.instrument, closing)
    return reserve, (REFUSED_MARGIN if reserve > free else 0)


@inline
def _limits(k: Rec, o: Rec, x: Rec, px: int) -> int:
    r = k
    if x.outside:
        return REFUSED_UNIVERSE
    if r.order_value_max and value_of(k, o.qty, px) > r.order_value_max:
        return REFUSED_ORDER_VALUE
    if r.position_value_max and value_of(k, abs(x.qty + o.qty * o.side), px) > r.position_value_max:
        return REFUSED_POSITION_VALUE
    if r.day_loss_max and r.day_start_equity - equity(k) >= r.day_loss_max:
        return REFUSED_DAY_LOSS
    return 0


@njit
def _smaller(k: Rec, o: Rec, sized: int) -> int:
    """Return the part of a refused order that may go: what closes and, if `sized`, what the funds allow to open."""
    opening = _opening(k, o)
    closing = o.qty - abs(opening)
    if not sized or (opening < 0 and k.paid):
        return int(closing)
    closed = o.qty * o.side - opening
    free = available(k) + to_be_freed(k, o.instrument, closed)
    px = price_of(o, holding(k, o.instrument))
    return int(closing + affordable(k, o.instrument, opening, closed, px, free))


@njit
def cancel(k: Rec, order: int, now_ns: int) -> None:
    """Ask for a cancel, if the order is open; cancels are never refused."""
    if order >= 0 and order_at(k, order).phase == WORKING:
        put_out(k, CANCEL, order, now_ns)


@njit
def cancel_open(k: Rec, ix: int, now_ns: int, what: int) -> None:
    """Cancel the open orders of an instrument, or its entries only."""
    x = holding(k, ix)
    for at in range(x.opens):
        if what == EVERYTHING or order_at(k, x.open_ids[at]).purpose == SIGNAL:
            put_out(k, CANCEL, x.open_ids[at], now_ns)


@njit
def modify(k: Rec, order: int, qty: int, trigger: int, now_ns: int) -> None:
    """Put a new quantity and trigger of an open order before the gate; its limit stays."""
    o = order_at(k, order)
    x = holding(k, o.instrument)
    limit = o.limit
    if trigger % x.tick or limit % x.tick or qty <= o.filled or bool(trigger) != bool(o.trigger):
        return
    if o.purpose == SIGNAL and (qty > o.qty or qty % x.lot):
        return
    w = output(k, put_out(k, MODIFY, order, now_ns))
    w.qty, w.limit, w.trigger = qty, limit, trigger


@njit
def market(k: Rec, ix: int, change: int, purpose: int, now_ns: int, instead: int) -> None:
    """Place the market orders that change a position by a signed quantity, in slices."""
    if change:
        in_slices(k, ix, change, (purpose, -1), now_ns, instead)


@njit
def in_slices(k: Rec, ix: int, change: int, what: tuple[int, int], now_ns: int, instead: int) -> None:
    """Place market orders; `what` is their purpose and the entry that they end (-1: none)."""
    x, left = holding(k, ix), abs(change)
    part = left
    if x.freeze:
        # What closes a position is cut into as many orders as it takes: a limit must not trap it.
        closes = what[0] != SIGNAL or x.qty == -change
        part = slice_size(left, x.freeze, x.lot, left if closes else k.slices_max)
    side = 1 if change > 0 else -1
    while left:
        qty = min(part, left) if part else left
        draft(k, ix, side * qty, what[0], now_ns)
        order_at(k, k.orders).group = what[1]
        place(k, instead)
        left -= qty

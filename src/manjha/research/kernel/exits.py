"""Protection of positions in a compiled run, as `engine.exits` has it: stop, target, trail, exit by time."""

from manjha.research.kernel.books import put_out
from manjha.research.kernel.gate import cancel, draft, in_slices, modify, place
from manjha.research.kernel.records import (
    CROWDED,
    LIMIT,
    NOTHING,
    PLAN_SIZE,
    SL_M,
    STOP,
    TARGET,
    TIME_EXIT,
    TIMER,
    WORKING,
)
from manjha.research.kernel.rows import holding, ints, order_at, output, protection
from manjha.research.kernel.scalars import Rec, inline, njit


@njit
def entry_filled(k: Rec, order: int, qty: int, px: int, now_ns: int) -> None:
    """Protect what an entry with exits has filled: place the orders at the first fill, grow them at later ones."""
    at = _protection_of(k, order)
    if at >= 0:
        p = protection(k, at)
        p.filled += qty
        _resize(k, p.stop_order, p.filled, now_ns)
        _resize(k, p.target_order, p.filled, now_ns)
        return
    if k.protections == PLAN_SIZE:
        k.status = CROWDED
        return
    o, p = order_at(k, order), protection(k, k.protections)
    k.protections += 1
    p.entry, p.filled, p.target, p.trail, p.exit_ns, p.best = order, qty, o.target, o.trail, o.exit_ns, px
    p.timed_out = 0
    p.stop = o.stop
    if p.stop == 0 and o.trail:
        p.stop = on_tick(holding(k, o.instrument), o.side, px - o.side * o.trail)
    _place_both(k, p, now_ns)
    if o.exit_ns:
        w = output(k, put_out(k, TIMER, order, now_ns))
        w.qty = max(o.exit_ns, now_ns)


@njit
def exit_filled(k: Rec, order: int, qty: int, now_ns: int) -> None:
    """After a stop, target or time exit traded: cancel the others, or shrink them to what is left."""
    entry = order_at(k, order).group
    at = _protection_of(k, entry)
    if at < 0:
        return
    p = protection(k, at)
    p.filled -= qty
    other = p.target_order if order == p.stop_order else p.stop_order
    filled, timed_out = p.filled, p.timed_out
    if filled > 0:
        _resize(k, other, filled, now_ns)
    else:
        _forget(k, at)
        cancel(k, other, now_ns)
    if timed_out:
        _keep(k, order_at(k, entry).instrument, entry, filled, now_ns)


@njit
def fit_to_position(k: Rec, ix: int, now_ns: int) -> None:
    """After a fill, protect no more than what is held: a stop must never open the opposite position."""
    held = holding(k, ix).qty
    left = abs(held)
    at = 0
    while at < k.protections:
        p = protection(k, at)
        entry = order_at(k, p.entry)
        if entry.instrument != ix:
            at += 1
            continue
        number, timed_out = p.entry, p.timed_out
        keep = min(p.filled, left) if held * entry.side > 0 else 0
        left -= keep
        if keep == 0:
            stop, target = p.stop_order, p.target_order
            _forget(k, at)
            cancel(k, stop, now_ns)
            cancel(k, target, now_ns)
        else:
            at += 1
            if keep < p.filled:
                p.filled = keep
                _resize(k, p.stop_order, keep, now_ns)
                _resize(k, p.target_order, keep, now_ns)
        if timed_out:
            _keep(k, ix, number, keep, now_ns)


@njit
def fit_sales(k: Rec, ix: int, now_ns: int) -> None:
    """After a delivery sale, sell no more than is still held; the oldest orders keep their quantity."""
    _keep(k, ix, -1, max(0, holding(k, ix).qty), now_ns)


@njit
def _keep(k: Rec, ix: int, entry: int, most: int, now_ns: int) -> None:
    """Let the time exits of an entry (all sales but protective ones for -1) trade at most this much in all."""
    x, left = holding(k, ix), most
    for at in range(x.opens):
        number = x.open_ids[at]
        o = order_at(k, number)
        meant = (o.side < 0 and o.parent < 0) if entry < 0 else (o.purpose == TIME_EXIT and o.group == entry)
        if not meant:
            continue
        rest = o.qty - o.filled
        keep = min(rest, left)
        left -= keep
        if keep == 0:
            cancel(k, number, now_ns)
        elif keep < rest:
            _resize(k, number, keep, now_ns)


@njit
def move_trailing_stops(k: Rec) -> None:
    """At a close, pull each trailing stop after the best close since entry; a stop never moves back."""
    for at in range(k.protections):
        p = protection(k, at)
        if not p.trail or p.stop_order < 0 or p.timed_out:
            continue
        o = order_at(k, p.entry)
        x = holding(k, o.instrument)
        if (x.mark - p.best) * o.side <= 0:
            continue
        p.best = x.mark
        stop = on_tick(x, o.side, x.mark - o.side * p.trail)
        if (stop - p.stop) * o.side > 0:
            p.stop = stop
            modify(k, p.stop_order, p.filled, stop, ints(x.ts_close_at, x.row))


@njit
def count_trailing(k: Rec) -> int:
    """Return how many entries have a trailing stop at work."""
    count = 0
    for at in range(k.protections):
        p = protection(k, at)
        if p.trail and p.stop_order >= 0 and not p.timed_out:
            count += 1
    return count


@njit
def rearm(k: Rec, now_ns: int) -> None:
    """Put back, at the open, the protection of carried positions, and try missed time exits again."""
    for at in range(k.protections):
        p = protection(k, at)
        if k.intraday or not holding(k, order_at(k, p.entry).instrument).qty:
            continue
        if p.exit_ns and p.exit_ns <= now_ns:
            exit_by_time(k, p.entry, now_ns)
        elif not _is_open(k, p.stop_order) and not _is_open(k, p.target_order):
            _place_both(k, p, now_ns)


@njit
def exit_by_time(k: Rec, entry: int, now_ns: int) -> None:
    """Close at the market what an entry opened and still holds; the protection of other entries stays."""
    at = _protection_of(k, entry)
    if at < 0 or _has_time_exit(k, entry):
        return
    p, o = protection(k, at), order_at(k, entry)
    cancel(k, entry, now_ns)
    cancel(k, p.stop_order, now_ns)
    cancel(k, p.target_order, now_ns)
    p.stop_order = p.target_order = -1
    p.timed_out = 1
    x = holding(k, o.instrument)
    if abs(x.qty) <= p.filled:
        for row in range(x.opens):
            other = order_at(k, x.open_ids[row])
            if other.side != o.side and not other.has_exits:
                cancel(k, x.open_ids[row], now_ns)
    if p.filled:
        in_slices(k, o.instrument, -o.side * p.filled, (TIME_EXIT, entry), now_ns, NOTHING)


@njit
def _has_time_exit(k: Rec, entry: int) -> bool:
    x = holding(k, order_at(k, entry).instrument)
    for at in range(x.opens):
        o = order_at(k, x.open_ids[at])
        if o.purpose == TIME_EXIT and o.group == entry:
            return True
    return False


@njit
def _place_both(k: Rec, p: Rec, now_ns: int) -> None:
    p.stop_order = p.target_order = -1
    if p.stop:
        _child(k, p, STOP, now_ns)
        o = order_at(k, k.orders)
        o.type, o.trigger = SL_M, p.stop
        p.stop_order = place(k, NOTHING)
    if p.target:
        _child(k, p, TARGET, now_ns)
        o = order_at(k, k.orders)
        o.type, o.limit = LIMIT, p.target
        p.target_order = place(k, NOTHING)


@njit
def _child(k: Rec, p: Rec, purpose: int, now_ns: int) -> None:
    entry = order_at(k, p.entry)
    draft(k, entry.instrument, -entry.side * p.filled, purpose, now_ns)
    o = order_at(k, k.orders)
    o.parent = o.group = p.entry
    o.tag = entry.tag


@njit
def rescale_protection(k: Rec, at: int, new: int, old: int) -> None:
    """Apply a split or bonus to what protects a position: prices in the new basis, quantity as held."""
    p = protection(k, at)
    entry = order_at(k, p.entry)
    x = holding(k, entry.instrument)
    p.stop = on_tick(x, entry.side, p.stop * old // new)
    p.target = on_tick(x, entry.side, p.target * old // new)
    p.trail = on_tick(x, entry.side, p.trail * old // new)
    p.best = p.best * old // new
    p.filled = min(abs(x.qty), p.filled * new // old)


@inline
def on_tick(x: Rec, side: int, px: int) -> int:
    """Put a stop onto the tick, away from the price, so that rounding never makes it tighter."""
    size = abs(px)
    ticks = size // x.tick
    if side < 0 and ticks * x.tick != size:
        ticks += 1
    return int(ticks * x.tick if px >= 0 else -ticks * x.tick)


@njit
def _resize(k: Rec, order: int, qty: int, now_ns: int) -> None:
    if _is_open(k, order):
        o = order_at(k, order)
        modify(k, order, o.filled + qty, o.trigger, now_ns)


@inline
def _is_open(k: Rec, order: int) -> bool:
    return order >= 0 and order_at(k, order).phase == WORKING


@njit
def _protection_of(k: Rec, entry: int) -> int:
    for at in range(k.protections):
        if protection(k, at).entry == entry:
            return at
    return -1


@njit
def _forget(k: Rec, gone: int) -> None:
    k.protections -= 1
    for at in range(gone, k.protections):
        p, after = protection(k, at), protection(k, at + 1)
        p.entry, p.filled = after.entry, after.filled
        p.stop_order, p.target_order = after.stop_order, after.target_order
        p.stop, p.target, p.trail, p.exit_ns = after.stop, after.target, after.trail, after.exit_ns
        p.best, p.timed_out = after.best, after.timed_out

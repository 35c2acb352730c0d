"""What a strategy has stated becomes orders in a compiled run, as `engine.requests` carries requests out."""

from manjha.research.kernel.account import equity
from manjha.research.kernel.closes import qty_by_volatility
from manjha.research.kernel.gate import ENTRIES, EVERYTHING, cancel_open, draft, market, place
from manjha.research.kernel.plain import fits, is_quiet, trade, trade_plainly
from manjha.research.kernel.records import (
    AFFORDABLE,
    CLOSING,
    LIMIT,
    MARKET,
    NONE,
    NOTHING,
    SIGNAL,
    SIZE_FIXED,
    SIZE_FRACTION,
    SIZE_VOLATILITY,
    SL,
    SL_M,
    SPARE,
    UNIT_LOTS,
    UNIT_QTY,
    UNIT_SIGNAL,
    UNIT_WEIGHT,
)
from manjha.research.kernel.rows import fetch_ahead, holding, ints, order_at
from manjha.research.kernel.scalars import (
    Rec,
    inline,
    needed,
    njit,
    qty_for_fraction,
    qty_for_risk,
    qty_for_signal,
    qty_for_weight,
    slice_size,
    to_lots,
    whole_units,
)

AHEAD = 12
"""How many wake-ups ahead their bars are fetched from memory."""


@njit
def decide(k: Rec, wakeup: int, now_ns: int) -> None:
    """Carry out what is stated at a wake-up; of several targets those that reduce go first."""
    if k.entries:
        _decide_entries(k, wakeup, now_ns)
        return
    stated, first = 0, wakeup * k.columns
    for i in range(k.instruments):
        stated += ints(k.wanted_at, first + i) != NONE
    worth = equity(k)
    for growing in range(1 if stated == 1 else 2):
        for i in range(k.instruments):
            value = ints(k.wanted_at, first + i)
            if value != NONE and (stated == 1 or grows(k, i, value, worth) == (growing == 1)):
                carry_target(k, i, value, worth, now_ns, stated == 1)


@njit
def grows(k: Rec, i: int, value: int, worth: int) -> bool:
    """Tell whether a target adds to a position or begins one."""
    x = holding(k, i)
    return value != 0 and (x.qty == 0 or abs(_target_qty(k, x, value, worth, abs(x.qty))) > abs(x.qty))


@njit
def _target_qty(k: Rec, x: Rec, value: int, worth: int, full: int) -> int:
    unit = k.unit
    if unit == UNIT_QTY:
        return int(to_lots(whole_units(value), x.lot))
    if unit == UNIT_LOTS:
        return int(whole_units(value) * x.lot)
    if unit == UNIT_WEIGHT:
        return int(qty_for_weight(worth, value, x.mark, x.lot))
    return int(to_lots(qty_for_signal(full, value), x.lot))


@inline
def _goal(k: Rec, x: Rec, value: int, worth: int) -> int:
    """Return the signed quantity that a target wants held."""
    if value == 0:
        return 0
    full = policy_qty(k, x, x.mark, 0, worth) if k.unit == UNIT_SIGNAL else 0
    return _target_qty(k, x, value, worth, full)


@njit
def policy_qty(k: Rec, x: Rec, px: int, stop: int, worth: int) -> int:
    """Return the whole-lot quantity that the sizing policy gives for an entry."""
    if k.size_kind == SIZE_FIXED:
        return int(to_lots(k.size_by, x.lot))
    if k.size_kind == SIZE_FRACTION:
        return int(qty_for_fraction(worth, k.size_by, px, x.lot))
    if k.size_kind == SIZE_VOLATILITY:
        return qty_by_volatility(k, x, px, worth)
    return int(qty_for_risk(worth, k.size_by, px, stop, x.lot))


@njit
def carry_target(k: Rec, i: int, value: int, worth: int, now_ns: int, alone: bool) -> None:  # noqa: FBT001
    """Order what brings a position to its target; `alone` says that nothing else is asked for at this close."""
    x = holding(k, i)
    instead = AFFORDABLE if k.unit == UNIT_WEIGHT else CLOSING
    if k.unit == UNIT_SIGNAL and k.size_kind != SIZE_FIXED:
        instead = AFFORDABLE
    goal = _goal(k, x, value, worth)
    working = 0
    for at in range(x.opens):
        o = order_at(k, x.open_ids[at])
        if o.purpose == SIGNAL:
            working += (o.qty - o.filled) * o.side
    if goal == 0 and x.qty:
        cancel_open(k, i, now_ns, EVERYTHING)
        working = 0
    change: int = needed(goal, x.qty, working)
    if x.outside and ((x.qty > 0 and goal < 0) or (x.qty < 0 and goal > 0)):
        # Outside the universe a turn is refused, but the close that is half of it is not.
        cancel_open(k, i, now_ns, EVERYTHING)
        market(k, i, -x.qty, SIGNAL, now_ns, NOTHING)
        change = goal
    if not (alone and k.plain and trade_plainly(k, i, change, now_ns)):
        market(k, i, change, SIGNAL, now_ns, instead)


@njit
def decide_plainly(k: Rec, stop: int) -> None:
    """Carry out what is stated at wake-ups before a position, one after the other, as long as it trades plainly.

    As the main loop does, which asks at each wake-up what cannot change between two such orders: whether anything is
    open, comes due or has to be put out. It goes on from where this ends.
    """
    r = k
    if not r.plain or r.instruments > 1 or r.entries or r.acts_at or r.mapped or r.active or not is_quiet(k, 0):
        return
    x, wakeup, reached = holding(k, 0), r.wakeup, r.reached
    # Of each log that many rows are free.
    last = min(r.wakeup_count, wakeup + SPARE)
    while wakeup < last and not r.status:
        at = ints(r.wakeups_at, wakeup)
        value = ints(r.wanted_at, wakeup)
        if at >= stop or at < reached or value == NONE:
            return
        if wakeup + AHEAD < last:
            later = ints(r.wakeups_at, wakeup + AHEAD)
            fetch_ahead(r.end_at, later)
            fetch_ahead(x.close_at, later)
        x.row, x.mark = at, ints(x.close_at, at)
        change = needed(_goal(k, x, value, r.cash + x.qty * x.mark), x.qty, 0)
        if change and not fits(k, x, change):
            return
        wakeup += 1
        r.wakeup, r.cursor, r.reached = wakeup, at, at + 1
        if change:
            trade(k, 0, change, ints(r.end_at, at))


# ---- entries: side, quantity, limit, trigger, stop, target, trail, exit moment, and what to leave, by instrument


ENTRY_COLUMNS = 9
LEAVE, WITHDRAW = 1, 2


@njit
def _decide_entries(k: Rec, wakeup: int, now_ns: int) -> None:
    """Leave, withdraw and enter; several that leave do so after everything else, as several targets do."""
    leaving = 0
    for i in range(k.instruments):
        leaving += 1 if _leaves(k, i, wakeup) else 0
    for i in range(k.instruments):
        x = holding(k, i)
        if _leaves(k, i, wakeup):
            cancel_open(k, i, now_ns, ENTRIES)
            if leaving == 1:
                _leave(k, i, now_ns)
        elif x.opens:
            if _leaving(k, i, wakeup) and x.qty == 0:
                cancel_open(k, i, now_ns, ENTRIES)
        elif x.qty == 0 and ints(k.wanted_at, wakeup * k.columns + i * ENTRY_COLUMNS):
            _enter(k, i, wakeup, now_ns)
    for i in range(k.instruments if leaving > 1 else 0):
        if _leaves(k, i, wakeup):
            _leave(k, i, now_ns)


@inline
def _leaving(k: Rec, i: int, wakeup: int) -> int:
    """Return what is stated of leaving."""
    return ints(k.wanted_at, wakeup * k.columns + i * ENTRY_COLUMNS + 8)


@inline
def _leaves(k: Rec, i: int, wakeup: int) -> bool:
    """Tell whether a position is to be closed."""
    return holding(k, i).qty != 0 and (_leaving(k, i, wakeup) & LEAVE) != 0


@njit
def _leave(k: Rec, i: int, now_ns: int) -> None:
    cancel_open(k, i, now_ns, EVERYTHING)
    market(k, i, -holding(k, i).qty, SIGNAL, now_ns, CLOSING)


@njit
def _enter(k: Rec, i: int, wakeup: int, now_ns: int) -> None:
    """Place the entry that is stated for an instrument."""
    place_entry(k, i, k.wanted_at + 8 * (wakeup * k.columns + i * ENTRY_COLUMNS), now_ns)


@njit
def place_entry(k: Rec, i: int, first: int, now_ns: int) -> None:
    """Place an entry whose terms lie at an address, in the order of the columns above, with its exits, in slices."""
    x = holding(k, i)
    limit, trigger, stop = ints(first, 2), ints(first, 3), ints(first, 4)
    qty, instead = ints(first, 1), NOTHING
    if qty == 0:
        instead = CLOSING if k.size_kind == SIZE_FIXED else AFFORDABLE
        px = limit if limit else (trigger if trigger else x.mark)
        qty = policy_qty(k, x, px, stop, equity(k))
    part = slice_size(qty, x.freeze, x.lot, k.slices_max)
    while True:
        slice_qty = min(part, qty) if part else qty
        _draft_entry(k, i, slice_qty, first, now_ns)
        place(k, instead)
        qty -= slice_qty
        if qty <= 0:
            return


@njit
def _draft_entry(k: Rec, i: int, qty: int, first: int, now_ns: int) -> None:
    """Begin an entry order with the terms that are stated at an address."""
    limit, trigger = ints(first, 2), ints(first, 3)
    draft(k, i, qty, SIGNAL, now_ns)
    o = order_at(k, k.orders)
    o.side, o.qty, o.limit, o.trigger = ints(first, 0), qty, limit, trigger
    if trigger:
        o.type = SL if limit else SL_M
    else:
        o.type = LIMIT if limit else MARKET
    o.stop, o.target, o.trail, o.exit_ns = ints(first, 4), ints(first, 5), ints(first, 6), ints(first, 7)
    o.has_exits = 1 if o.stop or o.target or o.trail or o.exit_ns else 0

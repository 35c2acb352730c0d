"""The money of a compiled run: equity, what is free, what orders need, settlement. As `portfolio` and `risk.funds`."""

from manjha.research.kernel.margins import for_order, freed_margin
from manjha.research.kernel.records import CROWDED, MARKET, WAITING
from manjha.research.kernel.rows import day_at, holding, order_at
from manjha.research.kernel.scalars import (
    Card,
    Rec,
    closing_part,
    fill_charges,
    held_back,
    njit,
    spendable,
)
from manjha.research.kernel.wide import multiply_divide


@njit
def equity(k: Rec) -> int:
    """Return cash and positions at the last closes."""
    total = k.cash
    for i in range(k.instruments):
        x = holding(k, i)
        if x.qty:
            total += x.qty * x.mark if k.paid else x.qty * x.mark - x.cost
    return int(total)


@njit
def available(k: Rec) -> int:
    """Return the money that an order may use now; open losses of margined positions are not in it."""
    r = k
    free = r.cash - r.margin - r.reserved - r.unsettled
    if r.margin:
        open_profit = 0
        for i in range(r.instruments):
            x = holding(k, i)
            if x.qty and not r.paid and x.mark:
                open_profit += x.qty * x.mark - x.cost
        free += min(0, open_profit)
    return int(free)


@njit
def to_be_freed(k: Rec, ix: int, closing: int) -> int:
    """Return what market orders to close that are under way will free, and `closing` (signed) of an instrument."""
    freed = 0
    for i in range(k.instruments):
        x = holding(k, i)
        # Of a future, `for_order` has netted it already.
        signed = closing if i == ix and x.group < 0 else 0
        for at in range(x.opens):
            o = order_at(k, x.open_ids[at])
            if o.type == MARKET:
                signed += (o.qty - o.filled) * o.side
        part = closing_part(x.qty, signed)
        if part:
            freed += _freed(k, x, abs(part))
    return freed


@njit
def _freed(k: Rec, x: Rec, closing: int) -> int:
    if not k.paid:
        return freed_margin(k, x, closing)
    if x.qty < 0:
        return 0
    _, settled, t1 = _parts(x, closing)
    return closing * int(x.mark) - held_back(settled, t1, x.mark, k.day)


@njit
def _parts(x: Rec, qty: int) -> tuple[int, int, int]:
    """Return how many of the next `qty` sold come from today, from the settled holding, and from T1."""
    from_today = min(qty, x.holding_today)
    from_settled = min(qty - from_today, x.holding_settled)
    waiting = 0
    for at in range(x.holding_waiting):
        waiting += x.waiting_qty[at]
    return from_today, from_settled, min(qty - from_today - from_settled, waiting)


@njit
def affordable(k: Rec, ix: int, opening: int, closing: int, px: int, funds: int) -> int:
    """Return how much of what an order would open the funds allow: whole lots, unsigned, 0 where that is not known."""
    required = for_order(k, ix, opening, closing, px)
    if required <= 0 or funds <= 0:
        return 0
    lot = holding(k, ix).lot
    # More than all of it is not asked for, and the quotient of the other case fits.
    spent = spendable(funds)
    if spent >= required:
        return int(abs(opening) // lot * lot)
    most, _ = multiply_divide(abs(opening), spent, required)
    return int(min(abs(opening), most) // lot * lot)


@njit
def settle(k: Rec, x: Rec, side: int, qty: int, px: int) -> None:
    """Move delivery shares between today, T1 and settled, and hold back proceeds that are not usable yet."""
    if side > 0:
        x.holding_today += qty
        return
    _, from_settled, from_t1 = _parts(x, qty)
    x.holding_today -= min(qty, x.holding_today)
    x.holding_settled -= from_settled
    left, kept = from_t1, 0
    for at in range(x.holding_waiting):
        part = min(left, x.waiting_qty[at])
        left -= part
        rest = x.waiting_qty[at] - part
        if rest:
            x.waiting_qty[kept], x.waiting_day[kept] = rest, x.waiting_day[at]
            kept += 1
    x.holding_waiting = kept
    amount = held_back(from_settled, from_t1, px, k.day)
    if (from_settled or from_t1) and amount:
        _hold_back(k, amount, day_at(k, k.day_row).next_day)


@njit
def _hold_back(k: Rec, amount: int, until: int) -> None:
    r = k
    r.unsettled += amount
    for at in range(r.waiting):
        if r.waiting_day[at] == until:
            r.waiting_amount[at] += amount
            return
    if r.waiting == WAITING:
        r.status = CROWDED
        return
    r.waiting_day[r.waiting], r.waiting_amount[r.waiting] = until, amount
    r.waiting += 1


@njit
def release_proceeds(k: Rec, day: int) -> None:
    """Make usable what settles by a day."""
    r, kept = k, 0
    for at in range(r.waiting):
        if r.waiting_day[at] <= day:
            r.unsettled -= r.waiting_amount[at]
        else:
            r.waiting_day[kept], r.waiting_amount[kept] = r.waiting_day[at], r.waiting_amount[at]
            kept += 1
    r.waiting = kept


@njit
def receive_shares(k: Rec, day: int) -> None:
    """Put shares that settle by a day into the settled holdings."""
    for i in range(k.instruments):
        x, kept = holding(k, i), 0
        for at in range(x.holding_waiting):
            if x.waiting_day[at] <= day:
                x.holding_settled += x.waiting_qty[at]
            else:
                x.waiting_day[kept], x.waiting_qty[kept] = x.waiting_day[at], x.waiting_qty[at]
                kept += 1
        x.holding_waiting = kept


@njit
def shares_of_today_wait(k: Rec, settles: int) -> None:
    """At the end of a day, let what was bought wait for the day on which it settles."""
    for i in range(k.instruments):
        x = holding(k, i)
        if not x.holding_today:
            continue
        last = x.holding_waiting - 1
        if last >= 0 and x.waiting_day[last] == settles:
            x.waiting_qty[last] += x.holding_today
        elif x.holding_waiting == WAITING:
            k.status = CROWDED
        else:
            x.waiting_day[last + 1], x.waiting_qty[last + 1] = settles, x.holding_today
            x.holding_waiting += 1
        x.holding_today = 0


@njit
def charge(k: Rec, x: Rec, side: int, turnover: int, before: int) -> tuple[int, int, int, int, int, int, int]:
    """Book the charges of a fill; return its lines."""
    card = Card(
        x.brokerage_kind,
        x.brokerage_rate,
        x.brokerage_cap,
        x.stt_buy,
        x.stt_sell,
        x.exchange_rate,
        x.ipft,
        x.sebi,
        x.stamp_buy,
        x.stamp_sell,
        x.gst,
        x.gst_on_sebi,
    )
    lines = fill_charges(card, side, turnover, before)  # type: ignore[arg-type]  # `Card` has the fields of `RateCard`
    total = 0
    for at in range(7):
        k.day_lines[at] += lines[at]
        total += lines[at]
    k.cash -= total
    return lines

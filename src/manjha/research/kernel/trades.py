"""A fill in a compiled run: order, position, cash, charges, margin, protection, as `engine.handlers.orders.filled`."""

from manjha.research.kernel.account import charge, settle
from manjha.research.kernel.books import close_order
from manjha.research.kernel.exits import entry_filled, exit_filled, fit_sales, fit_to_position
from manjha.research.kernel.margins import hold, value_of
from manjha.research.kernel.records import BOUND, CANCELLED, FILLED, OUTSIDE, OVERFLOW, REJECTED
from manjha.research.kernel.rows import change, fill, holding, order_at, step
from manjha.research.kernel.scalars import Rec, inline, njit, proportion, traded


@njit
def apply_fill(k: Rec, order: int, qty: int, reference: int, px: int, ts_ns: int) -> None:
    """Apply a fill to everything it changes, and put out what protects the position now."""
    o = order_at(k, order)
    x = holding(k, o.instrument)
    turnover, before, left_before = value_of(k, qty, px), o.turnover, o.qty - o.filled
    o.filled += qty
    o.turnover += turnover
    if o.filled >= o.qty:
        close_order(k, order, FILLED, ts_ns)
    signed = qty * o.side
    if not x.ever:
        x.ever = 1
        holding(k, k.positions).nth_traded = o.instrument
        k.positions += 1
    x.qty, x.cost, gain = traded(x.qty, x.cost, signed, px)
    x.realised += gain
    if k.paid:
        k.cash -= signed * px
    else:
        k.cash += gain
    lines = charge(k, x, o.side, turnover, before)
    _record(k, order, qty, reference, px, ts_ns)
    f = fill(k, k.fills - 1)
    f.brokerage, f.stt, f.exchange, f.ipft, f.sebi, f.stamp, f.gst = lines
    if o.reserved:
        part = o.reserved if qty >= left_before else proportion(o.reserved, qty, left_before)
        o.reserved -= part
        k.reserved -= part
    if k.paid:
        settle(k, x, o.side, qty, px)
    else:
        hold(k, o.instrument)
    if abs(k.cash) > BOUND or abs(x.cost) > BOUND:
        k.status = OVERFLOW
    _protect(k, order, qty, px, ts_ns)


@inline
def _protect(k: Rec, order: int, qty: int, px: int, ts_ns: int) -> None:
    o = order_at(k, order)
    if o.has_exits:
        entry_filled(k, order, qty, px, ts_ns)
    elif o.group >= 0:
        exit_filled(k, order, qty, ts_ns)
    if k.protections:
        fit_to_position(k, o.instrument, ts_ns)
    if o.side < 0 and k.paid and holding(k, o.instrument).opens:
        fit_sales(k, o.instrument, ts_ns)


@inline
def _record(k: Rec, order: int, qty: int, reference: int, px: int, ts_ns: int) -> None:
    o = order_at(k, order)
    f = fill(k, k.fills)
    f.order, f.instrument, f.side, f.qty = order, o.instrument, o.side, qty
    f.px, f.reference, f.ts_ns = px, reference, ts_ns
    k.fills += 1
    x = holding(k, o.instrument)
    record_step(k, o.instrument, x.qty, x.cost)


@njit
def record_change(k: Rec, ix: int, before: int, cash: int, why: tuple[int, int]) -> None:
    """Remember a position that changed without a trade; `why` is the moment and the reason."""
    c, x = change(k, k.changes), holding(k, ix)
    c.instrument, c.before, c.after, c.cash = ix, before, x.qty, cash
    c.ts_ns, c.reason = why
    k.changes += 1
    record_step(k, ix, x.qty, x.cost)


@inline
def record_step(k: Rec, instrument: int, qty: int, cost: int) -> None:
    """Remember the account after a position or only cash changed; the equity curve is made of these afterwards."""
    r = k
    s = step(k, r.steps)
    s.at = r.matching if r.matching >= 0 else max(r.reached - 1, 0)
    if r.actions and r.steps:
        s.at = max(s.at, step(k, r.steps - 1).at)
    s.cash, s.instrument, s.qty, s.cost = r.cash, instrument, qty, cost
    r.steps += 1


@njit
def ended(k: Rec, order: int, ts_ns: int, reason: int) -> None:
    """Note that what was left of an order is gone, or that it was rejected; its margin is free again."""
    o: Rec = order_at(k, order)
    close_order(k, order, REJECTED if reason == OUTSIDE else CANCELLED, ts_ns)
    o.reason = reason
    k.reserved -= o.reserved
    o.reserved = 0

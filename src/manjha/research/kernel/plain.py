"""A market order that trades at the very close that decides it, in one piece.

What gate, exchange and accounts do one after the other for every order is here what is left of it for an order that is
alone, of a share that is paid for in full, where none of their questions can be answered otherwise: no limits of value,
no bands, slippage or participation, no actions, nothing open. It writes what they would write, and a run without it
gives the same to the last integer (a test says so). Everything else goes their way. Of its order it writes what the run
may read again; `outcome.complete` writes the rest when somebody asks for orders, which in a sweep nobody does.
"""

from manjha.research.kernel.account import settle
from manjha.research.kernel.records import BOUND, BRIEF, OVERFLOW
from manjha.research.kernel.rows import fill, holding, order_at, step
from manjha.research.kernel.scalars import Card, Rec, closing_part, fill_charges, inline, njit, traded


@njit
def trade_plainly(k: Rec, ix: int, change: int, now_ns: int) -> bool:
    """Trade a signed quantity at the last close, if the run is `plain` and so is the order; tell whether it was."""
    if change == 0 or not is_quiet(k, ix) or not fits(k, holding(k, ix), change):
        return False
    trade(k, ix, change, now_ns)
    return True


@inline
def is_quiet(k: Rec, ix: int) -> bool:
    """Tell whether an order in an instrument would be alone. No plain order changes that."""
    r, x = k, holding(k, ix)
    alone = not (r.outputs or r.protections or x.opens or x.misfit or x.expiry or x.freeze) and x.matching_row < 0
    return bool(alone and r.open_count < r.open_orders_max)


@inline
def fits(k: Rec, x: Rec, change: int) -> bool:
    """Tell whether a signed quantity can trade at the last close in one piece, and be paid."""
    r, px, qty = k, x.mark, abs(change)
    if px == 0 or x.row < 0 or (x.lot != 1 and qty % x.lot):
        return False
    opening = change - closing_part(x.qty, change)
    # In floats, as in `value_of`.
    if opening < 0 or float(qty) * float(px) > BOUND:
        return False
    return bool(opening == 0 or opening * px <= r.cash - r.margin - r.reserved - r.unsettled)


@inline
def trade(k: Rec, ix: int, change: int, now_ns: int) -> None:
    """Trade what `fits`, and write what the run needs to know of it."""
    r, x = k, holding(k, ix)
    px, held, qty, side = x.mark, x.qty, abs(change), 1 if change > 0 else -1
    _write_order(k)
    if not x.ever:
        x.ever = 1
        holding(k, r.positions).nth_traded = ix
        r.positions += 1
    x.used_row, x.used = (x.row, 0) if x.used_row != x.row else (x.used_row, x.used)
    after, cost, gain = traded(held, x.cost, change, px)
    x.qty, x.cost = after, cost
    x.realised += gain
    cash = r.cash - change * px - _charge(k, x, side, qty * px)
    r.cash = cash
    _write_fill(k, ix, (side, qty, px), now_ns)
    s = step(k, r.steps)
    s.at, s.cash, s.instrument, s.qty, s.cost = max(r.reached - 1, 0), cash, ix, after, cost
    r.steps += 1
    if side > 0:
        x.holding_today += qty
    elif qty <= x.holding_today:
        x.holding_today -= qty
    else:
        settle(k, x, side, qty, px)
    if abs(cash) > BOUND or abs(cost) > BOUND:
        r.status = OVERFLOW


@inline
def _write_order(k: Rec) -> None:
    """Write a brief order: all that the run may read of it, which is an eighth of the record (`outcome.complete`)."""
    r = k
    o = order_at(k, r.orders)
    seq, tag = r.order_seq + 1, r.tag
    r.order_seq = seq
    r.orders += 1
    o.seq, o.phase, o.note_day, o.note_back, o.note_rest, o.tag = seq, BRIEF, 0, 0, 0, tag


@inline
def _charge(k: Rec, x: Rec, side: int, turnover: int) -> int:
    """Charge a fill, whose row is the next one, as `account.charge` does; return the sum."""
    f = fill(k, k.fills)
    card = Card(
        *(x.brokerage_kind, x.brokerage_rate, x.brokerage_cap, x.stt_buy, x.stt_sell, x.exchange_rate, x.ipft, x.sebi),
        *(x.stamp_buy, x.stamp_sell, x.gst, x.gst_on_sebi),
    )
    lines = fill_charges(card, side, turnover, 0)  # type: ignore[arg-type]  # as in `account.charge`
    f.brokerage, f.stt, f.exchange, f.ipft, f.sebi, f.stamp, f.gst = lines
    if k.contract_notes:
        for at in range(7):
            k.day_lines[at] += lines[at]
    return lines[0] + lines[1] + lines[2] + lines[3] + lines[4] + lines[5] + lines[6]


@inline
def _write_fill(k: Rec, ix: int, what: tuple[int, int, int], now_ns: int) -> None:
    """Write the rest of the fill of the last order."""
    r = k
    f = fill(k, r.fills)
    side, qty, px = what
    f.order, f.instrument, f.side, f.qty, f.px, f.reference, f.ts_ns = r.orders - 1, ix, side, qty, px, px, now_ns
    r.fills += 1

"""A market order that trades at the very close that decides it, in one piece.

What gate, exchange and accounts do one after the other for every order is here what is left of it for an order that is
alone, of a share that is paid for in full, where none of their questions can be answered otherwise: no limits of value,
no bands, slippage or participation, no actions, nothing open. It writes what they would write, and a run without it
gives the same to the last integer (a test says so). Everything else goes their way.
"""

from manjha.research.kernel.account import settle
from manjha.research.kernel.records import BOUND, FILLED, MARKET, OVERFLOW, SIGNAL
from manjha.research.kernel.rows import fill, holding, order_at, step
from manjha.research.kernel.scalars import Card, Rec, closing_part, fill_charges, inline, njit, traded


@njit
def trade_plainly(k: Rec, ix: int, change: int, now_ns: int) -> bool:
    """Trade a signed quantity at the last close, if the run is `plain` and so is the order; tell whether it was."""
    r, x = k, holding(k, ix)
    if r.outputs or r.protections or x.opens or x.misfit or x.expiry or x.freeze:
        return False
    px, held, qty = x.mark, x.qty, abs(change)
    if change == 0 or px == 0 or x.row < 0 or x.matching_row >= 0 or (x.lot != 1 and qty % x.lot):
        return False
    opening = change - closing_part(held, change)
    # In floats, as in `value_of`.
    if opening < 0 or float(qty) * float(px) > BOUND:
        return False
    if opening and (r.open_count >= r.open_orders_max or opening * px > r.cash - r.margin - r.reserved - r.unsettled):
        return False
    side = 1 if change > 0 else -1
    _write_order(k, ix, (side, qty, px), now_ns)
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
    return True


@inline
def _write_order(k: Rec, ix: int, what: tuple[int, int, int], now_ns: int) -> None:
    """Write an order as gate, exchange and fill leave it; `what` is its side, quantity and price."""
    r = k
    o = order_at(k, r.orders)
    side, qty, px = what
    seq, tag = r.order_seq + 1, r.tag
    r.order_seq = seq
    r.orders += 1
    o.seq, o.instrument, o.side, o.qty, o.type, o.limit, o.trigger = seq, ix, side, qty, MARKET, 0, 0
    o.purpose, o.parent, o.group, o.decided_ns, o.filled, o.turnover = SIGNAL, -1, -1, now_ns, qty, qty * px
    o.reserved, o.phase, o.closed_ns, o.reason, o.asked_qty, o.asked_trigger = 0, FILLED, now_ns, 0, qty, 0
    o.stop = o.target = o.trail = o.exit_ns = o.has_exits = 0
    o.venue_qty, o.left, o.venue_limit, o.venue_trigger, o.since_ns = qty, 0, 0, 0, now_ns + r.latency
    o.rank, o.row, o.inside, o.after_resting, o.after_stop, o.entry_type = 1, -1, 0, 0, 0, -1
    o.dry = o.tried = o.note_day = o.note_back = o.note_rest = o.band_low = o.band_high = 0
    o.tag = tag


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

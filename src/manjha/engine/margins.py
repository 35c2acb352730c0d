"""The broker is asked what an entry needs before it leaves; without an answer in time it goes on our own model.

Our gate has approved the order before, so the question can only take away: an order that the broker has no money for
is refused here, or made smaller where the funds decide its size. It waits in the governor meanwhile, in phase CHECKING,
and everything that happens to what waits there happens to it: kill switch, cancels, what is closed, the day's end.
"""

import msgspec

from manjha.domain.broker import MarginSeen
from manjha.domain.commands import AskMargin, MarginAssumed, Output, RefusalReason, Refused, SetTimer, SubmitOrder
from manjha.domain.events import MarginAnswered, MarginUnavailable, OrderCancelled
from manjha.domain.instrument import Kind
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import Cash, Qty, format_cash
from manjha.domain.orders import MANUAL, Order, OrderId, Phase, Product, Side
from manjha.engine.desk import MARGIN, Checking, Desk
from manjha.engine.handlers import orders
from manjha.engine.handlers.broker import desk_of
from manjha.engine.requests import Instead, place
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord
from manjha.orders.lifecycle import Happening
from manjha.risk.funds import spendable

WAIT_NS = SECOND_NS
"""How long the broker may take to answer. An entry that came so much later would be one on another price."""


def ask(state: EngineState, order: Order, now_ns: TsNs, out: list[Output]) -> None:
    """Ask what an entry needs that may leave from now on, where the broker can be asked and its answer says more."""
    desk = state.desk
    if desk is None or not desk.asks_margin:
        return
    sized = order.id in desk.sized
    desk.sized.discard(order.id)
    record = state.book.records[order.id]
    if not is_asked(state, order):
        _goes(desk, record.reserved)
        return
    desk.checking[order.id] = Checking(_unseen(state), is_sized=sized)
    state.book.note(record, Happening.MARGIN_ASKED, now_ns)
    out.append(AskMargin(order))
    out.append(SetTimer(f"{MARGIN}{order.id}", TsNs(now_ns + WAIT_NS)))


def is_asked(state: EngineState, order: Order) -> bool:
    """Tell whether the broker is asked about an entry.

    Not about what is paid in full: it needs its price, which we know. Not about what closes before it opens: nothing
    holds up what takes risk away. Not about a person's order, which is answered at once.
    """
    if order.origin.strategy == MANUAL or order.product is Product.CNC:
        return False
    if order.side is Side.BUY and state.instruments[order.instrument].kind is Kind.OPTION:
        return False
    return state.held_by((order.origin.strategy, order.instrument, order.product)) * int(order.side) >= 0


def _unseen(state: EngineState) -> int:
    """Return the margin of orders that have left, or may at any moment, and are not known to be at the broker."""
    governor = state.control().governor
    waiting = set() if governor is None else {one.order_id for one in governor.all_waiting()}
    return sum(
        one.reserved
        for one in state.book.open_orders()
        if one.phase is Phase.UNCONFIRMED
        or (one.phase is Phase.SENT and (one.at_broker is not None or one.order.id in waiting))
    )


def answered(state: EngineState, event: MarginAnswered, out: list[Output]) -> None:
    """Let an order go for which the money is there; else refuse it, and order what there is money for if it may be.

    An answer that comes after its order has gone, or was taken away, says nothing any more.
    """
    desk, margin = desk_of(state), event.margin
    asked = desk.checking.get(event.order_id)
    if asked is None:
        return
    record, free = state.book.records[event.order_id], margin.available - asked.ahead
    if margin.required > free:
        _too_dear(state, record, MarginSeen(margin.required, Cash(free)), event.ts_ns, out)
        return
    more = max(margin.required - record.reserved, 0)
    record.reserved += more
    state.portfolio.ledger.reserved += more
    _settled(state, record, event.ts_ns)


def unavailable(state: EngineState, event: MarginUnavailable, out: list[Output]) -> None:
    """Let an order go on our model, as the broker has not answered."""
    assume(state, event.order_id, event.reason, event.ts_ns, out)


def waited(state: EngineState, order_id: OrderId, now_ns: TsNs, out: list[Output]) -> None:
    """Let an order go on our model whose answer has not come in time."""
    assume(state, order_id, f"no answer within {WAIT_NS // SECOND_NS} s", now_ns, out)


def assume(state: EngineState, order_id: OrderId, why: str, now_ns: TsNs, out: list[Output]) -> None:
    """Let an order go on our model, and say so, where it is still waiting."""
    desk = desk_of(state)
    if order_id not in desk.checking:
        return
    record = state.book.records[order_id]
    desk.assumed[order_id] = None
    out.append(MarginAssumed(order_id, Cash(record.reserved), why, now_ns))
    _settled(state, record, now_ns)


def _settled(state: EngineState, record: OrderRecord, now_ns: TsNs) -> None:
    desk = desk_of(state)
    del desk.checking[record.order.id]
    state.book.note(record, Happening.MARGIN_SETTLED, now_ns)
    _goes(desk, record.reserved)


def _goes(desk: Desk, reserved: int) -> None:
    """Count what an order will take that no answer to a question of before can know of."""
    for order_id, one in desk.checking.items():
        desk.checking[order_id] = msgspec.structs.replace(one, ahead=one.ahead + reserved)


def _too_dear(state: EngineState, record: OrderRecord, margin: MarginSeen, now_ns: TsNs, out: list[Output]) -> None:
    """Refuse an order whose margin the account does not have; `margin.available` is what is free for it."""
    order, qty, lot = record.order, record.qty, state.instruments[record.order.instrument].lot
    smaller = 0
    if desk_of(state).checking[order.id].is_sized and margin.available > 0:
        smaller = qty * spendable(margin.available) // margin.required // lot * lot
    detail = f"the broker wants {format_cash(margin.required)}, {format_cash(margin.available)} is free there"
    if smaller:
        detail += f"; {smaller} ordered instead"
    refused = Refused(SubmitOrder(order), RefusalReason.MARGIN, detail, now_ns)
    governor = state.control().governor
    if governor is not None:
        governor.withdraw(order.id)
    state.record_refusals.append(refused)
    out.append(refused)
    orders.cancelled(state, OrderCancelled(order.id, now_ns, f"{refused.reason}: {detail}"), out)
    if smaller:
        rest = msgspec.structs.replace(order, id=state.next_order_id(), qty=Qty(smaller), decided_ns=now_ns)
        place(state, rest, out, Instead.CLOSING)

"""One path for start, crash, reconnect and every minute: what the broker shows is compared with our book.

Orders are known by tag, then by the broker's number; what is neither ours nor known is external. Fills are booked from
trades alone, each once; an order that the broker shows further than our trades stays open until they come. What cannot
be explained freezes its instrument: nothing is put right by an order that nobody asked for.
"""

from manjha.domain.broker import BrokerStatus, OrderSeen, TradeSeen
from manjha.domain.commands import Output
from manjha.domain.events import (
    BrokerRead,
    ModifyRejected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderModified,
    OrderRejected,
)
from manjha.domain.moments import TsNs
from manjha.domain.orders import OrderId, Phase
from manjha.engine.desk import CANCEL_AGAIN_NS, CANCELS_MAX, QUARANTINE_NS, READS_MIN, Desk, call, plan_poll
from manjha.engine.external import external_order, external_trade
from manjha.engine.flatten import fit_fill, look_again
from manjha.engine.freezing import freeze
from manjha.engine.handlers import orders
from manjha.engine.handlers.broker import bind, desk_of
from manjha.engine.holdings import compare
from manjha.engine.state import EngineState
from manjha.orders.book import AtBroker, OrderRecord
from manjha.orders.lifecycle import Happening
from manjha.orders.reading import LATE, Reading, fill_of, reading
from manjha.orders.sight import NOTHING_SEEN, joined, sight_of
from manjha.orders.tags import read_tag


def broker_read(state: EngineState, event: BrokerRead, out: list[Output]) -> None:
    """Take over what a read of the broker showed."""
    desk, now_ns = desk_of(state), event.ts_ns
    touched: dict[str, OrderRecord] = {}
    for seen in event.orders:
        record = _known(state, seen, now_ns, out)
        if record is None:
            external_order(state, seen, now_ns, out)
        else:
            touched[record.order.id] = record
    for trade in (*_loose(desk), *event.trades):
        record = _book_trade(state, trade, now_ns, out)
        if record is not None:
            touched[record.order.id] = record
    for order_id in (*desk.short, *(desk.changing if event.whole else ())):
        touched.setdefault(order_id, state.book.records[order_id])
    for record in touched.values():
        _settle(state, record, now_ns, out)
    if event.whole:
        _whole(state, event, out)
    look_again(state, now_ns, out)
    if desk.poll_due <= now_ns:
        desk.polls = 0
        plan_poll(desk, now_ns, out)


def _known(state: EngineState, seen: OrderSeen, now_ns: TsNs, out: list[Output]) -> OrderRecord | None:
    """Return our record of an order that the broker shows, with what is seen of it; None for one that is not ours."""
    desk = desk_of(state)
    order_id = desk.tags.get(seen.tag) or desk.numbers.get(seen.broker_id)
    if order_id is None:
        tag = read_tag(seen.tag)
        if tag is not None and seen.broker_id not in desk.external_orders:
            why = f"order {seen.broker_id} has a tag of ours, of epoch {tag.epoch}, that this journal does not know: "
            why += "another instance trades the account, or the journal is old"
            freeze(state, seen.instrument, why, now_ns, out)
        return None
    record = state.book.records[order_id]
    at = record.at_broker
    if at is None or not bind(state, record, seen.broker_id, now_ns, out):
        return None
    at.sight = joined(at.sight, sight_of(seen))
    desk.gone.pop(order_id, None)
    return record


def _loose(desk: Desk) -> list[TradeSeen]:
    """Return the trades that came before their orders, and forget them: they are put back if it is still so."""
    waiting = [trade for trades in desk.loose.values() for trade in trades]
    desk.loose.clear()
    return waiting


def _book_trade(state: EngineState, trade: TradeSeen, now_ns: TsNs, out: list[Output]) -> OrderRecord | None:
    """Book a trade once, to whom its order belongs; return our record of it."""
    desk = desk_of(state)
    if trade.id in desk.trades:
        return None
    order_id = desk.numbers.get(trade.broker_id)
    if order_id is None:
        if trade.broker_id not in desk.external_orders:
            desk.loose.setdefault(trade.broker_id, []).append(trade)
            return None
        desk.trades.add(trade.id)
        external_trade(state, trade, now_ns, out)
        return None
    desk.trades.add(trade.id)
    record = state.book.records[order_id]
    order, was = record.order, record.phase
    fill = fill_of(order, trade)
    orders.filled(state, OrderFilled(fill), out)
    fit_fill(state, fill, now_ns, out)
    if was in LATE or was is Phase.CANCELLED:
        _late(state, record, was, now_ns, out)
    return record


def _settle(state: EngineState, record: OrderRecord, now_ns: TsNs, out: list[Output]) -> None:
    """Take over what the broker says of one of our orders, once all its trades are booked."""
    desk, order, at = desk_of(state), record.order, record.at_broker
    if at is None or at.sight == NOTHING_SEEN:
        return
    found = reading(record, at.sight)
    if found.is_short:
        desk.short[order.id] = None
    else:
        desk.short.pop(order.id, None)
    if found.arrives:
        _arrived(state, record, now_ns, out)
    if found.terms is not None:
        orders.modified(state, OrderModified(order.id, now_ns, *found.terms), out)
    if found.end is not None:
        _end(state, order.id, found, now_ns, out)
    if found.is_over:
        _over(desk, record)
    elif not found.is_short:
        if at.sight.status is BrokerStatus.UNRECOGNISED:
            call(order.id, f"the broker shows a status that is not known: {at.sight.reason}", now_ns, out)
        _change_done(state, record, now_ns, out)


def _end(state: EngineState, order_id: OrderId, found: Reading, now_ns: TsNs, out: list[Output]) -> None:
    if found.end is Happening.CANCELLED:
        orders.cancelled(state, OrderCancelled(order_id, now_ns, found.reason), out)
    elif found.end is Happening.REJECTED:
        orders.rejected(state, OrderRejected(order_id, now_ns, found.reason), out)
    elif found.end is not None:
        orders.ended(state, order_id, found.end, now_ns, found.reason)


def _over(desk: Desk, record: OrderRecord) -> None:
    desk.changing.pop(record.order.id, None)


def _arrived(state: EngineState, record: OrderRecord, now_ns: TsNs, out: list[Output]) -> None:
    """Note that an order is at the broker."""
    was = record.phase
    orders.accepted(state, OrderAccepted(record.order.id, now_ns), out)
    if was in LATE:
        _late(state, record, was, now_ns, out)


def _late(state: EngineState, record: OrderRecord, was: Phase, now_ns: TsNs, out: list[Output]) -> None:
    """Adopt an order that was not expected any more: what it does counts, and what is left of it is cancelled."""
    order = record.order
    freeze(state, order.instrument, f"order {order.id} was {was} and has landed late", now_ns, out)
    if record.phase is Phase.WORKING:
        out.append(state.gate.cancel(record))


def _change_done(state: EngineState, record: OrderRecord, now_ns: TsNs, out: list[Output]) -> None:
    """See whether a cancel or new terms have come to something; ask for a cancel again, a few times."""
    desk, at = desk_of(state), record.at_broker
    if record.order.id not in desk.changing or at is None:
        return
    status = at.sight.status
    if status in (BrokerStatus.MODIFY_PENDING, BrokerStatus.CANCEL_PENDING, BrokerStatus.PENDING):
        return
    if record.asked is None and not at.is_leaving:
        desk.changing.pop(record.order.id, None)
        return
    if not at.asked_ns or now_ns < at.asked_ns + CANCEL_AGAIN_NS:
        return
    if record.asked is not None:
        asked = record.asked
        terms = (asked.qty, asked.limit, asked.trigger)
        event = ModifyRejected(record.order.id, now_ns, *terms, "the broker has kept the old terms")
        orders.modify_rejected(state, event, out)
    if not at.is_leaving:
        desk.changing.pop(record.order.id, None)
    elif at.cancels < CANCELS_MAX:
        out.append(state.gate.cancel(record))
    else:
        desk.changing.pop(record.order.id, None)
        call(record.order.id, f"{at.cancels} cancels have not taken it out of the market", now_ns, out)


# ---- a read of the whole day


def _whole(state: EngineState, event: BrokerRead, out: list[Output]) -> None:
    """Draw conclusions from what a whole and trustworthy read does not show, and compare positions."""
    desk, now_ns = desk_of(state), event.ts_ns
    if event.missing:
        call("the broker's order book", f"{event.missing} orders of today are gone from it: not trusted", now_ns, out)
        return
    for order_id in list(desk.unconfirmed):
        _look_for(state, state.book.records[order_id], now_ns, out)
    if event.positions is not None and compare(state, event.positions, now_ns, out):
        desk.is_compared = desk.was_compared = True
        desk.remind_due = 0
        state.gate.reopen("")


def _look_for(state: EngineState, record: OrderRecord, now_ns: TsNs, out: list[Output]) -> None:
    """Write an unconfirmed order off that was not found for long enough; its tag stays watched."""
    at: AtBroker | None = record.at_broker
    if at is None:
        return
    at.absent = absences(at.uncertain_ns, at.absent, now_ns)
    if at.absent >= READS_MIN:
        desk_of(state).unconfirmed.pop(record.order.id, None)
        orders.ended(state, record.order.id, Happening.WRITTEN_OFF, now_ns, "not found at the broker")
        call(record.order.id, "written off: not found at the broker; it is watched to the day's end", now_ns, out)


def absences(uncertain_ns: int, absent: int, now_ns: int) -> int:
    """Return how many trustworthy reads have not shown an order, with this one, since it was looked for long enough."""
    return absent if now_ns - uncertain_ns < QUARANTINE_NS else absent + 1

"""Sending has ended this way or that, links break, a process begins: what that makes of our orders."""

from manjha.domain.broker import Outcome, OutcomeUnknown, Sent, Turned, Unsent
from manjha.domain.commands import Approved, CancelOrder, Output, RefusalReason, SetTimer, SubmitOrder
from manjha.domain.errors import InvariantBroken
from manjha.domain.events import (
    AccountTaken,
    BrokerRead,
    ChangeAnswered,
    DifferenceAccepted,
    Event,
    KillSwitched,
    LinkLost,
    ModifyRejected,
    OrderAccepted,
    OrderRejected,
    SendVetoed,
    SubmitAnswered,
)
from manjha.domain.moments import SECOND_NS, TradingDay, TsNs
from manjha.domain.orders import OrderId, Phase
from manjha.engine import desk as desks
from manjha.engine import legs
from manjha.engine.desk import Desk, ask, ask_again, call, plan_check
from manjha.engine.exits import protect_again, unprotected
from manjha.engine.flatten import FLATTEN, look_again
from manjha.engine.freezing import freeze, thaw
from manjha.engine.handlers.orders import accepted, ended, modify_rejected, rejected
from manjha.engine.skipped import skipped_fired
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord
from manjha.orders.lifecycle import Happening

_BROKERS = (AccountTaken, BrokerRead, ChangeAnswered, KillSwitched, OrderRejected, SendVetoed, SubmitAnswered)


def desk_of(state: EngineState) -> Desk:
    """Return the desk. Raises `InvariantBroken` where no run has begun at a broker."""
    if state.desk is None:
        raise InvariantBroken("the broker answers a run that did not begin with AccountTaken")
    return state.desk


def account_taken(state: EngineState, event: AccountTaken, out: list[Output]) -> None:
    """Take the account over: what was sent without an answer is unconfirmed, nothing is compared."""
    if state.desk is None:
        state.desk = Desk()
    desk = state.desk
    if event.epoch <= desk.epoch:
        raise InvariantBroken(f"a run began in epoch {event.epoch}, after one in epoch {desk.epoch}")
    desk.run, desk.epoch, desk.number = event.run, event.epoch, 0
    desk.asks_margin = event.asks_margin
    # Timers of an earlier process died with it.
    desk.poll_due = desk.check_due = desk.look_due = 0
    state.gate.tags = desk.tag_for
    for record in state.book.open_orders():
        if record.phase is Phase.SENT and record.at_broker is None:
            # It waits for its turn: nothing of it has left.
            continue
        if record.phase is Phase.SENT:
            uncertain(state, record, event.ts_ns, "the process ended before the outcome was known")
        elif record.phase is Phase.UNCONFIRMED and record.at_broker is not None:
            # How long it was looked for meanwhile nobody knows: the quarantine begins again.
            record.at_broker.uncertain_ns, record.at_broker.absent = event.ts_ns, 0
    for order_id in desk.changing:
        _asked(state.book.records[order_id], event.ts_ns)
    if state.sagas:
        legs.account_taken(state, event.ts_ns, out)
    desk.unprotected.clear()
    desk.in_flight.clear()
    doubt(state, "the run begins", event.ts_ns, out)
    plan_check(desk, event.ts_ns, out)


def new_day(state: EngineState, day: TradingDay, now_ns: TsNs, out: list[Output]) -> None:
    """Forget yesterday's book at the broker: what was in doubt there ended with its day, and numbers begin anew."""
    desk = desk_of(state)
    if day == desk.day:
        return
    # Loaded where there is a new day at a broker: it needs the handlers, which need this one.
    from manjha.engine.overnight import end_day

    has_unseen = end_day(state, desk, now_ns)
    desk.day = day
    closes = [max(rules.close_ns, rules.auction_end_ns) for rules in state.gate.today.values()]
    desk.until_ns = max(closes, default=now_ns) + desks.AFTER_CLOSE_NS
    plan_check(desk, now_ns, out)
    for order_id in list(desk.unconfirmed):
        ended(state, order_id, Happening.WRITTEN_OFF, now_ns, "not found at the broker before its day ended")
        call(order_id, "written off: its day ended before it was found", now_ns, out)
    for order_id in desk.short:
        why = f"trades of order {order_id} that the broker spoke of have not come by the day's end"
        freeze(state, state.book.records[order_id].order.instrument, why, now_ns, out)
    desk.unconfirmed.clear()
    desk.changing.clear()
    desk.short.clear()
    desk.trades.clear()
    desk.loose.clear()
    desk.external_orders.clear()
    if has_unseen:
        doubt(state, "what became of the day before was not seen to its end", now_ns, out)


def doubt(state: EngineState, why: str, now_ns: int, out: list[Output]) -> None:
    """Let nothing that adds risk go until the books are compared again."""
    desk = desk_of(state)
    desk.is_compared = False
    state.gate.close("", RefusalReason.NOT_RECONCILED, why)
    ask(desk, why, now_ns, out)


def link_lost(state: EngineState, event: LinkLost, out: list[Output]) -> None:
    """Doubt everything: what the broker said meanwhile is not known."""
    doubt(state, f"{event.link}: {event.reason}", event.ts_ns, out)


def uncertain(state: EngineState, record: OrderRecord, now_ns: int, reason: str) -> None:
    """Note that nobody knows whether an order is at the broker; its exposure stays counted."""
    desk, was = desk_of(state), record.phase
    state.book.note(record, Happening.UNCERTAIN, TsNs(now_ns), reason)
    if record.phase is Phase.UNCONFIRMED and was is not Phase.UNCONFIRMED and record.at_broker is not None:
        record.at_broker.uncertain_ns, record.at_broker.absent = now_ns, 0
        desk.unconfirmed[record.order.id] = None


def submit_answered(state: EngineState, event: SubmitAnswered, out: list[Output]) -> None:
    """Note how sending an order ended."""
    desk, record, outcome = desk_of(state), _record(state, event.order_id), event.outcome
    desk.in_flight.discard(event.order_id)
    match outcome:
        case Sent(broker_id=broker_id):
            bind(state, record, broker_id, event.ts_ns, out)
            if record.phase in (Phase.SENT, Phase.UNCONFIRMED):
                accepted(state, OrderAccepted(event.order_id, event.ts_ns), out)
        case Unsent(reason=reason):
            _unsent(state, record, reason, event.ts_ns, out)
        case Turned(reason=reason, is_session=is_session):
            if record.at_broker is not None and record.at_broker.broker_id:
                # It is there: what was seen is believed, not what the answer says.
                call(event.order_id, f"refused ({reason}), but the broker shows it", event.ts_ns, out)
            else:
                rejected(state, OrderRejected(event.order_id, event.ts_ns, reason), out)
                desk.unconfirmed.pop(event.order_id, None)
                _protection_failed(state, record, reason, event.ts_ns, out)
            if is_session:
                doubt(state, f"the broker's session: {reason}", event.ts_ns, out)
        case OutcomeUnknown(reason=reason):
            uncertain(state, record, event.ts_ns, reason)
            if record.phase is Phase.UNCONFIRMED:
                ask(desk, f"order {event.order_id} is unconfirmed: {reason}", event.ts_ns, out)


def change_answered(state: EngineState, event: ChangeAnswered, out: list[Output]) -> None:
    """Note how sending a cancel or new terms ended; only a read says whether they are done."""
    record = _record(state, event.order_id)
    desk_of(state).in_flight.discard(event.order_id)
    _asked(record, event.ts_ns)
    if event.is_cancel:
        ask(desk_of(state), f"a cancel of order {event.order_id} was {_in_words(event.outcome)}", event.ts_ns, out)
    elif isinstance(event.outcome, Unsent | Turned):
        _terms_refused(state, record, event.outcome.reason, event.ts_ns, out)
        ask(desk_of(state), f"new terms of order {event.order_id} were refused", event.ts_ns, out)
    else:
        words = _in_words(event.outcome)
        ask(desk_of(state), f"new terms of order {event.order_id} were {words}", event.ts_ns, out)


def vetoed(state: EngineState, event: SendVetoed, out: list[Output]) -> None:
    """Note that a command did not go out."""
    record = _record(state, event.order_id)
    desk_of(state).in_flight.discard(event.order_id)
    if event.is_order:
        _unsent(state, record, event.reason, event.ts_ns, out)
    else:
        _asked(record, event.ts_ns)
        if event.is_cancel and record.at_broker is not None:
            record.at_broker.cancels -= 1
        else:
            _terms_refused(state, record, event.reason, event.ts_ns, out)
        ask(desk_of(state), f"order {event.order_id}: {event.reason}", event.ts_ns, out)


def difference_accepted(state: EngineState, event: DifferenceAccepted, out: list[Output]) -> None:
    """Thaw an instrument; the next comparison takes what is there as external."""
    desk = desk_of(state)
    thaw(state, event.instrument)
    desk.thawed[event.instrument] = None
    ask(desk, f"{event.by} has accepted {event.instrument}", event.ts_ns, out)


def bind(state: EngineState, record: OrderRecord, broker_id: str, now_ns: int, out: list[Output]) -> bool:
    """Remember the broker's number of an order; False where it has another one already: an intent is one order."""
    desk, at = desk_of(state), record.at_broker
    if at is None:
        raise InvariantBroken(f"order {record.order.id} was sent without a tag")
    if at.broker_id and at.broker_id != broker_id:
        freeze(state, record.order.instrument, f"two orders of one intent, {at.broker_id} and {broker_id}", now_ns, out)
        return False
    at.broker_id = broker_id
    desk.numbers[broker_id] = record.order.id
    desk.unconfirmed.pop(record.order.id, None)
    return True


def guard(state: EngineState, now_ns: int, out: list[Output]) -> None:
    """See that whatever should protect a position and does not is tried again soon."""
    desk = desk_of(state)
    for entry_id in unprotected(state, now_ns):
        if entry_id not in desk.unprotected:
            desk.unprotected[entry_id] = None
            out.append(SetTimer(f"{desks.PROTECT}:{entry_id}", TsNs(now_ns + SECOND_NS)))


def note_outputs(state: EngineState, event: Event, out: list[Output]) -> None:
    """After a step: see to protection, give what leaves its tag, and remember which commands are on their way."""
    desk = desk_of(state)
    if isinstance(event, _BROKERS):
        guard(state, event.ts_ns, out)
    for at, output in enumerate(out):
        if not isinstance(output, Approved):
            continue
        if isinstance(output.command, SubmitOrder):
            out[at] = state.gate.leaves(output)
            desk.in_flight.add(output.command.order.id)
        else:
            record = state.book.records[output.command.order_id]
            desk.in_flight.add(record.order.id)
            if record.at_broker is not None:
                desk.changing[record.order.id] = None
                record.at_broker.asked_ns = 0
                if isinstance(output.command, CancelOrder):
                    record.at_broker.is_leaving = True
                    record.at_broker.cancels += 1


def timer_fired(state: EngineState, key: str, now_ns: TsNs, out: list[Output]) -> None:
    """Ask again, compare again, or place protection again, whose timer has come due."""
    desk = desk_of(state)
    if key == desks.POLL:
        ask_again(desk, now_ns, out)
    elif key == FLATTEN:
        look_again(state, now_ns, out)
    elif key.startswith(desks.MARGIN):
        # Loaded where a broker is asked: it needs the requests, which need this one.
        from manjha.engine.margins import waited

        waited(state, OrderId(key.removeprefix(desks.MARGIN)), now_ns, out)
    elif key.startswith(desks.SKIPPED):
        skipped_fired(state, OrderId(key.removeprefix(desks.SKIPPED)), now_ns, out)
    elif key == desks.CHECK:
        ask(desk, "a comparison is due", now_ns, out)
        if any(now_ns < rules.close_ns for rules in state.gate.today.values()):
            plan_check(desk, now_ns, out)
    else:
        protect_again(state, OrderId(key.removeprefix(desks.PROTECT + ":")), now_ns, out)


def _asked(record: OrderRecord, now_ns: int) -> None:
    if record.at_broker is not None:
        record.at_broker.asked_ns = now_ns


def _in_words(outcome: Outcome) -> str:
    match outcome:
        case Sent():
            return "sent"
        case Unsent(reason=reason):
            return f"not sent ({reason})"
        case Turned(reason=reason):
            return f"refused ({reason})"
        case OutcomeUnknown(reason=reason):
            return f"sent with an unknown outcome ({reason})"


def _unsent(state: EngineState, record: OrderRecord, reason: str, now_ns: TsNs, out: list[Output]) -> None:
    ended(state, record.order.id, Happening.UNSENT, now_ns, reason)
    desk_of(state).unconfirmed.pop(record.order.id, None)
    _protection_failed(state, record, reason, now_ns, out)


def _protection_failed(state: EngineState, record: OrderRecord, why: str, now_ns: TsNs, out: list[Output]) -> None:
    """Tell a person; `guard` sees to it that it is tried again."""
    entry_id = record.order.group
    if entry_id is not None and entry_id in state.protections:
        call(record.order.instrument, f"protection did not reach the exchange: {why}", now_ns, out)


def _terms_refused(state: EngineState, record: OrderRecord, reason: str, now_ns: TsNs, out: list[Output]) -> None:
    asked = record.asked
    if asked is not None:
        terms = (asked.qty, asked.limit, asked.trigger)
        modify_rejected(state, ModifyRejected(record.order.id, now_ns, *terms, reason), out)


def _record(state: EngineState, order_id: OrderId) -> OrderRecord:
    try:
        return state.book.records[order_id]
    except KeyError:
        raise InvariantBroken(f"an answer to order {order_id}, which we did not send") from None

"""Groups of legs, carried through: what is bought first, then what is sold; all of it closed where one leg fails.

`follow` looks at what there is and sends what is missing, whatever has happened before; so a restart, a lost message or
a fill that came late need no path of their own. It never closes a leg while an order of it is open, which could trade
as well: a leg is not closed twice.
"""

from collections.abc import Iterable

from manjha.domain.commands import Output, SetTimer
from manjha.domain.errors import InvariantBroken
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs, day_of
from manjha.domain.money import Px, Qty
from manjha.domain.orders import GroupPhase, Order, OrderType, Phase, Product, Purpose
from manjha.engine.desk import BACKOFF, CANCEL_AGAIN_NS, CANCELS_MAX, call
from manjha.engine.exits import forget
from manjha.engine.groups import End, id_of, note, open_orders
from manjha.engine.requests import MarketWish, market, place
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord
from manjha.orders.legs import LEAVING, ON_THE_WAY, OVER, LegState, Saga, Turn, combined_exit, is_back_at_cost
from manjha.orders.lifecycle import OPEN_PHASES
from manjha.orders.planning import slices

LEGS_TIMER = "legs:"
"""Prefix of the timers of groups; what for and the group's id follow."""
_LATE, _EXIT, _EXPIRY, _RETRY = (f"{LEGS_TIMER}{what}:" for what in ("late", "exit", "expiry", "retry"))
CLOSES_MAX = 3
"""Closes of a leg that fail before a person is called; they are tried again until they succeed."""
TURNS_MAX = 100
"""Bound of what one event can bring about in one group."""


def follow(state: EngineState, now_ns: TsNs, out: list[Output]) -> None:
    """See what each living group needs now, and send it. Called at the end of a step."""
    for saga in list(state.sagas.values()):
        for _ in range(TURNS_MAX):
            if not _turn(state, saga, now_ns, out):
                break
        else:
            raise InvariantBroken(f"group {saga.id} does not come to rest in phase {saga.phase}")
        if saga.phase in OVER:
            del state.sagas[saga.id]


def _turn(state: EngineState, saga: Saga, now_ns: TsNs, out: list[Output]) -> bool:
    """Do the next thing; tell whether there may be another."""
    if saga.phase in ON_THE_WAY:
        return _enter(state, saga, now_ns, out)
    if saga.phase in LEAVING:
        return _leave(state, saga, now_ns, out)
    return saga.phase is GroupPhase.HELD and _hold(state, saga, now_ns, out)


# ---- in


def _enter(state: EngineState, saga: Saga, now_ns: TsNs, out: list[Output]) -> bool:
    failure = next((why for leg in saga.legs if (why := _failure(state, leg))), "")
    if saga.has_lost_hedge:
        failure = failure or "a bought leg has gone while others were being opened"
    if failure:
        note(state, saga, End(Turn.FAILED, failure), now_ns, out)
    elif all(leg.entered == leg.target for leg in saga.legs):
        note(state, saga, End(Turn.FILLED), now_ns, out)
        saga.deadline_ns = 0
    elif saga.phase is GroupPhase.HEDGING and all(leg.entered == leg.target for leg in saga.legs if leg.is_bought):
        note(state, saga, End(Turn.HEDGED), now_ns, out)
        _set_deadline(state, saga, now_ns, out)
    else:
        return _send_legs(state, saga, now_ns, out)
    return True


def _failure(state: EngineState, leg: LegState) -> str:
    """Say why a leg will not fill in full; empty while it may."""
    name = state.instruments[leg.leg.instrument].display
    if leg.refused:
        return f"{name} was refused: {leg.refused}"
    for order_id in leg.entries:
        record = state.book.records[order_id]
        if record.phase not in OPEN_PHASES and record.filled < record.order.qty:
            return f"{name} was {record.phase} at {record.filled} of {record.order.qty}: {record.reason}".rstrip(": ")
    return ""


def _send_legs(state: EngineState, saga: Saga, now_ns: TsNs, out: list[Output]) -> bool:
    """Order what belongs to the phase and was not ordered; a hedge that is held waits while books are not compared."""
    if _is_in_doubt(state) and any(leg.held for leg in saga.legs):
        return False
    hedging = saga.phase is GroupPhase.HEDGING
    legs = [leg for leg in saga.legs if not leg.entries and leg.entered < leg.target and (leg.is_bought or not hedging)]
    if legs and not saga.deadline_ns:
        _begin_timers(state, saga, now_ns, out)
    for leg in legs:
        _send_leg(state, saga, leg, now_ns, out)
        if leg.refused:
            break
    return bool(legs)


def _send_leg(state: EngineState, saga: Saga, leg: LegState, now_ns: TsNs, out: list[Output]) -> None:
    """Order a leg in slices; the first one that is refused ends it."""
    instrument, wanted = state.instruments[leg.leg.instrument], leg.leg
    most = state.setup.limits.slices_max
    for part in slices(leg.target, instrument.freeze, instrument.lot, most) or (Qty(leg.target),):
        order = Order(
            state.next_order_id(), state.origin, wanted.instrument, wanted.side, part,
            OrderType.LIMIT if wanted.limit else OrderType.MARKET, saga.product, now_ns, wanted.limit,
            exits=wanted.exits, group=saga.id, tag=saga.group.tag,
        )  # fmt: skip
        refusals = len(state.record_refusals)
        if not place(state, order, out):
            leg.refused = str(state.record_refusals[refusals].reason)
            return
        leg.entries.append(order.id)


def _is_in_doubt(state: EngineState) -> bool:
    return state.desk is not None and not state.desk.is_compared


def _begin_timers(state: EngineState, saga: Saga, now_ns: TsNs, out: list[Output]) -> None:
    _set_deadline(state, saga, now_ns, out)
    _plan_expiry(state, saga, now_ns, out)
    combined = saga.group.combined
    if combined is not None and combined.exit_ns:
        out.append(SetTimer(_EXIT + saga.id, TsNs(max(combined.exit_ns, now_ns))))


def _set_deadline(state: EngineState, saga: Saga, now_ns: TsNs, out: list[Output]) -> None:
    """Let what is ordered now fill until then; outside the session the time begins with the next one."""
    saga.deadline_ns = 0
    if all(_in_session(state, leg.leg.instrument, now_ns) for leg in saga.legs):
        saga.deadline_ns = now_ns + saga.group.patience_ns
        out.append(SetTimer(_LATE + saga.id, TsNs(saga.deadline_ns)))


def _in_session(state: EngineState, instrument: InstrumentId, now_ns: int) -> bool:
    today = state.gate.today.get(instrument)
    return today is not None and now_ns < (today.auction_end_ns or today.close_ns)


# ---- held


def _hold(state: EngineState, saga: Saga, now_ns: TsNs, out: list[Output]) -> bool:
    if saga.has_lost_hedge:
        note(state, saga, End(Turn.ENDING, "a bought leg has gone while sold ones were held"), now_ns, out)
        return True
    if any(leg.held < 0 for leg in saga.legs):
        note(state, saga, End(Turn.ENDING, "more of a leg was closed than was held"), now_ns, out)
        return True
    if any(leg.held or _may_come_back(saga, leg) or open_orders(state, saga, leg) for leg in saga.legs):
        return False
    note(state, saga, End(Turn.FLAT), now_ns, out)
    return True


def judge(state: EngineState, now_ns: TsNs, out: list[Output]) -> None:
    """At a close: end the groups whose combined exit is reached, and open stopped legs again."""
    for saga in list(state.sagas.values()):
        if saga.phase not in (GroupPhase.HELD, GroupPhase.REENTERING):
            continue
        found = combined_exit(saga, saga.profit(state.marks))
        if found is not None:
            purpose, reason = found
            note(state, saga, End(Turn.ENDING, reason, purpose), now_ns, out)
            continue
        hedged = not saga.group.hedge_first or all(leg.held == leg.target for leg in saga.legs if leg.is_bought)
        for leg in saga.legs:
            px = state.marks[leg.leg.instrument]
            if (hedged or leg.is_bought) and _comes_back(state, saga, leg, px, now_ns):
                leg.open_again()
                saga.deadline_ns = 0
                note(state, saga, End(Turn.REENTRY), now_ns, out)


def _may_come_back(saga: Saga, leg: LegState) -> bool:
    return leg.stopped and leg.held == 0 and leg.reentered < saga.group.reentries


def _comes_back(state: EngineState, saga: Saga, leg: LegState, px: Px | int, now_ns: int) -> bool:
    if not _may_come_back(saga, leg) or _is_in_doubt(state) or not is_back_at_cost(leg, Px(px)):
        return False
    exits = leg.leg.exits
    late = exits is not None and 0 < exits.exit_ns <= now_ns
    return not late and not open_orders(state, saga, leg)


# ---- out


def _leave(state: EngineState, saga: Saga, now_ns: TsNs, out: list[Output]) -> bool:
    """Cancel what is open, then close what is held: what was sold before what was bought."""
    for entry_id, protection in list(state.protections.items()):
        if protection.entry.group == saga.id:
            forget(state, entry_id)
    busy = [record for leg in saga.legs for record in open_orders(state, saga, leg)]
    _cancel(state, saga, busy, now_ns, out)
    if saga.group.hedge_first:
        sides = [[leg for leg in saga.legs if not leg.is_bought], [leg for leg in saga.legs if leg.is_bought]]
    else:
        sides = [saga.legs]
    for legs in sides:
        left = [leg for leg in legs if leg.held or open_orders(state, saga, leg)]
        if left:
            return _close(state, saga, left, now_ns, out)
    if busy:
        return False
    note(state, saga, End(Turn.FLAT), now_ns, out)
    return True


def _cancel(state: EngineState, saga: Saga, records: Iterable[OrderRecord], now_ns: TsNs, out: list[Output]) -> None:
    """Cancel what rests, again where it stays; what was only sent when it is answered; what is in doubt is awaited."""
    for record in records:
        order, at = record.order, record.at_broker
        if record.phase is not Phase.WORKING or _closes(saga, order):
            continue
        if order.id in saga.leaving and (at is None or now_ns < saga.leaving[order.id] + CANCEL_AGAIN_NS):
            continue
        saga.leaving[order.id] = now_ns
        out.append(state.gate.cancel(record))
        if at is not None:
            out.append(SetTimer(_RETRY + saga.id, TsNs(now_ns + CANCEL_AGAIN_NS)))
            if at.cancels == CANCELS_MAX:
                call(saga.id, f"{CANCELS_MAX} cancels have not taken order {order.id} out of the market", now_ns, out)


def _closes(saga: Saga, order: Order) -> bool:
    return order.group == saga.id and order.purpose is not Purpose.SIGNAL


def _close(state: EngineState, saga: Saga, legs: list[LegState], now_ns: TsNs, out: list[Output]) -> bool:
    """Order the close of legs that have no open order; tell whether anything was ordered."""
    done = False
    for leg in legs:
        if not leg.held or open_orders(state, saga, leg):
            continue
        if leg.is_closing:
            leg.is_closing = False
            _close_failed(state, saga, leg, now_ns, out)
        if now_ns < saga.retry_ns:
            continue
        leg.is_closing = done = True
        wish = MarketWish(-int(leg.leg.side) * leg.held, saga.product, saga.purpose, saga.group.tag, saga.id)
        market(state, state.instruments[leg.leg.instrument], wish, now_ns, out)
    return done


def _close_failed(state: EngineState, saga: Saga, leg: LegState, now_ns: TsNs, out: list[Output]) -> None:
    """Wait before a close is tried again: some seconds, or for the next session."""
    wait = BACKOFF[min(saga.failures, len(BACKOFF) - 1)]
    saga.failures += 1
    saga.retry_ns = now_ns + wait
    if _in_session(state, leg.leg.instrument, saga.retry_ns):
        out.append(SetTimer(_RETRY + saga.id, TsNs(saga.retry_ns)))
    else:
        # Until `open_day` lets it try again.
        saga.retry_ns = 2**63 - 1
    if saga.failures == CLOSES_MAX:
        name = state.instruments[leg.leg.instrument].display
        call(saga.id, f"{CLOSES_MAX} orders that close {leg.held} of {name} have failed", now_ns, out)


# ---- moments


def timer_fired(state: EngineState, key: str, now_ns: TsNs, out: list[Output]) -> None:
    """See to what a group's timer was set for; `follow` does the rest."""
    saga = state.sagas.get(id_of(key))
    if saga is None:
        return
    if key.startswith(_LATE):
        _late(state, saga, now_ns, out)
    elif key.startswith(_EXIT):
        note(state, saga, End(Turn.ENDING, "its time is over", Purpose.TIME_EXIT), now_ns, out)
    elif key.startswith(_EXPIRY) and saga.expiry_ns and saga.expiry_ns <= now_ns:
        note(state, saga, End(Turn.ENDING, "a leg expires today"), now_ns, out)


def _late(state: EngineState, saga: Saga, now_ns: TsNs, out: list[Output]) -> None:
    """End the attempt to open legs that have taken too long; while an order is unconfirmed, wait for its evidence."""
    if saga.phase not in ON_THE_WAY or not 0 < saga.deadline_ns <= now_ns:
        return
    busy = [record for leg in saga.legs for record in open_orders(state, saga, leg)]
    if any(record.phase is Phase.UNCONFIRMED for record in busy):
        _set_deadline(state, saga, now_ns, out)
        return
    waited = saga.group.patience_ns // SECOND_NS
    note(state, saga, End(Turn.FAILED, f"not every leg has filled within {waited} seconds"), now_ns, out)


def open_day(state: EngineState, now_ns: TsNs, out: list[Output]) -> None:
    """Begin a day: deadlines begin that waited for it, closes that failed are tried again, expiry is planned."""
    for saga in state.sagas.values():
        saga.failures = saga.retry_ns = saga.expiry_ns = 0
        if saga.phase in ON_THE_WAY:
            _set_deadline(state, saga, now_ns, out)
        if saga.product is Product.MIS and any(leg.held for leg in saga.legs):
            note(state, saga, End(Turn.ENDING, "it was held over night", Purpose.SQUARE_OFF), now_ns, out)
        _plan_expiry(state, saga, now_ns, out)


def _plan_expiry(state: EngineState, saga: Saga, now_ns: TsNs, out: list[Output]) -> None:
    """Plan the end of a group of which a leg expires today, at that leg's square-off time."""
    today = day_of(now_ns)
    moments = [
        state.gate.today[leg.leg.instrument].square_off_ns
        for leg in saga.legs
        if state.instruments[leg.leg.instrument].expiry == today and leg.leg.instrument in state.gate.today
    ]
    if moments:
        saga.expiry_ns = max(min(moments), now_ns)
        out.append(SetTimer(_EXPIRY + saga.id, TsNs(saga.expiry_ns)))


def square_off(state: EngineState, now_ns: TsNs, out: list[Output]) -> None:
    """End intraday groups of which a leg's square-off time has come."""
    for saga in state.sagas.values():
        rules = [state.gate.today.get(leg.leg.instrument) for leg in saga.legs]
        if saga.product is Product.MIS and any(each is not None and each.square_off_ns <= now_ns for each in rules):
            note(state, saga, End(Turn.ENDING, "square-off", Purpose.SQUARE_OFF), now_ns, out)


def account_taken(state: EngineState, now_ns: TsNs, out: list[Output]) -> None:
    """Give legs that were on their way when a process ended the time again that they had; reads show their orders."""
    for saga in state.sagas.values():
        saga.failures = saga.retry_ns = 0
        if saga.phase in ON_THE_WAY and saga.deadline_ns:
            _set_deadline(state, saga, now_ns, out)

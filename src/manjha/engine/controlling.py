"""After each step of a run with controls: commands leave in turn, and who must know is told what the controls did."""

from typing import Any

from manjha.domain.commands import (
    Approved,
    CancelOrder,
    ModifyOrder,
    Output,
    RefusalReason,
    Refused,
    SetTimer,
    SubmitOrder,
)
from manjha.domain.events import OrderCancelled, SessionOpened
from manjha.domain.kill import KillLevel, level_name
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.orders import OrderId
from manjha.engine import margins
from manjha.engine.desk import call
from manjha.engine.handlers import broker, orders
from manjha.engine.learning import gains, look_at_profits
from manjha.engine.requests import RATE_TIMER
from manjha.engine.state import EngineState
from manjha.market.bands import band
from manjha.orders.lifecycle import OPEN_PHASES
from manjha.risk.checks import Refusal
from manjha.risk.controlled_gate import ControlledGate
from manjha.risk.controls import Controls
from manjha.risk.governor import CANCEL, ENTRY, EXIT, NEVER, Command, Governor, Waiting


def settle(state: EngineState, controls: Controls, now_ns: TsNs, out: list[Output]) -> None:
    """Leave in `out` what may leave after an event: cancels that an exit needs come first, all else in its turn."""
    if controls.to_cancel:
        _make_room(state, controls, out)
    if controls.governor is not None:
        _in_turn(state, controls, controls.governor, now_ns, out)
    elif len(out) > 1:
        _once(out)
    for trip in controls.trips:
        out.append(trip)
        if state.desk is not None and not trip.until_ns:
            # Pauses that end by themselves are the everyday business of protections, and call nobody.
            level = f", level {level_name(trip.level)}" if trip.level is not KillLevel.OFF else ""
            call(trip.scope.display, f"{trip.control}{level}: {trip.detail}", now_ns, out)
    controls.trips.clear()


def _make_room(state: EngineState, controls: Controls, out: list[Output]) -> None:
    """Cancel what an exit would meet, before the exit; what was placed in this very step, right after it was placed."""
    for record in controls.to_cancel:
        if record.order.id not in controls.cancels_asked:
            placed = (at for at, output in enumerate(out) if _places(output, record.order.id))
            out.insert(next(placed, -1) + 1, state.gate.cancel(record))
    controls.to_cancel.clear()


def _once(out: list[Output]) -> None:
    """Let an order be cancelled once in a step: a kill level and what closes the position may both ask for it."""
    asked, left = set[OrderId](), list[Output]()
    for output in out:
        if isinstance(output, Approved) and isinstance(output.command, CancelOrder):
            if output.command.order_id in asked:
                continue
            asked.add(output.command.order_id)
        left.append(output)
    out[:] = left


def _places(output: Output, order_id: OrderId) -> bool:
    is_order = isinstance(output, Approved) and isinstance(output.command, SubmitOrder)
    return is_order and output.command.order.id == order_id  # type: ignore[union-attr]


def look_at_close(state: EngineState, controls: Controls, out: list[Output]) -> None:
    """Look at the prices of a close and at the day's profit, before the strategy decides on it."""
    for instrument in state.marks:
        px = state.marks.get(instrument)
        if px is not None:
            controls.watch(state.instruments[instrument], px)
    look_at_profits(state, controls, TsNs(state.timeline.close_ns[state.reached - 1]), out)


def begin_day(state: EngineState, controls: Controls, event: SessionOpened, out: list[Output]) -> None:
    """Begin the controls' day, before anything is placed in it."""
    for instrument, fraction in state.setup.bands.items():
        px = state.marks.get(instrument, 0)
        if px:
            controls.bands[instrument] = band(px, fraction, state.instruments[instrument].tick)
    strategies = dict.fromkeys(rule.strategy for rule in controls.limits.profit if rule.strategy)
    open_ids = [record.order.id for record in state.book.open_orders()]
    controls.open_day(event.ts_ns, open_ids, {strategy: gains(state, strategy) for strategy in strategies})
    if controls.governor is not None:
        why = Refusal(RefusalReason.RATE, "the day it was for is over")
        for waiting in controls.governor.open_day(is_counted=controls.carried_for == event.day):
            _drop(state, waiting, why, event.ts_ns, out)


# ---- leaving in turn


def _in_turn(state: EngineState, controls: Controls, governor: Governor, now_ns: TsNs, out: list[Output]) -> None:
    """Hand the commands of a step to the governor and put in `out` what may leave; a timer sees to the rest."""
    commands = [output for output in out if isinstance(output, Approved)]
    if not commands and not any(governor.waiting):
        governor.told(now_ns)
        return
    waited = list(governor.all_waiting())
    out[:] = [output for output in out if not isinstance(output, Approved)]
    for command in commands:
        _offer(state, controls, governor, command, now_ns, out)
    for waiting in governor.expired(now_ns):
        why = Refusal(RefusalReason.RATE, f"it waited {(now_ns - waiting.since_ns) // SECOND_NS} s")
        _drop(state, waiting, why, now_ns, out)
    _drop_forbidden(state, governor, waited, now_ns, out)
    if controls.levels or controls.tripped:
        _drop_forbidden(state, governor, list(governor.all_waiting()), now_ns, out, kill_only=True)
    busy = _busy(state)
    out.extend(governor.released(now_ns, lambda order_id: _is_open(state, order_id), busy))
    next_ns = governor.next_ns(busy or frozenset())
    if next_ns == NEVER or governor.now_ns < governor.timer_ns <= next_ns:
        return
    governor.timer_ns = max(next_ns, governor.now_ns + 1)
    out.append(SetTimer(RATE_TIMER, TsNs(governor.timer_ns)))


def _busy(state: EngineState) -> set[OrderId] | None:
    """Return the orders of which nothing may leave now: on their way, or waiting for what the broker says they need."""
    desk = state.desk
    if desk is None:
        return None
    return {*desk.in_flight, *desk.checking} if desk.checking else desk.in_flight


def _offer(
    state: EngineState, controls: Controls, governor: Governor, command: Command, now_ns: TsNs, out: list[Output]
) -> None:
    found = command.command
    if isinstance(found, CancelOrder):
        if governor.has_cancel(found.order_id):
            return
        for one in governor.withdraw(found.order_id):
            if isinstance(one.command.command, SubmitOrder):
                # It never left, so there is nothing to cancel.
                orders.cancelled(state, OrderCancelled(found.order_id, now_ns, "it had not been sent"), out)
                return
            _forget_terms(state, one)
        governor.offer(command, CANCEL, _segment(state, found.order_id), now_ns)
        return
    order_id = found.order.id if isinstance(found, SubmitOrder) else found.order_id
    rank = ENTRY if order_id in controls.entry_ids else EXIT
    if isinstance(found, SubmitOrder) and rank == ENTRY:
        margins.ask(state, found.order, now_ns, out)
    governor.offer(command, rank, _segment(state, order_id), now_ns)


def _drop_forbidden(
    state: EngineState,
    governor: Governor,
    found: list[Waiting],
    now_ns: TsNs,
    out: list[Output],
    *,
    kill_only: bool = False,
) -> None:
    """Drop what has waited and may no longer go: what was approved then is asked about again before it leaves."""
    gate = state.gate
    if not isinstance(gate, ControlledGate):
        return
    for waiting in found:
        command: Any = waiting.command.command
        if isinstance(command, CancelOrder):
            continue
        why = gate.objection(command, now_ns, kill_only=kill_only)
        if why is not None and governor.drop(waiting):
            _drop(state, waiting, Refusal(why.reason, f"{why.detail}, while it waited".lstrip(", ")), now_ns, out)


def _drop(state: EngineState, waiting: Waiting, why: Refusal, now_ns: TsNs, out: list[Output]) -> None:
    """Refuse what waited in vain, and free what was held for it."""
    found = waiting.command.command
    if not _is_open(state, waiting.order_id):
        return
    refused = Refused(found, why.reason, why.detail, now_ns)
    state.record_refusals.append(refused)
    out.append(refused)
    if isinstance(found, SubmitOrder):
        orders.cancelled(state, OrderCancelled(found.order.id, now_ns, f"{why.reason}: {why.detail}"), out)
        if state.desk is not None:
            # It may have been to close what has lost its stop for it.
            broker.guard(state, now_ns, out)
    else:
        _forget_terms(state, waiting)


def _forget_terms(state: EngineState, waiting: Waiting) -> None:
    """Free what was held for new terms that never left."""
    found = waiting.command.command
    if isinstance(found, ModifyOrder):
        state.gate.terms_refused(state.book.records[waiting.order_id])
        state.control().answered(found.order_id, found.limit)


def _segment(state: EngineState, order_id: OrderId) -> str:
    return str(state.instruments[state.book.records[order_id].order.instrument].exchange)


def _is_open(state: EngineState, order_id: OrderId) -> bool:
    return state.book.records[order_id].phase in OPEN_PHASES

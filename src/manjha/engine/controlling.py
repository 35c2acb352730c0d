"""After each step of a run with controls: they learn what happened, act on profits, and let commands leave in turn."""

from collections.abc import Callable, Mapping
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
from manjha.domain.events import (
    Event,
    MarketAdvanced,
    ModifyRejected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderModified,
    OrderRejected,
    SessionOpened,
)
from manjha.domain.kill import KillLevel, Scope, level_name
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.orders import Order, OrderId, StrategyId
from manjha.engine.halting import carry_out_level, flatten
from manjha.engine.handlers import orders
from manjha.engine.requests import RATE_TIMER
from manjha.engine.state import EngineState
from manjha.market.bands import band
from manjha.orders.lifecycle import OPEN_PHASES
from manjha.risk.controls import Controls
from manjha.risk.governor import CANCEL, ENTRY, EXIT, NEVER, Command, Governor, Waiting
from manjha.risk.kill import forbids
from manjha.risk.profit import ProfitRule, verdict

Why = tuple[RefusalReason, str]
"""A reason and its figures."""


def settle(state: EngineState, controls: Controls, event: Event, out: list[Output]) -> None:
    """Let the controls see what an event did, and put what they let through into `out`."""
    now_ns = moment(state, event)
    learn = _LEARN.get(type(event))
    if learn is not None:
        learn(state, controls, event, out)
    if controls.to_cancel:
        # Before the exit that they would meet: the governor lets cancels go first, and so does this.
        gone = controls.cancels_asked
        cancels = [state.gate.cancel(record) for record in controls.to_cancel if record.order.id not in gone]
        controls.to_cancel.clear()
        out[:0] = cancels
    if controls.governor is not None:
        _in_turn(state, controls, controls.governor, now_ns, out)
    if controls.trips:
        out.extend(controls.trips)
        controls.trips.clear()


def moment(state: EngineState, event: Event) -> TsNs:
    """Return when an event happened: of bars, when the last one that was processed closed."""
    if isinstance(event, MarketAdvanced):
        return TsNs(state.timeline.close_ns[state.reached - 1])
    return event.fill.ts_ns if isinstance(event, OrderFilled) else event.ts_ns


def look_at_close(state: EngineState, controls: Controls, out: list[Output]) -> None:
    """Look at the prices of a close and at the day's profit, before the strategy decides on it."""
    for instrument in state.marks:
        px = state.marks.get(instrument)
        if px is not None:
            controls.watch(state.instruments[instrument], px)
    _profits(state, controls, TsNs(state.timeline.close_ns[state.reached - 1]), out)


def begin_day(state: EngineState, controls: Controls, event: SessionOpened, out: list[Output]) -> None:
    """Begin the controls' day, before anything is placed in it."""
    for instrument, fraction in state.setup.bands.items():
        px = state.marks.get(instrument, 0)
        if px:
            controls.bands[instrument] = band(px, fraction, state.instruments[instrument].tick)
    strategies = dict.fromkeys(rule.strategy for rule in controls.limits.profit if rule.strategy)
    open_ids = [record.order.id for record in state.book.open_orders()]
    controls.open_day(event.ts_ns, open_ids, {strategy: _gains(state, strategy) for strategy in strategies})
    if controls.governor is not None:
        for waiting in controls.governor.open_day():
            _drop(state, waiting, (RefusalReason.RATE, "the day it was for is over"), event.ts_ns, out)


# ---- what happened


def _rejected(state: EngineState, controls: Controls, event: OrderRejected, out: list[Output]) -> None:
    del out
    controls.rejected(state.book.records[event.order_id].order, event.ts_ns)


def _accepted(state: EngineState, controls: Controls, event: OrderAccepted, out: list[Output]) -> None:
    del out
    controls.taken(state.book.records[event.order_id].order)


def _answered(state: EngineState, controls: Controls, event: OrderModified | ModifyRejected, out: list[Output]) -> None:
    del state, out
    controls.answered(event.order_id, event.limit)


def _filled(state: EngineState, controls: Controls, event: OrderFilled, out: list[Output]) -> None:
    fill = event.fill
    order = state.book.records[fill.order_id].order
    controls.taken(order)
    if controls.limits.protections:
        position = state.portfolio.positions[fill.origin.strategy, fill.instrument, fill.product]
        controls.filled(order, fill, position, state.portfolio.ledger.initial)
    if controls.limits.profit:
        _profits(state, controls, fill.ts_ns, out)
    if controls.level(fill.origin.strategy, fill.instrument) is KillLevel.FLATTEN:
        # An entry that traded before its cancel came.
        flatten(state, Scope(fill.origin.strategy, fill.instrument), fill.ts_ns, out)


_LEARN: Mapping[type, Callable[[EngineState, Controls, Any, list[Output]], None]] = {
    OrderRejected: _rejected,
    OrderAccepted: _accepted,
    OrderFilled: _filled,
    OrderModified: _answered,
    ModifyRejected: _answered,
}

# ---- profits


def _profits(state: EngineState, controls: Controls, now_ns: TsNs, out: list[Output]) -> None:
    """Act on the day's profit by each rule that has not acted today."""
    for number, rule in enumerate(controls.limits.profit):
        if rule.scope in controls.tripped:
            continue
        profit = _profit(state, controls, rule)
        peak = controls.peaks[number] = max(profit, controls.peaks.get(number, profit))
        why = verdict(rule, profit, peak)
        if why:
            controls.trip("profit of the day", rule.level, rule.scope, why, now_ns)
            carry_out_level(state, rule.level, rule.scope, now_ns, out)


def _profit(state: EngineState, controls: Controls, rule: ProfitRule) -> int:
    if not rule.strategy:
        return int(state.equity()) - state.gate.day_start_equity
    charged = state.portfolio.ledger.charged_today(rule.strategy).total
    return _gains(state, rule.strategy) - controls.base.get(rule.strategy, 0) - charged


def _gains(state: EngineState, strategy: StrategyId) -> int:
    """Return what a strategy's positions have made before charges since the run began, at the last prices."""
    total = 0
    for position in state.portfolio.positions.values():
        if position.key.strategy == strategy:
            px = state.marks.get(position.key.instrument, 0)
            total += position.realised + (position.unrealised(px) if position.qty and px else 0)
    return total


# ---- leaving in turn


def _in_turn(state: EngineState, controls: Controls, governor: Governor, now_ns: TsNs, out: list[Output]) -> None:
    """Hand the commands of a step to the governor and put in `out` what may leave; a timer sees to the rest."""
    commands = [output for output in out if isinstance(output, Approved)]
    if not commands and not any(governor.waiting):
        return
    out[:] = [output for output in out if not isinstance(output, Approved)]
    for command in commands:
        _offer(state, controls, governor, command, now_ns, out)
    if controls.levels or controls.tripped:
        _drop_forbidden(state, controls, governor, now_ns, out)
    for waiting in governor.expired(now_ns):
        why = (RefusalReason.RATE, f"it waited {(now_ns - waiting.since_ns) // SECOND_NS} s")
        _drop(state, waiting, why, now_ns, out)
    out.extend(governor.released(now_ns, lambda order_id: _is_open(state, order_id)))
    next_ns = governor.next_ns()
    if next_ns == NEVER or governor.now_ns < governor.timer_ns <= next_ns:
        return
    governor.timer_ns = max(next_ns, governor.now_ns + 1)
    out.append(SetTimer(RATE_TIMER, TsNs(governor.timer_ns)))


def _offer(
    state: EngineState, controls: Controls, governor: Governor, command: Command, now_ns: TsNs, out: list[Output]
) -> None:
    found = command.command
    if isinstance(found, CancelOrder):
        withdrawn = governor.withdraw(found.order_id)
        if any(isinstance(one.command.command, SubmitOrder) for one in withdrawn):
            # It never left, so there is nothing to cancel.
            orders.cancelled(state, OrderCancelled(found.order_id, now_ns, "it had not been sent"), out)
            return
        governor.offer(command, CANCEL, _segment(state, found.order_id), now_ns)
        return
    order_id = found.order.id if isinstance(found, SubmitOrder) else found.order_id
    rank = ENTRY if order_id in controls.entry_ids else EXIT
    governor.offer(command, rank, _segment(state, order_id), now_ns)


def _drop_forbidden(
    state: EngineState, controls: Controls, governor: Governor, now_ns: TsNs, out: list[Output]
) -> None:
    """Drop what waits and may no longer go: nothing that a kill level forbids leaves after it was thrown."""
    for waiting in list(governor.all_waiting()):
        record, found = state.book.records[waiting.order_id], waiting.command.command
        order, is_entry = record.order, waiting.order_id in controls.entry_ids
        if isinstance(found, CancelOrder):
            continue
        if isinstance(found, ModifyOrder) and (found.limit, found.trigger) == (record.limit, record.trigger):
            continue
        level = controls.level(order.origin.strategy, order.instrument)
        if forbids(level, order.purpose, opens=is_entry):
            for one in governor.withdraw(waiting.order_id):
                why = (RefusalReason.KILLED, f"level {level_name(level)} while it waited")
                _drop(state, one, why, now_ns, out)


def _drop(state: EngineState, waiting: Waiting, why: Why, now_ns: TsNs, out: list[Output]) -> None:
    """Refuse what waited in vain, and free what was held for it."""
    reason, detail = why
    found, record = waiting.command.command, state.book.records[waiting.order_id]
    if not _is_open(state, waiting.order_id):
        return
    refused = Refused(found, reason, detail, now_ns)
    state.record_refusals.append(refused)
    out.append(refused)
    if isinstance(found, SubmitOrder):
        orders.cancelled(state, OrderCancelled(found.order.id, now_ns, f"{reason}: {detail}"), out)
    elif isinstance(found, ModifyOrder):
        state.gate.terms_refused(record)
        state.control().answered(found.order_id, found.limit)


def _segment(state: EngineState, order_id: OrderId) -> str:
    return str(state.instruments[_order(state, order_id).instrument].exchange)


def _order(state: EngineState, order_id: OrderId) -> Order:
    return state.book.records[order_id].order


def _is_open(state: EngineState, order_id: OrderId) -> bool:
    return state.book.records[order_id].phase in OPEN_PHASES

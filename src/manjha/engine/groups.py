"""Groups of legs as the state has them: how one begins, whose an order is, what a fill counts for, and its next phase.

What is sent for a group is in `engine.legs`; here nothing is sent.
"""

from typing import NamedTuple

from manjha.domain.commands import Output
from manjha.domain.instrument import InstrumentId
from manjha.domain.money import Px
from manjha.domain.orders import Fill, GroupPhase, LegGroup, Order, OrderId, Product, Purpose
from manjha.engine.desk import call
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord
from manjha.orders.legs import LEAVING, OVER, TURNS, LegState, Saga, Turn, new_saga
from manjha.orders.lifecycle import Verdict
from manjha.portfolio.positions import PositionKey

LEGS_MAX = 16
UNITS_MAX = 1_000_000
"""Bounds of what may be asked for: beyond them it is a mistake, and might not fit a quantity."""


class End(NamedTuple):
    """A turn in a group's life, why, and the purpose of the orders that follow from it."""

    turn: Turn
    reason: str = ""
    purpose: Purpose = Purpose.LEGS_END


def begin(state: EngineState, group: LegGroup) -> str:
    """Enter a group into the state; return why it cannot be, empty where it is entered."""
    product = group.product or state.ctx.product
    problem = _malformed(group) or _occupied(state, group, product)
    if not problem:
        lots = {leg.instrument: int(state.instruments[leg.instrument].lot) for leg in group.legs}
        saga = new_saga(state.next_group_id(), group, product, lots)
        state.groups[saga.id] = state.sagas[saga.id] = saga
    return problem


def _malformed(group: LegGroup) -> str:
    if not 0 < len(group.legs) <= LEGS_MAX:
        return f"it has {len(group.legs)} legs; 1 to {LEGS_MAX} are traded as one"
    if len({leg.instrument for leg in group.legs}) < len(group.legs):
        return "two legs are of one instrument; make them one, with the sum of both ratios"
    if not 0 < group.units <= UNITS_MAX or any(not 0 < leg.ratio <= UNITS_MAX for leg in group.legs):
        return f"units and ratios are whole numbers from 1 to {UNITS_MAX}"
    if group.reentries < 0 or group.patience_ns <= 0:
        return "re-entries cannot be negative, and patience must be above zero"
    combined = group.combined
    if combined is not None and min(combined.stop, combined.target, combined.trail) < 0:
        return "combined stop, target and trail are amounts above zero"
    return ""


def _occupied(state: EngineState, group: LegGroup, product: Product) -> str:
    """Say which leg's instrument is not free: what is held beside a group could not be told from it."""
    for leg in group.legs:
        instrument = state.instruments.get(leg.instrument)
        if instrument is None:
            return f"{leg.instrument} is not in this run"
        name = instrument.display
        if group_in(state, leg.instrument, product) is not None:
            return f"{name} belongs to another group"
        if state.held(leg.instrument, product):
            return f"{name} is held as {product} already"
        if any(_is_ours(state, record, product) for record in state.book.open_orders(leg.instrument)):
            return f"{name} has open orders as {product}"
    return ""


def _is_ours(state: EngineState, record: OrderRecord, product: Product) -> bool:
    order = record.order
    return order.product is product and order.origin.strategy == state.origin.strategy


def group_in(state: EngineState, instrument: InstrumentId, product: Product) -> Saga | None:
    """Return the group that lives in an instrument held as a product."""
    for saga in state.sagas.values():
        if saga.product is product and saga.leg_in(instrument) is not None:
            return saga
    return None


def belongs(state: EngineState, order: Order) -> str:
    """Say to which group the instrument of an order belongs that is none of the group's; empty where to none."""
    if order.purpose is not Purpose.SIGNAL or order.group is not None:
        return ""
    if order.origin.strategy != state.origin.strategy:
        return ""
    saga = group_in(state, order.instrument, order.product)
    return "" if saga is None else f"the instrument belongs to group {saga.id} until it ends (ctx.close_legs)"


def owner(state: EngineState, order: Order) -> Saga | None:
    """Return whose an order is: entries and closes carry the group's id, what protects an entry carries the entry's."""
    if order.group is None:
        return None
    saga = state.groups.get(order.group)
    if saga is None and order.group in state.book.records:
        entry = state.book.records[order.group].order
        saga = state.groups.get(entry.group) if entry.group is not None else None
    return saga


def open_orders(state: EngineState, saga: Saga, leg: LegState) -> list[OrderRecord]:
    """Return the open orders of a leg, oldest first: entries, what protects it, what closes it."""
    records = state.book.open_by_instrument.get(leg.leg.instrument)
    return [record for record in records.values() if owner(state, record.order) is saga] if records else []


def count_fill(state: EngineState, order: Order, fill: Fill, after: int, out: list[Output]) -> None:
    """Count a fill of a group's order; `after` is the position after it. One after the group's end reopens it."""
    saga = owner(state, order)
    if saga is None:
        if order.origin.strategy == state.origin.strategy:
            _taken_by_others(state, fill, after)
        return
    leg = saga.leg_in(fill.instrument)
    if leg is None:
        return
    enters = fill.side is leg.leg.side
    leg.fill(fill.qty, fill.px, enters=enters)
    if not enters:
        leg.stopped = order.purpose is Purpose.STOP and order.parent is not None
    if saga.phase in OVER:
        state.sagas[saga.id] = saga
        note(state, saga, End(Turn.LATE, f"order {order.id} has filled after the group's end"), fill.ts_ns, out)


def _taken_by_others(state: EngineState, fill: Fill, after: int) -> None:
    """Count what another's trade, like the broker's own, took from a leg: it holds no more than there is."""
    there = [
        (saga.phase not in LEAVING, leg)
        for saga in state.sagas.values()
        if saga.product is fill.product and (leg := saga.leg_in(fill.instrument)) is not None
    ]
    # One that ended and was filled late stands beside the one that lives: what is leaving gives first.
    for _, leg in sorted(there, key=lambda one: one[0]):
        others = sum(other.held * int(other.leg.side) for _, other in there if other is not leg)
        leg.fit((after - others) * int(leg.leg.side), fill.px)


def note(state: EngineState, saga: Saga, end: End, now_ns: int, out: list[Output]) -> None:
    """Take a turn; a person is told of a group that failed, and of what the table calls an alarm."""
    was = saga.phase
    saga.phase, verdict = TURNS[was, end.turn]
    if saga.phase in LEAVING and was not in LEAVING:
        saga.reason, saga.purpose, saga.failures, saga.retry_ns = end.reason, end.purpose, 0, 0
        for leg in saga.legs:
            leg.is_closing = False
    if verdict is Verdict.ALARM:
        state.book.alarms.append(f"group {saga.id}, {was}: {end.turn}")
    # Where nothing was ordered, the refusal on record says it all.
    failed = end.turn is Turn.FAILED and saga.phase is not was and any(leg.entries for leg in saga.legs)
    if failed or verdict is Verdict.ALARM:
        call(saga.id, f"{end.turn} while {was}: {end.reason}; the group is {saga.phase}", now_ns, out)


def settled(state: EngineState, instrument: InstrumentId, value: Px, now_ns: int, out: list[Output]) -> None:
    """Count the expiry of a contract at a value in 1e-4 rupee a unit; the rest of its group ends."""
    for saga in list(state.sagas.values()):
        leg = saga.leg_in(instrument)
        if leg is None:
            continue
        leg.fill(leg.held, value, enters=False)
        note(state, saga, End(Turn.ENDING, f"{state.instruments[instrument].display} has expired"), now_ns, out)


def rescale(state: EngineState, key: PositionKey, new_shares: int, old_shares: int) -> None:
    """Apply a split or bonus to what a group holds; a leg that it changed is not opened again: its prices are old."""
    saga = group_in(state, key.instrument, key.product)
    if saga is not None and key.strategy == state.origin.strategy:
        leg = saga.leg_in(key.instrument)
        if leg is not None:
            leg.target = leg.target * new_shares // old_shares
            leg.entered = leg.entered * new_shares // old_shares
            leg.held = leg.held * new_shares // old_shares
            leg.reentered = saga.group.reentries


def summaries(state: EngineState) -> list[str]:
    """Return what a user should know of groups that did not come to be, the first reason as an example."""
    failed = [saga for saga in state.groups.values() if saga.phase in (GroupPhase.UNWINDING, GroupPhase.UNWOUND)]
    if not failed:
        return []
    count = f"{len(failed)} of {len(state.groups)} groups of legs"
    return [f"{count} did not come to be and were unwound; the first one: {failed[0].reason}"]


def id_of(key: str) -> OrderId:
    """Return the group's id in the key of a timer."""
    return OrderId(key.split(":", 2)[2])

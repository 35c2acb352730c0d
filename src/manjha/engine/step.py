"""One function: an event goes in, the state changes, approved commands come out."""

from collections.abc import Callable
from typing import Any

from manjha.domain.commands import Output
from manjha.domain.events import (
    AccountTaken,
    ActionEffective,
    BandChanged,
    BarsFilled,
    BrokerRead,
    ChangeAnswered,
    ChangeAsked,
    ContractExpired,
    DayChargesSettled,
    DifferenceAccepted,
    Event,
    InstrumentFrozen,
    KillSwitched,
    LinkLost,
    MarginAnswered,
    MarginUnavailable,
    MarketAdvanced,
    ModifyRejected,
    OrderAccepted,
    OrderAsked,
    OrderCancelled,
    OrderFilled,
    OrderModified,
    OrderRejected,
    ParametersSet,
    SendsCarried,
    SendVetoed,
    SessionClosed,
    SessionOpened,
    SubmitAnswered,
    TimerFired,
    TradingSwitched,
)
from manjha.domain.moments import TsNs
from manjha.engine import margins
from manjha.engine.handlers import broker, by_hand, control, market, orders, session, settlement
from manjha.engine.legs import follow
from manjha.engine.reconcile import broker_read
from manjha.engine.state import EngineState

Handler = Callable[[EngineState, Any, list[Output]], None]

HANDLERS: dict[type, Handler] = {
    MarketAdvanced: market.advanced,
    BarsFilled: market.filled,
    OrderAccepted: orders.accepted,
    OrderFilled: orders.filled,
    OrderCancelled: orders.cancelled,
    OrderModified: orders.modified,
    ModifyRejected: orders.modify_rejected,
    OrderRejected: orders.rejected,
    AccountTaken: broker.account_taken,
    SubmitAnswered: broker.submit_answered,
    ChangeAnswered: broker.change_answered,
    SendVetoed: broker.vetoed,
    MarginAnswered: margins.answered,
    MarginUnavailable: margins.unavailable,
    LinkLost: broker.link_lost,
    DifferenceAccepted: broker.difference_accepted,
    BrokerRead: broker_read,
    SessionOpened: session.opened,
    SessionClosed: session.closed,
    TimerFired: session.timer_fired,
    TradingSwitched: session.switched,
    KillSwitched: control.kill_switched,
    InstrumentFrozen: control.instrument_frozen,
    BandChanged: control.band_changed,
    SendsCarried: control.sends_carried,
    OrderAsked: by_hand.order_asked,
    ChangeAsked: by_hand.change_asked,
    ParametersSet: by_hand.parameters_set,
    ActionEffective: settlement.action_effective,
    ContractExpired: settlement.contract_expired,
    DayChargesSettled: settlement.day_charges_settled,
}


def step(state: EngineState, event: Event) -> list[Output]:
    """Apply one event; return approved commands, timers to set, refusals and trips, in order.

    The same events in the same order give the same state and the same outputs, always.
    """
    out: list[Output] = []
    HANDLERS[type(event)](state, event, out)
    if state.sagas:
        follow(state, _moment(state, event), out)
    if state.controls is not None:
        # Before the broker's side: only what really leaves gets a tag and counts as under way. Loaded where needed: a
        # plain backtest starts without them.
        from manjha.engine.controlling import settle

        settle(state, state.controls, _moment(state, event), out)
    if state.desk is not None:
        broker.note_outputs(state, event, out)
    return out


def _moment(state: EngineState, event: Event) -> TsNs:
    """Return when an event happened."""
    if isinstance(event, MarketAdvanced):
        return TsNs(state.timeline.close_ns[state.reached - 1])
    return event.fill.ts_ns if isinstance(event, OrderFilled) else event.ts_ns

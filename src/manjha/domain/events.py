"""Events: what happened, in the past tense. The only way anything gets into the engine."""

import msgspec

from manjha.domain.actions import CorporateAction
from manjha.domain.charges import ChargeLines
from manjha.domain.instrument import InstrumentId
from manjha.domain.kill import KillLevel, Scope
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Fill, OrderId, StrategyId


class MarketAdvanced(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The bars at positions `first` up to (not including) `last` of the run's shared timeline have closed.

    A run of quiet bars is one event; the engine stops inside it at the first bar where it has something to say and
    tells how far it came, so a run equals the fold over its bars.
    """

    first: int
    last: int


class SessionOpened(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A trading day has begun: day counters are reset, what settles today has settled."""

    day: TradingDay
    ts_ns: TsNs


class SessionClosed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A trading day is over: DAY orders are gone, deliveries become holdings, charges are settled."""

    day: TradingDay
    ts_ns: TsNs


class TimerFired(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A timer that the engine or a strategy set has come due. `key` is what it was set with."""

    key: str
    ts_ns: TsNs


class OrderAccepted(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The exchange took the order into its book."""

    order_id: OrderId
    ts_ns: TsNs


class OrderRejected(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The broker or exchange refused the order, in its own words."""

    order_id: OrderId
    ts_ns: TsNs
    reason: str


class OrderModified(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A resting order has new terms. Prices in 1e-4 rupee, zero meaning none."""

    order_id: OrderId
    ts_ns: TsNs
    qty: Qty
    limit: Px
    trigger: Px


class ModifyRejected(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The exchange refused new terms of a resting order, in its own words; the order stays as it was."""

    order_id: OrderId
    ts_ns: TsNs
    qty: Qty
    limit: Px
    trigger: Px
    reason: str


class OrderCancelled(msgspec.Struct, frozen=True, gc=False, tag=True):
    """What was left of the order is gone: cancelled by us, expired with the day, or swept by the exchange."""

    order_id: OrderId
    ts_ns: TsNs
    reason: str


class OrderFilled(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Part or all of an order traded. A fill is a fact and is applied in every phase."""

    fill: Fill


class ContractExpired(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A future or option ended; `settlement` is the underlying's final settlement price in 1e-4 rupee."""

    instrument: InstrumentId
    settlement: Px
    ts_ns: TsNs


class ActionEffective(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A corporate action took effect before today's open."""

    action: CorporateAction
    ts_ns: TsNs


class DayChargesSettled(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The day's contract note came: `adjustment` brings the booked lines to it (each may be negative)."""

    day: TradingDay
    strategy: StrategyId
    adjustment: ChargeLines
    ts_ns: TsNs


class TradingSwitched(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Strategies may trade, or may not; exits and cancels always may."""

    on: bool
    ts_ns: TsNs
    reason: str


class KillSwitched(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The kill switch was thrown for a scope, or (level OFF) lifted for it and all within it; why, and by whom."""

    level: KillLevel
    scope: Scope
    reason: str
    who: str
    ts_ns: TsNs


class InstrumentFrozen(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Nothing may be opened in an instrument until a person has looked; `on` false is that the person has."""

    instrument: InstrumentId
    on: bool
    ts_ns: TsNs
    reason: str


class BandChanged(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The exchange takes orders in an instrument from `low` to `high` only, both included, in 1e-4 rupee."""

    instrument: InstrumentId
    low: Px
    high: Px
    ts_ns: TsNs


Event = (
    MarketAdvanced
    | SessionOpened
    | SessionClosed
    | TimerFired
    | OrderAccepted
    | OrderRejected
    | OrderModified
    | ModifyRejected
    | OrderCancelled
    | OrderFilled
    | ContractExpired
    | ActionEffective
    | DayChargesSettled
    | TradingSwitched
    | KillSwitched
    | InstrumentFrozen
    | BandChanged
)

"""Events: what happened, in the past tense. The only way anything gets into the engine."""

import msgspec

from manjha.domain.actions import CorporateAction
from manjha.domain.broker import MarginSeen, OrderSeen, Outcome, PositionSeen, TradeSeen
from manjha.domain.charges import ChargeLines
from manjha.domain.instrument import InstrumentId
from manjha.domain.kill import KillLevel, Scope
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Fill, OrderId, OrderType, Product, RunId, Side, StrategyId


class MarketAdvanced(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The bars at positions `first` up to (not including) `last` of the run's shared timeline have closed.

    A run of quiet bars is one event; the engine stops inside it at the first bar where it has something to say and
    tells how far it came, so a run equals the fold over its bars.
    """

    first: int
    last: int


class BarsFilled(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Bars at positions `first` up to (not including) `last` came late: indicators see them, nobody decides on them.

    `fetched` bars, of all series, have candles of `source` in them; the others were made of ticks and were kept back
    until what belongs before them was there. `ts_ns` is when they came.
    """

    first: int
    last: int
    fetched: int
    source: str
    ts_ns: TsNs


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


class AccountTaken(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A process took the account over at its broker: the journal's epoch, and what the process is made of.

    Whatever an earlier process had sent without hearing of it is unconfirmed now. `asks_margin` tells that the broker
    can be asked what an order needs.
    """

    run: RunId
    epoch: int
    build: str
    settings: str
    ts_ns: TsNs
    asks_margin: bool = False


class SubmitAnswered(msgspec.Struct, frozen=True, gc=False, tag=True):
    """How the attempt to send an order ended."""

    order_id: OrderId
    outcome: Outcome
    ts_ns: TsNs


class ChangeAnswered(msgspec.Struct, frozen=True, gc=False, tag=True):
    """How the attempt to send a cancel or new terms ended. That it was sent does not say that it is done."""

    order_id: OrderId
    is_cancel: bool
    outcome: Outcome
    ts_ns: TsNs


class MarginAnswered(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The broker has said what an order needs and what is there."""

    order_id: OrderId
    margin: MarginSeen
    ts_ns: TsNs


class MarginUnavailable(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The broker has not said what an order needs, and will not any more."""

    order_id: OrderId
    reason: str
    ts_ns: TsNs


class SendVetoed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The outbox let an approved command not go out; nothing of it left. It was a new order, a cancel, or new terms."""

    order_id: OrderId
    is_order: bool
    is_cancel: bool
    reason: str
    ts_ns: TsNs


class BrokerRead(msgspec.Struct, frozen=True, gc=False, tag=True):
    """What an authenticated read of the broker showed.

    `orders` are those that are new or changed since the read before in this term, `trades` those not read before;
    `whole` tells that the whole day was read, so that absence says something: `missing` of the broker's numbers were
    there before and are not now. `positions` is None where they were not read.
    """

    orders: tuple[OrderSeen, ...]
    trades: tuple[TradeSeen, ...]
    ts_ns: TsNs
    whole: bool = False
    missing: int = 0
    positions: tuple[PositionSeen, ...] | None = None


class LinkLost(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A connection to the broker is gone, or its session is; what it said meanwhile is not known."""

    link: str
    reason: str
    ts_ns: TsNs


class DifferenceAccepted(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A person has looked at what was frozen and lets it be traded again; what the broker shows counts as external."""

    instrument: InstrumentId
    by: str
    ts_ns: TsNs


class OrderAsked(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A person asked for an order. `qty` is positive; prices in 1e-4 rupee, zero meaning none.

    `key` is that of the request, under which it is done once; `stop` and `target` are exits of what it fills. `seen_px`
    is the newest price at that moment and `seen_ns` its time, as a bar may have closed long before; 0 for none.
    `strategy` is whose order it is, as for a signal from outside; empty is `MANUAL`.
    """

    key: str
    by: str
    instrument: InstrumentId
    side: Side
    qty: Qty
    kind: OrderType
    product: Product
    ts_ns: TsNs
    limit: Px = Px(0)
    trigger: Px = Px(0)
    stop: Px = Px(0)
    target: Px = Px(0)
    seen_px: Px = Px(0)
    seen_ns: TsNs = TsNs(0)
    strategy: str = ""


class ChangeAsked(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A person asked for an order to be cancelled, or for other terms of it: those that are zero stay as they are.

    `key` is that of the request, under which it is done once; prices in 1e-4 rupee. `seen_px` and `seen_ns` as of
    `OrderAsked`.
    """

    key: str
    by: str
    order_id: OrderId
    is_cancel: bool
    ts_ns: TsNs
    qty: Qty = Qty(0)
    limit: Px = Px(0)
    trigger: Px = Px(0)
    seen_px: Px = Px(0)
    seen_ns: TsNs = TsNs(0)


class ParametersSet(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A person changed parameters of the strategy: each a name and its value as people write it, from now on.

    `key` is that of the request, under which it is done once.
    """

    key: str
    by: str
    strategy: StrategyId
    values: tuple[tuple[str, str], ...]
    ts_ns: TsNs


class SendsCarried(msgspec.Struct, frozen=True, gc=False, tag=True):
    """What the account sent before a run began, which counts in its windows: how many on its day, and when of late.

    `sent` are moments and `today` counts, each by segment and "" for the account; `orders` are the new ones among them.
    """

    day: TradingDay
    sent: tuple[tuple[str, tuple[TsNs, ...]], ...]
    today: tuple[tuple[str, int], ...]
    orders: int
    ts_ns: TsNs


Event = (
    MarketAdvanced
    | BarsFilled
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
    | AccountTaken
    | SubmitAnswered
    | ChangeAnswered
    | MarginAnswered
    | MarginUnavailable
    | SendVetoed
    | BrokerRead
    | LinkLost
    | DifferenceAccepted
    | KillSwitched
    | InstrumentFrozen
    | BandChanged
    | OrderAsked
    | ChangeAsked
    | ParametersSet
    | SendsCarried
)

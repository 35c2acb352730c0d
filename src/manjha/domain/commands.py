"""Commands: what we want done, in the imperative, and risk's verdict on them."""

from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from manjha.domain.kill import KillLevel, Scope
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import LegGroup, Order, OrderId


class SubmitOrder(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Place this order, under a tag that no other order of the account has; empty where nobody asks for one."""

    order: Order
    tag: str = ""


class ModifyOrder(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Change a resting order's terms. Prices in 1e-4 rupee, zero meaning none."""

    order_id: OrderId
    qty: Qty
    limit: Px
    trigger: Px


class CancelOrder(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Take what is left of an order out of the book."""

    order_id: OrderId


class SetTimer(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Send `TimerFired(key)` at this moment."""

    key: str
    ts_ns: TsNs


class ReadBroker(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Read the account at the broker: the whole day, or of one order what became of it. Answered by `BrokerRead`."""

    why: str
    order_id: OrderId | None = None


class AskMargin(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Ask the broker what an order needs and what is there. Answered by `MarginAnswered` or `MarginUnavailable`."""

    order: Order


class MarginAssumed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """An order goes on our own margin model, as the broker's answer was not to be had: `needed` in 1e-4 rupee, why."""

    order_id: OrderId
    needed: Cash
    reason: str
    ts_ns: TsNs


class CallPerson(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Something that a person must look at: about what, and what was seen."""

    about: str
    what: str
    ts_ns: TsNs


C = TypeVar("C", SubmitOrder, ModifyOrder, CancelOrder)


class Approved(msgspec.Struct, Generic[C], frozen=True, gc=False):
    """A command that risk let through. A venue or gateway takes nothing else; only `risk.gate` makes one."""

    command: C


class RefusalReason(StrEnum):
    """Why risk or the rules refused. The value is for people."""

    UNKNOWN_INSTRUMENT = "the instrument is not part of this run"
    UNIVERSE = "the instrument is not in the strategy's universe of the day"
    NOT_TRADABLE = "an index cannot be traded"
    EXPIRED = "the contract has expired"
    SESSION_CLOSED = "the market is closed for this instrument"
    AFTER_SQUARE_OFF = "new intraday positions are not allowed after square-off time"
    TRADING_OFF = "trading is switched off"
    NO_PRICE = "no price has been seen yet"
    QUANTITY = "the quantity is zero, negative or no multiple of the lot"
    ABOVE_FREEZE = "the quantity is above the freeze limit and cannot be sliced"
    OFF_TICK = "a price is not on the tick"
    PRICE_BAND = "a price is outside the day's price band"
    STOP_SIDE = "a stop or target is on the wrong side of the price"
    PRODUCT = "the product does not fit the instrument"
    SHORT_DELIVERY = "shares cannot be sold short for delivery; MIS is needed"
    MARGIN = "not enough funds for the margin"
    ORDER_VALUE = "the order's value is above the limit"
    POSITION_VALUE = "the position's value would be above the limit"
    OPEN_ORDERS = "too many open orders"
    DAY_LOSS = "the day's loss limit is reached"
    VARIETY = "this order variety is not traded yet"
    VALIDITY = "this validity is not traded yet"
    DISCLOSED = "disclosed quantity is not traded yet"
    PROTECTION = "market protection is not traded yet"
    LEG_GROUP = "the group of legs cannot be traded like this"
    UNKNOWN_ORDER = "no open order has this id"
    ORDER_TYPE = "the new terms do not fit the order's type"
    EXCHANGE = "the exchange refused the new terms"
    NOT_RECONCILED = "the account is not compared with the broker's yet"
    FROZEN = "the instrument is frozen until a person has looked at it"
    KILLED = "the kill switch forbids it"
    NOT_ALLOWED = "the instrument is not on the list of what may be traded"
    PAUSED = "the strategy is paused"
    ORDER_QTY = "the order's quantity is above the limit"
    STALE_PRICE = "the last good price is too old"
    COLLAR = "a price is too far from the last good one"
    OPEN_VALUE = "the value of open orders would be above the limit"
    INSTRUMENT_VALUE = "the instrument's worst-case exposure would be above the limit"
    GROSS_VALUE = "the account's worst-case gross exposure would be above the limit"
    NET_VALUE = "the account's worst-case net exposure would be above the limit"
    SELF_TRADE = "it could trade with an order of our own"
    DUPLICATE = "the same order was placed a moment ago"
    REPEATED = "too many entries in a short time"
    COOL_DOWN = "such an order was rejected a moment ago"
    ORDERS_A_DAY = "the day's number of orders is reached"
    MODIFICATIONS = "the order was modified too often"
    RATE = "its turn to be sent did not come in time"


class Refused(msgspec.Struct, frozen=True, gc=False, tag=True):
    """What risk would not let through, why, and the figures."""

    subject: SubmitOrder | ModifyOrder | CancelOrder | LegGroup
    reason: RefusalReason
    detail: str
    ts_ns: TsNs


class Tripped(msgspec.Struct, frozen=True, gc=False, tag=True):
    """A control acted by itself: a kill level for the rest of the day, or (level OFF) a pause or a freeze.

    `until_ns` is when a pause ends; 0 where it ends with the day or by a person.
    """

    control: str
    level: KillLevel
    scope: Scope
    detail: str
    ts_ns: TsNs
    until_ns: TsNs = TsNs(0)


Output = (
    Approved[SubmitOrder]
    | Approved[ModifyOrder]
    | Approved[CancelOrder]
    | SetTimer
    | ReadBroker
    | AskMargin
    | MarginAssumed
    | CallPerson
    | Refused
    | Tripped
)
"""What a step gives back: approved commands, timers and questions for the driver, the rest for the record."""

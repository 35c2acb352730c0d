"""What a broker shows of an account: orders, trades and positions as they are there, seen from here.

A broker's words are no facts about our intents yet: `engine.reconcile` decides what they mean for our book.
"""

from enum import IntEnum, StrEnum
from typing import NamedTuple

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import FillId, OrderType, Product, Side


class BrokerStatus(StrEnum):
    """Where an order is at the broker. UNRECOGNISED is a word that we do not know: not over, and a person is told."""

    PENDING = "pending"
    AMO = "after market order"
    TRIGGER_PENDING = "trigger pending"
    OPEN = "open"
    MODIFY_PENDING = "modify pending"
    CANCEL_PENDING = "cancel pending"
    UNRECOGNISED = "unrecognised"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    COMPLETE = "complete"


ENDED = frozenset({BrokerStatus.REJECTED, BrokerStatus.CANCELLED, BrokerStatus.COMPLETE})
"""Statuses after which an order does not trade any more, once all its trades are known."""
_ORDER = {status: number for number, status in enumerate(BrokerStatus)}


class Source(IntEnum):
    """Where a sight of an order comes from; of two of the same moment the higher one is believed."""

    POSTBACK = 0
    STREAM = 1
    BOOK = 2
    HISTORY = 3


class Sight(NamedTuple):
    """What is known: the largest quantity filled, and of all else what the most trusted sight says.

    One that ends the order is trusted before one that does not, then the later by the exchange's time, then the better
    source, then by status, terms and words, so that no two different ones are tied.
    """

    is_over: bool = False
    exchange_ns: int = 0
    source: int = -1
    status: BrokerStatus = BrokerStatus.PENDING
    terms: tuple[int, int, int] = (0, 0, 0)
    reason: str = ""
    filled: int = 0

    @property
    def trust(self) -> tuple[bool, int, int, int, tuple[int, int, int], str]:
        """What sights are ranked by."""
        return self.is_over, self.exchange_ns, self.source, _ORDER[self.status], self.terms, self.reason


class OrderSeen(msgspec.Struct, frozen=True, gc=False):
    """One order as the broker shows it. `filled` counts from the beginning; prices in 1e-4 rupee, zero meaning none.

    `broker_id` is the broker's own number, `tag` what it was sent with, empty where there was none. `by_broker` tells
    that the broker's own risk management placed it.
    """

    broker_id: str
    tag: str
    instrument: InstrumentId
    side: Side
    qty: Qty
    type: OrderType
    product: Product
    status: BrokerStatus
    filled: Qty
    exchange_ns: TsNs
    source: Source
    limit: Px = Px(0)
    trigger: Px = Px(0)
    reason: str = ""
    by_broker: bool = False


class TradeSeen(msgspec.Struct, frozen=True, gc=False):
    """One trade as the broker shows it; `id` is unique in the account's day.

    `reference` is the price before slippage where the exchange is simulated, zero elsewhere.
    """

    id: FillId
    broker_id: str
    instrument: InstrumentId
    side: Side
    qty: Qty
    px: Px
    product: Product
    ts_ns: TsNs
    reference: Px = Px(0)


class PositionSeen(msgspec.Struct, frozen=True, gc=False):
    """What the account holds of an instrument as a product, signed, deliveries included."""

    instrument: InstrumentId
    product: Product
    qty: Qty


class MarginSeen(msgspec.Struct, frozen=True, gc=False):
    """What the broker wants for an order beside what is held and open, and what it lets the account use, in 1e-4 rupee.

    Of an order that needs nothing more `required` is zero; `available` is negative where money is missing.
    """

    required: Cash
    available: Cash


# ---- how an attempt to send ends


class Sent(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The broker took it and gave it a number."""

    broker_id: str


class Unsent(msgspec.Struct, frozen=True, gc=False, tag=True):
    """It is certainly not at the broker: nothing of it left this machine."""

    reason: str


class Turned(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The broker definitely refused it. `is_session` tells that it refuses everything until a new login."""

    reason: str
    is_session: bool = False


class OutcomeUnknown(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Nobody knows whether it arrived: a timeout, a cut connection, an answer that cannot be read."""

    reason: str


Outcome = Sent | Unsent | Turned | OutcomeUnknown
"""All there is. What cannot be told apart is `OutcomeUnknown`."""

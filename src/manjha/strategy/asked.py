"""What a strategy may ask for. The context makes these; the engine turns them into orders after the callback."""

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Exits, LegGroup, OrderId, OrderType, Product, Side, Validity
from manjha.domain.sizing import TargetUnit


class OrderRequest(msgspec.Struct, frozen=True, gc=False):
    """Something a strategy asks for: an order. `qty` 0 means: size it by the run's policy."""

    instrument: InstrumentId
    side: Side
    qty: Qty
    type: OrderType
    limit: Px
    trigger: Px
    exits: Exits | None
    product: Product
    tag: str
    validity: Validity = Validity.DAY


class TargetRequest(msgspec.Struct, frozen=True, gc=False):
    """Something a strategy asks for: to hold this much, in 1e-9 of the unit (lots and quantities too)."""

    instrument: InstrumentId
    value: int
    unit: TargetUnit
    product: Product
    tag: str


class CancelRequest(msgspec.Struct, frozen=True, gc=False):
    """Something a strategy asks for: its resting entries in an instrument cancelled, or one order by id."""

    instrument: InstrumentId
    order_id: OrderId | None


class ModifyRequest(msgspec.Struct, frozen=True, gc=False):
    """Something a strategy asks for: new terms for a resting order; zero leaves a term as it is."""

    order_id: OrderId
    qty: Qty
    limit: Px
    trigger: Px


class LegsRequest(msgspec.Struct, frozen=True, gc=False):
    """Something a strategy asks for: several legs as one."""

    group: LegGroup


class CloseLegsRequest(msgspec.Struct, frozen=True, gc=False):
    """Something a strategy asks for: a group of legs ended, or all of its groups."""

    group_id: OrderId | None


class TimerRequest(msgspec.Struct, frozen=True, gc=False):
    """Something a strategy asks for: a callback at a moment."""

    key: str
    ts_ns: TsNs


Request = OrderRequest | TargetRequest | CancelRequest | ModifyRequest | LegsRequest | CloseLegsRequest | TimerRequest

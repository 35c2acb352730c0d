"""What a strategy may ask for. The context makes these; the engine turns them into orders after the callback."""

from enum import StrEnum
from typing import TypeVar

import msgspec

from manjha.domain.errors import UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Exits, LegGroup, OrderId, OrderType, Product, Side, Validity
from manjha.domain.sizing import TargetUnit

E = TypeVar("E", bound=StrEnum)


def member(kind: type[E], value: object, what: str) -> E:
    """Return the member that a user's code gave as such or as its text, like "MIS". Raises `UsageError` for another."""
    try:
        return kind(str(value))
    except ValueError:
        raise UsageError(f"{what} expects one of {', '.join(kind)}, was {value!r}") from None


def whole(qty: object) -> Qty:
    """Return a quantity that a user's code computed, as the integer that it is. Raises `UsageError` for another."""
    try:
        found = int(qty)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None or found != qty:
        raise UsageError(f"an order's quantity expects a whole number, was {qty}", hint="int(...) rounds towards zero.")
    return Qty(found)


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
    """Something a strategy asks for: several legs as one. Declared, and refused until it is traded."""

    group: LegGroup


class TimerRequest(msgspec.Struct, frozen=True, gc=False):
    """Something a strategy asks for: a callback at a moment."""

    key: str
    ts_ns: TsNs


Request = OrderRequest | TargetRequest | CancelRequest | ModifyRequest | LegsRequest | TimerRequest

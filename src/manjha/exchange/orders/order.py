"""An order of the exchange: its state, its row on the wire and its history (fact sheet 3.1 to 3.3)."""

from enum import StrEnum
from typing import Any

import msgspec

from manjha.domain.instrument import Instrument
from manjha.domain.moments import TsNs
from manjha.domain.money import RUPEE, Px, Qty
from manjha.domain.orders import (
    AccountId,
    Order,
    OrderId,
    OrderType,
    Origin,
    Product,
    RunId,
    Side,
    StrategyId,
    Validity,
)
from manjha.exchange.market.listing import Listed
from manjha.exchange.wire import rupees, stamp, stamp_or_none, time_only

_STRATEGY, _RUN = StrategyId("client"), RunId("exchange")


class Status(StrEnum):
    """Where an order is in its life."""

    PUT = "PUT ORDER REQ RECEIVED"
    VALIDATION = "VALIDATION PENDING"
    OPEN_PENDING = "OPEN PENDING"
    OPEN = "OPEN"
    TRIGGER_PENDING = "TRIGGER PENDING"
    MODIFY_VALIDATION = "MODIFY VALIDATION PENDING"
    MODIFY_PENDING = "MODIFY PENDING"
    MODIFIED = "MODIFIED"
    NOT_MODIFIED = "NOT MODIFIED"
    CANCEL_PENDING = "CANCEL PENDING"
    AMO = "AMO REQ RECEIVED"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


FINAL = (Status.COMPLETE, Status.CANCELLED, Status.REJECTED)
RESTING = (Status.OPEN, Status.TRIGGER_PENDING)


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What of an order can be changed. Prices in 1e-4 rupee, quantities in units; `protection` in 1e-4 percent."""

    kind: OrderType
    qty: int
    price: int = 0
    trigger: int = 0
    validity: Validity = Validity.DAY
    disclosed: int = 0
    protection: int = 0


class Ticket(msgspec.Struct, frozen=True, gc=False):
    """An order as a client asks for it, read and converted."""

    user_id: str
    api_key: str
    variety: str
    listed: Listed
    side: Side
    product: Product
    terms: Terms
    ttl_minutes: int = 0
    legs: int = 0
    leg_qty: int = 0
    tag: str = ""
    autoslice: bool = False

    @property
    def instrument(self) -> Instrument:
        """What is traded."""
        return self.listed.instrument


class Iceberg(msgspec.Struct, frozen=True, gc=False):
    """Where an iceberg stands with one of its legs; quantities in units. `first_id` is the order id of leg one."""

    leg: int
    legs: int
    leg_qty: int
    total: int
    left: int
    first_id: str


class OrderState(msgspec.Struct, kw_only=True):
    """An order of the day's book. It changes; each change adds a row to `history`.

    `terms` are those of now, as shown: a market order under protection is shown as the limit order that it became.
    `pending` are the terms of a change in flight, `resting_as` the status that the order rests in meanwhile.
    `api_key` is empty for orders of no app, `placed_by` for those that the account itself placed.
    `cover_stop` is the trigger of the stop that a cover order is to bring (0: none).
    """

    order_id: str
    user_id: str
    api_key: str
    placed_by: str = ""
    variety: str
    listed: Listed
    side: Side
    product: Product
    terms: Terms
    placed_ns: TsNs
    ordered_ns: TsNs
    ttl_minutes: int = 0
    status: str = ""
    exchange_order_id: str | None = None
    parent_id: str | None = None
    message: str | None = None
    raw: str | None = None
    exchange_ns: int = 0
    updated_ns: int = 0
    filled: int = 0
    value: int = 0
    cancelled: int = 0
    is_modified: bool = False
    modifications: int = 0
    pending: Terms | None = None
    resting_as: str = ""
    tag: str = ""
    tags: list[str] = []
    iceberg: Iceberg | None = None
    cover_stop: int = 0
    was_market: bool = False
    history: list[dict[str, Any]] = []

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""
        return self.status in FINAL

    @property
    def is_in_flight(self) -> bool:
        """Whether something is on its way that must come to an end before the order can be changed."""
        return not self.is_final and self.status not in (*RESTING, Status.AMO)

    @property
    def left(self) -> int:
        """What may still trade, in units."""
        return self.terms.qty - self.filled

    def domain_order(self, now_ns: TsNs, limit: int) -> Order:
        """Return the order as the venue takes it; `limit` is its limit there."""
        terms = self.terms
        kind = OrderType.MARKET if not limit and not terms.trigger else terms.kind
        if limit and kind in (OrderType.MARKET, OrderType.SL_M):
            kind = OrderType.SL if terms.trigger else OrderType.LIMIT
        validity = Validity.IOC if terms.validity is Validity.IOC else Validity.DAY
        return Order(
            id=OrderId(self.order_id), origin=Origin(AccountId(self.user_id), _STRATEGY, _RUN),
            instrument=self.listed.id, side=self.side, qty=Qty(terms.qty), type=kind, product=self.product,
            decided_ns=now_ns, limit=Px(limit), trigger=Px(terms.trigger), validity=validity,
        )  # fmt: skip

    def row(self) -> dict[str, Any]:
        """Return the order as `/orders` shows it."""
        terms, listed, unit = self.terms, self.listed, self.listed.unit
        is_final = self.is_final
        open_qty = 0 if self.status == Status.REJECTED else self.left
        row: dict[str, Any] = {
            "account_id": self.user_id,
            "placed_by": self.placed_by or self.user_id,
            "order_id": self.order_id,
            "exchange_order_id": self.exchange_order_id,
            "parent_order_id": self.parent_id,
            "status": str(self.status),
            "status_message": self.message,
            "status_message_raw": self.raw,
            "order_timestamp": stamp(self.ordered_ns),
            "exchange_update_timestamp": stamp_or_none(self.updated_ns),
            "exchange_timestamp": stamp_or_none(self.exchange_ns),
            "variety": self.variety,
            "modified": self.is_modified,
            "exchange": listed.exchange,
            "tradingsymbol": listed.symbol,
            "instrument_token": listed.token,
            "order_type": str(terms.kind),
            "transaction_type": self.side.name,
            "validity": str(terms.validity),
            "validity_ttl": self.ttl_minutes,
            "product": str(self.product),
            "quantity": terms.qty // unit,
            "disclosed_quantity": terms.disclosed // unit,
            "price": rupees(terms.price),
            "trigger_price": rupees(terms.trigger),
            "average_price": self.value / self.filled / RUPEE if self.filled else 0,
            "filled_quantity": self.filled // unit,
            "pending_quantity": open_qty // unit,
            "cancelled_quantity": self.cancelled // unit if is_final else 0,
            "market_protection": 0,
            "meta": _meta(self),
            "tag": self.tag or None,
            "guid": None,
        }
        if self.tags:
            row["tags"] = list(self.tags)
        return row


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One fill; `qty` in units, `px` in 1e-4 rupee."""

    trade_id: str
    order_id: str
    qty: int
    px: int
    ts_ns: TsNs

    def row(self, order: OrderState) -> dict[str, Any]:
        """Return the trade as `/trades` shows it."""
        return {
            "trade_id": self.trade_id,
            "order_id": self.order_id,
            "exchange": order.listed.exchange,
            "tradingsymbol": order.listed.symbol,
            "instrument_token": order.listed.token,
            "product": str(order.product),
            "average_price": rupees(self.px),
            "quantity": self.qty // order.listed.unit,
            "exchange_order_id": order.exchange_order_id,
            "transaction_type": order.side.name,
            "fill_timestamp": stamp(self.ts_ns),
            "order_timestamp": time_only(self.ts_ns),
            "exchange_timestamp": stamp(self.ts_ns),
        }


def _meta(order: OrderState) -> dict[str, Any]:
    ice = order.iceberg
    if ice is None:
        return {}
    unit = order.listed.unit
    return {
        "iceberg": {
            "leg": ice.leg, "legs": ice.legs, "leg_quantity": ice.leg_qty // unit,
            "total_quantity": ice.total // unit, "remaining_quantity": ice.left // unit,
        }
    }  # fmt: skip

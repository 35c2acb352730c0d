"""Words of Kite and ours: orders, trades and positions, lots and units, prices and times.

Prices come as JSON numbers with the noise of a float, and go out as exact decimals. Times are Indian, without an
offset. Instruments are known by exchange and symbol of the day; what is not on our list keeps Kite's own name.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from manjha.domain.broker import BrokerStatus, OrderSeen, PositionSeen, Source, TradeSeen
from manjha.domain.commands import ModifyOrder
from manjha.domain.errors import SourceError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import IST, SECOND_NS, TsNs
from manjha.domain.money import CASH_MAX, PX_MAX, QTY_MAX, Cash, Px, Qty, format_px
from manjha.domain.orders import FillId, Order, OrderType, Product, Side

AUTOMATIC_PROTECTION = "-1"
"""Kite's own band: MARKET and SL-M without protection are refused since 2026-04-01 (KITE_CONNECT_V3 section 2.3.6)."""
_TICKS = 10_000
_STATUSES = {
    "COMPLETE": BrokerStatus.COMPLETE, "CANCELLED": BrokerStatus.CANCELLED, "REJECTED": BrokerStatus.REJECTED,
    "LAPSED": BrokerStatus.CANCELLED, "CANCELLED AMO": BrokerStatus.CANCELLED, "REJECTED AMO": BrokerStatus.REJECTED,
    "OPEN": BrokerStatus.OPEN, "UPDATE": BrokerStatus.OPEN, "MODIFIED": BrokerStatus.OPEN,
    "NOT MODIFIED": BrokerStatus.OPEN, "TRIGGER PENDING": BrokerStatus.TRIGGER_PENDING,
    "MODIFY VALIDATION PENDING": BrokerStatus.MODIFY_PENDING, "MODIFY PENDING": BrokerStatus.MODIFY_PENDING,
    "CANCEL PENDING": BrokerStatus.CANCEL_PENDING, "AMO REQ RECEIVED": BrokerStatus.AMO,
    "PUT ORDER REQ RECEIVED": BrokerStatus.PENDING, "VALIDATION PENDING": BrokerStatus.PENDING,
    "OPEN PENDING": BrokerStatus.PENDING,
}  # fmt: skip
"""KITE_CONNECT_V3 section 3.1; the set is open, and a word that is not here ends no order."""
_RMS = "RMS"
"""Who `placed_by` names where the broker's risk management acted."""


class OrderRow(msgspec.Struct):
    """A row of the order book (KITE_CONNECT_V3 section 3.3); what may be absent or null has a default."""

    order_id: str
    status: str
    exchange: str
    tradingsymbol: str
    transaction_type: str
    order_type: str
    product: str
    quantity: int
    filled_quantity: int = 0
    price: float | None = 0.0
    trigger_price: float | None = 0.0
    average_price: float | None = 0.0
    order_timestamp: str | None = None
    exchange_timestamp: str | None = None
    exchange_update_timestamp: str | None = None
    status_message: str | None = None
    status_message_raw: str | None = None
    placed_by: str | None = None
    tag: str | None = None
    tags: list[str] | None = None
    variety: str = "regular"
    parent_order_id: str | None = None


class TradeRow(msgspec.Struct):
    """A row of the day's trades."""

    trade_id: str
    order_id: str
    exchange: str
    tradingsymbol: str
    transaction_type: str
    product: str
    quantity: int
    average_price: float
    fill_timestamp: str | None = None
    exchange_timestamp: str | None = None


class PositionRow(msgspec.Struct):
    """A row of the net positions; `quantity` is in Kite's units, `multiplier` units each."""

    exchange: str
    tradingsymbol: str
    product: str
    quantity: int
    multiplier: float = 1


class Positions(msgspec.Struct):
    """Both lists; `day` is a part of `net`."""

    net: list[PositionRow]


class HoldingRow(msgspec.Struct):
    """A share that was carried over night. What is sold today stands in the positions, with a minus."""

    exchange: str
    tradingsymbol: str
    quantity: int
    product: str = "CNC"
    t1_quantity: int = 0
    isin: str = ""


class Listed(NamedTuple):
    """How Kite names an instrument today."""

    exchange: str
    symbol: str


class Names:
    """Between our instruments and Kite's names of the day."""

    def __init__(self, listed: Mapping[InstrumentId, Listed], instruments: Iterable[Instrument]) -> None:
        self._listed = dict(listed)
        self._instruments = {one.id: one for one in instruments}
        self._ids = {name: instrument for instrument, name in self._listed.items()}

    def name(self, instrument: InstrumentId) -> Listed | None:
        """Return Kite's name of an instrument; None where Kite does not list it today."""
        return self._listed.get(instrument)

    def id_of(self, exchange: str, symbol: str) -> InstrumentId:
        """Return the instrument of a name; one that we do not trade is called as Kite calls it."""
        return self._ids.get(Listed(exchange, symbol)) or InstrumentId(f"{exchange}:{symbol}")

    def units(self, instrument: InstrumentId) -> int:
        """Return how many of our units one of Kite's quantity is: more than 1 where Kite counts lots."""
        found = self._instruments.get(instrument)
        return found.multiplier if found is not None else 1


# ---- what goes out


def place_fields(order: Order, tag: str, names: Names) -> dict[str, str] | None:
    """Return the form that places an order; None where Kite does not list the instrument today."""
    name = names.name(order.instrument)
    if name is None:
        return None
    fields = {
        "exchange": name.exchange,
        "tradingsymbol": name.symbol,
        "transaction_type": order.side.name,
        "quantity": _lots(order.qty, names.units(order.instrument)),
        "product": str(order.product),
        "order_type": str(order.type),
        "validity": str(order.validity),
        "tag": tag,
    }
    return fields | _prices(order.type, order.limit, order.trigger)


def margin_item(order: Order, names: Names) -> dict[str, str | int | float] | None:
    """Return what the margin calculators ask of an order; None where Kite does not list the instrument today."""
    name = names.name(order.instrument)
    if name is None:
        return None
    return {
        "exchange": name.exchange,
        "tradingsymbol": name.symbol,
        "transaction_type": order.side.name,
        "variety": str(order.variety),
        "product": str(order.product),
        "order_type": str(order.type),
        "quantity": int(_lots(order.qty, names.units(order.instrument))),
        "price": order.limit / _TICKS,
        "trigger_price": order.trigger / _TICKS,
    }


def modify_fields(order: Order, change: ModifyOrder, names: Names) -> dict[str, str]:
    """Return the form that changes an order: all its terms, as Kite passes over what it is told alone on a stop."""
    fields = {
        "quantity": _lots(change.qty, names.units(order.instrument)),
        "order_type": str(order.type),
        "validity": str(order.validity),
    }
    return fields | _prices(order.type, change.limit, change.trigger)


def path_of(variety: str, broker_id: str = "") -> str:
    """Return the path of an order; the variety in Kite's word."""
    return f"/orders/{variety}/{broker_id}" if broker_id else f"/orders/{variety}"


def _prices(kind: OrderType, limit: int, trigger: int) -> dict[str, str]:
    fields = {}
    if kind in (OrderType.LIMIT, OrderType.SL):
        fields["price"] = format_px(limit)
    if kind in (OrderType.SL, OrderType.SL_M):
        fields["trigger_price"] = format_px(trigger)
    if kind in (OrderType.MARKET, OrderType.SL_M):
        fields["market_protection"] = AUTOMATIC_PROTECTION
    return fields


def _lots(qty: int, units: int) -> str:
    lots, rest = divmod(qty, units)
    if rest:
        raise SourceError(f"{qty} units are no whole number of lots of {units}", hint="Please report this bug.")
    return str(lots)


# ---- what comes back


def order_seen(row: OrderRow, names: Names, source: Source = Source.BOOK) -> OrderSeen:
    """Return a row of the order book in our words. Raises `SourceError` for a row that cannot be read."""
    instrument = names.id_of(row.exchange, row.tradingsymbol)
    units = names.units(instrument)
    status = _STATUSES.get(row.status.upper(), BrokerStatus.UNRECOGNISED)
    reason = row.status_message or row.status_message_raw or ""
    if status is BrokerStatus.UNRECOGNISED:
        reason = f"{row.status}: {reason}".rstrip(": ")
    stamp = row.exchange_update_timestamp or row.exchange_timestamp or row.order_timestamp
    return OrderSeen(
        row.order_id, _tag(row), instrument, _side(row.transaction_type), _qty(row.quantity, units),
        _order_type(row.order_type), _product(row.product), status, _qty(row.filled_quantity, units), moment(stamp),
        source, _at_least(0, px_of(row.price)), _at_least(0, px_of(row.trigger_price)), reason,
        by_broker=_RMS in (row.placed_by or "").upper(),
    )  # fmt: skip


def trade_seen(row: TradeRow, names: Names) -> TradeSeen:
    """Return a trade in our words. A trade's number is its exchange's: it is unique with exchange and order only."""
    instrument = names.id_of(row.exchange, row.tradingsymbol)
    return TradeSeen(
        FillId(f"{row.exchange}-{row.trade_id}-{row.order_id}"), row.order_id, instrument, _side(row.transaction_type),
        _qty(row.quantity, names.units(instrument), least=1), _at_least(1, px_of(row.average_price)),
        _product(row.product), moment(row.fill_timestamp or row.exchange_timestamp),
    )  # fmt: skip


def positions_seen(rows: Iterable[PositionRow], holdings: Iterable[HoldingRow], names: Names) -> list[PositionSeen]:
    """Return what the account holds: today's positions and what was carried over night, summed by product."""
    held: dict[tuple[InstrumentId, Product], int] = {}
    for row in rows:
        key = (names.id_of(row.exchange, row.tradingsymbol), _product(row.product))
        held[key] = held.get(key, 0) + row.quantity * names.units(key[0])
    for one in holdings:
        key = (names.id_of(one.exchange, one.tradingsymbol), _product(one.product))
        held[key] = held.get(key, 0) + one.quantity + one.t1_quantity
    return [
        PositionSeen(instrument, product, _qty(qty, 1, least=-QTY_MAX))
        for (instrument, product), qty in held.items()
        if qty
    ]


def px_of(rupees: float | None) -> Px:
    """Return a JSON number in 1e-4 rupee: the nearest price, which takes a float's noise away. Raises `SourceError`."""
    scaled = (rupees or 0.0) * _TICKS
    # What is no number is in no order with others.
    if not -PX_MAX <= scaled <= PX_MAX:
        raise SourceError(f"a price was expected of Kite, not {rupees}", hint=_READ)
    return Px(round(scaled))


def cash_of(rupees: float) -> Cash:
    """Return a JSON number that is an amount in 1e-4 rupee, as `px_of` returns a price. Raises `SourceError`."""
    scaled = rupees * _TICKS
    if not -CASH_MAX <= scaled <= CASH_MAX:
        raise SourceError(f"an amount was expected of Kite, not {rupees}", hint=_READ)
    return Cash(round(scaled))


def _at_least(least: int, px: Px) -> Px:
    if px < least:
        raise SourceError(f"a price was expected of Kite, not {format_px(px)}", hint=_READ)
    return px


def _qty(count: int, units: int, *, least: int = 0) -> Qty:
    """Return a quantity of Kite's in our units. Raises `SourceError` for one that no exchange takes."""
    if not least <= count * units <= QTY_MAX:
        raise SourceError(f"a quantity was expected of Kite, not {count!s:.40}", hint=_READ)
    return Qty(count * units)


def moment(text: str | None) -> TsNs:
    """Read "2021-05-31 09:16:39", Indian time; 0 where there is none. Raises `SourceError`."""
    if not text:
        return TsNs(0)
    try:
        stamp = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=IST)
    except ValueError:
        raise SourceError(f"Kite's times are like 2021-05-31 09:16:39, not {text!r:.40}", hint=_READ) from None
    return TsNs(round(stamp.timestamp()) * SECOND_NS)


def _tag(row: OrderRow) -> str:
    """Return the tag that it was sent with. Both fields may hold words of the system's."""
    tags: list[str] = [row.tag or "", *(row.tags or ())]
    return next((tag for tag in tags if len(tag) == _OURS and tag[0] == "K"), tags[0])


_OURS = 20
"""Length of our tags (`orders/tags.py` has the rest, and checks it)."""
_READ = "Nothing was changed. If it stays, Kite has changed what it sends: please report it."


def _side(text: str) -> Side:
    try:
        return Side[text]
    except KeyError:
        raise SourceError(f"BUY or SELL was expected of Kite, not {text!r:.40}", hint=_READ) from None


def _order_type(text: str) -> OrderType:
    try:
        return OrderType(text)
    except ValueError:
        raise SourceError(f"an order type was expected of Kite, not {text!r:.40}", hint=_READ) from None


def _product(text: str) -> Product:
    """Return the product; a cover or bracket order is intraday, whatever it is called."""
    if text in ("CO", "BO"):
        return Product.MIS
    try:
        return Product(text)
    except ValueError:
        raise SourceError(f"a product was expected of Kite, not {text!r:.40}", hint=_READ) from None

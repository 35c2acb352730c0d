"""What orders would need and cost: margin of one order and of a basket, and a contract note in advance (2.8)."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import msgspec

from manjha.domain.errors import UsageError
from manjha.domain.instrument import Asset, Instrument
from manjha.domain.moments import TradingDay
from manjha.domain.money import Cash
from manjha.domain.orders import OrderType, Product, Side
from manjha.exchange.accounts.assets import segment_of
from manjha.exchange.accounts.broker import Broker, Intent
from manjha.exchange.accounts.funds import NOTHING
from manjha.exchange.errors import Kind, KiteError, bad_input
from manjha.exchange.market.listing import Listed, Listing
from manjha.exchange.orders import asked
from manjha.exchange.orders.order import Terms
from manjha.exchange.wire import price_of, rupees, text_of
from manjha.market.bills import BilledLeg, ExactLines, exact_charges
from manjha.market.charges import charge_segment, rate_card
from manjha.market.rules import MarketRules
from manjha.pricing.margin import MarginBreakdown

ITEMS_MAX = 500
"""Items of one request; the broker's limit is not on record."""
_NO_LINES = ExactLines(*(Fraction(0) for _ in ExactLines.__struct_fields__))


class Item(msgspec.Struct, frozen=True):
    """One imaginary order; price in 1e-4 rupee (0 at the market), quantity in units."""

    listed: Listed
    side: Side
    product: Product
    variety: str
    kind: OrderType
    qty: int
    px: int

    @property
    def signed(self) -> int:
        """The quantity in the sign of its side."""
        return self.qty * int(self.side)


class Required(msgspec.Struct, frozen=True):
    """What an order or a basket needs, in 1e-4 rupee; `full` is the value that leverage is of."""

    span: int = 0
    exposure: int = 0
    premium: int = 0
    var: int = 0
    full: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.span + self.exposure + self.premium + self.var


def items(told: Any, listing: Listing, price_name: str) -> list[Item]:
    """Read the JSON array of a request; `price_name` is the field of its price. Raises `KiteError`."""
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise bad_input("A list of orders is expected.")
    if not 0 < len(told) <= ITEMS_MAX:
        raise bad_input(f"A list of 1 to {ITEMS_MAX} orders is expected.")
    return [_item({name: _text(value) for name, value in one.items()}, listing, price_name) for one in told]


def _item(form: asked.Form, listing: Listing, price_name: str) -> Item:
    listed = listing.traded(text_of(form, "exchange"), text_of(form, "tradingsymbol"))
    side, variety = text_of(form, "transaction_type"), form.get("variety") or "regular"
    if side not in Side.__members__:
        raise bad_input("Invalid `transaction_type`.")
    asked.check_variety(variety)
    product = asked.one_of(Product, text_of(form, "product"), "product")
    kind = asked.one_of(OrderType, text_of(form, "order_type"), "order_type")
    try:
        charge_segment(listed.instrument, product)
    except UsageError as unfit:
        raise bad_input(f"Invalid `product`: {unfit}.") from None
    return Item(
        listed, Side[side], product, variety, kind, asked.quantity(form, listed.unit), price_of(form, price_name)
    )


def _text(value: Any) -> str:
    return "" if value is None else format(value, ".4f") if isinstance(value, float) else str(value)


# ---- margins


class Calculators:
    """The calculators over what the broker keeps."""

    def __init__(self, broker: Broker, rules: MarketRules, day: TradingDay) -> None:
        self._broker, self._rules, self._day = broker, rules, day

    def orders(self, user_id: str, wanted: Sequence[Item], *, compact: bool) -> list[dict[str, Any]]:
        """Return what each order needs beside what is held and open; `/margins/orders`."""
        rows = [(item, self._one(user_id, item, with_held=True)) for item in wanted]
        return [_compact(item, need) if compact else self._row(item, need) for item, need in rows]

    def basket(self, user_id: str, wanted: Sequence[Item], *, with_held: bool, compact: bool) -> dict[str, Any]:
        """Return what orders need one by one, and what they need together; `/margins/basket`."""
        rows = [(item, self._one(user_id, item, with_held=with_held)) for item in wanted]
        initial = Required(*(sum(parts) for parts in zip(*(_parts(need) for _, need in rows), strict=True)))
        orders = [_compact(item, need) if compact else self._row(item, need) for item, need in rows]
        final = self._together(user_id, rows, with_held=with_held)
        return {
            "initial": _sum(initial, compact=compact),
            "final": _sum(final, compact=compact),
            "orders": orders,
            # Documented as without meaning.
            "charges": _charges(_NO_LINES, ""),
        }

    def notes(self, wanted: Sequence[Item]) -> list[dict[str, Any]]:
        """Return what each order would be charged if it traded; `/charges/orders`."""
        return [
            {
                "transaction_type": item.side.name,
                "tradingsymbol": item.listed.symbol,
                "exchange": item.listed.exchange,
                "variety": item.variety,
                "product": str(item.product),
                "order_type": str(item.kind),
                "quantity": item.qty // item.listed.unit,
                "price": rupees(item.px),
                "charges": self._charged(item, item.px),
            }
            for item in wanted
        ]

    def _one(self, user_id: str, item: Item, *, with_held: bool) -> Required:
        one, purse = item.listed.instrument, self._broker.purse(user_id, item.listed)
        px = self._px(user_id, item)
        if one.is_derivative:
            premium = max(item.signed, 0) * px if one.strike is not None else 0
            after = self._contracts(user_id, one, [(one, item.signed, px)], with_held=with_held)
            before = self._contracts(user_id, one, [], with_held=with_held)
            return Required(
                max(0, after.span - before.span), max(0, after.exposure - before.exposure), premium, full=item.qty * px
            )  # fmt: skip
        full = item.qty * px
        if not with_held:
            return Required(var=purse.margins.for_order(one, item.product, item.signed, px) or 0, full=full)
        terms = Terms(kind=item.kind, qty=item.qty, price=px)
        wish = self._broker.wish(Intent(user_id, item.listed, item.side, item.product, terms, item.qty))
        return Required(var=purse.need(wish) or 0, full=full)

    def _together(self, user_id: str, rows: Sequence[tuple[Item, Required]], *, with_held: bool) -> Required:
        """Return what orders need together: contracts on one underlying hedge each other, premiums are netted."""
        var = sum(need.var for _, need in rows)
        groups: dict[str, list[tuple[Instrument, int, int]]] = {}
        for item, _ in rows:
            one = item.listed.instrument
            if one.is_derivative:
                groups.setdefault(one.underlying, []).append((one, item.signed, self._px(user_id, item)))
        span = exposure = premium = 0
        for more in groups.values():
            after = self._contracts(user_id, more[0][0], more, with_held=with_held)
            before = self._contracts(user_id, more[0][0], [], with_held=with_held)
            span += max(0, after.span - before.span)
            exposure += max(0, after.exposure - before.exposure)
            premium += after.premium
        return Required(span, exposure, premium, var)

    def _contracts(
        self, user_id: str, one: Instrument, more: Sequence[tuple[Instrument, int, int]], *, with_held: bool
    ) -> MarginBreakdown:
        purse = self._broker.assets[user_id].purse(one)
        if not more and not with_held:
            return NOTHING
        found = purse.margins.parts(one, more, with_held=with_held)
        if found is None:
            text = f"Margin cannot be calculated: no price of {one.underlying} is known."
            raise KiteError(Kind.MARGIN, text)
        return found

    def _px(self, user_id: str, item: Item) -> int:
        return item.px or self._broker.purse(user_id, item.listed).prices.get(item.listed.id, 0)

    def _charged(self, item: Item, px: int) -> dict[str, Any]:
        card = rate_card(self._rules, item.listed.instrument, item.product, self._day)
        tax = "ctt" if item.listed.instrument.asset is Asset.COMMODITY else "stt"
        lines = exact_charges(BilledLeg(card, item.side, Cash(item.qty * px)))
        return _charges(lines, "" if item.listed.instrument.asset is Asset.CURRENCY else tax)

    def _row(self, item: Item, need: Required) -> dict[str, Any]:
        px = item.px or need.full // item.qty
        leverage = round(need.full / need.var, 2) if need.var else 1
        return {
            **_margin(need, segment_of(item.listed.instrument), item.listed.symbol, item.listed.exchange),
            "leverage": leverage,
            "charges": self._charged(item, px),
            "total": rupees(need.total),
        }


def _parts(need: Required) -> tuple[int, ...]:
    return need.span, need.exposure, need.premium, need.var


def _margin(need: Required, kind: str, symbol: str, exchange: str) -> dict[str, Any]:
    return {
        "type": kind,
        "tradingsymbol": symbol,
        "exchange": exchange,
        "span": rupees(need.span),
        "exposure": rupees(need.exposure),
        "option_premium": rupees(need.premium),
        "additional": 0,
        "bo": 0,
        "cash": 0,
        "var": rupees(need.var),
        "pnl": {"realised": 0, "unrealised": 0},
    }


def _compact(item: Item, need: Required) -> dict[str, Any]:
    return {
        "type": segment_of(item.listed.instrument),
        "tradingsymbol": item.listed.symbol,
        "exchange": item.listed.exchange,
        "total": rupees(need.total),
    }


def _sum(need: Required, *, compact: bool) -> dict[str, Any]:
    total = {"total": rupees(need.total)}
    if compact:
        return {"type": "", "tradingsymbol": "", "exchange": "", **total}
    return {**_margin(need, "", "", ""), "leverage": 0, "charges": _charges(_NO_LINES, ""), **total}


def _charges(lines: ExactLines, tax: str) -> dict[str, Any]:
    gst = float(lines.gst)
    return {
        "transaction_tax": float(lines.stt),
        "transaction_tax_type": tax,
        # The levy for the investor protection fund is shown in the exchange's charge.
        "exchange_turnover_charge": float(lines.exchange + lines.ipft),
        "sebi_turnover_charge": float(lines.sebi),
        "brokerage": float(lines.brokerage),
        "stamp_duty": float(lines.stamp),
        "gst": {"igst": gst, "cgst": 0, "sgst": 0, "total": gst},
        "total": float(lines.total),
    }

"""Reads what a client asks for: the form of an order, or of new terms, in the units of the domain (2.3.1, 2.4)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from manjha.domain.errors import DataError
from manjha.domain.money import RUPEE, parse_px
from manjha.domain.orders import OrderType, Product, Side, Validity
from manjha.exchange.accounts.sessions import Session
from manjha.exchange.errors import Kind, KiteError, bad_input
from manjha.exchange.market.listing import Listing
from manjha.exchange.orders.order import OrderState, Terms, Ticket
from manjha.exchange.wire import flag_of, price_of, text_of, whole_of

VARIETIES = ("regular", "amo", "co", "iceberg", "auction")
TAG_MAX = 20
AUTOMATIC = -1
"""Market protection: the broker's own band."""
PERCENT = RUPEE
"""One percent, in the 1e-4 percent that protection is stated in."""

E = TypeVar("E", bound=StrEnum)
Form = Mapping[str, str]


def ticket(variety: str, form: Form, session: Session, listing: Listing) -> Ticket:
    """Return the order that a form asks for. Raises `KiteError` for what is missing or cannot be read."""
    check_variety(variety)
    listed = listing.traded(text_of(form, "exchange"), text_of(form, "tradingsymbol"))
    side = text_of(form, "transaction_type")
    if side not in Side.__members__:
        raise bad_input("Invalid `transaction_type`.")
    kind = one_of(OrderType, text_of(form, "order_type"), "order_type")
    validity = one_of(Validity, form.get("validity") or "DAY", "validity")
    tag = form.get("tag", "")
    if len(tag) > TAG_MAX:
        raise bad_input(f"Invalid `tag`: at most {TAG_MAX} characters are allowed.")
    unit = listed.unit
    terms = Terms(
        kind=kind,
        qty=quantity(form, unit),
        price=price_of(form, "price") if kind in (OrderType.LIMIT, OrderType.SL) else 0,
        trigger=price_of(form, "trigger_price") if _has_trigger(variety, kind) else 0,
        validity=validity,
        disclosed=whole_of(form, "disclosed_quantity") * unit,
        protection=protection(form),
    )
    return Ticket(
        user_id=session.user_id,
        api_key=session.api_key,
        variety=variety,
        listed=listed,
        side=Side[side],
        product=one_of(Product, text_of(form, "product"), "product"),
        terms=terms,
        ttl_minutes=whole_of(form, "validity_ttl") if validity is Validity.TTL else 0,
        legs=whole_of(form, "iceberg_legs"),
        leg_qty=whole_of(form, "iceberg_quantity") * unit,
        tag=tag,
        autoslice=flag_of(form, "autoslice"),
    )


def new_terms(order: OrderState, form: Form) -> Terms:
    """Return an order's terms with what a form changes of them. Raises `KiteError` for what cannot be read."""
    now, unit = order.terms, order.listed.unit
    kind = one_of(OrderType, form.get("order_type") or str(now.kind), "order_type")
    validity = one_of(Validity, form.get("validity") or str(now.validity), "validity")
    if validity is Validity.TTL and now.validity is not Validity.TTL:
        raise bad_input("Invalid `validity`: an order cannot be changed to TTL.")
    price = price_of(form, "price") or now.price
    trigger = price_of(form, "trigger_price") or now.trigger
    return Terms(
        kind=kind,
        qty=quantity(form, unit) if form.get("quantity") else now.qty,
        price=price if kind in (OrderType.LIMIT, OrderType.SL) else 0,
        trigger=trigger if _has_trigger("", kind) or (order.variety == "co" and now.trigger) else 0,
        validity=validity,
        disclosed=whole_of(form, "disclosed_quantity") * unit if form.get("disclosed_quantity") else now.disclosed,
        protection=protection(form) or now.protection,
    )


def check_variety(variety: str) -> None:
    """Raise `KiteError` for a variety that there is not."""
    if variety not in VARIETIES:
        raise bad_input(f"Invalid `variety`: expected one of {', '.join(VARIETIES)}.")


def quantity(form: Form, unit: int) -> int:
    """Return the quantity in units. Raises `KiteError` for none, or one that is not positive."""
    count = whole_of({"quantity": text_of(form, "quantity")}, "quantity")
    if count <= 0:
        raise bad_input("Invalid `quantity`: it must be greater than zero.")
    return count * unit


def protection(form: Form) -> int:
    """Return market protection in 1e-4 percent, `AUTOMATIC` for the broker's band, 0 for none. Raises `KiteError`."""
    text = form.get("market_protection", "").strip()
    if text in ("", "0"):
        return 0
    if text in ("-1", "-1.0"):
        return AUTOMATIC
    try:
        percent = parse_px(text)
    except DataError:
        raise bad_input(f"Invalid `market_protection`: a percentage is expected, was {text!r}") from None
    if not 0 <= percent <= 100 * PERCENT:
        raise bad_input("Invalid `market_protection`: expected -1, or a percentage above 0 and up to 100.")
    return percent


def auction_refused() -> KiteError:
    """Return the refusal of an order for the exchange's auction of undelivered shares."""
    return KiteError(Kind.ORDER, "Orders of variety `auction` are not simulated: no auction market is open here.")


def _has_trigger(variety: str, kind: OrderType) -> bool:
    return variety == "co" or kind in (OrderType.SL, OrderType.SL_M)


def one_of(words: type[E], text: str, name: str) -> E:
    """Return the word that a field names. Raises `KiteError`."""
    try:
        return words(text)
    except ValueError:
        raise bad_input(f"Invalid `{name}`: expected one of {', '.join(words)}.") from None

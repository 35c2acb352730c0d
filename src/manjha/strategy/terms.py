"""The terms of an order as a strategy writes them, in rupees and words, become a request in exact units."""

from enum import StrEnum
from typing import Any, TypeVar

from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty, px_from_float
from manjha.domain.orders import Exits, Leg, OrderType, Product, Side, Validity
from manjha.strategy.asked import OrderRequest

E = TypeVar("E", bound=StrEnum)

# Members by name: in Python 3.11 a look into an enum costs more than the comparison it is for.
_MARKET, _DAY, _NO_PX, _NEVER, _PAISA = OrderType.MARKET, Validity.DAY, Px(0), TsNs(0), Px(100)
_KINDS = {
    (False, False): OrderType.MARKET,
    (False, True): OrderType.LIMIT,
    (True, False): OrderType.SL_M,
    (True, True): OrderType.SL,
}
"""The kind of an order by whether it has a trigger and whether it has a limit."""


def order_request(
    instrument: Instrument, side: Side, qty: int, product: Product, terms: dict[str, Any]
) -> OrderRequest:
    """Return the request of an order; takes the terms, which `Context.order` lists, out of the mapping.

    Raises
    ------
    UsageError
        An unknown term, a quantity that is no whole number, a word or a price that is none.
    DataError
        A price that is not finite.
    """
    if type(qty) is not int:
        qty = whole(qty)
    if not terms:
        return OrderRequest(instrument.id, side, Qty(qty), _MARKET, _NO_PX, _NO_PX, None, product, "", _DAY)
    tick = instrument.tick
    limit = price(terms.pop("limit"), tick, "limit") if "limit" in terms else _NO_PX
    trigger = price(terms.pop("trigger"), tick, "trigger") if "trigger" in terms else _NO_PX
    kind = _KINDS[bool(trigger), bool(limit)]
    exits = _exits(tick, terms) if terms else None
    tag, validity = "", _DAY
    if terms:
        product = member(Product, terms.pop("product", product), "product")
        validity = member(Validity, terms.pop("validity", _DAY), "validity")
        tag = terms.pop("tag", "")
    if terms:
        known = "limit, trigger, stop, target, trail, exit_ns, product, validity, tag"
        raise UsageError(f"an order has no term {next(iter(terms))!r}", hint=f"It has: {known}.")
    return OrderRequest(instrument.id, side, Qty(qty), kind, limit, trigger, exits, product, tag, validity)


def leg_of(instrument: Instrument, side: Side, ratio: int, terms: dict[str, Any]) -> Leg:
    """Return a leg of a group; the terms are `limit`, `stop`, `target`, `trail` in rupees and `exit_ns`.

    Raises as `order_request` does.
    """
    limit = price(terms.pop("limit", None), instrument.tick, "limit")
    exits = _exits(instrument.tick, terms)
    if terms:
        hint = "It has: limit, stop, target, trail, exit_ns."
        raise UsageError(f"a leg has no term {next(iter(terms))!r}", hint=hint)
    return Leg(instrument.id, side, whole(ratio), exits, limit)


def combined_exits(terms: dict[str, Any]) -> Exits:
    """Return exits of a whole group: `stop`, `target` and `trail` in rupees of one unit, and `exit_ns`.

    Raises as `order_request` does.
    """
    exits = _exits(_PAISA, terms)
    if terms or exits is None:
        what = f"a group of legs has no exit {next(iter(terms))!r}" if terms else "no exit of the group was given"
        raise UsageError(what, hint="It has: stop, target, trail (rupees of one unit), exit_ns.")
    return exits


def price(given: Any, tick: Px, what: str) -> Px:
    """Return a price or distance in rupees, on the tick; 0 for None.

    Raises
    ------
    UsageError
        No number, or one that is not above zero.
    DataError
        NaN, infinite, or too large.
    """
    if given is None:
        return _NO_PX
    try:
        found = px_from_float(given, tick)
    except TypeError:
        raise UsageError(f"{what} of an order expects a price in rupees, was {given!r}") from None
    if found <= 0:
        raise UsageError(
            f"{what} of an order expects a price above zero, was {given!r}", hint="None, or leaving it out, means none."
        )
    return found


def _exits(tick: Px, terms: dict[str, Any]) -> Exits | None:
    """Take the exits out of the terms."""
    stop = price(terms.pop("stop"), tick, "stop") if "stop" in terms else _NO_PX
    target = price(terms.pop("target"), tick, "target") if "target" in terms else _NO_PX
    trail = price(terms.pop("trail"), tick, "trail") if "trail" in terms else _NO_PX
    asked = terms.pop("exit_ns", None)
    exit_ns = _NEVER if asked is None else TsNs(int(asked))
    if not (stop or target or trail or exit_ns):
        return None
    return Exits(stop, target, trail, exit_ns)


def member(kind: type[E], value: object, what: str) -> E:
    """Return the member that a user's code gave as such or as its text, like "MIS". Raises `UsageError` for another."""
    if type(value) is kind:
        return value
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

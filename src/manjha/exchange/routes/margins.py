"""Calculators: what orders would need and cost (fact sheet 2.8). They work on the free plan too."""

from typing import Any

from manjha.exchange.accounts.calculators import Calculators, items
from manjha.exchange.calls import Call, Route, json_body
from manjha.exchange.exchange import Exchange


def orders(exchange: Exchange, call: Call) -> list[dict[str, Any]]:
    """Return what each order needs."""
    wanted = items(json_body(call), exchange.market.listing, "price")
    return _calculators(exchange).orders(call.owner.user_id, wanted, compact=_is_compact(call))


def basket(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Return what orders need one by one, and together."""
    wanted = items(json_body(call), exchange.market.listing, "price")
    with_held = call.asked("consider_positions").strip().lower() in ("true", "1")
    return _calculators(exchange).basket(
        call.owner.user_id, wanted, with_held=with_held, compact=_is_compact(call)
    )  # fmt: skip


def notes(exchange: Exchange, call: Call) -> list[dict[str, Any]]:
    """Return what each order would be charged."""
    return _calculators(exchange).notes(items(json_body(call), exchange.market.listing, "average_price"))


def _calculators(exchange: Exchange) -> Calculators:
    return Calculators(exchange.broker, exchange.rules, exchange.market.day)


def _is_compact(call: Call) -> bool:
    return call.asked("mode") == "compact"


ROUTES = (
    Route("POST", "/margins/orders", orders),
    Route("POST", "/margins/basket", basket),
    Route("POST", "/charges/orders", notes),
)

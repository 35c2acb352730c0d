"""The fault plan over HTTP: what is to go wrong, how far it has come, and an end to it. Not of Kite."""

from typing import Any

from manjha.domain.errors import ManjhaError
from manjha.exchange.accounts.limits import RateClass
from manjha.exchange.calls import Call, Route, json_body
from manjha.exchange.errors import bad_input
from manjha.exchange.exchange import Exchange
from manjha.exchange.trouble.faults import read_plan

PATH = "/simulation/faults"


def arm(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Add a plan, a JSON object, to what is armed already."""
    try:
        exchange.mishaps.arm(read_plan(json_body(call)), exchange.now_ns)
    except ManjhaError as error:
        raise bad_input(error.message, {"hint": error.hint} if error.hint else None) from None
    # What is to happen now happens now, also where time stands.
    exchange.advance(exchange.now_ns)
    return exchange.mishaps.shown()


def show(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Tell what is armed and how often it struck."""
    del call
    return exchange.mishaps.shown()


def disarm(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Forget the plan, mend the link, let frozen instruments go."""
    del call
    exchange.mishaps.disarm(exchange.now_ns)
    return exchange.mishaps.shown()


ROUTES = (
    Route("POST", PATH, arm, RateClass.FREE, needs_session=False),
    Route("GET", PATH, show, RateClass.FREE, needs_session=False),
    Route("DELETE", PATH, disarm, RateClass.FREE, needs_session=False),
)

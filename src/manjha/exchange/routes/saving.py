"""Saving the exchange on a client's word. Not of Kite."""

from typing import Any

from manjha.exchange.accounts.limits import RateClass
from manjha.exchange.calls import Call, Route
from manjha.exchange.errors import bad_input
from manjha.exchange.exchange import Exchange


def save(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Save all of the exchange."""
    del call
    if exchange.save is None:
        raise bad_input("Nothing is saved here: serve the exchange with --state FILE.")
    return {"bytes": exchange.save()}


ROUTES = (Route("POST", "/simulation/save", save, RateClass.FREE, needs_session=False),)

"""The dump of instruments (fact sheet 2.11); it is served without a session, as it was seen to be."""

from manjha.exchange.accounts.limits import RateClass
from manjha.exchange.calls import Answer, Call, Route
from manjha.exchange.exchange import Exchange

CSV = "text/csv"
"""Exactly so: a client parses no other."""


def dump(exchange: Exchange, call: Call) -> Answer:
    """Return the instruments of an exchange, or of all."""
    return Answer(exchange.market.listing.dump(call.path.get("exchange", "")).encode(), CSV)


ROUTES = (
    Route("GET", "/instruments", dump, RateClass.FREE, needs_session=False),
    Route("GET", "/instruments/{exchange}", dump, RateClass.FREE, needs_session=False),
)

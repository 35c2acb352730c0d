"""What a test may do to the exchange that no client could: see its time, let it pass, end sessions. Not of Kite."""

from typing import Any

from manjha.domain.moments import SECOND_NS, format_day
from manjha.exchange.accounts.limits import RateClass
from manjha.exchange.calls import Call, Route
from manjha.exchange.errors import bad_input
from manjha.exchange.exchange import Exchange
from manjha.exchange.wire import stamp, whole_of

ADVANCE_MAX = 30 * 24 * 3600
"""Seconds that one call may let pass."""


def show(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Tell how things stand."""
    del call
    return {
        "simulated": True,
        "now": stamp(exchange.now_ns),
        "now_ns": exchange.now_ns,
        "thousandths": exchange.thousandths,
        "day": format_day(exchange.market.day) if exchange.market.day >= 0 else None,
        "orders": len(exchange.book.orders),
        "sessions": len(exchange.sessions.live),
        "link_up": exchange.passage.link_up,
    }


def advance(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Let seconds pass at once: as many as `seconds` says."""
    seconds = whole_of(call.form, "seconds")
    if not 0 <= seconds <= ADVANCE_MAX:
        raise bad_input(f"Invalid `seconds`: expected 0 to {ADVANCE_MAX}.")
    exchange.leap(seconds * SECOND_NS)
    return show(exchange, call)


def end_sessions(exchange: Exchange, call: Call) -> dict[str, Any]:
    """End every session, as if it were 06:00."""
    del call
    return {"ended": exchange.sessions.end_all(exchange.now_ns)}


ROUTES = (
    Route("GET", "/simulation", show, RateClass.FREE, needs_session=False),
    Route("POST", "/simulation/advance", advance, RateClass.FREE, needs_session=False),
    Route("POST", "/simulation/end-sessions", end_sessions, RateClass.FREE, needs_session=False),
)

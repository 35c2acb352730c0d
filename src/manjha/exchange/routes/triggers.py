"""GTT and alerts (fact sheet 2.12 and 2.13)."""

from typing import Any

from manjha.exchange.accounts.limits import RateClass
from manjha.exchange.calls import Call, Route
from manjha.exchange.errors import Kind, KiteError, bad_input
from manjha.exchange.exchange import Exchange
from manjha.exchange.orders.alerts import PAGE_SIZE
from manjha.exchange.wire import whole_of


def create_gtt(exchange: Exchange, call: Call) -> dict[str, int]:
    """Take a trigger."""
    return {"trigger_id": exchange.gtts.create(call.form, call.owner, exchange.now_ns)}


def modify_gtt(exchange: Exchange, call: Call) -> dict[str, int]:
    """Replace a trigger."""
    number = _number(call)
    exchange.gtts.modify(number, call.form, call.owner.user_id, exchange.now_ns)
    return {"trigger_id": number}


def delete_gtt(exchange: Exchange, call: Call) -> dict[str, int]:
    """Take a trigger away."""
    number = _number(call)
    exchange.gtts.delete(number, call.owner.user_id, exchange.now_ns)
    return {"trigger_id": number}


def gtts(exchange: Exchange, call: Call) -> list[dict[str, Any]]:
    """Return the account's triggers."""
    return [one.shown() for one in exchange.gtts.listed(call.owner.user_id, exchange.now_ns)]


def gtt(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Return a trigger of any age."""
    return exchange.gtts.of(_number(call), call.owner.user_id).shown()


def create_alert(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Take an alert."""
    return exchange.alerts.create(call.form, call.owner, exchange.now_ns).shown(basket=False)


def modify_alert(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Replace an alert."""
    return exchange.alerts.modify(call.path["uuid"], call.form, call.owner.user_id, exchange.now_ns).shown()


def delete_alerts(exchange: Exchange, call: Call) -> None:
    """Take alerts away."""
    exchange.alerts.delete(call.query.get("uuid", ()), call.owner.user_id, exchange.now_ns)


def alerts(exchange: Exchange, call: Call) -> list[dict[str, Any]]:
    """Return a page of the account's alerts."""
    words = {name: call.asked(name) for name in ("page", "page_size")}
    page, size = whole_of(words, "page", 1), whole_of(words, "page_size", PAGE_SIZE)
    if page < 1 or size < 1:
        raise bad_input("Invalid `page` or `page_size`: numbers from 1 on are expected.")
    found = exchange.alerts.listed(call.owner.user_id, call.asked("status"), page, size)
    return [alert.shown() for alert in found]


def alert(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Return an alert, a deleted one too."""
    return exchange.alerts.of(call.path["uuid"], call.owner.user_id).shown()


def alert_history(exchange: Exchange, call: Call) -> list[dict[str, Any]]:
    """Return when an alert was raised, newest first."""
    return exchange.alerts.of(call.path["uuid"], call.owner.user_id).history[::-1]


def _number(call: Call) -> int:
    text = call.path["trigger_id"]
    if not text.isdecimal():
        raise KiteError(Kind.INPUT, "Invalid `trigger_id`.")
    return int(text)


ROUTES = (
    # Placing triggers counts as placing orders do, by the second and the minute; the static address is not asked.
    Route("POST", "/gtt/triggers", create_gtt, RateClass.ORDER),
    Route("GET", "/gtt/triggers", gtts),
    Route("GET", "/gtt/triggers/{trigger_id}", gtt),
    Route("PUT", "/gtt/triggers/{trigger_id}", modify_gtt),
    Route("DELETE", "/gtt/triggers/{trigger_id}", delete_gtt),
    Route("POST", "/alerts", create_alert),
    Route("GET", "/alerts", alerts),
    Route("DELETE", "/alerts", delete_alerts),
    Route("GET", "/alerts/{uuid}", alert),
    Route("PUT", "/alerts/{uuid}", modify_alert),
    Route("GET", "/alerts/{uuid}/history", alert_history),
)

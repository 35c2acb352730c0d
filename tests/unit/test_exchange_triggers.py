"""Triggers and alerts: what is taken, when they fire, and what comes of it (2.12, 2.13)."""

import json
from typing import Any

import pytest

from manjha.exchange.errors import KiteError
from manjha.exchange.orders.gtts import ACTIVE_MAX
from tests.fakes.exchanges import OWNERS, Trader, an_exchange, form, run

DAY_S = 24 * 3600


def a_trader() -> Trader:
    return Trader(an_exchange(users=OWNERS))


def rupees(trader: Trader, ticks: int) -> float:
    return float(trader.price(ticks))


def told(trader: Trader, kind: str, triggers: list[float], last: float, **order: Any) -> dict[str, str]:
    condition = {"exchange": "NSE", "tradingsymbol": "MANJHA", "trigger_values": triggers, "last_price": last}
    leg = {
        "exchange": "NSE", "tradingsymbol": "MANJHA", "transaction_type": "SELL", "quantity": 5,
        "order_type": "LIMIT", "product": "CNC", "price": float(trader.price(-200)), **order,
    }  # fmt: skip
    return {"type": kind, "condition": json.dumps(condition), "orders": json.dumps([leg] * len(triggers))}


def create(trader: Trader, *words: Any, **order: Any) -> int:
    exchange = trader.exchange
    return exchange.gtts.create(told(trader, *words, **order), trader.session, exchange.now_ns)


def test_a_trigger_below_fires_at_or_below_and_places_a_limit_order_for_the_day() -> None:
    trader = a_trader()
    exchange = trader.exchange
    # The price that was seen is far above: the trigger lies below it, and the next tick is below the trigger.
    number = create(trader, "single", [rupees(trader, 500)], rupees(trader, 900))
    waits = create(trader, "single", [rupees(trader, 5_000)], rupees(trader, 0))
    run(exchange, 10)
    shown = exchange.gtts.of(number, "AB1234").shown()
    result = shown["orders"][0]["result"]
    assert shown["status"] == "triggered"
    assert result["triggered_at"] <= rupees(trader, 500)
    assert json.loads(result["meta"]) == {"app_id": 1, "gtt": number}
    order = trader.order(result["order_result"]["order_id"])
    assert (str(order.terms.kind), str(order.terms.validity), order.terms.qty) == ("LIMIT", "DAY", 5)
    assert exchange.gtts.of(waits, "AB1234").shown()["status"] == "active"
    # It fires once.
    run(exchange, 60)
    assert len(exchange.book.orders) == 1


def test_of_two_legs_one_fires() -> None:
    trader = a_trader()
    low, last = rupees(trader, -2_000), rupees(trader, -1_000)
    number = create(trader, "two-leg", [low, rupees(trader, -500)], last)
    run(trader.exchange, 10)
    first, second = trader.exchange.gtts.of(number, "AB1234").shown()["orders"]
    assert first["result"] is None
    assert second["result"]["order_result"]["status"] == "success"


def test_an_order_that_is_refused_shows_in_the_result() -> None:
    trader = a_trader()
    px = float(trader.price(0)) * 3 // 1
    number = create(trader, "single", [rupees(trader, 500)], rupees(trader, 900), price=px)
    run(trader.exchange, 10)
    shown = trader.exchange.gtts.of(number, "AB1234").shown()
    outcome = shown["orders"][0]["result"]["order_result"]
    assert (shown["status"], outcome["status"], outcome["order_id"]) == ("triggered", "failed", "")
    assert "circuit limit" in outcome["rejection_reason"]


@pytest.mark.parametrize(
    ("kind", "triggers", "last", "order", "text"),
    [
        ("single", [0], 0, {}, "equal to the last price"),
        ("two-leg", [-100, -50], 0, {}, "second trigger price less than the last price"),
        ("two-leg", [50, 100], 0, {}, "first trigger price more than the last price"),
        ("two-leg", [-50, 0], 0, {}, "equal to the last price"),
        ("single", [-50, 50], 0, {}, "needs 1 of"),
        ("bracket", [50], 0, {}, "Invalid `type`"),
        ("single", [50], 0, {"product": "MIS"}, "do not take MIS"),
        ("single", [50], 0, {"order_type": "MARKET"}, "LIMIT orders"),
        ("two-leg", [-50, 50], 0, {"transaction_type": "BUY"}, "derivatives only"),
        ("single", [50], 0, {"quantity": 0}, "Invalid `quantity`"),
        ("single", [50], 0, {"price": 1.01}, "tick size"),
    ],
)
def test_what_a_trigger_cannot_be(kind: str, triggers: list[int], last: int, order: dict[str, Any], text: str) -> None:
    trader = a_trader()
    with pytest.raises(KiteError, match=text):
        create(trader, kind, [rupees(trader, each) for each in triggers], rupees(trader, last), **order)


def test_triggers_are_changed_deleted_listed_for_a_week_and_end_after_a_year() -> None:
    trader = a_trader()
    exchange = trader.exchange
    gtts, now = exchange.gtts, exchange.now_ns
    kept = create(trader, "single", [rupees(trader, -3_000)], rupees(trader, 0))
    gone = create(trader, "single", [rupees(trader, -3_000)], rupees(trader, 0))
    gtts.modify(kept, told(trader, "single", [rupees(trader, -4_000)], rupees(trader, 0)), "AB1234", now)
    assert gtts.of(kept, "AB1234").shown()["condition"]["trigger_values"] == [rupees(trader, -4_000)]
    gtts.delete(gone, "AB1234", now)
    with pytest.raises(KiteError, match="as it is deleted"):
        gtts.delete(gone, "AB1234", now)
    with pytest.raises(KiteError, match="not found"):
        gtts.of(kept, "CD5678")
    assert [one.number for one in gtts.listed("AB1234", exchange.now_ns)] == [gone, kept]
    run(exchange, 8 * DAY_S)
    assert [one.number for one in gtts.listed("AB1234", exchange.now_ns)] == [kept]
    run(exchange, 358 * DAY_S)
    assert gtts.of(kept, "AB1234").shown()["status"] == "expired"


def test_five_hundred_triggers_can_wait() -> None:
    trader = a_trader()
    words = "single", [rupees(trader, -3_000)], rupees(trader, 0)
    numbers = [create(trader, *words) for _ in range(ACTIVE_MAX)]
    with pytest.raises(KiteError, match="Maximum allowed active triggers"):
        create(trader, *words)
    trader.exchange.gtts.delete(numbers[0], "AB1234", trader.exchange.now_ns)
    create(trader, *words)


# ---- alerts


def an_alert(**changes: Any) -> dict[str, str]:
    usual = {
        "name": "one", "type": "simple", "lhs_exchange": "NSE", "lhs_tradingsymbol": "MANJHA",
        "lhs_attribute": "LastTradedPrice", "operator": "<=", "rhs_type": "constant", "rhs_constant": "99999",
    }  # fmt: skip
    return {**usual, **changes}


def a_basket(trader: Trader, **params: Any) -> str:
    told = {**form(price=trader.price(-100)), **params}
    item = {"type": "insert", "tradingsymbol": "MANJHA", "exchange": "NSE", "weight": 1, "params": told}
    return json.dumps({"name": "b", "type": "alert", "tags": [], "items": [item]})


def test_a_simple_alert_is_raised_once_while_it_holds() -> None:
    trader = a_trader()
    exchange = trader.exchange
    alerts = exchange.alerts
    met = alerts.create(an_alert(), trader.session, exchange.now_ns)
    unmet = alerts.create(an_alert(operator=">="), trader.session, exchange.now_ns)
    other = alerts.create(
        an_alert(operator="<", rhs_type="instrument", rhs_exchange="INDICES", rhs_tradingsymbol="SYNTH 50",
                 rhs_attribute="LastTradedPrice", rhs_constant=""),
        trader.session, exchange.now_ns,
    )  # fmt: skip
    run(exchange, 60)
    assert [one.count for one in (met, unmet, other)] == [1, 0, 1]
    assert met.status == "enabled"
    (raised,) = other.history
    assert raised["condition"] == 'LastTradedPrice("NSE:MANJHA") < LastTradedPrice("INDICES:SYNTH 50")'
    assert [one["tradingsymbol"] for one in raised["meta"]] == ["MANJHA", "SYNTH 50"]


def test_an_ato_places_its_basket_once_and_is_disabled() -> None:
    trader = a_trader()
    exchange = trader.exchange
    words = an_alert(type="ato", basket=a_basket(trader))
    alert = exchange.alerts.create(words, trader.session, exchange.now_ns)
    run(exchange, 60)
    (order,) = exchange.book.orders.values()
    assert (alert.status, alert.count, order.terms.qty) == ("disabled", 1, 10)
    assert alert.history[0]["order_meta"][0]["order_id"] == order.order_id
    exchange.alerts.modify(alert.uuid, {"status": "enabled"}, "AB1234", exchange.now_ns)
    run(exchange, 60)
    assert len(exchange.book.orders) == 2


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"type": "loud"}, "`type`"),
        ({"operator": "!="}, "`operator`"),
        ({"rhs_type": "moon"}, "`rhs_type`"),
        ({"rhs_constant": ""}, "`rhs_constant`"),
        ({"lhs_tradingsymbol": "NOBODY"}, "not listed"),
        ({"lhs_attribute": "Volume"}, "`lhs_attribute`"),
        ({"type": "ato"}, "`basket`"),
        ({"type": "ato", "basket": "{"}, "Invalid `basket`"),
        ({"type": "ato", "basket": '{"items": [{}]}'}, "Invalid `basket`"),
    ],
)
def test_what_an_alert_cannot_be(changes: dict[str, str], text: str) -> None:
    trader = a_trader()
    with pytest.raises(KiteError, match=text):
        trader.exchange.alerts.create(an_alert(**changes), trader.session, trader.exchange.now_ns)


def test_alerts_are_deleted_together_and_stay_to_be_read() -> None:
    trader = a_trader()
    exchange, alerts = trader.exchange, trader.exchange.alerts
    made = [alerts.create(an_alert(operator=">="), trader.session, exchange.now_ns) for _ in range(3)]
    with pytest.raises(KiteError, match="not found"):
        alerts.delete([made[0].uuid, "no"], "AB1234", exchange.now_ns)
    assert made[0].status == "enabled"
    alerts.delete([one.uuid for one in made[:2]], "AB1234", exchange.now_ns)
    assert [one.uuid for one in alerts.listed("AB1234", "", 1, 10)] == [made[2].uuid]
    assert alerts.of(made[0].uuid, "AB1234").shown()["status"] == "deleted"
    assert len(alerts.listed("AB1234", "deleted", 1, 1)) == 1
    with pytest.raises(KiteError, match="not found"):
        alerts.modify(made[0].uuid, {"status": "enabled"}, "AB1234", exchange.now_ns)


def test_five_hundred_alerts_can_be_enabled() -> None:
    trader = a_trader()
    exchange, alerts = trader.exchange, trader.exchange.alerts
    made = [alerts.create(an_alert(operator=">="), trader.session, exchange.now_ns) for _ in range(500)]
    with pytest.raises(KiteError, match="Maximum allowed active alerts"):
        alerts.create(an_alert(), trader.session, exchange.now_ns)
    alerts.modify(made[0].uuid, {"status": "disabled"}, "AB1234", exchange.now_ns)
    alerts.create(an_alert(), trader.session, exchange.now_ns)
    with pytest.raises(KiteError, match="Maximum allowed active alerts"):
        alerts.modify(made[0].uuid, {"status": "enabled"}, "AB1234", exchange.now_ns)

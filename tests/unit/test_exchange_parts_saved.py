"""What the exchange's parts keep survives being written as JSON and read by parts that were made alike."""

from typing import Any

import msgspec

from manjha.domain.bars import Bar
from manjha.domain.instrument import InstrumentId
from manjha.exchange.accounts.broker import BrokerState
from manjha.exchange.exchange import Exchange
from manjha.exchange.orders.alerts import Alert
from manjha.exchange.orders.gtts import Gtt
from tests.fakes.exchanges import OWNERS, Trader, an_exchange, run
from tests.unit.test_exchange_triggers import an_alert, create, rupees

KINDS: dict[str, Any] = {
    "broker": BrokerState, "candles": dict[InstrumentId, list[Bar]], "gtts": list[Gtt], "alerts": list[Alert],
}  # fmt: skip


def a_day() -> Exchange:
    exchange = an_exchange(users=OWNERS)
    for symbol, product, side in (("FIRKI", "CNC", "BUY"), ("MANJHA", "CNC", "SELL"), ("DORI", "MIS", "SELL")):
        trader = Trader(exchange, symbol=symbol)
        trader.place(product=product, transaction_type=side, order_type="MARKET", market_protection=-1)
    future = Trader(exchange, symbol="SYNTH5026DECFUT")
    future.place(product="NRML", transaction_type="SELL", quantity=50, order_type="MARKET", market_protection=-1)
    run(exchange, 120)
    trader = Trader(exchange)
    trader.place(price=trader.price(-300))
    create(trader, "single", [rupees(trader, 500)], rupees(trader, 900))
    create(trader, "single", [rupees(trader, -3_000)], rupees(trader, 0))
    for operator in ("<=", ">="):
        exchange.alerts.create(an_alert(operator=operator), trader.session, exchange.now_ns)
    run(exchange, 60)
    return exchange


def shown(exchange: Exchange) -> list[Any]:
    assets = exchange.broker.assets["AB1234"]
    return [
        assets.positions(), assets.shown_holdings(), [purse.shown() for purse in assets.purses.values()],
        [one.shown() for one in exchange.gtts.listed("AB1234", exchange.now_ns)],
        [(one.shown(), one.history) for one in exchange.alerts.listed("AB1234", "", 1, 10)],
    ]  # fmt: skip


def test_parts_go_on_from_what_they_saved() -> None:
    first, second = a_day(), an_exchange("10:03", users=OWNERS)
    bodies = {name: msgspec.json.encode(getattr(first, name).state()) for name in KINDS}
    for name, kind in KINDS.items():
        getattr(second, name).restore(msgspec.json.decode(bodies[name], type=kind))
    assert first.now_ns == second.now_ns
    assert shown(second) == shown(first)
    # Written again it is the same, and both go through the night alike.
    assert {name: msgspec.json.encode(getattr(second, name).state()) for name in KINDS} == bodies
    for exchange in (first, second):
        for order in list(exchange.book.orders.values()):
            if not order.is_final:
                exchange.desk.cancel(order.variety, order.order_id, "", Trader(exchange).session, exchange.now_ns)
    for exchange in (first, second):
        run(exchange, 24 * 3600)
    assert shown(second)[:2] == shown(first)[:2]
    purses = [exchange.broker.assets["AB1234"].purses["equity"] for exchange in (first, second)]
    assert purses[0].cash == purses[1].cash

"""Other people in an account: a manual trader, and the broker's risk management."""

import json
from collections import Counter
from typing import Any

import httpx2
import pytest

from manjha.app.exchange import ExchangeWords, let_act
from manjha.domain.errors import UsageError
from manjha.domain.money import RUPEE, Cash
from manjha.exchange.exchange import Exchange
from manjha.exchange.news.postbox import Postbox
from manjha.exchange.news.streams import Streams
from manjha.exchange.orders.order import OrderState
from manjha.exchange.trouble.manual import Habits
from manjha.exchange.trouble.rms import RmsState
from tests.fakes.exchanges import APP, an_exchange, form, on_a_socket, replaced, run, session_of

MARKET = form(order_type="MARKET", price=None, market_protection=-1)
HOUR = 3_600


def traded(exchange: Exchange, **changes: Any) -> OrderState:
    session = session_of(exchange)
    answer = exchange.desk.place("regular", {**MARKET, **form_of(changes)}, session, exchange.now_ns)
    run(exchange, 30)
    return exchange.book.orders[answer["order_id"]]


def form_of(changes: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in changes.items()}


def acting(seed: int = 1, **founding: Any) -> Exchange:
    exchange = an_exchange(**founding)
    exchange.manual.begin(Habits("AB1234", seed, 20), exchange.now_ns)
    run(exchange, HOUR)
    return exchange


def test_a_manual_trader_places_changes_and_cancels_as_a_person_would() -> None:
    exchange = acting()
    orders = list(exchange.book.orders.values())
    assert 50 < len(orders) < 180
    rows = [one.row() for one in orders]
    assert {(row["account_id"], row["placed_by"], row["tag"]) for row in rows} == {("AB1234", "AB1234", None)}
    ends = Counter(one.status for one in orders)
    assert min(ends["COMPLETE"], ends["CANCELLED"]) > 0
    assert any(one.is_modified for one in orders)


def test_the_same_seed_is_the_same_person() -> None:
    histories = [
        [one.history for one in acting(seed).book.orders.values()] for seed in (1, 1, 2)
    ]  # fmt: skip
    assert histories[0] == histories[1] != histories[2]


def test_an_app_hears_of_a_persons_orders_by_its_stream_and_not_by_postback() -> None:
    exchange = an_exchange(apps=replaced(APP, postback_url="http://127.0.0.1:1/"))
    streams, box = Streams(exchange), Postbox(exchange)
    stream = streams.join("key", session_of(exchange).access_token)
    exchange.manual.begin(Habits("AB1234", 1, 20), exchange.now_ns)
    run(exchange, HOUR)
    told = [json.loads(text)["data"] for text in streams.taken(stream)[1]]
    assert {one["order_id"] for one in told} <= set(exchange.book.orders)
    assert len(told) > 20
    assert box.taken() is None


def test_nobody_trades_outside_the_session_nor_after_the_end() -> None:
    exchange = an_exchange("17:00")
    exchange.manual.begin(Habits("AB1234", 1, 20), exchange.now_ns)
    run(exchange, HOUR)
    assert not exchange.book.orders
    exchange = acting()
    exchange.manual.end()
    before = len(exchange.book.orders)
    run(exchange, HOUR)
    assert len(exchange.book.orders) == before


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_intraday_positions_are_squared_off_and_their_orders_cancelled(side: str) -> None:
    exchange = an_exchange("14:30")
    exchange.rms.settings = RmsState(squares_off=True)
    entry = traded(exchange, product="MIS", transaction_type=side, quantity=50)
    kept = traded(exchange, product="CNC", quantity=7)
    resting = traded(exchange, product="MIS", order_type="LIMIT", price=round(entry.value / 50 * 0.95) // 500 * 0.05)
    assert [one.status for one in (entry, kept, resting)] == ["COMPLETE", "COMPLETE", "OPEN"]
    run(exchange, HOUR)
    assert resting.status == "CANCELLED"
    by_rms = [one for one in exchange.book.orders.values() if one.placed_by == "RMS"]
    assert [(one.row()["placed_by"], one.side, one.filled, one.tag) for one in by_rms] == [("RMS", -entry.side, 50, "")]
    intraday = [one for one in exchange.book.orders.values() if one.product == "MIS"]
    assert sum(one.side * one.filled for one in intraday) == 0


def test_without_squaring_off_a_position_stays() -> None:
    exchange = an_exchange("14:30")
    traded(exchange, product="MIS")
    run(exchange, HOUR)
    assert len(exchange.book.orders) == 1


def test_want_of_margin_refuses_what_opens_and_not_what_closes() -> None:
    exchange = an_exchange()
    entry = traded(exchange, quantity=10)
    exchange.rms.settings = RmsState(margin=Cash(1_000 * RUPEE))
    refused = traded(exchange, quantity=10)
    assert (entry.status, refused.status) == ("COMPLETE", "REJECTED")
    row = refused.row()
    assert row["status_message"].startswith("Insufficient funds. Required margin is 1")
    assert row["status_message_raw"].startswith("RMS:Margin Exceeds,Required:")
    assert traded(exchange, transaction_type="SELL", quantity=10).status == "COMPLETE"
    assert traded(exchange, transaction_type="SELL", quantity=10).status == "REJECTED"


def test_actors_are_switched_over_http() -> None:
    with on_a_socket(an_exchange()) as root:
        place = f"{root}/simulation/actors"
        told = httpx2.post(f"{place}/manual", json={"user": "CD5678", "every": 30}).json()["data"]
        assert told["manual_trader"] == {"user": "CD5678", "seed": 1, "every": 30.0}
        told = httpx2.post(f"{place}/rms", json={"squares_off": True, "margin": 5}).json()["data"]
        assert told["rms"] == {"squares_off": True, "margin": 5}
        httpx2.delete(f"{place}/manual")
        assert httpx2.get(place).json()["data"]["manual_trader"] is None
        for path, bad in (("manual", {"user": "XX"}), ("manual", {}), ("manual", {"user": "CD5678", "every": 0}),
                          ("rms", {"margin": -1}), ("rms", {"margin": "much"})):  # fmt: skip
            assert httpx2.post(f"{place}/{path}", json=bad).status_code == 400


def test_the_options_of_the_command() -> None:
    exchange = an_exchange()
    let_act(exchange, ExchangeWords(manual_trader="CD5678", seed=3, rms=True, rms_margin="50000.50"))
    assert exchange.manual.habits == Habits("CD5678", 3)
    assert exchange.rms.settings == RmsState(squares_off=True, margin=Cash(500_005_000))
    with pytest.raises(UsageError, match="--manual-trader names NOBODY"):
        let_act(exchange, ExchangeWords(manual_trader="NOBODY"))
    with pytest.raises(UsageError, match="cannot be negative"):
        let_act(exchange, ExchangeWords(rms_margin="-1"))

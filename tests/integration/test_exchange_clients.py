"""The official clients log in to the exchange and trade on it, over real sockets."""

from typing import Any

import pytest

from tests.fakes.exchanges import KEY, SECRET, an_exchange, on_a_socket
from tests.official.clients import driven

pytestmark = pytest.mark.slow

ORDER = {
    "exchange": "NSE", "tradingsymbol": "MANJHA", "transaction_type": "BUY", "quantity": 10, "product": "CNC",
    "order_type": "LIMIT", "validity": "DAY",
}  # fmt: skip


def test_the_python_client_logs_in_and_trades() -> None:
    exchange = an_exchange()
    last = exchange.market.standings[exchange.market.listing.by_key["NSE:MANJHA"].id].last
    marketable = (last + 5_000) // 500 * 500 / 10_000
    steps: list[dict[str, Any]] = [
        {"login": "AB1234"},
        {"call": "profile"},
        {"call": "instruments"},
        {"call": "place_order", "args": ["regular"], "kwargs": {**ORDER, "price": marketable, "tag": "first"}},
        {"advance": 10},
        {"call": "orders"},
        {"call": "trades"},
        {"call": "order_history", "args": [{"$": [3]}]},
        {"call": "order_trades", "args": [{"$": [3]}]},
    ]
    with on_a_socket(exchange) as root:
        told = driven("python", root, steps, key=KEY, secret=SECRET)
    assert told.gave(0)["landed"]["status"] == "success"
    assert told.gave(1)["user_id"] == "AB1234"
    assert {row["tradingsymbol"] for row in told.gave(2)} >= {"MANJHA", "SYNTH 50"}
    (order,) = told.gave(5)
    assert (order["status"], order["filled_quantity"], order["tag"]) == ("COMPLETE", 10, "first")
    (trade,) = told.gave(6)
    assert trade["order_id"] == order["order_id"] == told.gave(3)
    assert trade["average_price"] == order["average_price"] <= marketable
    assert [row["status"] for row in told.gave(7)] == [
        "PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN", "COMPLETE",
    ]  # fmt: skip
    assert told.gave(8) == told.gave(6)

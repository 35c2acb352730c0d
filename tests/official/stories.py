"""What the official clients are made to do at the exchange, topic by topic, and what must come of each call.

`docs/exchange-clients.md` is made from it (`python -m tests.official.stories`), and the integration tests of the
exchange's clients let both clients live it. A further topic is one more function in `TOPICS`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.fakes.exchanges import Trader
from tests.official.market_stories import (
    alerts_topic,
    calculators_topic,
    market_topic,
    portfolio_topic,
    triggers_topic,
)
from tests.official.steps import INPUT, TOKEN, Plain, Prices, Step, about, both, call, cancel, modify, order

PAGE = Path(__file__).parents[2] / "docs" / "exchange-clients.md"
BEGIN, END = "<!-- made from the tests -->", "<!-- end -->"


class Topic(NamedTuple):
    """A story, and the time of day at which it begins."""

    story: Callable[[Prices], Iterator[Step]]
    clock: str = "10:00"


def prices_of(trader: Trader) -> Prices:
    """Return the prices of a story."""
    return Prices(trader.price(60), trader.price(-1000), trader.price(1000))


def session_topic(prices: Prices) -> Iterator[Step]:
    """Log in, look, log out; then nothing works any more."""
    del prices
    yield both("POST /session/token", {"login": "AB1234"}, sample="generate_session", under="session")
    yield call("GET /user/profile", "profile", "getProfile", sample="profile")
    yield both("GET /user/profile/full", {"http": ["GET", "/user/profile/full", {}]}, sample="full_profile")
    yield call("GET /instruments", "instruments", "getInstruments")
    yield Step(
        "GET /instruments/{exchange}", {"call": "instruments", "args": ["NFO"]},
        {"call": "getInstruments", "args": [["NFO"]]},
    )  # fmt: skip
    yield call("POST /session/token", "generate_session", "generateSession", "x" * 32, "sec", error=TOKEN)
    yield call("POST /session/refresh_token", "renew_access_token", "renewAccessToken", "x" * 32, "sec", error=TOKEN)
    yield call(
        "POST /session/refresh_token", "renew_access_token", "renewAccessToken",
        {"$": [0, "session", "refresh_token"]}, "sec",
    )  # fmt: skip
    refresh: Plain = {"$": [7, "refresh_token"]}
    yield Step(
        "DELETE /session/token of a refresh token",
        {"call": "invalidate_refresh_token", "args": [refresh]},
        {"http": ["DELETE", ["/session/token?api_key=key&refresh_token=", refresh], {}]},
        sample="session_logout",
    )
    yield call("GET /user/profile", "profile", "getProfile", sample="profile")
    yield call("DELETE /session/token", "invalidate_access_token", "invalidateAccessToken", sample="session_logout")
    yield call("GET /user/profile", "profile", "getProfile", error=TOKEN)
    yield call("GET /orders", "orders", "getOrders", error=TOKEN)


def orders_topic(prices: Prices) -> Iterator[Step]:
    """Place, change and cancel; read the book."""
    yield both("", {"login": "AB1234"})
    yield order("regular", price=prices.near, tag="first")
    yield order("regular", price=prices.far, tag="second")
    yield both("", {"advance": 30})
    yield modify("regular", {"$": [2]}, {"$": [2, "order_id"]}, price=prices.far, quantity=12)
    yield both("", {"advance": 1})
    yield cancel("regular", {"$": [2]}, {"$": [2, "order_id"]})
    yield both("", {"advance": 1})
    yield order("regular", order_type="MARKET", market_protection=-1)
    yield order("regular", order_type="SL", trigger_price=prices.above, price=prices.above)
    yield both("", {"advance": 30})
    yield call("GET /orders", "orders", "getOrders", sample="orders")
    yield about("GET /orders/{order_id}", "order_history", "getOrderHistory", 2, sample="orders")
    yield call("GET /trades", "trades", "getTrades", sample="trades")
    yield about("GET /orders/{order_id}/trades", "order_trades", "getOrderTrades", 1, sample="order_trades")
    yield order("regular", order_type="MARKET", error=INPUT)
    yield cancel("regular", {"$": [1]}, {"$": [1, "order_id"]}, error=("OrderException", 400))
    yield call("GET /orders/{order_id}", "order_history", "getOrderHistory", "12", error=("GeneralException", 400))


def varieties_topic(prices: Prices) -> Iterator[Step]:
    """Iceberg, cover order, autoslice, after-market order, auction."""
    yield both("", {"login": "AB1234"})
    yield order("iceberg", price=prices.far, quantity=20, iceberg_legs=2, iceberg_quantity=10)
    yield order(
        "co", product="MIS", order_type="MARKET", market_protection=-1, trigger_price=prices.far, transaction_type="BUY"
    )
    sliced: Plain = {
        "exchange": "NFO", "tradingsymbol": "SYNTH5026DECFUT", "transaction_type": "BUY", "quantity": 4000,
        "product": "NRML", "order_type": "MARKET", "market_protection": -1,
    }  # fmt: skip
    yield Step(
        "POST /orders/{variety} with autoslice",
        {"call": "place_autoslice_order", "args": ["regular"], "kwargs": sliced},
        {"call": "placeOrder", "args": ["regular", {**sliced, "autoslice": True}]},
        sample="autoslice_response",
    )
    yield both("", {"advance": 30})
    yield cancel("iceberg", {"$": [1]}, {"$": [1, "order_id"]})
    yield Step(
        "DELETE /orders/{variety}/{order_id} of a cover order's first leg",
        {"call": "exit_order", "args": ["co", {"$": [2]}]},
        {"call": "exitOrder", "args": ["co", {"$": [2, "order_id"]}]},
        error=("OrderException", 400),
    )
    yield order("amo", price=prices.far, error=INPUT)
    yield order("auction", price=prices.far, error=("OrderException", 400))
    yield call("GET /orders", "orders", "getOrders", sample="orders")


def after_hours_topic(prices: Prices) -> Iterator[Step]:
    """Queue, change and cancel an order for the next session; nothing else is taken."""
    yield both("", {"login": "AB1234"})
    yield order("amo", price=prices.far)
    yield modify("amo", {"$": [1]}, {"$": [1, "order_id"]}, price=prices.far, quantity=12)
    yield cancel("amo", {"$": [1]}, {"$": [1, "order_id"]})
    yield order("amo", price=prices.far, tag="waits")
    yield order("regular", price=prices.far, error=INPUT)
    yield call("GET /orders", "orders", "getOrders", sample="orders")


TOPICS = {
    "session and instruments": Topic(session_topic),
    "orders": Topic(orders_topic),
    "varieties": Topic(varieties_topic),
    "after hours": Topic(after_hours_topic, "17:00"),
    "portfolio and money": Topic(portfolio_topic),
    "calculators": Topic(calculators_topic),
    "quotes and candles": Topic(market_topic),
    "triggers": Topic(triggers_topic),
    "alerts": Topic(alerts_topic),
}
# ---- the page


def table() -> str:
    """Return the table of all topics."""
    lines = ["| topic | call | Python client | JavaScript client | result |", "| --- | --- | --- | --- | --- |"]
    for name, topic in TOPICS.items():
        for step in topic.story(Prices("0", "0", "0")):
            if step.endpoint:
                methods = " | ".join(_method(each) for each in (step.python, step.node))
                lines.append(f"| {name} | `{step.endpoint}` | {methods} | {_result(step)} |")
    return "\n".join(dict.fromkeys(lines))


def page(text: str) -> str:
    """Return the page with its table as it should be."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{table()}\n\n{END}{tail}"


def _method(step: Plain) -> str:
    if "login" in step:
        return "`generate_session` after the page"
    return f"`{step['call']}`" if "call" in step else "no method; asked plainly"


def _result(step: Step) -> str:
    if step.error is not None:
        return f"refused: {step.error[0]}, {step.error[1]}"
    return f"as the sample `{step.sample}`" if step.sample else "done"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

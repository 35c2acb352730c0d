"""What the official clients are made to do at the exchange, topic by topic, and what must come of each call.

`docs/exchange-clients.md` is made from it (`python -m tests.official.stories`), and the integration tests of the
exchange's clients let both clients live it. A further topic is one more function in `TOPICS`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.fakes.exchanges import Trader

PAGE = Path(__file__).parents[2] / "docs" / "exchange-clients.md"
BEGIN, END = "<!-- made from the tests -->", "<!-- end -->"
Plain = dict[str, Any]


class Step(NamedTuple):
    """One step of both clients. `endpoint` is what it calls; empty for what only moves the story on.

    `sample` is the sample reply that it must have the shape of, `under` the part of the answer that is compared,
    `error` what must be refused: the `error_type` and HTTP code.
    """

    endpoint: str
    python: Plain
    node: Plain
    sample: str = ""
    under: str = ""
    error: tuple[str, int] | None = None


class Prices(NamedTuple):
    """Prices of MANJHA as text: one at which a buy trades at once, one at which it rests, one above the market."""

    near: str
    far: str
    above: str


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
    yield _both("POST /session/token", {"login": "AB1234"}, sample="generate_session", under="session")
    yield _call("GET /user/profile", "profile", "getProfile", sample="profile")
    yield _both("GET /user/profile/full", {"http": ["GET", "/user/profile/full", {}]}, sample="full_profile")
    yield _call("GET /instruments", "instruments", "getInstruments")
    yield Step(
        "GET /instruments/{exchange}", {"call": "instruments", "args": ["NFO"]},
        {"call": "getInstruments", "args": [["NFO"]]},
    )  # fmt: skip
    yield _call("POST /session/token", "generate_session", "generateSession", "x" * 32, "sec", error=TOKEN)
    yield _call("POST /session/refresh_token", "renew_access_token", "renewAccessToken", "x" * 32, "sec", error=TOKEN)
    yield _call(
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
    yield _call("GET /user/profile", "profile", "getProfile", sample="profile")
    yield _call("DELETE /session/token", "invalidate_access_token", "invalidateAccessToken", sample="session_logout")
    yield _call("GET /user/profile", "profile", "getProfile", error=TOKEN)
    yield _call("GET /orders", "orders", "getOrders", error=TOKEN)


def orders_topic(prices: Prices) -> Iterator[Step]:
    """Place, change and cancel; read the book."""
    yield _both("", {"login": "AB1234"})
    yield _order("regular", price=prices.near, tag="first")
    yield _order("regular", price=prices.far, tag="second")
    yield _both("", {"advance": 30})
    yield _modify("regular", {"$": [2]}, {"$": [2, "order_id"]}, price=prices.far, quantity=12)
    yield _both("", {"advance": 1})
    yield _cancel("regular", {"$": [2]}, {"$": [2, "order_id"]})
    yield _both("", {"advance": 1})
    yield _order("regular", order_type="MARKET", market_protection=-1)
    yield _order("regular", order_type="SL", trigger_price=prices.above, price=prices.above)
    yield _both("", {"advance": 30})
    yield _call("GET /orders", "orders", "getOrders", sample="orders")
    yield _about("GET /orders/{order_id}", "order_history", "getOrderHistory", 2, sample="orders")
    yield _call("GET /trades", "trades", "getTrades", sample="trades")
    yield _about("GET /orders/{order_id}/trades", "order_trades", "getOrderTrades", 1, sample="order_trades")
    yield _order("regular", order_type="MARKET", error=INPUT)
    yield _cancel("regular", {"$": [1]}, {"$": [1, "order_id"]}, error=("OrderException", 400))
    yield _call("GET /orders/{order_id}", "order_history", "getOrderHistory", "12", error=("GeneralException", 400))


def varieties_topic(prices: Prices) -> Iterator[Step]:
    """Iceberg, cover order, autoslice, after-market order, auction."""
    yield _both("", {"login": "AB1234"})
    yield _order("iceberg", price=prices.far, quantity=20, iceberg_legs=2, iceberg_quantity=10)
    yield _order(
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
    yield _both("", {"advance": 30})
    yield _cancel("iceberg", {"$": [1]}, {"$": [1, "order_id"]})
    yield Step(
        "DELETE /orders/{variety}/{order_id} of a cover order's first leg",
        {"call": "exit_order", "args": ["co", {"$": [2]}]},
        {"call": "exitOrder", "args": ["co", {"$": [2, "order_id"]}]},
        error=("OrderException", 400),
    )
    yield _order("amo", price=prices.far, error=INPUT)
    yield _order("auction", price=prices.far, error=("OrderException", 400))
    yield _call("GET /orders", "orders", "getOrders", sample="orders")


def after_hours_topic(prices: Prices) -> Iterator[Step]:
    """Queue, change and cancel an order for the next session; nothing else is taken."""
    yield _both("", {"login": "AB1234"})
    yield _order("amo", price=prices.far)
    yield _modify("amo", {"$": [1]}, {"$": [1, "order_id"]}, price=prices.far, quantity=12)
    yield _cancel("amo", {"$": [1]}, {"$": [1, "order_id"]})
    yield _order("amo", price=prices.far, tag="waits")
    yield _order("regular", price=prices.far, error=INPUT)
    yield _call("GET /orders", "orders", "getOrders", sample="orders")


TOKEN, INPUT = ("TokenException", 403), ("InputException", 400)
TOPICS = {
    "session and instruments": Topic(session_topic),
    "orders": Topic(orders_topic),
    "varieties": Topic(varieties_topic),
    "after hours": Topic(after_hours_topic, "17:00"),
}
ORDER: Plain = {
    "exchange": "NSE", "tradingsymbol": "MANJHA", "transaction_type": "BUY", "quantity": 10, "product": "CNC",
    "order_type": "LIMIT", "validity": "DAY",
}  # fmt: skip


def _both(endpoint: str, step: Plain, **wanted: Any) -> Step:
    return Step(endpoint, step, step, **wanted)


def _call(endpoint: str, python: str, node: str, *args: Any, **wanted: Any) -> Step:
    return Step(endpoint, {"call": python, "args": list(args)}, {"call": node, "args": list(args)}, **wanted)


def _about(endpoint: str, python: str, node: str, placed: int, **wanted: Any) -> Step:
    """Ask about the order that an earlier step placed: the one client gives its id, the other an object with it."""
    args = [{"$": [placed]}], [{"$": [placed, "order_id"]}]
    return Step(endpoint, {"call": python, "args": args[0]}, {"call": node, "args": args[1]}, **wanted)


def _order(variety: str, *, error: tuple[str, int] | None = None, **fields: Any) -> Step:
    params = {**ORDER, **fields}
    return Step(
        f"POST /orders/{variety}",
        {"call": "place_order", "args": [variety], "kwargs": params},
        {"call": "placeOrder", "args": [variety, params]},
        # The one client gives the id alone.
        error=error,
    )


def _modify(variety: str, python_id: Plain, node_id: Plain, **fields: Any) -> Step:
    return Step(
        f"PUT /orders/{variety}/{{order_id}}",
        {"call": "modify_order", "args": [variety, python_id], "kwargs": fields},
        {"call": "modifyOrder", "args": [variety, node_id, fields]},
    )


def _cancel(variety: str, python_id: Plain, node_id: Plain, error: tuple[str, int] | None = None) -> Step:
    return Step(
        f"DELETE /orders/{variety}/{{order_id}}",
        {"call": "cancel_order", "args": [variety, python_id]},
        {"call": "cancelOrder", "args": [variety, node_id]},
        error=error,
    )


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

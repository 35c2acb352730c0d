"""The steps of which the stories of the official clients are made."""

from typing import Any, NamedTuple

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


ORDER: Plain = {
    "exchange": "NSE", "tradingsymbol": "MANJHA", "transaction_type": "BUY", "quantity": 10, "product": "CNC",
    "order_type": "LIMIT", "validity": "DAY",
}  # fmt: skip


TOKEN, INPUT = ("TokenException", 403), ("InputException", 400)
MANJHA = 486281729
"""Its instrument token."""


def both(endpoint: str, step: Plain, **wanted: Any) -> Step:
    return Step(endpoint, step, step, **wanted)


def call(endpoint: str, python: str, node: str, *args: Any, **wanted: Any) -> Step:
    return Step(endpoint, {"call": python, "args": list(args)}, {"call": node, "args": list(args)}, **wanted)


def plainly(endpoint: str, told: Any = (), number: Plain | None = None, **wanted: Any) -> Step:
    """Ask over HTTP what no client has a method for; `number` is what the braces of the path stand for."""
    method, _, path = endpoint.partition(" ")
    head, brace, tail = path.partition("{uuid}")
    return both(endpoint, {"http": [method, [head, number, tail] if brace else path, dict(told)]}, **wanted)


def gtt(
    endpoint: str, kind: str, triggers: list[float], last: float, side: str = "BUY", number: Plain | None = None,
    **wanted: Any,
) -> Step:  # fmt: skip
    order = {"transaction_type": side, "quantity": 1, "order_type": "LIMIT", "product": "CNC", "price": triggers[0]}
    told = {
        "trigger_type": kind, "tradingsymbol": "MANJHA", "exchange": "NSE", "trigger_values": triggers,
        "last_price": last, "orders": [order] * len(triggers),
    }  # fmt: skip
    doing, changed = ("place", []) if number is None else ("modify", [number])
    return Step(
        endpoint, {"call": f"{doing}_gtt", "args": changed, "kwargs": told},
        {"call": f"{doing}GTT", "args": [*changed, told]}, **wanted,
    )  # fmt: skip


def about(endpoint: str, python: str, node: str, placed: int, **wanted: Any) -> Step:
    """Ask about the order that an earlier step placed: the one client gives its id, the other an object with it."""
    args = [{"$": [placed]}], [{"$": [placed, "order_id"]}]
    return Step(endpoint, {"call": python, "args": args[0]}, {"call": node, "args": args[1]}, **wanted)


def order(variety: str, *, error: tuple[str, int] | None = None, **fields: Any) -> Step:
    params = {**ORDER, **fields}
    return Step(
        f"POST /orders/{variety}",
        {"call": "place_order", "args": [variety], "kwargs": params},
        {"call": "placeOrder", "args": [variety, params]},
        # The one client gives the id alone.
        error=error,
    )


def modify(variety: str, python_id: Plain, node_id: Plain, **fields: Any) -> Step:
    return Step(
        f"PUT /orders/{variety}/{{order_id}}",
        {"call": "modify_order", "args": [variety, python_id], "kwargs": fields},
        {"call": "modifyOrder", "args": [variety, node_id, fields]},
    )


def cancel(variety: str, python_id: Plain, node_id: Plain, error: tuple[str, int] | None = None) -> Step:
    return Step(
        f"DELETE /orders/{variety}/{{order_id}}",
        {"call": "cancel_order", "args": [variety, python_id]},
        {"call": "cancelOrder", "args": [variety, node_id]},
        error=error,
    )

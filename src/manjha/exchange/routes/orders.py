"""Orders and trades (fact sheet 2.3 to 2.5, 3.3)."""

from typing import Any

from manjha.exchange.accounts.limits import RateClass
from manjha.exchange.calls import Answer, Call, Route
from manjha.exchange.exchange import Exchange
from manjha.exchange.orders.asked import VARIETIES


def place(exchange: Exchange, call: Call) -> Any:
    """Take an order."""
    if moved := _lower_case(call):
        return moved
    return exchange.desk.place(call.path["variety"], call.form, call.owner, exchange.now_ns)


def modify(exchange: Exchange, call: Call) -> dict[str, Any] | Answer:
    """Take new terms of an order."""
    if moved := _lower_case(call):
        return moved
    path = call.path
    return exchange.desk.modify(path["variety"], path["order_id"], call.form, call.owner, exchange.now_ns)


def cancel(exchange: Exchange, call: Call) -> dict[str, Any] | Answer:
    """Take the cancel of an order."""
    if moved := _lower_case(call):
        return moved
    path, parent = call.path, call.asked("parent_order_id")
    return exchange.desk.cancel(path["variety"], path["order_id"], parent, call.owner, exchange.now_ns)


def orders(exchange: Exchange, call: Call) -> list[dict[str, Any]]:
    """Return the account's book of the day."""
    return [order.history[-1] for order in exchange.book.orders_of(call.owner.user_id)]


def history(exchange: Exchange, call: Call) -> list[dict[str, Any]]:
    """Return what became of an order, oldest first."""
    return exchange.book.of(call.owner.user_id, call.path["order_id"]).history


def trades(exchange: Exchange, call: Call) -> list[dict[str, Any]]:
    """Return the account's trades of the day."""
    return exchange.book.trades_of(call.owner.user_id)


def trades_of_order(exchange: Exchange, call: Call) -> list[dict[str, Any]]:
    """Return the trades of an order."""
    order = exchange.book.of(call.owner.user_id, call.path["order_id"])
    return [trade.row(order) for trade in exchange.book.trades.get(order.order_id, ())]


def _lower_case(call: Call) -> Answer | None:
    """Send a variety in capitals to its address in small letters, as Kite does."""
    variety = call.path["variety"]
    if variety in VARIETIES or variety.lower() not in VARIETIES:
        return None
    parts = ["/orders", variety.lower(), *([call.path["order_id"]] if "order_id" in call.path else [])]
    return Answer(b"", "application/json", 307, {"location": "/".join(parts)})


ROUTES = (
    Route("POST", "/orders/{variety}", place, RateClass.ORDER, places=True),
    Route("PUT", "/orders/{variety}/{order_id}", modify, RateClass.ORDER, places=True),
    Route("DELETE", "/orders/{variety}/{order_id}", cancel, RateClass.ORDER, places=True),
    Route("GET", "/orders", orders),
    Route("GET", "/orders/{order_id}", history),
    Route("GET", "/orders/{order_id}/trades", trades_of_order),
    Route("GET", "/trades", trades),
)

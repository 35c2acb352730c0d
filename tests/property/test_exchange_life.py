"""Days of chance at the exchange: whatever clients do, orders live by the table of transitions (fact sheet 3.2)."""

from collections import Counter, defaultdict
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.moments import TsNs, at, parse_clock, parse_day
from manjha.exchange.errors import KiteError
from manjha.exchange.events import ExchangeEvent, OrderChanged, Traded
from manjha.exchange.exchange import Exchange
from tests.fakes.exchanges import DAY, Trader, an_exchange, run

MOVING = {"COMPLETE", "CANCELLED", "REJECTED"}
LEGAL = {
    "": {"PUT ORDER REQ RECEIVED", "AMO REQ RECEIVED"},
    "AMO REQ RECEIVED": {"AMO REQ RECEIVED", "CANCELLED", "REJECTED", "PUT ORDER REQ RECEIVED"},
    "PUT ORDER REQ RECEIVED": {"VALIDATION PENDING", "REJECTED"},
    "VALIDATION PENDING": {"OPEN PENDING", "REJECTED"},
    "OPEN PENDING": {"OPEN", "TRIGGER PENDING", *MOVING},
    "TRIGGER PENDING": {"OPEN", "COMPLETE", "MODIFY VALIDATION PENDING", "CANCEL PENDING", "CANCELLED", "REJECTED"},
    "OPEN": {"OPEN", "COMPLETE", "MODIFY VALIDATION PENDING", "CANCEL PENDING", "CANCELLED"},
    "MODIFY VALIDATION PENDING": {
        "MODIFY VALIDATION PENDING", "MODIFY PENDING", "NOT MODIFIED", "OPEN", "TRIGGER PENDING", "COMPLETE",
        "CANCELLED",
    },
    "MODIFY PENDING": {"MODIFY PENDING", "MODIFIED", "NOT MODIFIED", "COMPLETE", "CANCELLED"},
    "MODIFIED": {"OPEN", "TRIGGER PENDING", "COMPLETE"},
    "NOT MODIFIED": {"OPEN", "TRIGGER PENDING"},
    "CANCEL PENDING": {"CANCEL PENDING", "CANCELLED", "COMPLETE", "OPEN", "TRIGGER PENDING"},
    "COMPLETE": set(), "CANCELLED": set(), "REJECTED": set(),
}  # fmt: skip
"""What may follow what. A fill in part adds a row of the status that the order is in."""


class Watch:
    """Hears of everything at an exchange, and holds it to what must always be so."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.filled: Counter[str] = Counter()
        self.offered: dict[tuple[int, int], int] = defaultdict(int)
        self.taken: dict[tuple[int, int], int] = defaultdict(int)
        exchange.hearers.add(self.hear)
        exchange.tick_hearers.append(self.tick)

    def tick(self, tick: Any) -> None:
        token = self.exchange.market.listing.by_id[tick.instrument].token
        self.offered[token, tick.ts_ns] += tick.volume

    def hear(self, event: ExchangeEvent) -> None:
        if isinstance(event, OrderChanged):
            assert event.status in LEGAL[event.before], event
            row = event.row
            assert row["filled_quantity"] == self.filled[event.order_id] <= row["quantity"]
            assert (row["status"] == "COMPLETE") is (row["filled_quantity"] == row["quantity"])
        elif isinstance(event, Traded):
            order = self.exchange.book.orders[event.order_id]
            self.filled[event.order_id] += event.qty
            self.taken[event.token, event.ts_ns] += event.qty
            limit = order.terms.price
            assert not limit or (limit - event.px) * event.side >= 0

    def end(self) -> None:
        for trades in self.exchange.book.trades.values():
            order = self.exchange.book.orders[trades[0].order_id]
            assert sum(trade.qty for trade in trades) == order.filled == self.filled[order.order_id]
            assert sum(trade.qty * trade.px for trade in trades) == order.value
        # What a tick traded is there once, for all accounts together.
        assert all(qty <= self.offered[at] for at, qty in self.taken.items())


ticks = st.integers(-80, 80)
orders = st.fixed_dictionaries(
    {
        "do": st.just("place"), "who": st.integers(0, 1), "ticks": ticks, "gap": st.integers(0, 40),
        "quantity": st.sampled_from([1, 40, 900, 30_000]), "side": st.sampled_from(["BUY", "SELL"]),
        "kind": st.sampled_from(["LIMIT", "LIMIT", "MARKET", "SL", "SL-M"]),
        "validity": st.sampled_from(["DAY", "DAY", "IOC", "TTL"]),
        "variety": st.sampled_from(["regular", "regular", "iceberg", "co"]),
    }
)  # fmt: skip
changes = st.fixed_dictionaries(
    {"do": st.just("modify"), "which": st.integers(0, 30), "ticks": ticks, "quantity": st.sampled_from([0, 5, 1_000])}
)
cancels = st.fixed_dictionaries({"do": st.just("cancel"), "which": st.integers(0, 30)})
passings = st.fixed_dictionaries({"do": st.just("wait"), "seconds": st.sampled_from([0.001, 0.005, 0.01, 1, 7, 90])})
links = st.fixed_dictionaries({"do": st.just("link"), "up": st.booleans()})


def place(trader: Trader, step: dict[str, Any]) -> None:
    away = step["ticks"]
    beyond = away + (step["gap"] if step["side"] == "BUY" else -step["gap"])
    fields = {
        "transaction_type": step["side"], "quantity": step["quantity"], "order_type": step["kind"],
        "product": "MIS", "price": trader.price(beyond), "trigger_price": trader.price(away),
        "market_protection": -1, "validity": step["validity"], "validity_ttl": 1, "iceberg_legs": 2,
        "iceberg_quantity": -(-step["quantity"] // 2),
    }  # fmt: skip
    trader.place(step["variety"], **fields)


def live(traders: list[Trader], step: dict[str, Any]) -> None:
    exchange = traders[0].exchange
    if step["do"] == "wait":
        run(exchange, step["seconds"])
    elif step["do"] == "link":
        exchange.passage.set_link(up=step["up"], now_ns=exchange.now_ns)
    elif step["do"] == "place":
        place(traders[step["who"]], step)
    elif exchange.book.orders:
        known = list(exchange.book.orders.values())
        order = known[step["which"] % len(known)]
        trader = traders[order.user_id != traders[0].session.user_id]
        if step["do"] == "cancel":
            trader.cancel(order.order_id, order.variety)
        else:
            fields = {"price": trader.price(step["ticks"]), "trigger_price": trader.price(step["ticks"])}
            more = {"quantity": step["quantity"]} if step["quantity"] else {}
            trader.modify(order.order_id, order.variety, **fields, **more)


@settings(max_examples=40)
@given(st.lists(st.one_of(orders, orders, changes, cancels, passings, passings, links), min_size=5, max_size=40))
def test_orders_live_by_the_table(steps: list[dict[str, Any]]) -> None:
    exchange = an_exchange("14:30")
    watch = Watch(exchange)
    traders = [Trader(exchange, user) for user in ("AB1234", "CD5678")]
    for step in steps:
        with suppress(KiteError):
            live(traders, step)
    exchange.passage.set_link(up=True, now_ns=exchange.now_ns)
    exchange.advance(TsNs(at(parse_day(DAY), parse_clock("16:30"))))
    watch.end()
    assert {order.status for order in exchange.book.orders.values()} <= MOVING

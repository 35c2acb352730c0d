"""The day's orders and trades of all accounts, their ids, and the rows of their history."""

from collections.abc import Iterable
from typing import Any

from manjha.domain.moments import TsNs
from manjha.exchange.errors import no_order
from manjha.exchange.events import Hearers, OrderChanged
from manjha.exchange.orders.order import OrderState, Status, Trade

_SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
_SEQUENCE_BITS = 22
_EXCHANGE_FIRST = {"NSE": 1_300_000_000_000_000, "BSE": 1_700_000_000_000_000, "NFO": 1_500_000_000_000_000}
_OTHER_FIRST = 2_000_000_000_000_000


class DayBook:
    """Orders by id and by account, in the order they came; `placed` counts an account's requests of the day."""

    def __init__(self, hearers: Hearers) -> None:
        self._hearers = hearers
        self.orders: dict[str, OrderState] = {}
        self.trades: dict[str, list[Trade]] = {}
        self.placed: dict[str, int] = {}
        self.ids = 0
        self.acknowledged = 0
        self.traded = 0

    # ---- ids

    def order_id(self, now_ns: int) -> str:
        """Return the next order id, 19 digits: the milliseconds of now, and how many ids there were before."""
        self.ids += 1
        since = now_ns // 1_000_000 - _SNOWFLAKE_EPOCH_MS
        return str(since << _SEQUENCE_BITS | self.ids % (1 << _SEQUENCE_BITS))

    def exchange_id(self, exchange: str) -> str:
        """Return the exchange's id of the next order that it acknowledges, 16 digits."""
        self.acknowledged += 1
        return str(_EXCHANGE_FIRST.get(exchange, _OTHER_FIRST) + self.acknowledged)

    def trade_id(self) -> str:
        """Return the next trade id."""
        self.traded += 1
        return str(10_000_000 + self.traded)

    # ---- what is in it

    def of(self, user_id: str, order_id: str) -> OrderState:
        """Return an account's order. Raises `KiteError`."""
        order = self.orders.get(order_id)
        if order is None or order.user_id != user_id:
            raise no_order()
        return order

    def orders_of(self, user_id: str) -> Iterable[OrderState]:
        """Return an account's orders of the day, oldest first."""
        return (order for order in self.orders.values() if order.user_id == user_id)

    def trades_of(self, user_id: str) -> list[dict[str, Any]]:
        """Return the rows of an account's trades of the day, oldest first."""
        found = [
            (trade, order)
            for order_id, trades in self.trades.items()
            if (order := self.orders[order_id]).user_id == user_id
            for trade in trades
        ]
        return [trade.row(order) for trade, order in sorted(found, key=lambda each: int(each[0].trade_id))]

    def count(self, user_id: str, orders: int = 1) -> int:
        """Count requests of an account; return how many there are today."""
        self.placed[user_id] = self.placed.get(user_id, 0) + orders
        return self.placed[user_id]

    # ---- what changes in it

    def enter(self, order: OrderState, status: Status, now_ns: TsNs) -> None:
        """Take a new order in."""
        self.orders[order.order_id] = order
        self.be(order, status, now_ns)

    def be(self, order: OrderState, status: str, now_ns: TsNs) -> None:
        """Give an order a status, and its history a row; everybody hears of it."""
        before, order.status = order.status, status
        row = order.row()
        order.history.append(row)
        self._hearers.tell(OrderChanged(order.user_id, order.order_id, before, status, row, now_ns))

    def new_day(self) -> None:
        """Empty the book before the next session; after-market orders that wait for it stay."""
        self.orders = {order_id: one for order_id, one in self.orders.items() if one.status == Status.AMO}
        self.trades = {}
        self.placed = {}

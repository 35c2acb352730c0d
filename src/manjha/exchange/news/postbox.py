"""What apps are to be told at their own address, in the order it happened, until somebody sends it (6.1, 6.3)."""

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from manjha.exchange.events import DayBegan, ExchangeEvent, OrderChanged
from manjha.exchange.exchange import Exchange
from manjha.exchange.news.postbacks import News, message

if TYPE_CHECKING:
    from collections.abc import Callable

LETTERS_MAX = 1_000
"""Messages that may wait; while so many do, further ones are lost, as the broker promises none."""


class Letter(NamedTuple):
    """One message: where it goes, and the JSON."""

    url: str
    body: bytes


class Postbox:
    """Gathers postbacks. A part of the exchange (see the package).

    An app hears of the orders that were placed through it and of no others, also when its user has logged out. `stirs`
    is called for each message that gathered; `lost` counts those that found no room.
    """

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._news = News(exchange.book.orders.values())
        self._letters: deque[Letter] = deque()
        self.lost = 0
        self.stirs: Callable[[], None] = lambda: None
        exchange.hearers.add(self._hear)

    def taken(self) -> Letter | None:
        """Take out the oldest message; None where there is none."""
        return self._letters.popleft() if self._letters else None

    def _hear(self, event: ExchangeEvent) -> None:
        if isinstance(event, OrderChanged):
            for status in self._news.of(event):
                self._write(event, status)
        elif isinstance(event, DayBegan):
            self._news.new_day()

    def _write(self, event: OrderChanged, status: str) -> None:
        app = self._exchange.apps.get(self._exchange.book.orders[event.order_id].api_key)
        if app is None or not app.postback_url:
            return
        if len(self._letters) >= LETTERS_MAX:
            self.lost += 1
            return
        self._letters.append(Letter(app.postback_url, msgspec.json.encode(message(event.row, status, app))))
        self.stirs()

"""What happens in the exchange, for those of its parts that hear of it."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from manjha.domain.moments import TradingDay, TsNs


class OrderChanged(msgspec.Struct, frozen=True, gc=False):
    """An order has a new row of history: what it was before (empty for a new order), what it is, and the whole row."""

    user_id: str
    order_id: str
    before: str
    status: str
    row: Mapping[str, Any]
    ts_ns: TsNs


class Traded(msgspec.Struct, frozen=True, gc=False):
    """A part of an order traded; `qty` in units of the quoted price, `px` in 1e-4 rupee."""

    user_id: str
    order_id: str
    trade_id: str
    token: int
    side: int
    product: str
    qty: int
    px: int
    ts_ns: TsNs


class DayBegan(msgspec.Struct, frozen=True, gc=False):
    """A trading day has begun, at 06:00 IST: the order book is empty but for orders that wait for the session."""

    day: TradingDay
    ts_ns: TsNs


class SessionClosed(msgspec.Struct, frozen=True, gc=False):
    """The continuous market and the auctions of these instruments (tokens) are over for the day."""

    tokens: tuple[int, ...]
    ts_ns: TsNs


class TokenEnded(msgspec.Struct, frozen=True, gc=False):
    """An access token has died: logged out, replaced by a newer one, or at the end of its day."""

    api_key: str
    user_id: str
    access_token: str
    ts_ns: TsNs


ExchangeEvent: TypeAlias = OrderChanged | Traded | DayBegan | SessionClosed | TokenEnded


class Hearers:
    """Who hears of events, in the order they came."""

    def __init__(self) -> None:
        self._all: list[Callable[[ExchangeEvent], None]] = []

    def add(self, hear: Callable[[ExchangeEvent], None]) -> None:
        """Let somebody hear of every event from now on."""
        self._all.append(hear)

    def tell(self, event: ExchangeEvent) -> None:
        """Tell everybody."""
        for hear in self._all:
            hear(event)

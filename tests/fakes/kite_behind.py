"""Our way to Kite with an exchange on a socket behind it, whose time passes only when something was asked of it."""

import asyncio
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from manjha.adapters.kite.feed import Clocks, KiteFeed, Stream
from manjha.adapters.kite.gateway import KiteGateway
from manjha.adapters.kite.limits import Limits
from manjha.adapters.kite.mapping import Listed, Names
from manjha.adapters.kite.rest import KiteRest, Login
from manjha.adapters.kite.transport import Transport
from manjha.domain.broker import OrderSeen, Outcome, PositionSeen, TradeSeen
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.instrument import Instrument
from manjha.domain.moments import DAY_NS, HOUR_NS, SECOND_NS, TsNs, at, format_day
from manjha.domain.money import RUPEE, Px, Qty
from manjha.domain.ticks import Tick, TickColumns
from manjha.engine.bars import column
from manjha.exchange.market.sources import RecordedDays
from manjha.ports.gateway import LastLook, no_objection
from tests.fakes.exchanges import KEY, an_exchange, on_a_socket, run, session_of
from tests.fakes.hand_made import FIRST_DAY

if TYPE_CHECKING:
    from manjha.domain.orders import Order, OrderId

OPENS_NS = at(FIRST_DAY, 9 * HOUR_NS + 15 * 60 * SECOND_NS)


def one_price(share: Instrument, px: int) -> RecordedDays:
    """Return a market in which a share traded once the day before and once at the open of the first day."""
    stamps = np.array([OPENS_NS - DAY_NS, OPENS_NS], np.int64)
    prices, volumes = np.full(2, px, np.int64), np.full(2, 1, np.int64)
    return RecordedDays((share,), (TickColumns(share.id, column(stamps), column(prices), column(volumes)),))


class KiteBehind:
    """Implements `ports.gateway.Gateway` over our adapter: what is asked has come through when the answer is there."""

    def __init__(self, share: Instrument) -> None:
        self._stack = ExitStack()
        self._share = share
        source = one_price(share, 500 * RUPEE)
        self._exchange = an_exchange("10:15", day=format_day(FIRST_DAY), source=source, days=[FIRST_DAY])
        token = session_of(self._exchange).access_token
        root = self._stack.enter_context(on_a_socket(self._exchange))
        orders, reads = self._transports = Transport(root), Transport(root)
        rest = KiteRest(orders, reads, Login(KEY, lambda: token), Limits(time.monotonic, asyncio.sleep))
        self._root = root
        stream = Stream(root.replace("http", "ws", 1), lambda: (KEY, token), lambda: False)
        self._feed = KiteFeed(stream, {}, Clocks(lambda: self._exchange.now_ns, time.monotonic))
        self._orders: dict[OrderId, Order] = {}
        names = Names({share.id: Listed(str(share.exchange), share.symbol)}, [share])
        self._gateway = KiteGateway(rest, names, self._orders.__getitem__, self._feed.hints)

    def trade_at(self, px: float) -> None:
        """Let the market trade the share at a price in rupees, a second later."""
        exchange = self._exchange
        run(exchange, 1)
        tick = Tick(self._share.id, TsNs(exchange.now_ns), Px(round(px * RUPEE)), Qty(10**6))
        exchange.passage.apply(exchange.market.venue.on_tick(tick))
        self._wake()

    async def submit(self, approved: Approved[SubmitOrder], last_look: LastLook = no_objection) -> Outcome:
        """See the port."""
        self._orders[approved.command.order.id] = approved.command.order
        return self._settled(await self._gateway.submit(approved, last_look))

    async def modify(
        self, approved: Approved[ModifyOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        """See the port."""
        return self._settled(await self._gateway.modify(approved, broker_id, last_look))

    async def cancel(
        self, approved: Approved[CancelOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        """See the port."""
        return self._settled(await self._gateway.cancel(approved, broker_id, last_look))

    async def orders(self) -> tuple[OrderSeen, ...]:
        """See the port."""
        return await self._gateway.orders()

    async def trades(self) -> tuple[TradeSeen, ...]:
        """See the port."""
        return await self._gateway.trades()

    async def positions(self) -> tuple[PositionSeen, ...]:
        """See the port."""
        return await self._gateway.positions()

    def hints(self) -> AsyncIterator[str]:
        """See the port."""
        return self._gateway.hints()

    async def leave(self) -> None:
        """Close what belongs to an event loop."""
        await self._feed.close()
        for transport in self._transports:
            await transport.close()

    def close(self) -> None:
        """End the exchange."""
        self._stack.close()

    def _settled(self, outcome: Outcome) -> Outcome:
        """Let what was sent arrive; the exchange stamps whole seconds."""
        run(self._exchange, 1)
        self._wake()
        return outcome

    def _wake(self) -> None:
        """Ask the server anything: what happened in this thread is news that its own loop sleeps on."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(f"{self._root}/simulation", timeout=10).close()

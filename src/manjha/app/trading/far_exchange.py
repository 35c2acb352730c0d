"""The simulated exchange as if it were a network away: behind a real gateway, with answers that take their time.

An account goes the whole way of one at a broker: requests beside the loop, hints, reads, timeouts. Only what is at the
far end is simulated. It lives by the ticks that the trader sees, so that a recording is traded in its own time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

from manjha.app.trading.paper_exchange import VENUE_EVENTS, PaperExchange
from manjha.app.trading.remote import RemoteLink
from manjha.domain.broker import OrderSeen, Outcome, PositionSeen, TradeSeen, Unsent
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.events import Event
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.ticks import Tick
from manjha.engine.state import EngineState
from manjha.ports.gateway import LastLook, no_objection
from manjha.risk.gate import DayRules
from manjha.simulator.tick_market import TickMarket


class FarGateway:
    """Implements `ports.gateway.Gateway` over a simulated exchange in this process.

    Parameters
    ----------
    now_ns
        The time at the exchange.
    way_s
        How long a request is on its way there, and its answer on the way back, in seconds.
    """

    def __init__(self, exchange: PaperExchange, now_ns: Callable[[], TsNs], way_s: float = 0.0) -> None:
        self._exchange = exchange
        self._now_ns = now_ns
        self._way_s = way_s
        self._heard: dict[str, None] = {}
        self._stirred = asyncio.Event()
        exchange.heard = self._hear

    async def submit(self, approved: Approved[SubmitOrder], last_look: LastLook = no_objection) -> Outcome:
        """Send an order under its tag."""
        if why := last_look():
            return Unsent(why)
        await self._travel()
        outcome = self._exchange.submit(approved, self._now_ns())
        await self._travel()
        return outcome

    async def modify(
        self, approved: Approved[ModifyOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        """Send new terms of an order."""
        if why := last_look():
            return Unsent(why)
        await self._travel()
        outcome = self._exchange.modify(approved, broker_id, self._now_ns())
        await self._travel()
        return outcome

    async def cancel(
        self, approved: Approved[CancelOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        """Send a cancel."""
        if why := last_look():
            return Unsent(why)
        await self._travel()
        outcome = self._exchange.cancel(approved, broker_id, self._now_ns())
        await self._travel()
        return outcome

    async def orders(self) -> tuple[OrderSeen, ...]:
        """Read the orders of the day."""
        await self._travel()
        return self._exchange.orders()

    async def trades(self) -> tuple[TradeSeen, ...]:
        """Read the trades of the day."""
        await self._travel()
        return self._exchange.trades()

    async def positions(self) -> tuple[PositionSeen, ...]:
        """Read what the account holds."""
        await self._travel()
        return self._exchange.positions()

    async def hints(self) -> AsyncIterator[str]:
        """Yield the number of each order that has changed, joined where they come faster than they are heard."""
        yield ""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            heard, self._heard = self._heard, {}
            for number in heard:
                yield number

    def _hear(self, number: str) -> None:
        self._heard[number] = None
        self._stirred.set()

    async def _travel(self) -> None:
        await asyncio.sleep(self._way_s)


class FarMarket(TickMarket):
    """Lets the far exchange live by the ticks and the days of a trader, who hears of it by the gateway alone."""

    def __init__(self, state: EngineState, link: RemoteLink, exchange: PaperExchange) -> None:
        super().__init__(state, exchange.venue)
        self._link = link
        self._exchange = exchange
        self._day = state.day

    def opened(self, today: Mapping[InstrumentId, DayRules]) -> Iterable[int]:
        """Begin the books of the day on both sides; a day that was open before a restart goes on."""
        if self.state.day != self._day:
            self._day = self.state.day
            self._exchange.new_day()
        self._link.opened(self.state.day)
        return super().opened(today)

    def on_tick(self, tick: Tick) -> Iterable[Event]:
        """Let a tick trade what rests; nothing is heard of it here."""
        self._exchange.see(super().on_tick(tick))
        return ()

    def at(self, ts_ns: TsNs) -> Iterator[Event]:
        """Let the closing auctions trade that end now; nothing is heard of it here."""
        self._exchange.see(super().at(ts_ns))
        yield from ()

    def close_day(self, day: TradingDay, ts_ns: TsNs) -> Iterator[Event]:
        """End orders with the day, unheard; yield what the clearing side brings."""
        for event in super().close_day(day, ts_ns):
            if isinstance(event, VENUE_EVENTS):
                self._exchange.see((event,))
            else:
                yield event

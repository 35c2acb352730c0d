"""An account behind a gateway in virtual time: a far exchange that outlives processes, and a way there that fails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from manjha.app.trading.far_exchange import FarGateway, FarMarket
from manjha.app.trading.live import Broker, remote_session
from manjha.app.trading.loop import Ended, Loop, People
from manjha.app.trading.paper_exchange import PaperExchange
from manjha.app.trading.remote import Pace, RemoteLink
from manjha.app.trading.session import Around, Session
from manjha.app.trading.steady_clock import SteadyClock
from manjha.domain.bars import Interval
from manjha.domain.broker import OrderSeen, Outcome, Unsent
from manjha.domain.commands import Approved, CallPerson, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.controls import Status
from manjha.domain.events import Event, KillSwitched
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, MINUTE_NS, TsNs, day_of
from manjha.domain.orders import AccountId, Fill, Origin, Product, RunId, StrategyId
from manjha.domain.ticks import Tick
from manjha.engine.bars import empty_bars
from manjha.engine.state import EngineState
from manjha.market.calendar import trading_days
from manjha.ports.feed import FeedHealth
from manjha.ports.gateway import LastLook, no_objection
from manjha.research.tick_drive import each_tick, screen
from manjha.services.live_runs import LivePlan
from manjha.simulator.fills import VenueModels
from manjha.simulator.synthetic_ticks import ticks_within
from manjha.simulator.tick_venue import TickVenue
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import flat, minutes, share_named, spec_of
from tests.fakes.journals import MemoryJournal, SharedMemory
from tests.fakes.segments import MemorySegments
from tests.fakes.tick_runs import TickRun
from tests.fakes.virtual_time import VirtualTime

if TYPE_CHECKING:
    from manjha.ports.margin_source import MarginSource

ACCOUNT = AccountId("FAR")
AFTER_NS = 12 * MINUTE_NS
"""How long a session goes on after the last tick, so that everything may become known."""
BARS = 30
"""Minutes that a played run has ticks for."""
Fault = Callable[[Callable[[], Awaitable[Outcome]]], Awaitable[Outcome]]
"""What becomes of one command: it is given what sends it and awaits its answer."""


class KeptExchange(PaperExchange):
    """A far exchange that remembers all its fills and everything it was asked, beyond the day."""

    def __init__(self, venue: TickVenue) -> None:
        super().__init__(venue)
        self.traded: list[Fill] = []
        self.placed: list[SubmitOrder] = []

    def submit(self, approved: Approved[SubmitOrder], now_ns: TsNs) -> Outcome:
        self.placed.append(approved.command)
        return super().submit(approved, now_ns)

    def _filled(self, fill: Fill) -> None:
        super()._filled(fill)
        self.traded.append(fill)


class FaultyGateway(FarGateway):
    """A far gateway whose commands meet the faults of a list, one each; whose reads and hints fail where it is told."""

    def __init__(self, exchange: PaperExchange, time: VirtualTime, way_s: float = 0.05) -> None:
        super().__init__(exchange, time.now_ns, way_s)
        self.time = time
        self.faults: list[Fault | None] = []
        self.of_changes: list[Fault | None] = []
        self.breaks: list[BaseException | float] = []
        self.reads: list[int] = []
        self.under_way = self.most_under_way = 0
        self.connects_s = 0.0
        self.log: list[tuple[str, str, int]] = []
        self.hears, self.ends = True, False

    async def submit(self, approved: Approved[SubmitOrder], last_look: LastLook = no_objection) -> Outcome:
        sends = super().submit
        if why := await self._connected(last_look):
            return Unsent(why)
        return await self._meets(self.faults, "submit", approved.command.order.id, lambda: sends(approved))

    async def modify(
        self, approved: Approved[ModifyOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        sends = super().modify
        if why := await self._connected(last_look):
            return Unsent(why)
        name = approved.command.order_id
        return await self._meets(self.of_changes, "modify", name, lambda: sends(approved, broker_id))

    async def cancel(
        self, approved: Approved[CancelOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        sends = super().cancel
        if why := await self._connected(last_look):
            return Unsent(why)
        name = approved.command.order_id
        return await self._meets(self.of_changes, "cancel", name, lambda: sends(approved, broker_id))

    async def orders(self) -> tuple[OrderSeen, ...]:
        self.reads.append(self.time.mono_ns())
        trouble = self.breaks.pop(0) if self.breaks else None
        if isinstance(trouble, float):
            await asyncio.sleep(trouble)
        elif trouble is not None:
            raise trouble
        return await super().orders()

    async def hints(self) -> AsyncIterator[str]:
        if self.ends:
            return
        async for number in super().hints():
            if self.hears:
                yield number

    def hear_again(self) -> None:
        """Let the stream of hints be made anew."""
        self._hear("")

    async def _connected(self, last_look: LastLook) -> str:
        await asyncio.sleep(self.connects_s)
        return last_look()

    async def _meets(
        self, faults: list[Fault | None], what: str, name: str, sends: Callable[[], Awaitable[Outcome]]
    ) -> Outcome:
        self.log.append((what, name, self.time.mono_ns()))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        fault = faults.pop(0) if faults else None
        try:
            return await (sends() if fault is None else fault(sends))
        finally:
            self.under_way -= 1


async def never(sends: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Lose the request and never answer."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


async def lands_and_hangs(sends: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Let it arrive and never answer."""
    await sends()
    return await never(sends)


async def lands_late_and_hangs(sends: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Let it arrive a second later and never answer."""
    await asyncio.sleep(1.0)
    return await lands_and_hangs(sends)


def answers_after(seconds: float) -> Fault:
    """Let it arrive at once and answer later."""

    async def late(sends: Callable[[], Awaitable[Outcome]]) -> Outcome:
        outcome = await sends()
        await asyncio.sleep(seconds)
        return outcome

    return late


def ends_with(what: object, *, lands: bool) -> Fault:
    """Raise, or return, something that is no outcome of it."""

    async def broken(sends: Callable[[], Awaitable[Outcome]]) -> Outcome:
        if lands:
            await sends()
        if isinstance(what, BaseException):
            raise what
        return what  # type: ignore[return-value]

    return broken


class TimedFeed:
    """Implements `ports.feed.Feed`: each tick at its time, then silence for a while."""

    def __init__(self, ticks: list[Tick], time: VirtualTime, ends_ns: int) -> None:
        self._ticks, self._time, self._ends_ns = ticks, time, ends_ns

    async def ticks(self) -> AsyncIterator[Tick]:
        for tick in self._ticks:
            await self._time.until(tick.ts_ns)
            yield tick
        await self._time.until(self._ends_ns)

    def health(self) -> FeedHealth:
        raise AssertionError("nobody asks")

    async def close(self) -> None:
        """Let go of nothing."""


class Silent:
    def beat(self, session: Session, *, ended: bool) -> None:
        """Leave no sign."""

    def status(self, session: Session) -> Status:
        raise AssertionError("nobody asks")


class NoKill:
    def thrown(self) -> list[KillSwitched]:
        return []

    def throw(self, event: KillSwitched) -> None:
        raise AssertionError("nobody throws")


class Played(Strategy):
    """Does at the close of some bars what it is told to do there."""

    name = "played"
    product = Product.MIS

    def __init__(self, plan: dict[int, Callable[[Context], object]]) -> None:
        super().__init__()
        self.plan, self.seen = plan, 0

    def init(self, ctx: Context) -> None:
        """Need nothing."""

    def on_bar(self, ctx: Context) -> None:
        self.seen += 1
        do = self.plan.get(self.seen)
        if do is not None:
            do(ctx)


def played(plan: dict[int, Callable[[Context], object]]) -> TickRun:
    """Return a run of one share over the first minutes of a day, in which it hardly moves from 500 rupees."""
    one = share_named()
    bars = minutes(one, [flat(500.0, up=0.1)] * BARS, length=60)
    spec = spec_of(Played(plan), empty_bars(one.id, Interval(60)))
    return TickRun(spec, [ticks_within(bars, 7, 12)], lambda: Played(plan))


class Remote:
    """An account at a far exchange, over the ticks of a run. `before` is called in the loop as each process begins."""

    def __init__(self, run: TickRun, *, way_s: float = 0.05) -> None:
        self.run = run
        self.spec = run.fresh()
        screened = screen(self.spec, run.ticks)
        self.ticks = list(each_tick(screened, run.spec.instruments))
        first, last = day_of(self.ticks[0].ts_ns), day_of(self.ticks[-1].ts_ns)
        self.days = list(trading_days(self.spec.rules, first, last))
        self.from_ns = TsNs(first * DAY_NS - IST_OFFSET_NS)
        self.time = VirtualTime(self.ticks[0].ts_ns - 3 * MINUTE_NS)
        spec = self.spec
        models = VenueModels(rules=spec.fills, slippage=spec.slippage, latency_ns=spec.latency_ns, bands=spec.bands)
        self.exchange = KeptExchange(TickVenue(spec.instruments, models))
        self.gateway = FaultyGateway(self.exchange, self.time, way_s)
        self.shared = SharedMemory(ACCOUNT)
        self.stored: dict[int, bytes] = {}
        self.calls: list[CallPerson] = []
        self.events: list[Event] = []
        self.pace = Pace()
        self.margins: MarginSource | None = None

    def start(self) -> Session:
        """Begin a process: it takes the account over."""
        spec = self.run.fresh()
        origin = Origin(ACCOUNT, StrategyId(spec.strategy.name), RunId("run"))
        plan = LivePlan(spec, origin, "strategy", self.from_ns)
        around = Around(self.time.mono_ns, self.calls.append, list, self._seen)
        self.exchange.heard = self.gateway._hear

        def market(state: EngineState, link: RemoteLink) -> FarMarket:
            return FarMarket(state, link, self.exchange)

        storage = (MemoryJournal(self.shared), MemorySegments(ACCOUNT, self.stored))
        broker = Broker(self.gateway, self.pace, market, margins=self.margins)
        return remote_session(plan, broker, storage, self.days, self.time.now_ns(), around)

    def live(self, *at: tuple[int, Callable[[Loop], object]]) -> tuple[Session, Ended]:
        """Live on until the feed ends, or somebody stops the loop; at some moments, do something with it."""

        async def process() -> tuple[Session, Ended]:
            session = self.start()
            ticks = [tick for tick in self.ticks if tick.ts_ns >= self.time.now_ns()]
            feed = TimedFeed(ticks, self.time, self.ticks[-1].ts_ns + AFTER_NS)
            people = People(None, NoKill())
            loop = Loop(
                session, feed, people, Silent(), SteadyClock(self.time.now_ns, self.time.now_ns), follows_clock=True
            )
            for ts_ns, action in at:
                self.time.at(ts_ns, lambda action=action: action(loop))  # type: ignore[misc]
            return session, await loop.run()

        return self.time.run(process())

    def from_virtual(self, mono_ns: int) -> int:
        """Return the moment of a reading of the clock that does not jump."""
        return self.time.now_ns() - self.time.mono_ns() + mono_ns

    def _seen(self, event: Event, outputs: Iterable[object]) -> None:
        del outputs
        self.events.append(event)

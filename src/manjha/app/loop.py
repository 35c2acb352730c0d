"""The loop of a trader: one task that owns the account, to which ticks, controls and the clock come in one order.

Everything that touches the engine happens in `run`. Others put into its inbox: it is bounded, waits for whoever replays
a recording, and joins ticks of one instrument where they come faster than they are taken; controls are never dropped.
"""

import asyncio
import signal
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from manjha.app.paper import Session
from manjha.app.told import done_once, ended
from manjha.domain.controls import (
    AcceptDifference,
    Answer,
    AskStatus,
    EndRun,
    LiftKill,
    ManualOrder,
    Request,
    SetParameters,
    StartTrading,
    Status,
    StopTrading,
    ThrowKill,
)
from manjha.domain.events import DifferenceAccepted, KillSwitched, TradingSwitched
from manjha.domain.instrument import InstrumentId
from manjha.domain.kill import KillLevel, Scope, level_of
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import Qty
from manjha.domain.orders import StrategyId
from manjha.domain.ticks import Tick
from manjha.ports.control_inbox import ControlInbox
from manjha.ports.feed import Feed
from manjha.ports.kill_switch import KillSwitch
from manjha.services.asked import known_as

INBOX_MAX = 4_096
"""Ticks that may wait."""
TURN = 256
"""Ticks of one turn; then others get theirs."""
BEAT_NS = SECOND_NS


class Ended(StrEnum):
    """Why a loop ended. The value is for people."""

    FEED = "the feed has ended"
    ASKED = "it was asked to stop"
    RUN = "its run was ended"


class Watcher(Protocol):
    """Is shown, once a second and at the end, that the loop goes on, and tells of the trader to whoever asks."""

    def beat(self, session: Session, *, ended: bool) -> None:
        """Leave a sign of life."""
        ...

    def status(self, session: Session) -> Status:
        """Return how things stand."""
        ...


class People(NamedTuple):
    """By what people reach a trader: the inbox of their requests, None where there is none, and the kill switch."""

    inbox: ControlInbox | None
    kill: KillSwitch


class Inbox:
    """Ticks that wait for the loop, oldest first; `joined` counts those that were joined with a later one."""

    def __init__(self, limit: int = INBOX_MAX, *, joins: bool = False) -> None:
        self._limit = limit
        self._joins = joins
        self._ticks: deque[Tick] = deque()
        self._room = asyncio.Event()
        self._room.set()
        self.stirred = asyncio.Event()
        self.joined = 0

    def __len__(self) -> int:
        return len(self._ticks)

    async def put(self, tick: Tick) -> None:
        """Put a tick in; where there is no room, wait, or join it with the one of its instrument that waits."""
        while len(self._ticks) >= self._limit:
            if self._joins and self._join(tick):
                return
            self._room.clear()
            await self._room.wait()
        self._ticks.append(tick)
        self.stirred.set()

    def take(self) -> Tick | None:
        """Take the oldest one out; None where none waits."""
        if not self._ticks:
            return None
        tick = self._ticks.popleft()
        self._room.set()
        return tick

    def _join(self, tick: Tick) -> bool:
        """Let the last waiting tick of an instrument have a later price and both quantities."""
        for at in range(len(self._ticks) - 1, -1, -1):
            waits = self._ticks[at]
            if waits.instrument == tick.instrument:
                del self._ticks[at]
                volume = Qty(waits.volume + tick.volume)
                self._ticks.append(msgspec.structs.replace(tick, volume=volume))
                self.joined += 1
                return True
        return False


class Loop:
    """Runs a session until its feed ends or it is asked to stop.

    Parameters
    ----------
    now_ns
        The clock. With `follows_clock` bars close and timers fire by it; else time goes with the ticks alone, as for a
        recording.
    """

    def __init__(
        self,
        session: Session,
        feed: Feed,
        people: People,
        watcher: Watcher,
        now_ns: Callable[[], TsNs],
        *,
        follows_clock: bool = False,
    ) -> None:
        self.session = session
        self.inbox = Inbox(joins=follows_clock)
        self._feed = feed
        self._controls, self._kill = people
        self._watcher = watcher
        self._now_ns = now_ns
        self._follows_clock = follows_clock
        self._requests: deque[Request] = deque()
        self._stop = self._is_over = False
        self._fed = False
        self._beat_due = 0

    def stop(self) -> None:
        """Ask the loop to end, after what it is doing."""
        self._stop = True
        self.inbox.stirred.set()

    def kill(self) -> None:
        """Throw the kill switch for everything, level cancel-all: what the signal SIGUSR1 asks for."""
        refused = self._switch(ThrowKill("cancel-all", "the signal SIGUSR1"), "whoever may signal")
        if not refused:
            self.session.trader.rest()
        self.inbox.stirred.set()

    async def run(self) -> Ended:
        """Trade. What ends it otherwise is raised: a journal that fails, a feed that breaks, our own bug."""
        tasks = [asyncio.create_task(self._take_feed())]
        if self._controls is not None:
            tasks.append(asyncio.create_task(self._take_controls(self._controls)))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGUSR1, self.kill)
        try:
            while True:
                ended = self._turn(tasks)
                if ended is not None:
                    break
                await self._wait()
        finally:
            for task in tasks:
                task.cancel()
            await self._feed.close()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
                loop.remove_signal_handler(number)
        self._end(ended)
        return ended

    # ---- one turn

    def _turn(self, tasks: "list[asyncio.Task[None]]") -> Ended | None:
        for task in tasks:
            if task.done() and (error := task.exception()) is not None:
                raise error
        while self._requests:
            self._answer(self._requests.popleft())
        if self._is_over:
            return Ended.RUN
        if self._stop:
            return Ended.ASKED
        for _ in range(TURN):
            tick = self.inbox.take()
            if tick is None:
                break
            self.session.on_tick(tick, self._now_ns() if self._follows_clock else tick.ts_ns)
        if self._follows_clock:
            self.session.advance_to(self._now_ns())
        if not len(self.inbox):
            self.session.trader.rest()
        self._beat()
        return Ended.FEED if self._fed and not len(self.inbox) else None

    async def _wait(self) -> None:
        """Wait for something to do: a tick, a control, or what comes due."""
        if len(self.inbox) or self._requests or self._stop:
            await asyncio.sleep(0)
            return
        self.inbox.stirred.clear()
        until_ns = self._now_ns() + BEAT_NS
        if self._follows_clock:
            until_ns = min(until_ns, self.session.pump.next_ns)
        seconds = max(until_ns - self._now_ns(), 0) / SECOND_NS
        try:
            await asyncio.wait_for(self.inbox.stirred.wait(), seconds)
        except TimeoutError:
            return

    def _beat(self) -> None:
        now_ns = self._now_ns()
        if now_ns >= self._beat_due:
            self._beat_due = now_ns + BEAT_NS
            if self.session.hears.hear():
                self.session.trader.rest()
            self._watcher.beat(self.session, ended=False)

    def _end(self, ended: Ended) -> None:
        if ended is Ended.FEED and not self._follows_clock:
            # A recording says how far time came; the days that it has are over.
            self.session.pump.finish()
        if ended is Ended.FEED and self.session.is_over:
            self.session.end()
        self.session.trader.rest()
        self._watcher.beat(self.session, ended=True)

    # ---- what others bring

    async def _take_feed(self) -> None:
        async for tick in self._feed.ticks():
            await self.inbox.put(tick)
        self._fed = True
        self.inbox.stirred.set()

    async def _take_controls(self, controls: ControlInbox) -> None:
        while True:
            self._requests.append(await controls.next())
            self.inbox.stirred.set()

    def _answer(self, request: Request) -> None:
        if self._controls is not None:
            self._controls.answer(self._done(request))

    def _done(self, request: Request) -> Answer:
        """Do what is asked and say where it is written down."""
        pump, control = self.session.pump, request.control
        if self._is_over:
            return Answer(request.key, refused="the run has ended")
        now_ns = max(pump.now_ns, self._now_ns() if self._follows_clock else pump.now_ns)
        if isinstance(control, AskStatus):
            return Answer(request.key, status=self._watcher.status(self.session))
        if isinstance(control, StartTrading | StopTrading):
            on = isinstance(control, StartTrading)
            pump.apply(TradingSwitched(on, now_ns, f"{request.by}: {control.reason}"))
        elif isinstance(control, ThrowKill | LiftKill):
            refused = self._switch(control, request.by)
            if refused:
                return Answer(request.key, refused=refused)
        elif isinstance(control, AcceptDifference):
            known = known_as(self.session.trader.state.instruments.values(), control.instrument)
            pump.apply(DifferenceAccepted(known or InstrumentId(control.instrument), request.by, now_ns))
        elif isinstance(control, ManualOrder | SetParameters):
            return done_once(self.session, request, control, now_ns)
        elif isinstance(control, EndRun):
            answer = ended(self.session, request, control.reason, now_ns)
            self._is_over = not answer.refused
            return answer
        self.session.trader.rest()
        return Answer(request.key, seq=self.session.tape.recorder.seq)

    def _switch(self, control: ThrowKill | LiftKill, by: str) -> str:
        """Throw or lift the kill switch, in its file and with that in the journal; return why not."""
        scope = Scope(StrategyId(control.strategy), InstrumentId(control.instrument))
        level = KillLevel.OFF if isinstance(control, LiftKill) else level_of(control.level)
        if level is None or (isinstance(control, ThrowKill) and not level):
            return "there is no such level of the kill switch"
        try:
            self._kill.throw(KillSwitched(level, scope, control.reason, by, self._now_ns()))
        except OSError as error:
            return f"the file of the kill switch could not be written: {error.strerror}"
        self.session.hears.hear()
        return ""

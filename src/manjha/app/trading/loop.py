"""The loop of a trader: one task that owns the account, to which ticks, controls and the clock come in one order.

Everything that touches the engine happens in `run`. Others put into its inbox: it is bounded, waits for whoever replays
a recording, and joins ticks of one instrument where they come faster than they are taken; controls are never dropped,
nor is what comes back from an exchange that is elsewhere, which the session's inflow keeps.
"""

import asyncio
import signal
from collections import deque
from contextlib import suppress
from enum import StrEnum
from typing import NamedTuple, Protocol

from manjha.app.trading.inbox import Inbox
from manjha.app.trading.session import Session
from manjha.app.trading.steady_clock import SteadyClock
from manjha.app.trading.told import accepted, done_once, ended, newest_prices, scope_of
from manjha.domain.commands import CallPerson
from manjha.domain.controls import (
    AcceptDifference,
    Answer,
    AskPrices,
    AskStatus,
    EndRun,
    LiftKill,
    Request,
    StartTrading,
    Status,
    StopTrading,
    ThrowKill,
)
from manjha.domain.events import KillSwitched, TradingSwitched
from manjha.domain.kill import KillLevel, level_of
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.ticks import Tick
from manjha.engine.tick_bars import NEVER
from manjha.ports.control_inbox import ControlInbox
from manjha.ports.feed import Feed, FeedHealth
from manjha.ports.kill_switch import KillSwitch
from manjha.services.asked import Wish
from manjha.services.kill_switch import in_force

TURN = 256
"""Ticks of one turn; then others get theirs."""
REQUESTS_MAX = 64
"""Requests of people that may wait for the loop; it answers all of them in each of its turns."""
KILLS_MAX = 16
"""More of them that may wait if they are kills."""
BEAT_NS = SECOND_NS
SETTLE_S = 10.0
"""How long the end waits for outcomes of what has left (RELIABILITY F57); what has none then is unconfirmed."""
CALL_NS = 2 * SECOND_NS
"""How far the machine's clock may be away from ours before a person is called,"""
STOP_NS = 5 * SECOND_NS
"""and before nothing is opened any more: day, session and the stamps of ticks cannot be trusted (RELIABILITY F48)."""


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


class Loop:
    """Runs a session until its feed ends or it is asked to stop.

    Parameters
    ----------
    clock
        With `follows_clock` bars close and timers fire by it; else time goes with the ticks alone, as for a recording.
    """

    def __init__(
        self,
        session: Session,
        feed: Feed,
        people: People,
        watcher: Watcher,
        clock: SteadyClock,
        *,
        follows_clock: bool = False,
    ) -> None:
        self.session = session
        self.inbox = Inbox(joins=follows_clock)
        self._feed = feed
        self._controls, self._kill = people
        self._watcher = watcher
        self._clock = clock
        self._now_ns = clock.now_ns
        self._follows_clock = follows_clock
        self._requests: deque[Request] = deque()
        self._held: Tick | None = None
        self._stop = self._is_over = False
        self._fed = False
        self._beat_due = 0
        self._jumped_ns = 0

    @property
    def health(self) -> FeedHealth:
        """How the ticks come."""
        return self._feed.health()

    @property
    def ahead_ns(self) -> int:
        """By how much the machine's clock was set ahead since the loop was made."""
        return self._clock.ahead_ns()

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
        self.session.inflow.open(self.inbox.stirred.set)
        self.session.backfill.open(self.inbox.stirred.set)
        try:
            while True:
                ended = self._turn(tasks)
                if ended is not None:
                    break
                await self._wait()
            if ended is Ended.FEED and not self._follows_clock:
                await self._finish()
            if not self._is_over:
                await self._settle()
                if ended is Ended.FEED and self.session.is_over:
                    self.session.end()
        finally:
            for task in tasks:
                task.cancel()
            await self.session.inflow.close()
            await self.session.backfill.close()
            await self._feed.close()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
                loop.remove_signal_handler(number)
        self.session.trader.rest()
        self._watcher.beat(self.session, ended=True)
        return ended

    # ---- one turn

    def _turn(self, tasks: "list[asyncio.Task[None]]") -> Ended | None:
        for task in tasks:
            if task.done() and (error := task.exception()) is not None:
                raise error
        self._answer_all()
        if self._is_over:
            return Ended.RUN
        if self._stop:
            return Ended.ASKED
        inflow, backfill = self.session.inflow, self.session.backfill
        # Before the first tick that came after a gap.
        backfill.notice(self._feed.health, self._time())
        self.session.take(self._time())
        for _ in range(1 if inflow.is_elsewhere and not self._follows_clock else TURN):
            # What was decided leaves before more is looked at.
            if inflow.waits or not self._can_tick or not self._go_on():
                break
        if self._follows_clock:
            self.session.advance_to(self._now_ns())
        backfill.turn()
        if not self._has_ticks:
            self.session.trader.idle()
        self._beat()
        return Ended.FEED if self._fed and not self._has_ticks and not inflow.waits else None

    @property
    def _has_ticks(self) -> bool:
        return self._held is not None or len(self.inbox) > 0

    @property
    def _can_tick(self) -> bool:
        """Whether there is a tick that may come now: the time of a recording stands while an answer is to come."""
        return self._has_ticks and (self._follows_clock or not self.session.inflow.is_busy)

    def _go_on(self) -> bool:
        """Let the next tick come, or what a recording has due before it; tell whether there was anything."""
        session, tick = self.session, self._held
        if tick is None:
            tick = self.inbox.take()
            if tick is None:
                return False
            admitted = session.gate.admit(tick, self._now_ns() if self._follows_clock else tick.ts_ns)
            if not isinstance(admitted, Tick):
                return True
            tick = admitted
        if not self._follows_clock and session.pump.next_ns <= tick.ts_ns:
            self._held = tick
            session.pump.advance_to(TsNs(session.pump.next_ns))
        else:
            self._held = None
            session.let_in(tick)
        return True

    async def _wait(self) -> None:
        """Wait for something to do: a tick, a control, or what comes due."""
        if self._can_tick or self._requests or self._stop or self.session.inflow.waits:
            await asyncio.sleep(0)
            return
        until_ns = self._now_ns() + BEAT_NS
        if self._follows_clock:
            until_ns = min(until_ns, self.session.pump.next_ns, self.session.backfill.next_ns)
        await self._pause(self._clock.seconds_until(until_ns))

    async def _pause(self, seconds: float) -> None:
        """Let others have their turn, until there is something to do or the time is over."""
        self.inbox.stirred.clear()
        if self.session.inflow.waits:
            await asyncio.sleep(0)
            return
        # Not `wait_for`: its task of its own would keep an answer waiting for two more turns of the event loop; and
        # where both come in one turn, Python 3.11 returns what was waited for and forgets the cancel.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.inbox.stirred.wait()

    def _time(self) -> TsNs:
        """Return what time it is for the session: the clock's, or that of the recording."""
        return self._now_ns() if self._follows_clock else self.session.pump.now_ns

    def _beat(self) -> None:
        now_ns = self._now_ns()
        if now_ns >= self._beat_due:
            self._beat_due = now_ns + BEAT_NS
            self.session.hears.hear()
            # Also where ticks never cease: no row waits longer, and a snapshot that is due is kept.
            self.session.trader.rest()
            self._watcher.beat(self.session, ended=False)
            if self._follows_clock:
                self._look_at_clock()

    def _look_at_clock(self) -> None:
        """Call a person where the machine's clock was set, and open nothing more where it was set by much."""
        ahead_ns = self._clock.ahead_ns()
        moved_ns, pump = abs(ahead_ns - self._jumped_ns), self.session.pump
        if moved_ns <= CALL_NS:
            return
        self._jumped_ns = ahead_ns
        what = f"it is {abs(ahead_ns) / SECOND_NS:.1f} s {'ahead' if ahead_ns > 0 else 'behind'}"
        if abs(ahead_ns) > STOP_NS and self.session.trader.state.gate.trading_on:
            pump.apply(TradingSwitched(on=False, ts_ns=pump.now_ns, reason=f"the machine's clock was set: {what}"))
            self.session.trader.rest()
            what += "; nothing is opened any more. Set it right and start the trader anew, then let it trade again"
        self.session.trader.call(CallPerson("the machine's clock", what, pump.now_ns))

    # ---- the end

    async def _finish(self) -> None:
        """Live to the end of the days that a recording has: it says how far time came, and they are over."""
        while not self._stop:
            await self._quiet()
            if self.session.pump.next_ns == NEVER:
                return
            self.session.pump.advance_to(TsNs(self.session.pump.next_ns))

    async def _quiet(self) -> None:
        """Take what comes back until nothing is to come."""
        while self.session.inflow.is_busy and not self._stop:
            await self._pause(1.0)
            self.session.take(self._time())
            self._answer_all()
            self._beat()

    async def _settle(self) -> None:
        """Give what has left a bounded time for its outcome; who is asked to stop once more does not wait.

        What opens does not leave any more: nobody would be there to see to it.
        """
        inflow, loop = self.session.inflow, asyncio.get_running_loop()
        self.session.trader.end()
        inflow.hush()
        self._stop, ends = False, loop.time() + SETTLE_S
        while inflow.in_flight and not self._stop and (left := ends - loop.time()) > 0:
            await self._pause(left)
            self.session.take(self._time())

    # ---- what others bring

    async def _take_feed(self) -> None:
        async for tick in self._feed.ticks():
            await self.inbox.put(tick)
        self._fed = True
        self.inbox.stirred.set()

    async def _take_controls(self, controls: ControlInbox) -> None:
        while True:
            request = await controls.next()
            bound = REQUESTS_MAX + KILLS_MAX * isinstance(request.control, ThrowKill)
            if len(self._requests) >= bound:
                why = f"{len(self._requests)} requests wait for the trader already: ask later"
                controls.answer(Answer(request.key, refused=why, later=True))
                continue
            self._requests.append(request)
            self.inbox.stirred.set()

    def _answer_all(self) -> None:
        while self._requests:
            request = self._requests.popleft()
            if self._controls is not None:
                self._controls.answer(self._done(request))

    def _done(self, request: Request) -> Answer:
        """Do what is asked and say where it is written down."""
        pump, control = self.session.pump, request.control
        if self._is_over:
            return Answer(request.key, refused="the run has ended")
        now_ns, refused = max(pump.now_ns, self._now_ns() if self._follows_clock else pump.now_ns), ""
        if isinstance(control, AskStatus):
            return Answer(request.key, status=self._watcher.status(self.session))
        if isinstance(control, AskPrices):
            return Answer(request.key, status=newest_prices(self.session))
        if isinstance(control, StartTrading | StopTrading):
            on = isinstance(control, StartTrading)
            pump.apply(TradingSwitched(on, now_ns, f"{request.by}: {control.reason}"))
        elif isinstance(control, ThrowKill | LiftKill):
            refused = self._switch(control, request.by)
        elif isinstance(control, AcceptDifference):
            refused = accepted(self.session, control.instrument, request.by, now_ns)
        elif isinstance(control, Wish):
            return done_once(self.session, request, control, now_ns)
        elif isinstance(control, EndRun):
            answer = ended(self.session, request, control.reason, now_ns)
            self._is_over = not answer.refused
            self._stop = self._stop or self._is_over
            return answer
        self.session.trader.rest()
        return Answer(request.key, seq=0 if refused else self.session.tape.recorder.seq, refused=refused)

    def _switch(self, control: ThrowKill | LiftKill, by: str) -> str:
        """Throw or lift the kill switch, in its file and with that in the journal; return why not."""
        state = self.session.trader.state
        held = state.controls.levels if state.controls is not None else {}
        scope = scope_of(state, control, (*held, *in_force(self._kill)))
        if isinstance(scope, str):
            return scope
        level = KillLevel.OFF if isinstance(control, LiftKill) else level_of(control.level)
        if level is None or (isinstance(control, ThrowKill) and not level):
            return "there is no such level of the kill switch"
        try:
            self._kill.throw(KillSwitched(level, scope, control.reason, by, self._now_ns()))
        except OSError as error:
            return f"the file of the kill switch could not be written: {error.strerror}"
        self.session.hears.hear()
        return ""

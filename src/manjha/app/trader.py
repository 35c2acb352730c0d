"""One account's trading, without its sockets: events in, everything written down, commands out through the outbox.

The loop (or a test) tells it what happened and when; it owns the engine's state, the timers and the order in which
things are written: an event and what was decided on it are durable before a command may leave.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from manjha.app.outbox import Command, Outbox, Outgoing, order_of
from manjha.domain.broker import Outcome
from manjha.domain.commands import Approved, CallPerson, CancelOrder, Output, ReadBroker, Refused, SetTimer, SubmitOrder
from manjha.domain.events import ChangeAnswered, Event, SubmitAnswered, TimerFired
from manjha.domain.moments import TsNs
from manjha.engine.state import EngineState
from manjha.engine.step import step

WAITING_MAX = 500
"""Rows that may wait for a commit while nothing leaves."""


class Tape(Protocol):
    """Writes down what goes in and comes out; nothing is durable before `commit`."""

    @property
    def waiting(self) -> int:
        """How many rows are not durable yet."""
        ...

    def record(self, event: Event, ts_ns: TsNs) -> object:
        """Write an event down before the engine sees it."""
        ...

    def decided(self, outputs: Sequence[Output], ts_ns: TsNs) -> None:
        """Write down what the engine made of it."""
        ...

    def commit(self) -> object:
        """Make everything durable. Raises `JournalHalted`: then nothing may be sent any more."""
        ...


class Timers:
    """What is due when. At one moment timers fire in the order in which they were set."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, str]] = []
        self._number = 0

    def set(self, timer: SetTimer) -> None:
        """Remember a timer."""
        self._number += 1
        heapq.heappush(self._due, (timer.ts_ns, self._number, timer.key))

    def next_ns(self) -> TsNs | None:
        """Return when the next one is due."""
        return TsNs(self._due[0][0]) if self._due else None

    def pop(self) -> tuple[TsNs, str]:
        """Take out the next one."""
        ts_ns, _, key = heapq.heappop(self._due)
        return TsNs(ts_ns), key

    def fired(self, key: str, ts_ns: int) -> None:
        """Take out a timer that an earlier process has fired at `ts_ns`, when or after it was due."""
        for number, (due_ns, _, name) in enumerate(sorted(self._due)):
            if name == key and due_ns <= ts_ns:
                self._due = [each for at, each in enumerate(sorted(self._due)) if at != number]
                heapq.heapify(self._due)
                return


class Trader:
    """Runs one account.

    Attributes
    ----------
    reads, calls
        Questions to the broker and calls for a person that wait for whoever carries them out.
    now_ns
        The time of the engine: that of the last event, which never goes back.
    """

    def __init__(
        self, state: EngineState, tape: Tape, outbox: Outbox, mono_ns: Callable[[], int], timers: Timers | None = None
    ) -> None:
        self.state = state
        self.timers = timers or Timers()
        self.reads: deque[ReadBroker] = deque()
        self.calls: deque[CallPerson] = deque()
        self.now_ns = TsNs(0)
        self._tape = tape
        self._outbox = outbox
        self._mono_ns = mono_ns
        self._decided: list[Command] = []

    def take(self, event: Event, ts_ns: TsNs) -> list[Output]:
        """Let the engine see an event; what it decides waits for `outgoing`. Its time never goes back."""
        self.now_ns = max(self.now_ns, ts_ns)
        self._tape.record(event, self.now_ns)
        outputs = step(self.state, event)
        self._tape.decided(outputs, self.now_ns)
        for output in outputs:
            if isinstance(output, Approved):
                self._decided.append(output)
            elif isinstance(output, SetTimer):
                self.timers.set(output)
            elif isinstance(output, ReadBroker):
                self.reads.append(output)
            elif isinstance(output, CallPerson):
                self.calls.append(output)
        return outputs

    def advance(self, to_ns: TsNs) -> None:
        """Fire the timers that are due by a moment, in order."""
        while (due_ns := self.timers.next_ns()) is not None and due_ns <= to_ns:
            _, key = self.timers.pop()
            at_ns = max(due_ns, self.now_ns)
            self.take(TimerFired(key, at_ns), at_ns)

    def outgoing(self) -> list[Outgoing]:
        """Make durable what was decided and return what may be sent now; whatever is vetoed is decided on again.

        Raises
        ------
        JournalHalted
            It cannot be written down: nothing leaves.
        """
        leaving: list[Outgoing] = []
        while True:
            if self._decided or self._tape.waiting >= WAITING_MAX:
                self._tape.commit()
            for command in self._decided:
                self._outbox.put(command, self._mono_ns())
            self._decided = []
            ready, vetoed = self._outbox.ready(self._mono_ns(), self.now_ns)
            leaving += ready
            for veto in vetoed:
                self.take(veto, self.now_ns)
            if not self._decided:
                return leaving

    def answered(self, command: Command, outcome: Outcome, ts_ns: TsNs) -> None:
        """Take how sending a command ended."""
        order_id, asked, at_ns = order_of(command), command.command, max(ts_ns, self.now_ns)
        self._outbox.answered(order_id)
        if isinstance(asked, SubmitOrder):
            self.take(SubmitAnswered(order_id, outcome, at_ns), at_ns)
        else:
            self.take(ChangeAnswered(order_id, isinstance(asked, CancelOrder), outcome, at_ns), at_ns)

    def rest(self) -> None:
        """Make durable what waits, while nothing else is to be done."""
        if self._tape.waiting:
            self._tape.commit()


def restored(state: EngineState, values: Iterable[Event | Output]) -> Timers:
    """Step a new state through what a journal has, and return the timers that are still to fire.

    Of what was decided only timers are taken: the engine decides the same again, or the replay is not one.
    """
    timers = Timers()
    for value in values:
        if isinstance(value, SetTimer):
            timers.set(value)
        elif not isinstance(value, Approved | Refused | ReadBroker | CallPerson):
            if isinstance(value, TimerFired):
                timers.fired(value.key, value.ts_ns)
            step(state, value)
    return timers

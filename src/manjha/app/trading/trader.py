"""One account's trading around the engine: everything is written down, and what leaves goes through the outbox.

A trader is what a `Pump` takes events with and answers outputs with. It does no I/O of its own: a `Link` carries
commands and questions to the broker and brings events back, at once where the exchange is simulated in this process,
later where it is a network away. What was decided is durable before a command may leave.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from manjha.app.trading.outbox import Command, Outbox, Outgoing, order_of
from manjha.domain.broker import Outcome
from manjha.domain.commands import (
    Approved,
    AskMargin,
    CallPerson,
    CancelOrder,
    MarginAssumed,
    Output,
    ReadBroker,
    Refused,
    SetTimer,
    SubmitOrder,
    Tripped,
)
from manjha.domain.errors import InvariantBroken
from manjha.domain.events import (
    ChangeAnswered,
    Event,
    KillSwitched,
    MarketAdvanced,
    OrderFilled,
    SubmitAnswered,
    TimerFired,
)
from manjha.domain.moments import TsNs
from manjha.engine.pump import Pump
from manjha.engine.requests import RATE_TIMER
from manjha.engine.state import EngineState
from manjha.engine.step import step
from manjha.engine.timers import StandingTimers

LATE_NS = 20_000_000
"""How late something that was due may happen before the rate of orders hears of it; its windows are off by so much."""
_SAID = (Approved, Refused, ReadBroker, AskMargin, MarginAssumed, CallPerson, Tripped)
"""What is decided and carried out by others: beside timers, all that a step gives."""
WAITING_MAX = 500
"""Rows that may wait for a commit while nothing leaves."""


class Tape(Protocol):
    """Writes down what goes in and comes out; nothing is durable before `commit`. See `services.recorder`."""

    @property
    def waiting(self) -> int:
        """How many rows are not durable yet."""
        ...

    def record(self, event: Event, ts_ns: TsNs, matching: int = -1) -> object:
        """Write an event down before the engine sees it."""
        ...

    def decided(self, outputs: Sequence[Output], ts_ns: TsNs) -> None:
        """Write down what the engine made of it."""
        ...

    def commit(self) -> object:
        """Make everything durable. Raises `JournalHalted`: then nothing may be sent any more."""
        ...

    def rest(self) -> None:
        """Make durable what waits, and do what else is due while nothing is urgent. Raises as `commit`."""
        ...

    def idle(self) -> None:
        """Make events and decisions durable that wait; market data alone may wait for `rest`. Raises as `commit`."""
        ...


class Link(Protocol):
    """Carries what leaves. What it returns has happened; what takes time comes back through `Trader.answered`."""

    def send(self, outgoing: Outgoing, now_ns: TsNs) -> Iterable[Event]:
        """Send a command."""
        ...

    def read(self, asked: ReadBroker, now_ns: TsNs) -> Iterable[Event]:
        """Read the broker."""
        ...

    def ask_margin(self, asked: AskMargin, now_ns: TsNs) -> Iterable[Event]:
        """Ask the broker what an order needs."""
        ...

    def call(self, person: CallPerson) -> None:
        """Call a person."""
        ...


class Trader:
    """Takes events and answers outputs for the pump of one account, which it is given by `drive`."""

    def __init__(self, state: EngineState, tape: Tape, outbox: Outbox, link: Link, mono_ns: Callable[[], int]) -> None:
        self.state = state
        self._tape = tape
        self.outbox = outbox
        self._link = link
        self._mono_ns = mono_ns
        self._pump: Pump | None = None
        self._real_ns = 0

    def drive(self, pump: Pump) -> None:
        """Be told who owns the order of time."""
        self._pump = pump

    @property
    def pump(self) -> Pump:
        """Who owns the order of time. Raises `InvariantBroken` before `drive`."""
        if self._pump is None:
            raise InvariantBroken("a trader was asked before it had a pump")
        return self._pump

    def advance_to(self, ts_ns: TsNs) -> None:
        """Let time come to now, and everything happen that is due.

        One who was held up hears first how late it is: what is overdue happens in its order of time, and leaves now.
        """
        state, late_ns = self.state, ts_ns - self.pump.now_ns
        self._real_ns = ts_ns
        if state.controls is not None and late_ns > LATE_NS and min(self.pump.next_ns, ts_ns) < ts_ns - LATE_NS:
            self.pump.apply(TimerFired(RATE_TIMER, ts_ns))
        self.pump.advance_to(ts_ns)

    def take(self, event: Event) -> list[Output]:
        """Write an event down, let the engine see it, and write down what it decides."""
        ts_ns = self._ts_of(event)
        self._tape.record(event, ts_ns, self.state.matching)
        outputs = step(self.state, event)
        self._tape.decided(outputs, ts_ns)
        if self._tape.waiting >= WAITING_MAX or isinstance(event, KillSwitched):
            # Who throws the kill switch is told that it holds: it holds after a power cut too.
            self._tape.commit()
        return outputs

    def answer(self, output: Output, now_ns: TsNs) -> Iterator[Event]:
        """Carry out what the engine wants done, and yield what has come of it at once."""
        if isinstance(output, Approved):
            self._tape.commit()
            self.outbox.put(output, self._mono_ns())
            yield from self.leave(now_ns)
        elif isinstance(output, ReadBroker):
            yield from self._link.read(output, now_ns)
        elif isinstance(output, AskMargin):
            yield from self._link.ask_margin(output, now_ns)
        elif isinstance(output, CallPerson):
            self._link.call(output)

    def end(self) -> None:
        """Let nothing leave any more that opens: what was decided before comes back as vetoed."""
        self.outbox.end()

    def leave(self, now_ns: TsNs) -> Iterator[Event]:
        """Send what may be sent now, and yield what has come of it at once; a veto is an event too."""
        leaving, vetoed = self.outbox.ready(self._mono_ns(), now_ns, self._real_ns)
        yield from vetoed
        for outgoing in leaving:
            for event in self._link.send(outgoing, now_ns):
                if isinstance(event, SubmitAnswered | ChangeAnswered):
                    self.outbox.answered(event.order_id)
                yield event

    def answered(self, command: Command, outcome: Outcome, ts_ns: TsNs) -> None:
        """Take how sending a command ended, which took a while; then the order's next command may go."""
        order_id, asked, now_ns = order_of(command), command.command, max(ts_ns, self.pump.now_ns)
        self.outbox.answered(order_id)
        if isinstance(asked, SubmitOrder):
            self.pump.apply(SubmitAnswered(order_id, outcome, now_ns))
        else:
            self.pump.apply(ChangeAnswered(order_id, isinstance(asked, CancelOrder), outcome, now_ns))
        for event in self.leave(now_ns):
            self.pump.apply(event)

    def call(self, person: CallPerson) -> None:
        """Call a person for what the engine does not see."""
        self._link.call(person)

    def rest(self) -> None:
        """Make durable what waits, while nothing else is to be done."""
        self._tape.rest()

    def idle(self) -> None:
        """Make durable what was decided; the disk is not waited for because of ticks that nobody has acted on."""
        self._tape.idle()

    def _ts_of(self, event: Event) -> TsNs:
        """Return when an event was; the time of the run never goes back."""
        if isinstance(event, MarketAdvanced):
            return TsNs(self.state.timeline.close_ns[event.last - 1])
        return event.fill.ts_ns if isinstance(event, OrderFilled) else event.ts_ns


def restored(state: EngineState, values: Iterable[Event | Output], standing: Iterable[SetTimer] = ()) -> list[SetTimer]:
    """Step a new state through what a journal has, and return the timers that are still to fire, in the order set.

    Of what was decided only timers are taken: the engine decides the same again, or the replay is not one. `standing`
    are those of a state that is not new.
    """
    timers = StandingTimers(standing)
    for value in values:
        if isinstance(value, SetTimer):
            timers.set(value)
        elif not isinstance(value, _SAID):
            if isinstance(value, TimerFired):
                timers.fired(value)
            step(state, value)
    return timers.listed()

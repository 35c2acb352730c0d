"""The order of time in a run over ticks: bars close, then days and timers come due, then the tick of that moment.

The pump reads no clock and does no I/O: whoever owns it says how far time has come, by a tick or by `advance_to`. So
the loop of paper and live trading and a backtest over recorded ticks go the same way, event for event.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Protocol

from manjha.domain.commands import Output, SetTimer
from manjha.domain.errors import InvariantBroken
from manjha.domain.events import ActionEffective, Event, MarketAdvanced, OrderFilled, SessionOpened, TimerFired
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs, format_ts
from manjha.domain.ticks import Tick
from manjha.engine.sessions import span
from manjha.engine.state import EngineState
from manjha.engine.step import step
from manjha.engine.tick_bars import NEVER
from manjha.risk.gate import DayRules

Take = Callable[[Event], Iterable[Output]]
"""Applies one event and returns what the engine wants done. The loop journals the event first."""
Answer = Callable[[Output, TsNs], Iterable[Event]]
"""Takes one output at a moment. A venue in the same thread answers with events, which are applied before the next
output; the loop keeps the output for its outbox and answers nothing. Timers do not come here: the pump keeps them."""


class Closing(Protocol):
    """Where bars come from: made of the ticks as they come, or known before."""

    @property
    def next_ns(self) -> int:
        """When the next bar closes; `NEVER` while there is none."""
        ...

    def close(self, ts_ns: int) -> bool:
        """Make the bars that close at a moment visible; tell whether the timeline has a new position."""
        ...

    def add(self, tick: Tick) -> None:
        """Take a tick that is not earlier than any bar that has closed."""
        ...

    def open_day(self, day: TradingDay) -> None:
        """Begin a trading day."""
        ...

    def coming(self) -> int:
        """Return the timeline position of the bar that is being made."""
        ...


class Surroundings(Protocol):
    """What happens around the engine at the moments of a day: clearing, and an exchange if it is simulated.

    Each method yields events, each to be applied before the next one is asked for.
    """

    def before_open(self, day: TradingDay, ts_ns: TsNs) -> Iterator[Event]:
        """Yield what takes effect before a day opens."""
        ...

    def opened(self, today: Mapping[InstrumentId, DayRules]) -> Iterable[int]:
        """Take over the day's sessions; return further moments at which `at` is to be asked."""
        ...

    def at(self, ts_ns: TsNs) -> Iterator[Event]:
        """Yield what happens at such a moment."""
        ...

    def on_tick(self, tick: Tick) -> Iterable[Event]:
        """Give what a tick trades."""
        ...

    def close_day(self, day: TradingDay, ts_ns: TsNs) -> Iterator[Event]:
        """Yield what ends with a day; the last event is `SessionClosed`."""
        ...


class Pump:
    """Owns the order of time of one run over ticks.

    Parameters
    ----------
    days
        The trading days to come, ascending; asked for one at a time, when the one before has ended.
    answer, take
        See `Answer` and `Take`; `engine.step` on the state by default.

    Attributes
    ----------
    now_ns
        How far time has come.
    """

    def __init__(
        self,
        state: EngineState,
        closing: Closing,
        around: Surroundings,
        days: Iterable[TradingDay],
        answer: Answer,
        take: Take | None = None,
    ) -> None:
        self.state = state
        self.now_ns = TsNs(0)
        self._closing = closing
        self._around = around
        self._days = iter(days)
        self._answer = answer
        self._take: Take = take or partial(step, state)
        self._due: list[tuple[int, bool, int, Callable[[TsNs], None]]] = [(NEVER, True, 0, _nothing)]
        self._seq = 0
        self._plan_next_day()

    @property
    def next_ns(self) -> int:
        """When something comes due next, as far as is known; `NEVER` for nothing."""
        return min(self._due[0][0], self._closing.next_ns)

    def on_tick(self, tick: Tick) -> None:
        """Let time come to a tick, let it trade what rests, and count it to the bars that are being made.

        Raises `InvariantBroken` for a tick of an earlier moment: `TickGate` puts those in order.
        """
        if tick.ts_ns < self.now_ns:
            raise InvariantBroken(
                f"a tick of {format_ts(tick.ts_ns)} came when time was at {format_ts(self.now_ns)}; screen ticks first"
            )
        if tick.ts_ns >= self._due[0][0] or tick.ts_ns >= self._closing.next_ns:
            self.advance_to(tick.ts_ns)
        self.now_ns = tick.ts_ns
        self._closing.add(tick)
        state = self.state
        for event in self._around.on_tick(tick):
            state.matching = self._closing.coming()
            self.apply(event)
        state.matching = -1

    def advance_to(self, ts_ns: TsNs) -> None:
        """Carry out all that is due up to a moment, the moment included: bars, then days, then timers."""
        due, closing = self._due, self._closing
        while True:
            close_ns, due_ns = closing.next_ns, due[0][0]
            if min(close_ns, due_ns) > min(ts_ns, NEVER - 1):
                break
            if close_ns <= due_ns:
                # One that closed while nobody ran closes now: time does not go back.
                self.now_ns = max(self.now_ns, TsNs(close_ns))
                self._close(close_ns)
            else:
                _, _, _, action = heapq.heappop(due)
                self.now_ns = max(self.now_ns, TsNs(due_ns))
                action(TsNs(due_ns))
        if ts_ns != NEVER:
            self.now_ns = max(self.now_ns, ts_ns)

    def go_on(self, timers: Iterable[SetTimer], now_ns: TsNs) -> None:
        """Take up a run that an earlier process began: its timers, and the time to which it had come.

        A day that is open is not opened again, but for what surrounds the engine.
        """
        self.now_ns = max(self.now_ns, now_ns)
        for timer in timers:
            self.set_timer(timer.key, timer.ts_ns)

    def finish(self) -> None:
        """Carry out all that is still due, to the end of the last day. Only for days that end."""
        self.advance_to(TsNs(NEVER))

    def apply(self, event: Event) -> None:
        """Apply an event from outside, such as an answer of the exchange, and what follows from it."""
        outputs = self._take(event)
        if outputs:
            self._send(outputs, self._ts_of(event))

    def _ts_of(self, event: Event) -> TsNs:
        if isinstance(event, MarketAdvanced):
            return TsNs(self.state.timeline.close_ns[event.last - 1])
        return event.fill.ts_ns if isinstance(event, OrderFilled) else event.ts_ns

    def set_timer(self, key: str, ts_ns: TsNs) -> None:
        """Have a timer fire, beside those that the engine asks for: one that stood when a run is taken up again."""
        self._plan(ts_ns, partial(self._timer, key))

    def timers(self) -> list[tuple[TsNs, str]]:
        """Return the timers that stand, as (moment, key) in the order in which they will fire."""
        standing = [(ts_ns, action.args[0]) for ts_ns, is_timer, _, action in sorted(self._due, key=_turn)
                    if is_timer and isinstance(action, partial)]  # fmt: skip
        return [(TsNs(ts_ns), key) for ts_ns, key in standing]

    # ---- inside

    def _close(self, ts_ns: int) -> None:
        """Let bars close; the strategy sees them."""
        state = self.state
        if not self._closing.close(ts_ns):
            return
        at = state.reached
        outputs = self._take(MarketAdvanced(at, at + 1))
        if outputs:
            self._send(outputs, TsNs(ts_ns))

    def _send(self, outputs: Iterable[Output], now_ns: TsNs) -> None:
        for output in outputs:
            if type(output) is SetTimer:
                self._plan(output.ts_ns, partial(self._timer, output.key))
                continue
            for event in self._answer(output, now_ns):
                self.apply(event)

    def _plan(self, ts_ns: int, action: Callable[[TsNs], None], *, is_timer: bool = True) -> None:
        """Carry out something at a moment; at the same one, days begin and end before timers fire."""
        self._seq += 1
        heapq.heappush(self._due, (ts_ns, is_timer, self._seq, action))

    def _timer(self, key: str, ts_ns: TsNs) -> None:
        # One that came due while nobody ran fires now: time does not go back.
        self.apply(TimerFired(key, max(ts_ns, self.now_ns)))

    def _plan_next_day(self) -> None:
        for day in self._days:
            today = self.state.rules_of(day)
            if today:
                opens, closes = span(today)
                self._plan(opens, partial(self._open_day, day), is_timer=False)
                self._plan(closes, partial(self._close_day, day), is_timer=False)
                return

    def _open_day(self, day: TradingDay, ts_ns: TsNs) -> None:
        state = self.state
        if state.day == day:
            # An earlier process has opened it; who took the run up has told the bars.
            for moment in self._around.opened(state.gate.today):
                self._plan(moment, self._at, is_timer=False)
            return
        ts_ns = max(ts_ns, self.now_ns)
        for event in self._around.before_open(day, ts_ns):
            # An action counts from the bar to come.
            state.matching = self._closing.coming() if type(event) is ActionEffective else -1
            self.apply(event)
        state.matching = -1
        self._closing.open_day(day)
        self.apply(SessionOpened(day, ts_ns))
        for moment in self._around.opened(state.gate.today):
            self._plan(moment, self._at, is_timer=False)

    def _at(self, ts_ns: TsNs) -> None:
        for event in self._around.at(ts_ns):
            self.apply(event)

    def _close_day(self, day: TradingDay, ts_ns: TsNs) -> None:
        for event in self._around.close_day(day, ts_ns):
            self.apply(event)
        self._plan_next_day()


def _turn(due: tuple[int, bool, int, object]) -> tuple[int, bool, int]:
    return due[:3]


def _nothing(ts_ns: TsNs) -> None:
    """Do what is due at the end of time."""

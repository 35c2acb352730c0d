"""The event backtest: bars, timers and days in the order of time, through the one core and the simulated exchange."""

import heapq
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec

from manjha.domain.actions import CorporateAction
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, Output, SetTimer, SubmitOrder
from manjha.domain.events import Event, MarketAdvanced, OrderFilled, SessionClosed, SessionOpened, TimerFired
from manjha.domain.moments import TradingDay, TsNs
from manjha.engine.sessions import day_rules, span
from manjha.engine.state import EngineState
from manjha.engine.step import step
from manjha.ports.venue import Venue as Exchange
from manjha.simulator.clearing import actions_of, contract_notes, expiries
from manjha.simulator.venue import Venue

NEVER = 2**63 - 1
Progress = Callable[[int, int], None]
"""Called now and then with the position reached and the number of positions."""


class Driven(msgspec.Struct, frozen=True):
    """What the driver needs besides state and venue. `contract_notes` false leaves charges as booked by fill."""

    actions: tuple[CorporateAction, ...] = ()
    contract_notes: bool = True
    stride: int = 0


def answers(exchange: Exchange) -> dict[type, Callable[[Any, TsNs], Iterable[Event]]]:
    """Return who answers which command."""
    return {SubmitOrder: exchange.submit, CancelOrder: exchange.cancel, ModifyOrder: exchange.modify}


class Drive:
    """One run: owns the order of time. `stride` bounds how many bars one event may stand for (0: any number)."""

    def __init__(self, state: EngineState, venue: Venue, driven: Driven, progress: Progress | None = None) -> None:
        self.state = state
        self.venue = venue
        self.driven = driven
        self.progress = progress
        self.due: list[tuple[int, int, Callable[[TsNs], None]]] = []
        self.seq = 0
        self.answer = answers(venue)
        self.action_days = {action.ex_day for action in driven.actions}
        self.expiry_days = {one.expiry for one in state.instruments.values() if one.expiry is not None}

    def run(self) -> None:
        """Drive from the first bar to the last, and end the last day."""
        state, venue = self.state, self.venue
        timeline = state.timeline
        count, close_ns, open_ns = len(timeline), timeline.close_ns, timeline.open_ns
        self._plan_days()
        due, stride = self.due, self.driven.stride
        at, free, next_due = 0, 0, -1
        while at < count:
            if due and due[0][0] != next_due:
                # Bars before `free` close before anything comes due.
                next_due = due[0][0]
                free = bisect_right(close_ns, next_due, at)
            elif not due:
                free, next_due = count, NEVER
            if at >= free and next_due <= open_ns[at]:
                self._fire(open_ns[at] + 1)
                continue
            quiet = min(free, at + stride) if stride else free
            if venue.active and quiet > at:
                quiet = venue.next_position(at, quiet)
            if quiet > at:
                self._apply(MarketAdvanced(at, quiet), close_ns)
            else:
                self._bar(at)
            at = state.reached
            if self.progress is not None:
                self.progress(at, count)
        self._fire(NEVER)

    def _bar(self, at: int) -> None:
        """Process one bar in which something may trade: its open, what comes due inside, its range, its close."""
        close_ns, due = self.state.timeline.close_ns, self.due
        self.state.matching = at
        for event in self.venue.at_open(at):
            self._apply(event)
        if due and due[0][0] < close_ns[at]:
            self._fire(close_ns[at])
        for event in self.venue.in_range(at):
            self._apply(event)
        self.state.matching = -1
        self._apply(MarketAdvanced(at, at + 1), close_ns)

    def _fire(self, before_ns: int) -> None:
        """Carry out what is due before a moment, in order of time."""
        while self.due and self.due[0][0] < before_ns:
            ts_ns, _, action = heapq.heappop(self.due)
            action(TsNs(ts_ns))

    def _apply(self, event: Event, close_ns: Sequence[int] | memoryview | None = None) -> None:
        outputs = step(self.state, event)
        if outputs:
            if close_ns is not None:
                now_ns = TsNs(close_ns[self.state.reached - 1])
            else:
                now_ns = event.fill.ts_ns if type(event) is OrderFilled else event.ts_ns  # type: ignore[union-attr]
            for output in outputs:
                self._send(output, now_ns)

    def _send(self, output: Output, now_ns: TsNs) -> None:
        """Hand an output to whom it is for; what the exchange answers is applied at once. A refusal is on record."""
        if type(output) is Approved:
            for event in self.answer[type(output.command)](output, now_ns):
                self._apply(event)
        elif type(output) is SetTimer:
            self._plan(output.ts_ns, partial(self._timer, output.key))

    # ---- the days

    def _plan(self, ts_ns: int, action: Callable[[TsNs], None]) -> None:
        self.seq += 1
        heapq.heappush(self.due, (ts_ns, self.seq, action))

    def _timer(self, key: str, ts_ns: TsNs) -> None:
        self._apply(TimerFired(key, ts_ns))

    def _plan_days(self) -> None:
        state = self.state
        timeline = state.timeline
        instruments = tuple(state.instruments.values())
        for day in state.sessions.days(timeline.open_ns[0], timeline.close_ns[len(timeline) - 1]):
            today = day_rules(state.sessions, instruments, day)
            if not today:
                continue
            opens, closes = span(today)
            self._plan(opens, partial(self._open_day, day))
            self._plan(closes, partial(self._close_day, day))

    def _open_day(self, day: TradingDay, ts_ns: TsNs) -> None:
        state = self.state
        if day in self.action_days:
            state.matching = min(state.reached, len(state.timeline) - 1)
            for event in actions_of(self.driven.actions, day, ts_ns):
                self._apply(event)
            state.matching = -1
        self._apply(SessionOpened(day, ts_ns))
        self.venue.open_day(state.gate.today)

    def _close_day(self, day: TradingDay, ts_ns: TsNs) -> None:
        state = self.state
        for event in self.venue.close_day():
            self._apply(event)
        if day in self.expiry_days:
            for expired in expiries(tuple(state.instruments.values()), day, state.marks, ts_ns):
                self._apply(expired)
        if self.driven.contract_notes and len(state.record_fills) > state.today_fills:
            fills = state.record_fills[state.today_fills :]
            booked = {
                strategy: state.portfolio.ledger.charged_today(strategy)
                for strategy in state.portfolio.ledger.day_lines
            }
            for note in contract_notes(state.rules, day, fills, state.instruments, booked, ts_ns):
                self._apply(note)
        self._apply(SessionClosed(day, ts_ns))

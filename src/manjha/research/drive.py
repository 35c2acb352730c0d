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
from manjha.engine.sessions import span
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


def _nothing(ts_ns: TsNs) -> None:
    """Do what is due at the end of time."""


class Drive:
    """One run: owns the order of time, that of the venue's timeline, from where the state has got to.

    `stride` bounds how many bars one event may stand for (0: any number).
    """

    def __init__(self, state: EngineState, venue: Venue, driven: Driven, progress: Progress | None = None) -> None:
        self.state = state
        self.venue = venue
        self.driven = driven
        self.progress = progress
        self.due: list[tuple[int, bool, int, Callable[[TsNs], None]]] = []
        self.seq = 0
        timeline = self.timeline = venue.timeline
        self.days = iter(state.sessions.days(timeline.open_ns[0], timeline.close_ns[len(timeline) - 1]))
        self.answer = answers(venue)
        self.action_days = {action.ex_day for action in driven.actions}
        self.expiry_days = {one.expiry for one in state.instruments.values() if one.expiry is not None}

    def run(self) -> None:
        """Drive from the first bar to the last, and end the last day."""
        state, venue, timeline = self.state, self.venue, self.timeline
        count, close_ns, open_ns = len(timeline), timeline.close_ns, timeline.open_ns
        self._plan_next_day()
        # Something is always due, so that nobody has to ask whether anything is.
        heapq.heappush(self.due, (NEVER, True, 0, _nothing))
        due, stride, progress, active = self.due, self.driven.stride, self.progress, venue.active
        at, free, next_due = state.reached, 0, -1
        while at < count:
            if due[0][0] != next_due:
                # Bars before `free` close before anything comes due.
                next_due = due[0][0]
                free = bisect_right(close_ns, next_due, at)
            if at < free:
                quiet = min(free, at + stride) if stride else free
                if active:
                    quiet = venue.next_position(at, quiet)
                if quiet > at:
                    self._advance(at, quiet)
                else:
                    self._bar(at)
            elif next_due <= open_ns[at]:
                self._fire(open_ns[at] + 1)
                continue
            else:
                self._bar(at)
            at = state.reached
            if progress is not None:
                progress(at, count)
        self._fire(NEVER)

    def _bar(self, at: int) -> None:
        """Process one bar in which something may trade: its open, what comes due inside, its range, its close."""
        close_ns, due = self.timeline.close_ns, self.due
        self.state.matching = at
        for event in self.venue.at_open(at):
            self._apply(event)
        if due[0][0] < close_ns[at]:
            self._fire(close_ns[at])
        for event in self.venue.in_range(at):
            self._apply(event)
        self.state.matching = -1
        self._advance(at, at + 1)

    def _fire(self, before_ns: int) -> None:
        """Carry out what is due before a moment, in order of time."""
        due = self.due
        while due[0][0] < before_ns:
            ts_ns, _, _, action = heapq.heappop(due)
            action(TsNs(ts_ns))

    def _apply(self, event: Event) -> None:
        outputs = step(self.state, event)
        if outputs:
            self._send(outputs, event.fill.ts_ns if type(event) is OrderFilled else event.ts_ns)  # type: ignore[union-attr]

    def _advance(self, first: int, last: int) -> None:
        """Let bars close, up to the first at which the strategy asks for something."""
        state = self.state
        outputs = step(state, MarketAdvanced(first, last))
        if outputs:
            self._send(outputs, TsNs(state.timeline.close_ns[state.reached - 1]))

    def _send(self, outputs: Sequence[Output], now_ns: TsNs) -> None:
        """Hand outputs to whom they are for; what the exchange answers is applied at once. A refusal is on record."""
        state, answer = self.state, self.answer
        for output in outputs:
            if type(output) is Approved:
                for event in answer[type(output.command)](output, now_ns):
                    # As `_apply`; written out, because most events of a run come this way.
                    more = step(state, event)
                    if more:
                        self._send(more, event.fill.ts_ns if type(event) is OrderFilled else event.ts_ns)  # type: ignore[union-attr]
            elif type(output) is SetTimer:
                self._plan(output.ts_ns, partial(self._timer, output.key))

    # ---- the days

    def _plan(self, ts_ns: int, action: Callable[[TsNs], None], *, is_timer: bool = True) -> None:
        """Carry out something at a moment; at the same one, days begin and end before timers fire."""
        self.seq += 1
        heapq.heappush(self.due, (ts_ns, is_timer, self.seq, action))

    def _timer(self, key: str, ts_ns: TsNs) -> None:
        self._apply(TimerFired(key, ts_ns))

    def _plan_next_day(self) -> None:
        """Plan the next day on which any instrument trades; called again when that day ends."""
        for day in self.days:
            today = self.state.rules_of(day)
            if today:
                opens, closes = span(today)
                self._plan(opens, partial(self._open_day, day), is_timer=False)
                self._plan(closes, partial(self._close_day, day), is_timer=False)
                return

    def _open_day(self, day: TradingDay, ts_ns: TsNs) -> None:
        state = self.state
        if day in self.action_days:
            state.matching = min(state.reached, len(self.timeline) - 1)
            for event in actions_of(self.driven.actions, day, ts_ns):
                self._apply(event)
            state.matching = -1
        self.venue.set_bands(state.marks)
        self._apply(SessionOpened(day, ts_ns))
        self.venue.open_day(state.gate.today)

    def _close_day(self, day: TradingDay, ts_ns: TsNs) -> None:
        state = self.state
        for event in self.venue.close_day():
            self._apply(event)
        ledger = state.portfolio.ledger
        has_note = self.driven.contract_notes and len(state.record_fills) > state.today_fills
        # What an expiry costs is not in the contract note and stays booked beside it.
        booked = {strategy: ledger.charged_today(strategy) for strategy in ledger.day_lines} if has_note else {}
        if day in self.expiry_days:
            for expired in expiries(tuple(state.instruments.values()), day, state.marks, ts_ns):
                self._apply(expired)
        if has_note:
            fills = state.record_fills[state.today_fills :]
            for note in contract_notes(state.rules, day, fills, state.instruments, booked, ts_ns):
                self._apply(note)
        self._apply(SessionClosed(day, ts_ns))
        self._plan_next_day()

"""A trader put together: a run, its journal, the way to its exchange behind an outbox, and who owns the time.

The same for every exchange. Where that is, and how what became of an order comes back, is what `Exchange` differs in.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import msgspec

from manjha.app.trading.backfill import NO_BACKFILL, Backfill, NoBackfill
from manjha.app.trading.outbox import Conditions, Outbox, age_condition, kill_condition, opens_condition
from manjha.app.trading.preopen import CheckedDays
from manjha.app.trading.trader import Link, Tape, Trader
from manjha.domain.commands import CallPerson
from manjha.domain.events import AccountTaken, Event, InstrumentFrozen, KillSwitched
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.orders import OrderId
from manjha.domain.ticks import Tick
from manjha.engine.closing import GrowingBars, tick_hours
from manjha.engine.digest import digest
from manjha.engine.freezing import why_frozen
from manjha.engine.journaling import value_of
from manjha.engine.pump import Pump, Surroundings
from manjha.engine.state import EngineState
from manjha.engine.tick_gate import TickGate
from manjha.ports.journal import Journal
from manjha.risk.kill import unheard
from manjha.services.instrument_changes import changed_terms
from manjha.services.live_runs import LivePlan, LiveRun, LiveTape
from manjha.services.taking_up import TakenUp


class Around(NamedTuple):
    """What a trader asks of the outside.

    `mono_ns` is a clock that never jumps; `tell` calls a person; `thrown` reads the kill switch's file anew; `seen`
    hears of every event and what was decided on it; `look` goes through the pre-open checklist of a day, None for none.
    `watched` puts something around the journal and the way to the exchange, to see how long they take.
    """

    mono_ns: Callable[[], int]
    tell: Callable[[CallPerson], None]
    thrown: Callable[[], Sequence[KillSwitched]]
    seen: Callable[[Event, Iterable[object]], None]
    look: Callable[[EngineState, Journal, int, TradingDay, TsNs], list[Event]] | None = None
    watched: Callable[[Tape, Link], tuple[Tape, Link]] | None = None


class Inflow(Protocol):
    """What comes back from an exchange by itself. The loop opens it, takes from it in its own turns, and closes it."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether anything can come by itself: a recording lets it have its turn after each tick."""
        ...

    @property
    def waits(self) -> bool:
        """Whether something is there to be taken, or to leave as soon as the loop lets go."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether an answer or a read is still to come."""
        ...

    @property
    def in_flight(self) -> int:
        """How many commands have left and have no outcome that was taken."""
        ...

    def open(self, stir: Callable[[], None]) -> None:
        """Begin, in a running event loop; `stir` is called whenever there is something to be taken."""
        ...

    def take(self, trader: Trader) -> None:
        """Let the engine hear what has come, in the order in which it came, as of now."""
        ...

    def hush(self) -> None:
        """Bring nothing any more but outcomes of what has left."""
        ...

    async def close(self) -> None:
        """End, whatever is on its way."""
        ...


class AtOnce:
    """Implements `Inflow` for an exchange in this process, which has answered when it was asked."""

    is_elsewhere, waits, is_busy, in_flight = False, False, False, 0

    def open(self, stir: Callable[[], None]) -> None:
        """Begin nothing."""

    def take(self, trader: Trader) -> None:
        """Bring nothing."""

    def hush(self) -> None:
        """Bring nothing."""

    async def close(self) -> None:
        """End nothing."""


class Exchange(NamedTuple):
    """Where an account trades.

    `link` carries what leaves, `inflow` brings what comes back later, `market` is what happens by itself at the
    moments of a day, `session` tells why the broker does not listen (empty where it does). `asks_margin` tells that
    `link` can ask what an order needs.
    """

    link: Link
    inflow: Inflow
    market: Surroundings
    session: Callable[[], str]
    asks_margin: bool = False


class Session(NamedTuple):
    """A trader that may begin. `taken` is how an earlier process left the run; None where there was none.

    `backfill` is who fetches the bars of a time without ticks.
    """

    trader: Trader
    pump: Pump
    tape: LiveTape
    gate: TickGate
    hears: "KillNews"
    inflow: Inflow
    taken: TakenUp | None
    journal: Journal
    last_day: TradingDay
    bars: GrowingBars
    backfill: Backfill | NoBackfill = NO_BACKFILL

    @property
    def is_new(self) -> bool:
        """Whether the run begins with it."""
        return self.taken is None

    @property
    def still_has(self) -> str:
        """Say what the run holds or has open, which keeps it from ending; empty for nothing."""
        state = self.trader.state
        found = [f"{one.qty} of {one.key.instrument}" for one in state.portfolio.open_positions()]
        found += [f"{state.book.open_count} open orders"] if state.book.open_count else []
        return ", ".join(found)

    @property
    def is_over(self) -> bool:
        """Whether its days are over and it has nothing any more."""
        return self.trader.state.ended_day >= self.last_day and not self.still_has

    def end(self) -> int:
        """Write down that the run has ended, and return the row: it is never gone on with."""
        self.trader.rest()
        self.tape.recorder.ended(digest(self.trader.state), self.pump.now_ns)
        return self.tape.recorder.seq

    def on_tick(self, tick: Tick, now_ns: TsNs) -> bool:
        """Let a tick come, unless it is impossible; tell whether it was let in. `now_ns` is the clock's time."""
        admitted = self.gate.admit(tick, now_ns)
        if isinstance(admitted, Tick):
            self.let_in(admitted)
            return True
        return False

    def let_in(self, admitted: Tick) -> None:
        """Let a tick come that the gate has admitted."""
        self.advance_to(admitted.ts_ns, ticks=True)
        self.tape.ticked(admitted)
        self.pump.on_tick(admitted)

    def advance_to(self, ts_ns: TsNs, *, ticks: bool = False) -> None:
        """Let time come to a moment."""
        if ticks:
            self.pump.advance_to(ts_ns)
        else:
            self.trader.advance_to(ts_ns)
            self.gate.reach(self.pump.now_ns)

    def take(self, now_ns: TsNs) -> None:
        """Let the engine hear what has come back from the exchange, at the time that it is now."""
        if self.inflow.waits:
            self.advance_to(max(now_ns, self.pump.now_ns))
            self.inflow.take(self.trader)


class Opened(NamedTuple):
    """A run that may go on, of an account whose journal no other process writes."""

    plan: LivePlan
    run: LiveRun
    journal: Journal


def session_at(exchange: Exchange, opened: Opened, days: Iterable[TradingDay], now_ns: TsNs, around: Around) -> Session:
    """Take an account over at its exchange: time comes to now, everything is doubted until it is compared.

    `days` are the trading days to come, today's included.
    """
    plan, run, journal = opened
    state, epoch, spec = run.state, journal.head().epoch, plan.spec

    def number(order_id: OrderId) -> str:
        at = state.book.records[order_id].at_broker
        return at.broker_id if at is not None else ""

    def owner() -> str:
        return "" if journal.head().epoch == epoch else "another process has taken the account over"

    kill = kill_condition(state, around.thrown)
    opens = opens_condition(state)
    outbox = Outbox(
        Conditions(
            owner=owner, session=exchange.session, kill=kill, number=number, opens=opens, age=age_condition(state)
        )
    )
    tape, link = (run.tape, exchange.link) if around.watched is None else around.watched(run.tape, exchange.link)
    trader = Trader(state, tape, outbox, link, around.mono_ns)

    def take(event: Event) -> list[object]:
        outputs = trader.take(event)
        around.seen(event, outputs)
        return list(outputs)

    days = list(days)
    left = [day for day in days if day >= state.day and day > state.ended_day]
    look = partial(around.look, state, journal, epoch) if around.look is not None else _nothing_to_look_at
    pump = Pump(state, run.bars, CheckedDays(exchange.market, look), left, trader.answer, take)  # type: ignore[arg-type]
    trader.drive(pump)
    pump.go_on(run.timers, max(run.now_ns, now_ns))
    if run.carried is not None and state.controls is not None:
        pump.apply(run.carried)
    build, settings = spec.code_version, spec.rules.hash
    pump.apply(AccountTaken(state.origin.run, epoch, build, settings, pump.now_ns, exchange.asks_margin))
    for name, why in changed_terms(state.instruments, spec.instruments).items():
        if why_frozen(state, name) != why:
            pump.apply(InstrumentFrozen(name, True, pump.now_ns, why))  # noqa: FBT003 - as the event has it
    news = KillNews(journal, pump, state, around.thrown)
    news.hear()
    for event in look(left[0], pump.now_ns) if left else ():
        pump.apply(event)
    trader.rest()
    gate = TickGate(tick_hours(spec.rules, spec.instruments))
    gate.reach(pump.now_ns)
    last_day = max(days, default=TradingDay(0))
    return Session(trader, pump, run.tape, gate, news, exchange.inflow, run.taken, journal, last_day, run.bars)


def _nothing_to_look_at(day: TradingDay, now_ns: TsNs) -> list[Event]:
    del day, now_ns
    return []


class KillNews:
    """Takes over what the kill switch's file says and the journal does not: at the start, and while it runs."""

    def __init__(
        self, journal: Journal, pump: Pump, state: EngineState, thrown: Callable[[], Sequence[KillSwitched]]
    ) -> None:
        rows = journal.of_kind(KillSwitched.__name__, newest_first=True)
        found = next((value_of(row.entry) for row in rows), None)
        self._last = found if isinstance(found, KillSwitched) else None
        self._pump, self._state, self._thrown = pump, state, thrown

    def hear(self) -> int:
        """Let the engine hear what is new; return how much there was."""
        levels = {} if self._state.controls is None else self._state.controls.levels
        news = unheard(levels, self._thrown(), self._last)
        for event in news:
            self._last = msgspec.structs.replace(event, ts_ns=self._pump.now_ns)
            self._pump.apply(self._last)
        return len(news)

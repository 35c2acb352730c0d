"""A paper trader put together: a run, its journal, the simulated exchange behind an outbox, and who owns the time."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from manjha.app.loopback import PaperBroker, PaperMarket
from manjha.app.outbox import Conditions, Outbox, kill_condition
from manjha.app.preopen import CheckedDays
from manjha.app.trader import Trader
from manjha.domain.commands import CallPerson
from manjha.domain.events import AccountTaken, Event, KillSwitched
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.orders import OrderId
from manjha.domain.ticks import Tick
from manjha.engine.closing import tick_hours
from manjha.engine.digest import digest
from manjha.engine.journaling import value_of
from manjha.engine.pump import Pump
from manjha.engine.state import EngineState
from manjha.engine.tick_gate import TickGate
from manjha.ports.journal import Journal
from manjha.ports.segments import MarketSegments
from manjha.risk.kill import unheard
from manjha.services.live_runs import LivePlan, LiveTape, open_run
from manjha.simulator.fills import VenueModels
from manjha.simulator.tick_venue import TickVenue


class Around(NamedTuple):
    """What a paper trader asks of the outside.

    `mono_ns` is a clock that never jumps; `tell` calls a person; `thrown` reads the kill switch's file anew; `seen`
    hears of every event and what was decided on it; `look` goes through the pre-open checklist of a day, None for none.
    """

    mono_ns: Callable[[], int]
    tell: Callable[[CallPerson], None]
    thrown: Callable[[], Sequence[KillSwitched]]
    seen: Callable[[Event, Iterable[object]], None]
    look: Callable[[EngineState, Journal, int, TradingDay, TsNs], list[Event]] | None = None


class Session(NamedTuple):
    """A paper trader that may begin."""

    trader: Trader
    pump: Pump
    tape: LiveTape
    gate: TickGate
    hears: "KillNews"
    is_new: bool
    journal: Journal
    last_day: TradingDay

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
        if not isinstance(admitted, Tick):
            return False
        self.advance_to(admitted.ts_ns, ticks=True)
        self.tape.ticked(admitted)
        self.pump.on_tick(admitted)
        return True

    def advance_to(self, ts_ns: TsNs, *, ticks: bool = False) -> None:
        """Let time come to a moment."""
        if ticks:
            self.pump.advance_to(ts_ns)
        else:
            self.trader.advance_to(ts_ns)
            self.gate.reach(self.pump.now_ns)


def paper_session(
    plan: LivePlan,
    models: VenueModels,
    storage: tuple[Journal, MarketSegments],
    days: Iterable[TradingDay],
    now_ns: TsNs,
    around: Around,
) -> Session:
    """Take the account over at the simulated exchange, and get ready for the first tick.

    `days` are the trading days to come, today's included. Raises as `services.live_runs.open_run`.
    """
    journal, segments = storage
    run = open_run(plan, journal, segments, now_ns)
    state = run.state
    venue = TickVenue(plan.spec.instruments, models)
    broker = PaperBroker(venue, around.tell)
    epoch = journal.head().epoch

    def number(order_id: OrderId) -> str:
        at = state.book.records[order_id].at_broker
        return at.broker_id if at is not None else ""

    def owner() -> str:
        return "" if journal.head().epoch == epoch else "another process has taken the account over"

    kill = kill_condition(state, around.thrown)
    outbox = Outbox(Conditions(owner=owner, session=lambda: "", kill=kill, number=number))
    trader = Trader(state, run.tape, outbox, broker, around.mono_ns)
    market = PaperMarket(state, venue, broker)

    def take(event: Event) -> list[object]:
        outputs = trader.take(event)
        around.seen(event, outputs)
        return list(outputs)

    days = list(days)
    left = [day for day in days if day >= state.day and day > state.ended_day]
    look = partial(around.look, state, journal, epoch) if around.look is not None else _nothing_to_look_at
    pump = Pump(state, run.bars, CheckedDays(market, look), left, trader.answer, take)  # type: ignore[arg-type]
    trader.drive(pump)
    if not run.is_new:
        broker.rebuild(state, run.now_ns)
    pump.go_on(run.timers, max(run.now_ns, now_ns))
    origin = state.origin
    spec = plan.spec
    if run.carried is not None and state.controls is not None:
        pump.apply(run.carried)
    pump.apply(AccountTaken(origin.run, epoch, spec.code_version, spec.rules.hash, pump.now_ns))
    news = KillNews(journal, pump, state, around.thrown)
    news.hear()
    for event in look(left[0], pump.now_ns) if left else ():
        pump.apply(event)
    trader.rest()
    gate = TickGate(tick_hours(spec.rules, spec.instruments))
    gate.reach(pump.now_ns)
    return Session(trader, pump, run.tape, gate, news, run.is_new, journal, max(days, default=TradingDay(0)))


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

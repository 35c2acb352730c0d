"""One process that trades the account, from its start to its death, with the I/O around it played by the world."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from manjha.app.trading.broker_reads import BrokerReads
from manjha.app.trading.outbox import (
    Command,
    Conditions,
    Outbox,
    Outgoing,
    age_condition,
    kill_condition,
    opens_condition,
    order_of,
)
from manjha.app.trading.trader import Trader
from manjha.domain.broker import OrderSeen, Outcome, OutcomeUnknown, Sent, Turned
from manjha.domain.commands import AskMargin, CallPerson, CancelOrder, Output, ReadBroker, SubmitOrder
from manjha.domain.errors import JournalHalted
from manjha.domain.events import (
    AccountTaken,
    Event,
    KillSwitched,
    LinkLost,
    MarketAdvanced,
    TradingSwitched,
)
from manjha.domain.moments import TsNs, day_of
from manjha.domain.orders import OrderId, RunId
from manjha.domain.outcomes import Answer, outcome_of
from manjha.engine.closing import KnownBars
from manjha.engine.pump import Pump
from manjha.simulator.tick_market import Clearing
from tests.simulation.broker import FakeBroker
from tests.simulation.disk import SimTape, begun
from tests.simulation.taking_up import taken_up
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.day import Day

TIMEOUT = 7.0


Arrives = Callable[[random.Random], float | None]


def _never(_: random.Random) -> None:
    return None


def _maybe(most: float) -> Arrives:
    return lambda rng: rng.uniform(0.01, most) if rng.random() < 0.5 else None


def _between(first: float, last: float) -> Arrives:
    return lambda rng: rng.uniform(first, last)


UNSURE = "Order request timed out. Please check the order book and confirm before placing again."
SILENCE = Answer(written=300, words="read timed out")
FATES: dict[str, tuple[Answer, Arrives, float]] = {
    "fail_connect": (Answer(written=0, words="connection refused"), _never, 0.05),
    "rate_limited": (Answer(written=300, status=429, kind="NetworkException", words="Too many requests"), _never, 0.05),
    "lose_request": (SILENCE, _never, TIMEOUT),
    "lose_response": (SILENCE, _between(0.04, 0.06), TIMEOUT),
    "reset_inside": (Answer(written=120, words="connection reset"), _maybe(0.1), 0.2),
    "land_slowly": (SILENCE, _between(7, 150), TIMEOUT),
    "land_late": (SILENCE, _between(150, 600), TIMEOUT),
    "http_5xx": (Answer(written=300, status=502, words="Bad Gateway"), _maybe(1.0), 0.3),
    "timeout_400": (Answer(written=300, status=400, kind="InputException", words=UNSURE), _maybe(8.0), 0.3),
    "odd_403": (Answer(written=300, status=403, words="<html>blocked</html>"), _maybe(1.0), 0.3),
    "garbage": (Answer(written=300, status=200, words="<html>"), _maybe(1.0), 0.3),
}
"""Faults of sending an order: the answer, when the order arrives, and after how many seconds the answer does."""


def _said(answer: Answer, _arrived: list[tuple[str, str]]) -> Answer:
    return answer


def _normal(arrived: list[tuple[str, str]]) -> Answer:
    number, why = arrived[0]
    if number:
        return Answer(written=300, status=200, broker_id=number)
    return Answer(written=300, status=400, kind="MarginException", words=why)


class Died(Exception):  # noqa: N818 - no error: the process is over
    """The process is dead."""


class Process:
    """Owns a trader; the world calls it, and may kill it at any point."""

    def __init__(self, world: World, day: "Day", broker: FakeBroker, number: int) -> None:
        self.world, self.day, self.broker, self.number = world, day, broker, number
        self.is_alive, self.is_paused = True, False
        self.held_back: list[Callable[[], None]] = []
        self.reading = self.read_again = False
        self.planned_ns = 2**62
        self.state, self.timers = taken_up(day)
        desk = self.state.desk
        self.reads = BrokerReads(() if desk is None else (*desk.numbers, *desk.external_orders))
        self.seen: set[str] = set() if desk is None else {*desk.numbers, *desk.external_orders}
        run = RunId(f"run-{number}")
        self.journal = begun(day.shared, world, run)
        self.epoch = self.journal.head().epoch
        self.tape = SimTape(self.journal)
        conditions = Conditions(
            owner=self._owner,
            session=self._session,
            kill=kill_condition(self.state, lambda: day.kill_file),
            number=self._number,
            opens=opens_condition(self.state),
            age=age_condition(self.state),
        )
        self.outbox = Outbox(conditions)
        self.trader = Trader(self.state, self.tape, self.outbox, self, lambda: world.now_ns)
        self.pump = Pump(
            self.state,
            KnownBars(self.state),
            Clearing(self.state, has_notes=False),
            [one for one in day.days() if one >= self.state.day and one > self.state.ended_day],
            self._answer,
            self._take,
        )
        self.trader.drive(self.pump)
        self.logged_in_until = 0
        self.book_day = self.state.day
        self.run = run

    def begin(self) -> None:
        """Take the account over, catch up, and trade."""
        self.guard(self._begin)

    def _begin(self) -> None:
        now_ns, state = TsNs(self.world.now_ns), self.state
        self.pump.go_on(self.timers, now_ns)
        self._apply(AccountTaken(self.run, self.epoch, "build", "settings", now_ns, self.day.asks_margin))
        missed = self.day.closed_by(now_ns)
        if state.reached < missed:
            self._apply(TradingSwitched(False, now_ns, "bars were missed"))
            while state.reached < missed:
                self._apply(MarketAdvanced(state.reached, state.reached + 1))
            self._apply(TradingSwitched(True, now_ns, "caught up"))
        self.turn()

    # ---- what the world does with it

    def alive(self, action: Callable[[], None]) -> Callable[[], None]:
        """Return an action that happens only while the process lives; while it is stopped it waits."""

        def run() -> None:
            if not self.is_alive:
                return
            if self.is_paused:
                self.held_back.append(run)
                return
            self.guard(action)

        return run

    def guard(self, action: Callable[[], None]) -> None:
        """Do something; a journal that fails is the end of the process."""
        try:
            action()
        except Died:
            return
        except JournalHalted:
            self.die()

    def die(self) -> None:
        """Be dead; the world starts another one."""
        if self.is_alive:
            self.is_alive = False
            self.day.died(self)

    def go_on(self) -> None:
        """Wake from a pause: what came meanwhile comes now."""
        self.is_paused = False
        waiting, self.held_back = self.held_back, []
        for action in waiting:
            action()

    def hint(self) -> None:
        """Hear that something happened at the broker."""
        self._read()

    def switch(self, event: KillSwitched) -> None:
        """Be told that the kill switch is thrown or lifted; whoever tells it hears back that it is so."""
        event = msgspec.structs.replace(event, ts_ns=TsNs(self.world.now_ns))
        self._hear(event)
        self.day.switched(event)
        self.turn()

    def lose_link(self) -> None:
        """Lose the order stream for a moment."""
        self._hear(LinkLost("order stream", "connection reset", TsNs(self.world.now_ns)))
        self.turn()

    # ---- the loop

    def turn(self) -> None:
        """Let time come to now; everything that is due happens."""
        self._maybe_die("crash")
        self.trader.advance_to(TsNs(self.world.now_ns))
        due_ns = self.pump.next_ns
        if due_ns < self.planned_ns or self.planned_ns <= self.world.now_ns:
            self.planned_ns = due_ns
            self.world.at(due_ns, self.alive(self.turn))
        self.day.check(self)

    def _hear(self, event: Event) -> None:
        """Apply what comes from outside, after all that was due before it, as `app.trading.session` does."""
        self.trader.advance_to(TsNs(self.world.now_ns))
        self._apply(event)

    def _apply(self, event: Event) -> None:
        self.pump.apply(event)

    def _take(self, event: Event) -> list[Output]:
        outputs = self.trader.take(event)
        self.day.check(self)
        return outputs

    def _answer(self, output: Output, now_ns: TsNs) -> Iterator[Event]:
        for event in self.trader.answer(output, now_ns):
            self._maybe_die("crash_between")
            yield event
        self._maybe_die("crash_between")

    # ---- the link: `app.trading.trader.Link`

    def send(self, outgoing: Outgoing, now_ns: TsNs) -> tuple[Event, ...]:
        """Send a command into the world; what comes of it comes later."""
        self._maybe_die("crash_between")
        self._send(outgoing)
        return ()

    def read(self, asked: ReadBroker, now_ns: TsNs) -> tuple[Event, ...]:
        """Read the broker; the answer comes later."""
        self._read()
        return ()

    def ask_margin(self, asked: AskMargin, now_ns: TsNs) -> tuple[Event, ...]:
        """Ask the broker what an order needs; the answer comes later, or never."""
        self.day.margin_asked(self, asked.order)
        return ()

    def answered_margin(self, event: Event) -> None:
        """Hear what an order needs."""
        self._hear(msgspec.structs.replace(event, ts_ns=TsNs(self.world.now_ns)))
        self.turn()

    def call(self, person: CallPerson) -> None:
        """Call nobody."""

    def _maybe_die(self, fault: str) -> None:
        if self.world.chance(fault):
            self.die()
            raise Died

    # ---- what the outbox asks

    def _owner(self) -> str:
        return "" if self.day.shared.head.epoch == self.epoch else "another process owns the account"

    def _session(self) -> str:
        return "" if self.world.now_ns >= self.logged_in_until else "no session at the broker"

    def _number(self, order_id: OrderId) -> str:
        at = self.state.book.records[order_id].at_broker
        return at.broker_id if at is not None else ""

    # ---- sending

    def _send(self, outgoing: Outgoing) -> None:
        asked = outgoing.command.command
        self.day.sending(self, outgoing)
        if isinstance(asked, SubmitOrder):
            answer, arrives, answered = self._fate(asked)
            arrived: list[tuple[str, str]] = []
            if arrives is not None:
                self.world.after(arrives, lambda: arrived.append(self.broker.place(asked, self.world.now_ns)))
            self.world.after(
                answered, self.alive(lambda: self._answered(outgoing.command, outcome_of(answer(arrived))))
            )
            return
        number = outgoing.broker_id
        lost = self.world.chance("lose_request")
        outcome: list[Outcome] = [OutcomeUnknown("read timed out")]

        def arrive() -> None:
            if isinstance(asked, CancelOrder):
                why = self.broker.cancel(number)
            else:
                why = self.broker.modify(number, asked.qty, asked.limit, asked.trigger)
            outcome[0] = Turned(why) if why else Sent(number)

        if not lost:
            self.world.after(0.05, arrive)
        slow = lost or self.world.chance("lose_response")
        unknown = OutcomeUnknown("read timed out")
        self.world.after(
            TIMEOUT if slow else 0.1,
            self.alive(lambda: self._answered(outgoing.command, unknown if slow else outcome[0])),
        )

    def _fate(self, asked: SubmitOrder) -> tuple[Callable[[list[tuple[str, str]]], Answer], float | None, float]:
        """Return the answer to an order, when the order arrives (None: never) and when the answer does."""
        world = self.world
        if world.now_ns >= self.broker.session_until:
            self.logged_in_until = world.now_ns + 30_000_000_000
            self.broker.session_until = 2**62
            expired = Answer(written=300, status=403, kind="TokenException", words="token is invalid")
            return lambda _: expired, None, 0.05
        for fault, (answer, arrives, answered) in FATES.items():
            if world.chance(fault):
                return partial(_said, answer), arrives(world.rng), answered
        return _normal, 0.05, 0.06 + world.rng.random() * 0.4

    def _answered(self, command: Command, outcome: Outcome) -> None:
        self.day.evidence(order_of(command), command, outcome)
        self.trader.advance_to(TsNs(self.world.now_ns))
        self.trader.answered(command, outcome, TsNs(self.world.now_ns))
        self.turn()

    # ---- reading

    def _read(self) -> None:
        """Read orders, then trades, then positions, with time between them; one read at a time."""
        if self.reading:
            self.read_again = True
            return
        self.reading = True
        rng = self.world.rng
        step = rng.uniform(0.02, 3.0) if self.world.chance("slow_read") else 0.02
        if self.world.chance("fail_read"):
            self.world.after(step, self.alive(self._read_failed))
            return
        shown = self.day.stale if self.world.chance("stale_book") and self.day.stale else self.broker.shown()
        if self.world.chance("cut_book"):
            shown = shown[: rng.randint(0, len(shown))]
        self.day.stale = shown
        self.world.after(step, self.alive(partial(self._read_trades, shown, step)))

    def _read_trades(self, shown: list[OrderSeen], step: float) -> None:
        trades = self.broker.trades()
        if self.world.chance("doubled_trade"):
            trades = trades + trades[:3]
        self.world.after(step, self.alive(lambda: self._read_positions(shown, trades, step)))

    def _read_positions(self, shown: list[OrderSeen], trades: list, step: float) -> None:  # type: ignore[type-arg]
        held = self.broker.held()
        self.world.after(step, self.alive(lambda: self._read_done(shown, trades, held)))

    def _read_failed(self) -> None:
        self.reading = False

    def _read_done(self, shown: list[OrderSeen], trades: list, held: list) -> None:  # type: ignore[type-arg]
        self.reading = False
        self._turn_page()
        ids = {one.broker_id for one in shown}
        is_fresh, self.seen = self.seen <= ids, self.seen | ids
        self.day.checkers.read(self, is_fresh=is_fresh)
        self._hear(self.reads.event(shown, trades, held, TsNs(self.world.now_ns)))
        if self.read_again:
            self.read_again = False
            self._read()
        self.turn()

    def _turn_page(self) -> None:
        """Begin a new book with the day, as `app.trading.remote` does: before it opens, nothing is missed in any."""
        day = self.state.day
        if day != self.book_day or day_of(self.world.now_ns) != day:
            self.book_day = day
            self.reads.new_day()
            self.seen.clear()

"""The invariants, by code that shares nothing with the core: it reads the journal, the broker's truth and the books."""

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from manjha.app.trading.outbox import Outgoing
from manjha.app.trading.trader import restored
from manjha.domain.broker import Outcome, TradeSeen, Turned, Unsent
from manjha.domain.commands import Approved, Output, SetTimer, SubmitOrder
from manjha.domain.events import AccountTaken, BrokerRead, Event, KillSwitched, LinkLost
from manjha.engine.digest import digest
from manjha.engine.journaling import value_of
from manjha.engine.remembered import StrategyMemory
from manjha.engine.snapshots import kept_in, put_back, snapshot_of
from tests.simulation.control_checkers import CANCEL_ALL, ControlCheckers
from tests.simulation.data_checkers import DataCheckers
from tests.simulation.disk import values_of

if TYPE_CHECKING:
    from manjha.domain.orders import OrderId
    from manjha.engine.desk import Held
    from manjha.orders.book import OrderRecord
    from tests.simulation.broker import Placed
    from tests.simulation.day import Day
    from tests.simulation.process import Process

SECOND = 1_000_000_000
LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
OVER = {"filled", "cancelled", "rejected", "unsent", "written off"}
ENDED = {"filled", "cancelled"}
"""What never comes back; what was written off, or thought unsent or refused, may turn up after all."""


class Violation(AssertionError):  # noqa: N818 - what it says is which invariant was violated
    """An invariant does not hold."""


class Checkers:
    """Looks after every step; `settled` once the world is healed and calm."""

    def __init__(self, day: "Day") -> None:
        self.day = day
        self.steps = 0
        self.seen_rows = 0
        self.intents: dict[str, SubmitOrder] = {}
        self.filled: dict[str, int] = {}
        self.number = self.looked_at = 0
        self.phases: dict[str, str] = {}
        self.before: dict[str, tuple[int, str]] = {}
        self.at_broker: dict[str, Placed] = {}
        self.uncertain: dict[str, int] = {}
        self.fresh_reads: list[tuple[int, int]] = []
        self.bare: dict[str, int] = {}
        self.arrived_never: set[str] = set()
        self.controls = ControlCheckers(day, self.fail)
        self.data = DataCheckers(day, self.fail)

    def fail(self, invariant: str, what: str) -> None:
        raise Violation(f"INV-{invariant} at {self.day.world.now_ns}: {what}")

    def acknowledged(self, event: KillSwitched) -> None:
        """Hear that people were told that the kill switch is so."""
        self._read_rows()
        self.controls.acknowledged(event)

    # ---- before the first byte

    def sending(self, process: "Process", outgoing: Outgoing) -> None:
        """INV-16, 01, 02, 05, 23: what leaves is durable, once, under a tag of its own, by who owns the account."""
        asked = outgoing.command.command
        self._read_rows()
        if self.day.shared.head.epoch != process.epoch:
            self.fail("23", f"process of epoch {process.epoch} sends in epoch {self.day.shared.head.epoch}")
        if isinstance(asked, SubmitOrder):
            if asked.tag not in self.intents:
                self.fail("16", f"{asked.order.id} leaves before it is written down")
            if any(placed.tag == asked.tag for placed in self.day.broker.orders.values()):
                self.fail("01", f"{asked.order.id} is sent a second time")
            self._tag(asked.tag)
        self.controls.sending(process, outgoing)
        opens = isinstance(asked, SubmitOrder) and self.controls.opens(asked.order)
        self.data.sending(outgoing, opens=opens)

    def _tag(self, tag: str) -> None:
        if len(tag) != 20 or tag[0] != "K" or any(letter not in LETTERS for letter in tag):
            self.fail("05", f"{tag!r} is no tag")
        value = 0
        for letter in tag[:18]:
            value = value * 32 + LETTERS.index(letter)
        if value % 1021 != LETTERS.index(tag[18]) * 32 + LETTERS.index(tag[19]):
            self.fail("05", f"the check of {tag} is wrong")

    def answered(self, asked: SubmitOrder, outcome: Outcome) -> None:
        """INV-21: what is called refused or unsent is not at the broker and never will be."""
        if isinstance(outcome, Turned | Unsent):
            self.arrived_never.add(asked.tag)

    # ---- after every step

    def step(self, process: "Process") -> None:
        self.steps += 1
        self._broker()
        if process.is_alive and process is self.day.processes[-1]:
            changed = self._changed(process)
            self._orders(process, changed)
            self._written_off(process, changed)
            self._protected(process)
            self.controls.step(process)
            if self.steps % 50 == 0:
                self._ledger(process)
                self._read_rows()
                self.controls.calm()

    def _read_rows(self) -> None:
        """INV-05, 17, 23: tags are used once, numbers have no gap, epochs do not go back."""
        rows = self.day.shared.rows
        for row in rows[self.seen_rows :]:
            if row.seq != self.seen_rows + 1:
                self.fail("17", f"row {row.seq} follows row {self.seen_rows}")
            self.seen_rows = row.seq
            value = value_of(row.entry)
            self.controls.row(row, value)
            self.data.row(row, value)
            if row.entry.kind == "Approved.SubmitOrder":
                assert isinstance(value, Approved)
                command = value.command
                assert isinstance(command, SubmitOrder)
                if command.tag in self.intents:
                    self.fail("05", f"tag {command.tag} is used a second time")
                self.intents[command.tag] = command

    def _broker(self) -> None:
        """INV-01, 02, 21: the broker has at most one order of each intent, and none without one."""
        # An order that the broker has once keeps its place and its tag: those that have come are looked at.
        for placed in islice(self.day.broker.orders.values(), self.looked_at, None):
            self.looked_at += 1
            tag = placed.tag
            if not tag:
                continue
            if tag in self.at_broker:
                self.fail("01", f"several orders of one intent: {tag}")
            self.at_broker[tag] = placed
            if tag not in self.intents:
                self._read_rows()
                if tag not in self.intents:
                    self.fail("02", f"the broker has {tag}, the journal has not")
        if not self.arrived_never.isdisjoint(self.at_broker):
            tag = next(iter(self.arrived_never & self.at_broker.keys()))
            self.fail("21", f"{tag} was called refused or unsent, and is at the broker")

    def _changed(self, process: "Process") -> "list[tuple[OrderId, OrderRecord]]":
        """Return the orders of which fill or phase are others than at the last step: the rest was judged there."""
        if process.number != self.number:
            # What an earlier process had booked and not yet written down is booked again.
            self.number = process.number
            self.before.clear()
            self.filled.clear()
            self.phases.clear()
            self.uncertain.clear()
            self.bare.clear()
        before, found = self.before, []
        for order_id, record in process.state.book.records.items():
            now = (record.filled, record.phase)
            if before.get(order_id) != now:
                before[order_id] = now
                found.append((order_id, record))
        return found

    def _orders(self, process: "Process", changed: "list[tuple[OrderId, OrderRecord]]") -> None:
        """INV-03, 08: fills only grow, never beyond the truth; what is over stays over unless it traded."""
        for order_id, record in changed:
            filled = record.filled
            if filled < self.filled.get(order_id, 0):
                self.fail("08", f"{order_id} was filled {self.filled[order_id]}, now {filled}")
            if self.phases.get(order_id) in ENDED and record.phase not in OVER:
                self.fail("08", f"{order_id} was {self.phases[order_id]}, now {record.phase}")
            at = record.at_broker
            if at is not None:
                really = self.at_broker[at.tag].filled if at.tag in self.at_broker else 0
                if filled > really:
                    self.fail("03", f"{order_id} is booked with {filled}, the broker filled {really}")
            self.filled[order_id] = filled

    def read(self, process: "Process", *, is_fresh: bool) -> None:
        """Hear that a whole read was taken over, and whether it showed all that the process had seen before."""
        if is_fresh:
            self.fresh_reads.append((process.number, self.day.world.now_ns))

    def _written_off(self, process: "Process", changed: "list[tuple[OrderId, OrderRecord]]") -> None:
        """INV-19: an order is written off only after 180 s and two trustworthy reads that did not show it."""
        now_ns = self.day.world.now_ns
        for order_id, record in changed:
            before, self.phases[order_id] = self.phases.get(order_id, ""), str(record.phase)
            if record.phase == "unconfirmed" and before != "unconfirmed":
                self.uncertain[order_id] = now_ns
            if record.phase == "written off" and before == "unconfirmed" and self.day.broker.is_open:
                since = self.uncertain.get(order_id, 0)
                due = since + 180 * SECOND
                reads = [ns for number, ns in self.fresh_reads if number == process.number and ns >= due]
                if now_ns < due or len(reads) < 2:
                    seconds = (now_ns - since) // SECOND
                    self.fail("19", f"{order_id} is written off after {seconds} s and {len(reads)} reads")

    def _protected(self, process: "Process") -> None:
        """INV-22: a position that needs a stop is not without one, or being closed, for long."""
        state, now_ns = process.state, self.day.world.now_ns
        for entry_id, protection in state.protections.items():
            entry = protection.entry
            resting = state.book.open_orders(entry.instrument)
            stop = any(record.order.group == entry_id and record.order.purpose == "stop" for record in resting)
            closing = any(record.order.type == "MARKET" for record in resting)
            needs = protection.stop_px and not protection.timed_out and self.day.broker.is_open
            if self.controls.level(entry.instrument) >= CANCEL_ALL:
                needs = False
            if not needs or stop or closing or not state.held(entry.instrument, entry.product):
                self.bare.pop(entry_id, None)
            elif now_ns - self.bare.setdefault(entry_id, now_ns) > 60 * SECOND:
                self.fail("22", f"{entry_id} holds without its stop for more than a minute")

    def _ledger(self, process: "Process") -> None:
        """INV-06: cash is what was there, less what was paid, and nothing else."""
        state = process.state
        cash = int(state.setup.initial)
        for position in state.portfolio.positions.values():
            cash += position.realised
        if state.portfolio.ledger.cash + state.portfolio.ledger.charges().total != cash:
            self.fail("06", f"cash is {state.portfolio.ledger.cash}, expected {cash} less charges")

    # ---- at the end

    def settled(self) -> None:
        """Liveness, and everything that must hold once nothing is under way any more."""
        self._read_rows()
        process = self.day.processes[-1]
        if not process.is_alive:
            self.fail("L0", "no process lives")
        state, desk = process.state, process.state.desk
        assert desk is not None
        if desk.unconfirmed:
            self.fail("L1", f"unconfirmed to the end: {list(desk.unconfirmed)}")
        if not desk.is_compared:
            self.fail("L2", f"not compared: {state.gate.closed}, suspects {desk.suspects}, short {list(desk.short)}")
        if len(process.outbox):
            self.fail("L3", f"{len(process.outbox)} commands are stuck")
        self._books_agree(process)
        for position in state.portfolio.open_positions():
            self.fail("S1", f"{position.key} holds {position.qty} over night")
        self._replay(process)
        self._rows_by_rule()

    def _books_agree(self, process: "Process") -> None:
        """INV-03, 15, 20: every order of the broker is known, and what became of it."""
        state = process.state
        records = {record.at_broker.tag: record for record in state.book.records.values() if record.at_broker}
        for placed in self.day.broker.orders.values():
            if not placed.tag:
                continue
            record = records.get(placed.tag)
            if record is None:
                self.fail("20", f"{placed.tag} is at the broker and in no book")
                return
            if record.filled != placed.filled:
                self.fail("03", f"{record.order.id} is booked with {record.filled}, the broker filled {placed.filled}")
            if placed.is_live != (record.phase not in OVER):
                self.fail("15", f"{record.order.id} is {record.phase}, at the broker {placed.status}")
        for record in state.book.open_orders():
            if record.at_broker and record.at_broker.tag not in {p.tag for p in self.day.broker.orders.values()}:
                self.fail("L1", f"{record.order.id} is {record.phase} and not at the broker")
        self._positions_agree(process)

    def _positions_agree(self, process: "Process") -> None:
        """INV-04: positions are the broker's, but for what is frozen."""
        state, desk = process.state, process.state.desk
        assert desk is not None
        here: Counter[Held] = Counter(desk.external)
        for position in state.portfolio.open_positions():
            here[position.key.instrument, position.key.product] += position.qty
        for key in {*here, *self.day.broker.positions}:
            ours, really = here.get(key, 0), self.day.broker.positions.get(key, 0)
            if ours != really and key[0] not in state.gate.closed:
                self.fail("04", f"{key}: ours {ours}, the broker's {really}")

    def _replay(self, process: "Process") -> None:
        """INV-17: the journal alone gives the same state."""
        process.trader.rest()
        again, values = self.day.new_state(), list(values_of(self.day.shared))
        timers = restored(again, values)
        if digest(again) != digest(process.state):
            self.fail("17", "the replay of the journal gives another state")
        self._from_snapshot(process, values, timers)

    def _from_snapshot(self, process: "Process", values: "list[Event | Output]", whole: list[SetTimer]) -> None:
        """INV-17: a snapshot of anywhere, and the rows after it, give the same state and the same timers."""
        cut = (self.day.seed * 7_919) % (len(values) + 1)
        half, kept = (self.day.new_state() for _ in range(2))
        memories = [StrategyMemory(one) for one in (half, kept)]
        standing = restored(half, values[:cut])
        put_back(kept, memories[1], kept_in(snapshot_of(half, memories[0])))
        timers = restored(kept, values[cut:], standing)
        if digest(kept) != digest(process.state):
            self.fail("17", f"the snapshot after row {cut} and the rows after it give another state")
        if timers != whole:
            self.fail("17", f"the snapshot after row {cut} and the rows after it give other timers")

    def _rows_by_rule(self) -> None:
        """INV-18: nothing that opens is approved between a doubt and the next comparison, judged by the rows."""
        doubt, held, numbers, counted = True, Counter[str](), set[str](), set[str]()
        waiting: list[TradeSeen] = []
        for row in self.day.shared.rows:
            value = value_of(row.entry)
            if isinstance(value, AccountTaken | LinkLost):
                doubt = True
            elif isinstance(value, BrokerRead):
                numbers |= {seen.broker_id for seen in value.orders if seen.tag in self.intents or seen.by_broker}
                # A book that is cut may show an order later than the trades of it, which are told once.
                came, waiting = [*waiting, *value.trades], []
                for trade in came:
                    if trade.broker_id not in numbers:
                        waiting.append(trade)
                    elif trade.id not in counted:
                        counted.add(trade.id)
                        held[trade.instrument] += trade.qty * int(trade.side)
                doubt = doubt and not (value.whole and not value.missing)
            elif isinstance(value, Approved) and isinstance(value.command, SubmitOrder) and doubt:
                order = value.command.order
                opens = held[order.instrument] * int(order.side) >= 0
                if order.purpose == "signal" and opens:
                    self.fail("18", f"{order.id} was approved before the books were compared")

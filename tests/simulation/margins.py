"""Live days on which the broker is asked what an entry needs: it answers late, never, or with too little money."""

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any, ClassVar

import msgspec

from manjha.app.trading.outbox import Outgoing
from manjha.domain.broker import MarginSeen
from manjha.domain.commands import AskMargin, MarginAssumed, SubmitOrder
from manjha.domain.events import AccountTaken, Event, MarginAnswered, MarginUnavailable
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash
from manjha.domain.orders import Order, OrderId, Purpose
from manjha.engine.journaling import value_of
from manjha.risk.control_limits import ControlLimits
from tests.simulation.day import SMALL_WINDOWS, Day, chosen_controls
from tests.simulation.process import Process

SECOND = 1_000_000_000
WAITS = SECOND
"""How long the broker is waited for; written once more, so that a change of it is noticed here."""
RICH = Cash(10**12)
FATES = ("in time", "in time", "in time", "too little", "too little", "late", "never", "fails", "twice")
OPEN, FREE, SHUT = "open", "free", "shut"
"""Where a question stands by the rows alone: not answered; its order may go; its order must never go."""


class MarginDay(Day):
    """A day of questions. `told` counts how they ended. Chance is their own: days without them stay the same."""

    asks_margin: ClassVar[bool] = True

    def __init__(self, seed: int, mutate: Callable[[Day], None] | None = None) -> None:
        self.told: Counter[str] = Counter()
        self.stands: dict[str, str] = {}
        self.asked_ns: dict[str, int] = {}
        self.read_rows = 0
        self.chances = random.Random(f"margins of {seed}")
        super().__init__(seed, mutate)

    def controls_of(self, seed: int) -> ControlLimits | None:
        """Return controls in which commands wait in turn: without them nobody is asked."""
        chosen = next(found for one in count(seed) if (found := chosen_controls(one)) is not None)
        return msgspec.structs.replace(chosen, rate=chosen.rate or SMALL_WINDOWS)

    # ---- the broker's side

    def margin_asked(self, process: Process, order: Order) -> None:
        """Answer in one of many ways, also to a process that has died meanwhile."""
        if order.purpose is not Purpose.SIGNAL:
            self.fail("22", f"the exit {order.id} is asked about")
        rng = self.chances
        fate = "in time" if self.world.is_healed else rng.choice(FATES)
        self.told[fate] += 1
        enough = MarginAnswered(order.id, MarginSeen(Cash(rng.randrange(10**8)), RICH), TsNs(0))
        answers: list[tuple[float, Event]] = []
        if fate == "too little":
            short = MarginSeen(Cash(10**9), Cash(rng.randrange(-(10**8), 10**9)))
            answers = [(rng.uniform(0.02, 0.9), MarginAnswered(order.id, short, TsNs(0)))]
        elif fate == "fails":
            answers = [(rng.uniform(0.0, 0.9), MarginUnavailable(order.id, "status 503", TsNs(0)))]
        elif fate != "never":
            first = rng.uniform(1.0, 30.0) if fate == "late" else rng.uniform(0.02, 0.9)
            answers = [(first, enough)]
        if fate == "twice":
            answers.append((rng.uniform(0.5, 9.0), enough))
        for seconds, event in answers:
            self.world.after(seconds, process.alive(partial(process.answered_margin, event)))

    # ---- what must hold

    def fail(self, invariant: str, what: str) -> None:
        """Say that an invariant does not hold."""
        self.checkers.fail(invariant, what)

    def sending(self, process: Process, outgoing: Outgoing) -> None:
        """INV-16, 21: what was asked about leaves after a row that lets it go, and never where a row does not."""
        asked = outgoing.command.command
        if isinstance(asked, SubmitOrder):
            self._read()
            stands = self.stands.get(asked.order.id, FREE)
            if stands is OPEN:
                self.fail("16", f"{asked.order.id} leaves before its margin was told or waited for")
            if stands is SHUT:
                self.fail("21", f"{asked.order.id} leaves, for which there was no money")
        super().sending(process, outgoing)

    def _read(self) -> None:
        for row in self.shared.rows[self.read_rows :]:
            self.read_rows = row.seq
            self._row(value_of(row.entry), row.entry.ts_ns)

    def _row(self, value: Any, ts_ns: int) -> None:
        if isinstance(value, AskMargin):
            self.stands[value.order.id], self.asked_ns[value.order.id] = OPEN, ts_ns
        elif isinstance(value, AccountTaken):
            # Whoever asked is dead: what was not answered is not sent any more.
            lost = [name for name, stands in self.stands.items() if stands is OPEN]
            self.told["died meanwhile"] += len(lost)
            self.stands.update(dict.fromkeys(lost, SHUT))
        elif isinstance(value, MarginAnswered):
            self._answered(value.order_id, enough=value.margin.required <= value.margin.available)
        elif isinstance(value, MarginAssumed):
            if self.stands.get(value.order_id) is not OPEN:
                self.fail("16", f"{value.order_id} is let go by our model, and was not waiting")
            if not value.reason.startswith("status") and ts_ns < self.asked_ns[value.order_id] + WAITS:
                self.fail("24", f"{value.order_id} was not waited for")
            self.stands[value.order_id] = FREE
            self.told["assumed"] += 1

    def _answered(self, order_id: OrderId, *, enough: bool) -> None:
        if self.stands.get(order_id) is OPEN:
            self.stands[order_id] = FREE if enough else SHUT
            self.told["let go" if enough else "refused"] += 1
        else:
            self.told["answered too late"] += 1

    def settled(self) -> None:
        """INV-15: nothing is left waiting for an answer."""
        self._read()
        desk = self.processes[-1].state.desk
        if desk is not None and desk.checking:
            self.fail("15", f"still waiting for a margin: {list(desk.checking)}")

    def run(self) -> None:
        """Live the day, and look at what is left of it."""
        super().run()
        self.settled()

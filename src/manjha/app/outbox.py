"""The only door out: approved commands leave here, each once, or come back as vetoed. It does no I/O itself.

The gate inside `engine.step` decides; the outbox looks only at what may have changed since: kill switch, who owns the
account, the broker's session, how long ago the decision was written down, and whether as many orders leave as were
intended. An order's commands go one after the other; orders go beside each other, a bounded number of them.
"""

from collections.abc import Callable, Sequence

import msgspec

from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.errors import InvariantBroken
from manjha.domain.events import KillSwitched, SendVetoed
from manjha.domain.kill import level_name
from manjha.domain.moments import TsNs
from manjha.domain.orders import OrderId, Purpose
from manjha.engine.state import EngineState
from manjha.risk.controlled_gate import is_less
from manjha.risk.kill import forbids, joined, level_for

Command = Approved[SubmitOrder] | Approved[ModifyOrder] | Approved[CancelOrder]

DEADLINE_NS = 250_000_000
"""From the commit of a decision to its first byte: what waited longer was held up, and may be stale (ADR A11)."""

IN_FLIGHT_MAX = 16
"""Commands that may be on their way without an outcome; the rest waits here, where it is still looked at."""
KEPT_FOR_CANCELS = 4
"""Of those, how many only a cancel may take: what takes risk away does not wait behind what hangs."""


class Outgoing(msgspec.Struct, frozen=True):
    """A command that may be sent now; `broker_id` is empty for a new order. `committed_ns` is as it was put in."""

    command: Command
    broker_id: str = ""
    committed_ns: int = 0


class Conditions(msgspec.Struct, kw_only=True):
    """What the outbox asks before each command; each returns why not, empty for no objection.

    `owner`: whether this process still owns the account. `session`: whether the broker listens. `kill`: whether a
    command may go by the kill switch (see `kill_condition`). `number` gives the broker's number of an order.
    """

    owner: Callable[[], str]
    session: Callable[[], str]
    kill: Callable[[Command], str]
    number: Callable[[OrderId], str]


class _Waiting(msgspec.Struct, frozen=True):
    command: Command
    committed_ns: int


class Outbox:
    """Commands in order. `sent` counts orders that left, `intended` those that were put in."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._waiting: list[_Waiting] = []
        self._busy: set[OrderId] = set()
        self._tags: set[str] = set()
        self.intended = self.sent = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._busy)

    def put(self, command: Command, committed_ns: int) -> None:
        """Take a command whose decision is written down; `committed_ns` by a clock that does not jump."""
        self._waiting.append(_Waiting(command, committed_ns))
        self.intended += isinstance(command.command, SubmitOrder)

    def answered(self, order_id: OrderId) -> None:
        """Let the next command of an order go: the one before has its outcome."""
        self._busy.discard(order_id)

    def ready(self, now_ns: int, event_ns: TsNs) -> tuple[list[Outgoing], list[SendVetoed]]:
        """Return what is to leave now and what may not, cancels first; each is then out of the box.

        `now_ns` is by the clock of `put`, `event_ns` the time of the engine.
        """
        queue, self._waiting = sorted(self._waiting, key=_goes_last), []
        leaving, vetoed = list[Outgoing](), list[SendVetoed]()
        for one in queue:
            order_id = order_of(one.command)
            # What follows a command of the same order must not overtake it.
            if order_id in self._busy:
                self._waiting.append(one)
                continue
            why = self._objection(one, now_ns)
            if why:
                vetoed.append(SendVetoed(order_id, *_kind(one.command), why, event_ns))
            elif not self._has_room(one):
                self._waiting.append(one)
            else:
                self._busy.add(order_id)
                leaving.append(self._leaves(one, order_id))
        return leaving, vetoed

    def _has_room(self, one: _Waiting) -> bool:
        kept = KEPT_FOR_CANCELS if _goes_last(one) else 0
        return len(self._busy) < IN_FLIGHT_MAX - kept

    def _leaves(self, one: _Waiting, order_id: OrderId) -> Outgoing:
        command, asked = one.command, one.command.command
        if not isinstance(asked, SubmitOrder):
            return Outgoing(command, self._conditions.number(order_id), one.committed_ns)
        if asked.tag in self._tags or self.sent >= self.intended:
            raise InvariantBroken(
                f"order {order_id} would leave a second time: {self.sent} of {self.intended} intended orders have left"
            )
        self._tags.add(asked.tag)
        self.sent += 1
        return Outgoing(command, committed_ns=one.committed_ns)

    def _objection(self, one: _Waiting, now_ns: int) -> str:
        asked, conditions = one.command.command, self._conditions
        why = conditions.owner() or conditions.session()
        if why:
            return why
        late = now_ns - one.committed_ns
        if isinstance(asked, SubmitOrder):
            if late > DEADLINE_NS:
                return f"decided {late // 1_000_000} ms ago; it had to leave within {DEADLINE_NS // 1_000_000}"
        elif not conditions.number(asked.order_id):
            return "the broker's number of the order is not known yet"
        return conditions.kill(one.command)


def kill_condition(state: EngineState, thrown: Callable[[], Sequence[KillSwitched]]) -> Callable[[Command], str]:
    """Return what the outbox asks of the kill switch: it is on where the state, thus the journal, or the file says so.

    `thrown` reads the file anew. Cancels go at every level, and so does a smaller quantity at the same price.
    """

    def objection(command: Command) -> str:
        asked, controls = command.command, state.controls
        if isinstance(asked, CancelOrder):
            return ""
        record = state.book.records[order_of(command)]
        order = record.order
        if isinstance(asked, ModifyOrder) and is_less(record, asked):
            return ""
        levels = joined({} if controls is None else controls.levels, thrown())
        level = level_for(levels, order.origin.strategy, order.instrument)
        opens = order.purpose is Purpose.SIGNAL
        if controls is not None:
            opens = order.id in controls.entry_ids
            level = max(level, level_for(controls.tripped, order.origin.strategy, order.instrument))
        return f"the kill switch is on, level {level_name(level)}" if forbids(level, order.purpose, opens=opens) else ""

    return objection


def order_of(command: Command) -> OrderId:
    """Return which order a command is about."""
    asked = command.command
    return asked.order.id if isinstance(asked, SubmitOrder) else asked.order_id


def _goes_last(one: _Waiting) -> bool:
    return not isinstance(one.command.command, CancelOrder)


def _kind(command: Command) -> tuple[bool, bool]:
    return isinstance(command.command, SubmitOrder), isinstance(command.command, CancelOrder)

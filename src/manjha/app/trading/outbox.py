"""The only door out: approved commands leave here, each once, or come back as vetoed. It does no I/O itself.

The gate inside `engine.step` decides; the outbox looks only at what may have changed since: kill switch, who owns the
account, the broker's session, how long ago the decision was made and when it was written down, and whether as many
orders leave as were intended. An order's commands go one after the other; orders go beside each other, a bounded number
of them.
"""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.errors import InvariantBroken, JournalHalted
from manjha.domain.events import KillSwitched, SendVetoed
from manjha.domain.kill import level_name
from manjha.domain.moments import SECOND_NS, TsNs
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


def _none(now_ns: int) -> str:
    """Object to nothing."""
    del now_ns
    return ""


def _never_old(command: Command, now_ns: int) -> str:
    """Object to nothing."""
    del command, now_ns
    return ""


class Outgoing(msgspec.Struct, frozen=True):
    """A command that may be sent now; `broker_id` is empty for a new order.

    `objection` is asked right before its first byte, with the time by the clock of `put`: why it may not go any more,
    empty where it may.
    """

    command: Command
    broker_id: str = ""
    objection: Callable[[int], str] = _none


class Conditions(msgspec.Struct, kw_only=True):
    """What the outbox asks before each command; each returns why not, empty for no objection.

    `owner`: whether this process still owns the account. `session`: whether the broker listens. `kill`: whether a
    command may go by the kill switch (see `kill_condition`). `number` gives the broker's number of an order. `opens`
    tells whether a command opens a position or adds to one (see `opens_condition`). `age` is asked of those, with the
    time that it is now: whether what they rest on is too old (see `age_condition`).
    """

    owner: Callable[[], str]
    session: Callable[[], str]
    kill: Callable[[Command], str]
    number: Callable[[OrderId], str]
    opens: Callable[[Command], bool]
    age: Callable[[Command, int], str] = _never_old


class _Waiting(msgspec.Struct, frozen=True):
    command: Command
    committed_ns: int


class Outbox:
    """Commands in order. `sent` counts orders that left, `intended` those that were put in, `vetoed` those kept back.

    What was put in has left, was kept back or waits (`orders_waiting`): there is no fourth.
    """

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._waiting: list[_Waiting] = []
        self._busy: set[OrderId] = set()
        self._tags: set[str] = set()
        self._is_ending = False
        self.intended = self.sent = self.vetoed = 0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._busy)

    @property
    def orders_waiting(self) -> int:
        """How many new orders wait."""
        return sum(isinstance(one.command.command, SubmitOrder) for one in self._waiting)

    def put(self, command: Command, committed_ns: int) -> None:
        """Take a command whose decision is written down; `committed_ns` by a clock that does not jump."""
        self._waiting.append(_Waiting(command, committed_ns))
        self.intended += isinstance(command.command, SubmitOrder)

    def end(self) -> None:
        """Let nothing leave any more that opens: this process ends, and would not see what comes of it."""
        self._is_ending = True

    def answered(self, order_id: OrderId) -> None:
        """Let the next command of an order go: the one before has its outcome."""
        self._busy.discard(order_id)

    def ready(self, now_ns: int, event_ns: TsNs, real_ns: int = 0) -> tuple[list[Outgoing], list[SendVetoed]]:
        """Return what is to leave now and what may not, cancels first; each is then out of the box.

        `now_ns` is by the clock of `put`, `event_ns` the time of the engine; `real_ns` is what time it really is, where
        that is known and the engine is behind.
        """
        queue, self._waiting = sorted(self._waiting, key=_goes_last), []
        leaving, vetoed = list[Outgoing](), list[SendVetoed]()
        for one in queue:
            order_id = order_of(one.command)
            # What follows a command of the same order must not overtake it.
            if order_id in self._busy:
                self._waiting.append(one)
                continue
            why = self._objection(one, now_ns, max(event_ns, real_ns))
            if why:
                vetoed.append(SendVetoed(order_id, *_kind(one.command), why, event_ns))
                self.vetoed += isinstance(one.command.command, SubmitOrder)
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
            return Outgoing(command, self._conditions.number(order_id), partial(self._last_objection, one))
        if asked.tag in self._tags or self.sent >= self.intended:
            raise InvariantBroken(
                f"order {order_id} would leave a second time: {self.sent} of {self.intended} intended orders have left"
            )
        self._tags.add(asked.tag)
        self.sent += 1
        return Outgoing(command, objection=partial(self._last_objection, one))

    def _objection(self, one: _Waiting, now_ns: int, real_ns: int) -> str:
        asked, conditions = one.command.command, self._conditions
        why = conditions.owner() or conditions.session()
        if why:
            return why
        if isinstance(asked, SubmitOrder):
            why = _late(one, now_ns) or self._aged(one.command, real_ns)
            if why:
                return why
        elif not conditions.number(asked.order_id):
            return "the broker's number of the order is not known yet"
        if self._is_ending and conditions.opens(one.command):
            return "the trader is ending: only what closes or cancels still leaves"
        return conditions.kill(one.command)

    def _aged(self, command: Command, real_ns: int) -> str:
        return self._conditions.age(command, real_ns) if self._conditions.opens(command) else ""

    def _last_objection(self, one: _Waiting, now_ns: int) -> str:
        """Look once more at what was on its way to the network: who was held up there may have been overtaken."""
        late = _late(one, now_ns)
        if not late or isinstance(one.command.command, SubmitOrder):
            return late
        # A cancel or new terms may wait longer than an order, but only of who owns the account.
        try:
            return self._conditions.owner()
        except JournalHalted as error:
            return error.message


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


def _late(one: _Waiting, now_ns: int) -> str:
    late = now_ns - one.committed_ns
    if late <= DEADLINE_NS:
        return ""
    return f"decided {late // 1_000_000} ms ago; it had to leave within {DEADLINE_NS // 1_000_000}"


def age_condition(state: EngineState) -> Callable[[Command, int], str]:
    """Return what tells whether an order was decided too long ago: by one who was held up, on prices of then.

    The limit is the controls' of the age of a price; the gate, which knows the time of the engine alone, cannot tell.
    """

    def old(command: Command, now_ns: int) -> str:
        asked, controls = command.command, state.controls
        most = controls.limits.price_age_max_ns if controls is not None else 0
        if not most or not isinstance(asked, SubmitOrder) or now_ns - asked.order.decided_ns <= most:
            return ""
        age = (now_ns - asked.order.decided_ns) // SECOND_NS
        return f"decided on prices of {age} s ago; they may be {most // SECOND_NS} s old"

    return old


def opens_condition(state: EngineState) -> Callable[[Command], bool]:
    """Return what tells whether a command opens a position or adds to one, by what is held now.

    Cancels do not, nor does a smaller quantity at the same price, nor what closes for another reason than a signal.
    """

    def opens(command: Command) -> bool:
        asked = command.command
        if isinstance(asked, CancelOrder):
            return False
        record = state.book.records[order_of(command)]
        order = record.order
        if order.purpose is not Purpose.SIGNAL or (isinstance(asked, ModifyOrder) and is_less(record, asked)):
            return False
        qty = asked.qty - record.filled if isinstance(asked, ModifyOrder) else order.qty
        held = state.held_by((order.origin.strategy, order.instrument, order.product))
        # Half a turn is an entry.
        return held * int(order.side) >= 0 or qty > abs(held)

    return opens


def order_of(command: Command) -> OrderId:
    """Return which order a command is about."""
    asked = command.command
    return asked.order.id if isinstance(asked, SubmitOrder) else asked.order_id


def _goes_last(one: _Waiting) -> bool:
    return not isinstance(one.command.command, CancelOrder)


def _kind(command: Command) -> tuple[bool, bool]:
    return isinstance(command.command, SubmitOrder), isinstance(command.command, CancelOrder)

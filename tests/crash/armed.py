"""Named points at which a trader kills or stops itself. The product knows nothing of them: its methods are wrapped.

`arm` chooses one in the child before it trades; there, at the n-th passing, it sends itself SIGKILL, or SIGSTOP.
KP1 to KP14 are those of RELIABILITY section 8.3; intent and sending are one transaction here (KP2 to KP4).
"""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, ClassVar

from manjha.adapters.sql.journal import SqlJournal
from manjha.app.trading.outbox import Outbox
from manjha.app.trading.trader import Trader
from manjha.domain.commands import Approved, SubmitOrder
from manjha.domain.events import Event
from manjha.domain.journal import Entry
from manjha.engine.handlers import orders
from manjha.services import taking_up
from manjha.services.live_runs import LiveTape

SENDING = {
    "KP1 an order is decided": "decided",
    "KP2 before it is written down": "before the commit",
    "KP4 its rows are in, not committed": "inside the transaction",
    "KP3 it is committed": "committed",
    "KP5 it is in the outbox": "in the outbox",
    "KP5 it has left the outbox": "out of the outbox",
    "KP6 connected to the broker": "connected",
    "KP7 half of the request is out": "half of the request is out",
    "KP8 the request is out": "the request is out",
    "KP9 the answer is here": "the answer is here",
    "KP9 before the answer is noted": "an answer comes",
    "KP10 the answer is noted": "an answer is noted",
    "KP10 the answer is committed": "an answer is committed",
}
AFTER = {
    "KP11 in the middle of booking a fill": "a fill is booked",
    "KP11 before what was read is written down": "before a read is committed",
    "KP11 what was read is committed": "a read is committed",
    "KP12 half of a cancel is out": "cancel: half of the request is out",
    "KP12 a cancel is out": "cancel: the request is out",
    "KP12 a cancel is answered": "cancel: the answer is here",
    "KP12 half of new terms is out": "modify: half of the request is out",
    "KP12 new terms are out": "modify: the request is out",
    "KP14 before a snapshot is kept": "before a snapshot",
    "KP14 inside the snapshot's transaction": "inside a snapshot",
    "KP14 a snapshot is kept": "after a snapshot",
}
RECOVERY = {
    "KP13 the epoch is begun": "the epoch is begun",
    "KP13 inside stepping through the journal": "a row is stepped through again",
    "KP13 the account is taken": "the account is taken",
    "KP13 before the first read is noted": "a read comes",
    "KP14 the journal is being made or opened": "the journal is opened",
}
POINTS = SENDING | AFTER | RECOVERY
"""What a point is called in a summary, and in `reach`."""


class _Armed:
    point, left, signal, signs = "", 0, 0, -1


def arm(point: str, nth: int, number: int, signs: int) -> None:
    """Send this process a signal at the n-th passing of a point; say so on the descriptor `signs` first."""
    _Armed.point, _Armed.left, _Armed.signal, _Armed.signs = POINTS[point], nth, number, signs
    _wrap_product()


def reach(point: str) -> None:
    """Pass a point."""
    if point == _Armed.point:
        _Armed.left -= 1
        if _Armed.left == 0:
            os.write(_Armed.signs, json.dumps({"pid": os.getpid(), "at": point}).encode() + b"\n")
            os.kill(os.getpid(), _Armed.signal)


def _around(
    owner: Any, name: str, before: Callable[..., object] | None, after: Callable[..., object] | None = None
) -> None:
    """Wrap a method; both hooks get its arguments, `after` what it returned first."""
    method = getattr(owner, name)

    @wraps(method)
    def wrapped(*given: Any, **named: Any) -> Any:
        if before is not None:
            before(*given, **named)
        found = method(*given, **named)
        if after is not None:
            after(found, *given, **named)
        return found

    setattr(owner, name, wrapped)


INTENT, ANSWER, READ = "Approved.SubmitOrder", "SubmitAnswered", "BrokerRead"
BEFORE_COMMIT = {INTENT: "before the commit", READ: "before a read is committed"}
COMMITTED = {INTENT: "committed", ANSWER: "an answer is committed", READ: "a read is committed"}
COMING = {ANSWER: "an answer comes", READ: "a read comes"}
NOTED = {ANSWER: "an answer is noted", "AccountTaken": "the account is taken"}


def _reach_each(points: dict[str, str], kinds: Iterable[str]) -> None:
    for kind in points.keys() & kinds:
        reach(points[kind])


class _Writing:
    """The kinds of the rows that are being written, and whether a snapshot is."""

    kinds: ClassVar[set[str]] = set()
    is_snapshot: ClassVar[bool] = False


def _wrap_product() -> None:
    _around(SqlJournal, "append", _appending, _appended)
    _around(SqlJournal, "_move", None, _moved)
    _around(SqlJournal, "keep", _keeping, _kept)
    _around(SqlJournal, "_own_head", None, _inside)
    _around(SqlJournal, "begin", None, lambda *_: reach("the epoch is begun"))
    _around(SqlJournal, "_check_head", lambda *_: reach("the journal is opened"))
    _around(LiveTape, "decided", _decided)
    _around(taking_up, "step", None, lambda *_: reach("a row is stepped through again"))
    _around(Trader, "take", _coming, _noted)
    _around(Outbox, "put", None, lambda *_: reach("in the outbox"))
    _around(Outbox, "ready", None, _ready)
    _around(orders, "filled", None, lambda *_: reach("a fill is booked"))


def _appending(journal: SqlJournal, entries: Sequence[Entry]) -> None:
    _Writing.kinds = {entry.kind for entry in entries}
    _reach_each(BEFORE_COMMIT, _Writing.kinds)


def _moved(*_: object) -> None:
    """Pass the end of a transaction: its rows and its head are written, nothing is committed."""
    if INTENT in _Writing.kinds:
        reach("inside the transaction")


def _appended(*_: object) -> None:
    _reach_each(COMMITTED, _Writing.kinds)
    _Writing.kinds = set()


def _keeping(*_: object) -> None:
    reach("before a snapshot")
    _Writing.is_snapshot = True


def _inside(*_: object) -> None:
    if _Writing.is_snapshot:
        reach("inside a snapshot")


def _kept(*_: object) -> None:
    _Writing.is_snapshot = False
    reach("after a snapshot")


def _decided(tape: object, outputs: Sequence[object], ts_ns: int) -> None:
    if any(isinstance(one, Approved) and isinstance(one.command, SubmitOrder) for one in outputs):
        reach("decided")


def _coming(trader: Trader, event: Event) -> None:
    _reach_each(COMING, (type(event).__name__,))


def _noted(outputs: object, trader: Trader, event: Event) -> None:
    _reach_each(NOTED, (type(event).__name__,))


def _ready(found: tuple[Sequence[object], Sequence[object]], *_: object) -> None:
    if found[0]:
        reach("out of the outbox")

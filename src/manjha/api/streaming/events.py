"""What a journal's rows mean to whoever listens: orders, trades and positions in their newest form, and notes."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec

from manjha.api.job_views import job_told
from manjha.api.parts import ApiParts
from manjha.api.trading_views import Names, order_told, position_told, trade_told
from manjha.domain.errors import ManjhaError
from manjha.domain.events import KillSwitched, ParametersSet, TradingSwitched
from manjha.domain.journal import Row
from manjha.domain.kill import level_name
from manjha.domain.moments import format_ts
from manjha.domain.orders import AccountId
from manjha.engine.journaling import value_of
from manjha.engine.terms import RunBegun, RunEnded
from manjha.ports.read_models import ReadModels
from manjha.services.accounts.told import told_by

JOBS = "@jobs"
"""Where a listener is among the changes of jobs, beside the places in the journals of accounts."""
AT_ONCE = 1_000
"""Orders or trades of one read."""
_SESSION_KINDS = frozenset(kind.__name__ for kind in (RunBegun, RunEnded, TradingSwitched, ParametersSet))


class Topic(StrEnum):
    """What may be listened to. Ticks and health tell of now; the others follow what is written, and can be resumed."""

    ORDERS = "orders"
    TRADES = "trades"
    POSITIONS = "positions"
    SESSIONS = "sessions"
    KILL = "kill"
    NOTIFICATIONS = "notifications"
    JOBS = "jobs"
    TICKS = "ticks"
    HEALTH = "health"
    RESET = "reset"


class Event(NamedTuple):
    """Something that happened: in which account, by which row of its journal (0 where none tells it), as JSON."""

    topic: Topic
    account: str
    seq: int
    instrument: str
    data: bytes

    def body(self) -> bytes:
        """Return the whole of it as a JSON object."""
        account = "" if self.account == JOBS else self.account
        head = msgspec.json.encode({"topic": self.topic, "account": account, "seq": self.seq})
        return head[:-1] + b',"data":' + self.data + b"}"


def head_of(parts: ApiParts, account: str) -> int:
    """Return the last row of an account's journal, or the last change of jobs; 0 where none can be read."""
    if account == JOBS:
        return parts.job_watch.last_change()
    journal = parts.followed.journal(AccountId(account))
    try:
        return 0 if journal is None else journal.head().seq
    except ManjhaError:
        return 0


def events_after(parts: ApiParts, account: str, after: int) -> tuple[list[Event], int]:
    """Return what happened after a row, in the order of the journal, and the row to which that is everything.

    Orders, positions and jobs are told in their newest form, once. Raises `ManjhaError` where a journal is unreadable.
    """
    if account == JOBS:
        return _of_jobs(parts, after)
    return _of_account(parts, AccountId(account), after)


def _of_jobs(parts: ApiParts, after: int) -> tuple[list[Event], int]:
    changed = parts.job_watch.changes(after, AT_ONCE)
    events = [Event(Topic.JOBS, JOBS, one.changed, "", job_told(one).model_dump_json().encode()) for one in changed]
    return events, changed[-1].changed if changed else after


def _of_account(parts: ApiParts, account: AccountId, after: int) -> tuple[list[Event], int]:
    parts.followed.follow(account, at_once=True)
    names = Names(parts)
    with parts.records.begin() as books:
        reached = books.read_models.reached(account).seq
        if reached <= after:
            return [], after
        found = list(_of_models(books.read_models, account, (after, reached), names))
    journal = parts.followed.journal(account)
    if journal is not None:
        for row in journal.rows(after):
            if row.seq > reached:
                break
            found += _of_row(row, account, names)
    return sorted(found, key=lambda event: event.seq), reached


def _of_models(models: ReadModels, account: AccountId, span: tuple[int, int], names: Names) -> Iterator[Event]:
    after, reached = span
    at = after
    while orders := models.changed_orders(account, after=at, limit=AT_ONCE):
        for order in orders:
            told = order_told(order, names).model_dump_json().encode()
            yield Event(Topic.ORDERS, account, order.changed_seq, order.order.instrument, told)
        at = orders[-1].changed_seq
    at = after
    while trades := models.trades(account, after=at, limit=AT_ONCE):
        for trade in trades:
            told = trade_told(trade, names).model_dump_json().encode()
            yield Event(Topic.TRADES, account, trade.seq, trade.fill.instrument, told)
        at = trades[-1].seq
    for held in models.positions(account):
        if after < held.changed_seq <= reached:
            told = position_told(held, names).model_dump_json().encode()
            yield Event(Topic.POSITIONS, account, held.changed_seq, held.instrument, told)


def _of_row(row: Row, account: AccountId, names: Names) -> Iterator[Event]:
    told = told_by(row, account, names)
    if told is not None:
        note = told.note
        words = {"kind": note.kind, "level": note.level.name.lower(), "title": note.title, "text": note.text}
        yield _event(Topic.NOTIFICATIONS, account, row, words)
    if row.entry.kind == KillSwitched.__name__:
        value = value_of(row.entry)
        if isinstance(value, KillSwitched):
            words = {"level": level_name(value.level), "scope": value.scope.display, "reason": value.reason}
            yield _event(Topic.KILL, account, row, words | {"who": value.who})
    elif row.entry.kind in _SESSION_KINDS:
        yield _event(Topic.SESSIONS, account, row, {"session": row.run, **_session(value_of(row.entry))})


def _session(value: object) -> dict[str, object]:
    match value:
        case RunBegun():
            return {"what": "begun", "strategy": value.origin.strategy}
        case TradingSwitched():
            return {"what": "trading" if value.on else "paused", "reason": value.reason}
        case ParametersSet():
            return {"what": "parameters", "strategy": value.strategy, "values": dict(value.values), "by": value.by}
        case _:
            return {"what": "ended"}


def _event(topic: Topic, account: AccountId, row: Row, words: Mapping[str, object]) -> Event:
    data = msgspec.json.encode({**words, "time": format_ts(row.entry.ts_ns)})
    return Event(topic, account, row.seq, "", data)

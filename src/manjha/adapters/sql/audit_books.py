"""Implements `ports.identity.AttemptBook` and `AuditBook` over SQL."""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, func, insert, select, update

from manjha.adapters.sql.identity_tables import ATTEMPTS, AUDIT_HEAD, AUDIT_LOG
from manjha.adapters.sql.rows import columns_of, inserting, put_rows
from manjha.domain.errors import invariant
from manjha.domain.identity import Attempt, AuditEntry, AuditHead, AuditRow

_ONE = "audit"


class SqlAttemptBook:
    """How often somebody has tried lately, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def held(self, keys: Collection[str]) -> dict[str, Attempt]:
        """Return what is known of each key, and hold it. See the port."""
        if not keys:
            return {}
        # A row that is not there cannot be held, so it is made. In one order, so that nobody waits crosswise.
        ordered = sorted(keys)
        empty = [msgspec.structs.asdict(Attempt(key=key)) for key in ordered]
        self._connection.execute(inserting(self._connection, ATTEMPTS).on_conflict_do_nothing(), empty)
        asked = select(ATTEMPTS).where(ATTEMPTS.c.key.in_(ordered)).order_by(ATTEMPTS.c.key).with_for_update()
        found = {row.key: Attempt(**columns_of(row)) for row in self._connection.execute(asked)}
        return {key: found.get(key, Attempt(key=key)) for key in ordered}

    def put(self, attempts: Collection[Attempt]) -> None:
        """Record attempts. See the port."""
        rows = [msgspec.structs.asdict(one) for one in sorted(attempts, key=lambda one: one.key)]
        put_rows(self._connection, ATTEMPTS, rows)

    def bound(self, rows: int) -> None:
        """Forget those that were changed longest ago. See the port."""
        table = ATTEMPTS.c
        count = self._connection.scalar(select(func.count()).select_from(ATTEMPTS)) or 0
        if count > rows:
            oldest = select(table.key).order_by(table.changed_ns, table.key).limit(count - rows)
            self._connection.execute(delete(ATTEMPTS).where(table.key.in_(oldest)))


class SqlAuditBook:
    """The log, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def head(self) -> AuditHead:
        """Return where the log ends. See the port."""
        found = self._connection.execute(select(AUDIT_HEAD).where(AUDIT_HEAD.c.name == _ONE)).first()
        return AuditHead() if found is None else AuditHead(found.seq, found.hash)

    def held_head(self) -> AuditHead:
        """Return where the log ends, and hold it. See the port."""
        made = inserting(self._connection, AUDIT_HEAD).values(name=_ONE, seq=0, hash=b"")
        self._connection.execute(made.on_conflict_do_nothing())
        # What is written is held until the transaction ends, in either database.
        touched = update(AUDIT_HEAD).where(AUDIT_HEAD.c.name == _ONE).values(name=_ONE)
        found = self._connection.execute(touched.returning(AUDIT_HEAD.c.seq, AUDIT_HEAD.c.hash)).one()
        return AuditHead(found.seq, found.hash)

    def append(self, row: AuditRow) -> None:
        """Write a row after the head. See the port."""
        entry = msgspec.structs.asdict(row.entry)
        self._connection.execute(insert(AUDIT_LOG).values(seq=row.seq, previous=row.previous, hash=row.hash, **entry))
        moved = update(AUDIT_HEAD).where(AUDIT_HEAD.c.name == _ONE, AUDIT_HEAD.c.seq == row.seq - 1)
        count = self._connection.execute(moved.values(seq=row.seq, hash=row.hash)).rowcount
        invariant(count == 1, "a row of the audit log was written without its head being held")

    def rows(self, *, after: int = 0, limit: int = 1000) -> list[AuditRow]:
        """Return rows in order. See the port."""
        return self._read(select(AUDIT_LOG).where(AUDIT_LOG.c.seq > after).order_by(AUDIT_LOG.c.seq).limit(limit))

    def newest(self, *, before: int | None = None, limit: int = 100) -> list[AuditRow]:
        """Return rows, newest first. See the port."""
        asked = select(AUDIT_LOG).order_by(AUDIT_LOG.c.seq.desc()).limit(limit)
        return self._read(asked if before is None else asked.where(AUDIT_LOG.c.seq < before))

    def _read(self, asked: Select[Any]) -> list[AuditRow]:
        found = []
        for row in self._connection.execute(asked):
            values = columns_of(row)
            seq, previous, made = (values.pop(name) for name in ("seq", "previous", "hash"))
            found.append(AuditRow(seq, AuditEntry(**values), previous, made))
        return found

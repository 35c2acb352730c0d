"""The journal in SQLite or PostgreSQL: one implementation, and each database is asked whether it keeps its word.

SQLite: a file of its own in WAL mode with `synchronous=FULL`; with NORMAL a power cut loses what was acknowledged
(RELIABILITY section 12). PostgreSQL: `synchronous_commit`, `fsync` and `full_page_writes` on. Rows can be added only:
triggers refuse to change or delete them.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, create_engine, event, insert, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from manjha.adapters.sql.database import read_url
from manjha.adapters.sql.held import Held, Speaks
from manjha.adapters.sql.journal_statements import Statements
from manjha.adapters.sql.journal_tables import HEADS, JOURNAL, JOURNAL_METADATA, SNAPSHOTS
from manjha.domain.errors import JournalHalted, SettingsError, StaleWriter
from manjha.domain.journal import FORMAT, Entry, Head, Row, Snapshot, chained, genesis
from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, RunId

BUSY_MS = 250
"""How long a write of SQLite waits for another process before it is refused: a trader must not wait for long."""
STOPPED_MS = 10_000
"""How long a transaction may stand still before PostgreSQL ends it: who is stopped inside one holds the head, and a
stand-by must not wait for them. Ours take milliseconds; who loses one is halted, and reads the journal anew."""
LOCKED_MS = 2 * STOPPED_MS
"""How long PostgreSQL lets a write wait for another process; it waits for ever unless told."""
LOCK = 7_226_026
"""Number of PostgreSQL's advisory lock under which the tables are made."""
READ_AT_ONCE = 5_000
WRITTEN_AT_ONCE = 1 << 20
DURABLE = {
    "sqlite": (("PRAGMA journal_mode", ("wal",)), ("PRAGMA synchronous", ("2",))),
    "postgresql": (
        ("SHOW synchronous_commit", ("on", "remote_apply")),
        ("SHOW fsync", ("on",)),
        ("SHOW full_page_writes", ("on",)),
    ),
}
"""By database: what is read back before anything is trusted to it, and what it must say."""


_ITS_OWN = AccountId("")


class SqlJournal:
    """Implements `ports.journal.Journal` for one account, which is asked of the journal where it is only to be read.

    Raises
    ------
    SettingsError
        The address is none, the driver is missing, or the journal is another account's or of a newer version.
    JournalHalted
        The database cannot be opened, is damaged, or does not keep what it acknowledges.
    """

    def __init__(self, url: str, account: AccountId = _ITS_OWN, *, reads_only: bool = False) -> None:
        self._url = read_url(url, "journal_url")
        self._account = account
        self._run = RunId("")
        self._epoch = 0
        self._why_halted = "it was opened only to be read" if reads_only else ""
        if reads_only and self._is_sqlite and not Path(self._url.database or "").is_file():
            raise SettingsError(f"there is no journal {self._name}", hint=_WHERE)
        self._engine = self._made_engine()
        self._said = Statements(self._engine.dialect)
        self._held = Held(self._engine)
        try:
            if reads_only:
                self._find_account()
            else:
                self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        """See that the database keeps its word, make the tables and the account's head where there are none."""
        if self._is_sqlite:
            try:
                _make_folder(Path(self._url.database or "").absolute().parent)
            except OSError as error:
                why = f"the journal {self._name} cannot be made: {error.strerror}"
                raise JournalHalted(why, hint=_ADVICE) from error
        with self._working("be opened"), self._engine.begin() as connection:
            self._check_durable(connection)
            if self._is_sqlite:
                self._write_log_again()
            else:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            JOURNAL_METADATA.create_all(connection)
            self._check_head(connection)

    def _write_log_again(self) -> None:
        """Put what an earlier process left in SQLite's write-ahead log on the disk, under the lock of a writer.

        If a sync failed in that process, the system takes what it did not write for written: it can be read, no later
        sync writes it, and a power cut takes it and every row after it (ADR 0082). Who writes it again is safe.
        """
        try:
            _write_again(Path(f"{self._url.database}-wal"))
        except OSError as error:
            raise JournalHalted(f"the journal {self._name} cannot be opened: {error.strerror}", hint=_ADVICE) from error

    def _find_account(self) -> None:
        """Take over the account of a journal that is there; where there are several, the one that was named."""
        with self._reading() as connection:
            there = inspect(connection).has_table(HEADS.name)
            accounts = connection.execute(select(HEADS.c.account)).scalars().all() if there else []
        named = self._account
        if named in accounts or (not named and len(accounts) == 1):
            self._account = AccountId(named or accounts[0])
            return
        found = f"of accounts {', '.join(sorted(accounts))}; name one" if accounts else "of nobody"
        raise SettingsError(f"there is no journal {self._name} {f'of {named}' if named else found}", hint=_WHERE)

    def head(self) -> Head:
        """Return where the journal ends."""
        with self._working("be read"), self._held.reading() as connection:
            return self._head(connection)

    def begin(self, run: RunId) -> Head:
        """Begin an epoch; see the port."""
        self._require_sound()
        with self._working("be written"), self._held.writing() as connection:
            head = self._head(connection, lock=True)
            begun = Head(head.account, head.epoch + 1, head.seq, head.hash, head.format)
            self._move(connection, begun)
        self._run, self._epoch = run, begun.epoch
        return begun

    def append(self, entries: Sequence[Entry]) -> Head:
        """Write entries down durably, all or none; see the port."""
        self._require_sound()
        with self._working("be written"), self._held.writing() as connection:
            head = self._own_head(connection)
            rows, after = chained(head, self._run, entries)
            if rows:
                self._said.add(connection, [_columns(self._account, row) for row in rows])
                self._move(connection, after)
        return after

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Yield the rows after a number, as they are stored."""
        table = JOURNAL.c
        yield from self._rows(select(JOURNAL).where(table.seq > after).order_by(table.seq))

    def of_kind(self, kind: str, *, newest_first: bool = False) -> Iterator[Row]:
        """Yield the rows of one kind; see the port."""
        seq = JOURNAL.c.seq
        yield from self._rows(
            select(JOURNAL).where(JOURNAL.c.kind == kind).order_by(seq.desc() if newest_first else seq)
        )

    def _rows(self, asked: Select[Any]) -> Iterator[Row]:
        asked = asked.where(JOURNAL.c.account == self._account)
        with (
            self._leafing() as connection,
            connection.execution_options(yield_per=READ_AT_ONCE).execute(asked) as result,
        ):
            # In the order of the table's columns: by name costs as much as everything else here.
            for _, seq, epoch, run, ts_ns, kind, payload, previous, made in result:
                entry = Entry(kind, TsNs(ts_ns), bytes(payload))
                yield Row(seq, epoch, RunId(run), entry, bytes(previous), bytes(made))

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot of the state after a row that is there; see the port."""
        self._require_sound()
        with self._working("be written"), self._held.writing() as connection:
            head = self._own_head(connection)
            if not 0 < snapshot.seq <= head.seq:
                raise JournalHalted(f"a snapshot is of row {snapshot.seq}, but the journal has rows 1 to {head.seq}")
            values = {"seq": snapshot.seq, "digest": snapshot.digest, "payload": snapshot.payload}
            self._said.keep(connection, {"account": self._account, **values})

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield the snapshots that are kept, newest first."""
        table = SNAPSHOTS.c
        asked = select(SNAPSHOTS).where(table.account == self._account).order_by(table.seq.desc())
        with self._leafing() as connection, connection.execution_options(yield_per=1).execute(asked) as result:
            for found in result:
                yield Snapshot(found.seq, found.digest, bytes(found.payload))

    def close(self) -> None:
        """Let the connections go."""
        self._held.close()
        self._engine.dispose()

    # ---- the database

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    @property
    def _name(self) -> str:
        return self._url.database or "" if self._is_sqlite else self._url.render_as_string(hide_password=True)

    def _made_engine(self) -> Engine:
        if not self._is_sqlite:
            try:
                engine = create_engine(self._url, pool_size=2, isolation_level="READ COMMITTED")
            except ModuleNotFoundError as error:
                raise SettingsError(
                    f"PostgreSQL needs the package {error.name}", hint="Install it: pip install 'manjha[postgres]'."
                ) from None
            event.listen(engine, "connect", _prepare_postgres)
            return engine
        engine = create_engine(self._url, connect_args={"timeout": BUSY_MS / 1000})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _check_durable(self, connection: Connection) -> None:
        for question, right in DURABLE[self._url.get_backend_name()]:
            said = str(connection.exec_driver_sql(question).scalar()).lower()
            if said not in right:
                what = f"{question.split()[1]} must be {right[0]}, is {said}"
                raise JournalHalted(
                    f"the journal {self._name} would not keep what it acknowledges: {what}",
                    hint="Set it so for this database; an order must be on disk before it is sent.",
                )

    def _check_head(self, connection: Connection) -> None:
        """Make the account's head where there is none; refuse a journal that is not ours to write."""
        if connection.execute(select(HEADS).where(HEADS.c.account == self._account)).first() is None:
            others = connection.execute(select(HEADS.c.account)).scalars().all()
            if others and self._is_sqlite:
                raise SettingsError(
                    f"the journal {self._name} is that of account {others[0]}, not of {self._account}",
                    hint="Each account has a file of its own.",
                )
            first = {"epoch": 0, "seq": 0, "hash": genesis(self._account), "format": FORMAT}
            connection.execute(insert(HEADS).values(account=self._account, **first))
        form = self._head(connection).format
        if form != FORMAT:
            raise SettingsError(
                f"the journal {self._name} is of format {form}, known is {FORMAT}", hint="Upgrade Manjha."
            )

    def _head(self, connection: Speaks, *, lock: bool = False) -> Head:
        asked = self._said.locked if lock else self._said.head
        found = asked(connection, {"of": self._account}).fetchone()
        if found is None:
            raise JournalHalted(f"the journal {self._name} has lost the head of account {self._account}", hint=_ADVICE)
        account, epoch, seq, made, form = tuple(found)
        return Head(AccountId(account), epoch, seq, bytes(made), form)

    def _own_head(self, connection: Speaks) -> Head:
        """Return the head, if it is still ours to move."""
        head = self._head(connection, lock=True)
        if self._epoch == 0 or head.epoch != self._epoch:
            mine = f"epoch {self._epoch}" if self._epoch else "no epoch"
            raise StaleWriter(
                f"the journal {self._name} is in epoch {head.epoch}, this process began {mine}",
                hint="Another one has taken the account over: stop this process.",
            )
        return head

    def _move(self, connection: Speaks, head: Head) -> None:
        values = {"of": self._account, "epoch": head.epoch, "seq": head.seq, "hash": head.hash}
        self._said.move(connection, values)

    def _require_sound(self) -> None:
        if self._why_halted:
            raise JournalHalted(f"the journal {self._name} was halted: {self._why_halted}", hint=_REOPEN)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """Give a connection that keeps no writer waiting."""
        with self._working("be read"), self._engine.connect().execution_options(reads=True) as connection:
            yield connection

    @contextmanager
    def _leafing(self) -> Iterator[Connection]:
        """Give a connection to read piece by piece: whoever asks may take its time between two of them."""
        with self._reading() as connection:
            if not self._is_sqlite:
                connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield connection

    @contextmanager
    def _working(self, what: str) -> Iterator[None]:
        """Turn what a database says into a halt: after it nobody knows what was written."""
        try:
            yield
        except (SQLAlchemyError, self._held.errors) as error:
            cause = " ".join(str(getattr(error, "orig", None) or error).split())
            self._why_halted = cause
            raise JournalHalted(f"the journal {self._name} cannot {what}: {cause}", hint=_remedy(cause)) from error


_ADVICE = "Check the disk (space, rights, health) and keep the file; `manjha journal verify` says what is whole."
_WHERE = "A journal is made when trading begins; give its file or address."
_REMEDIES = {
    ("malformed", "not a database"): (
        "The file is damaged: copy it and all beside it elsewhere, and look at the disk. `manjha journal export` gives "
        "the rows before the damage; trading goes on from a whole copy only."
    ),
    ("full",): "Make room on its disk and start again: nothing that was acknowledged is lost.",
    ("readonly", "read-only"): (
        "Let this user write the file and its folder; a disk that became read-only by itself has mostly failed."
    ),
    ("locked",): "Another process writes it: end that one, then start again.",
}
"""What to do, by words of SQLite's and PostgreSQL's complaints."""
_REOPEN = "Start again: what was written is read from the disk, not remembered."


def _remedy(cause: str) -> str:
    found = (advice for words, advice in _REMEDIES.items() if any(word in cause for word in words))
    return next(found, _ADVICE)


def _make_folder(folder: Path) -> None:
    """Make a folder, and its name and those of all above it durable: SQLite syncs only the names of its own files.

    That a folder is there does not say so: who made it may have been killed, or have had no reason to wait.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for above in (folder, *folder.parents):
        try:
            descriptor = os.open(above, os.O_RDONLY)
        except PermissionError:
            # It is not ours, nor is what stands above it: it was there before us.
            return
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_again(file: Path) -> None:
    try:
        descriptor = os.open(file, os.O_RDWR)
    except FileNotFoundError:
        return
    try:
        at = 0
        while piece := os.pread(descriptor, WRITTEN_AT_ONCE, at):
            at += os.pwrite(descriptor, piece, at)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _columns(account: AccountId, row: Row) -> dict[str, Any]:
    entry = row.entry
    return {
        "account": account,
        "seq": row.seq,
        "epoch": row.epoch,
        "run": row.run,
        "ts_ns": entry.ts_ns,
        "kind": entry.kind,
        "payload": entry.payload,
        "previous": row.previous,
        "hash": row.hash,
    }


def _prepare_sqlite(raw: Any, _record: object) -> None:
    """Set up a connection. It begins transactions when told, not when it thinks (the driver's old habit)."""
    raw.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_MS}"):
        raw.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _prepare_postgres(raw: Any, _record: object) -> None:
    with raw.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
        cursor.execute(f"SET lock_timeout = {LOCKED_MS}")
        cursor.execute(f"SET idle_in_transaction_session_timeout = {STOPPED_MS}")
    raw.commit()

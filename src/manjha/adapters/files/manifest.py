"""The manifest: which partition file is the current one, and where its rows came from.

A SQLite file beside the partitions. Partition files are never changed: a write makes new ones and then, in one synced
transaction here, puts them in the place of the old ones. A writer that dies in between has changed nothing.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from manjha.adapters.files.durable import make_folder
from manjha.adapters.files.partitions import Partition
from manjha.domain.errors import DataError, InvariantBroken
from manjha.ports.market_data import Provenance

_SCHEMA = """
CREATE TABLE IF NOT EXISTS partition (
    adjustment TEXT NOT NULL, interval INTEGER NOT NULL, place TEXT NOT NULL, period TEXT NOT NULL,
    file TEXT NOT NULL, sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, rows INTEGER NOT NULL,
    first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,
    PRIMARY KEY (interval, place, adjustment, period)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS origin (
    interval INTEGER NOT NULL, place TEXT NOT NULL, adjustment TEXT NOT NULL, period TEXT NOT NULL,
    source TEXT NOT NULL, format TEXT NOT NULL, origin_file TEXT NOT NULL, origin_sha256 TEXT NOT NULL,
    fetched_ns INTEGER NOT NULL, added INTEGER NOT NULL, replaced INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS origin_of ON origin (interval, place, adjustment, period);
"""
_COLUMNS = "adjustment, interval, place, period, file, sha256, bytes, rows, first_ns, last_ns"
_WAIT_S = 60.0


class Entry(msgspec.Struct, frozen=True):
    """The current file of a partition, relative to the store, with its hash, rows and span of bar opens."""

    partition: Partition
    file: str
    sha256: str
    bytes: int
    rows: int
    first_ns: int
    last_ns: int


class Origin(msgspec.Struct, frozen=True):
    """One import that gave rows to a partition; `replaced` counts rows that a user let it overwrite."""

    source: str
    format: str
    file: str
    sha256: str
    fetched_ns: int
    added: int
    replaced: int


class Change(msgspec.Struct, frozen=True):
    """A new current file, or none any more where `entry` is None, and how many rows came and were overwritten."""

    partition: Partition
    entry: Entry | None
    added: int = 0
    replaced: int = 0


class Manifest:
    """Reads and changes the manifest of one store. Opens the file for each question, so it may cross forks."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self, interval: int | None = None, place: str | None = None) -> list[Entry]:
        """Return current partitions in order of adjustment and period, perhaps of one interval and place."""
        if not self._path.exists():
            return []
        where = ""
        values: tuple[int | str, ...] = ()
        if interval is not None and place is not None:
            where, values = " WHERE interval = ? AND place = ?", (interval, place)
        with self._open() as database:
            if not _is_begun(database):
                return []
            # The text is ours: two constants and a constant condition.
            rows = database.execute(f"SELECT {_COLUMNS} FROM partition{where}", values)  # noqa: S608
            found = [Entry(Partition(*row[:4]), *row[4:]) for row in rows]
        return sorted(found, key=lambda entry: entry.partition)

    def entry(self, partition: Partition) -> Entry | None:
        """Return the current file of a partition."""
        found = [e for e in self.entries(partition.interval, partition.place) if e.partition == partition]
        return found[0] if found else None

    def origins(self, partition: Partition) -> list[Origin]:
        """Return the imports that gave rows to a partition, oldest first."""
        with self._open() as database:
            if not _is_begun(database):
                return []
            rows = database.execute(
                "SELECT source, format, origin_file, origin_sha256, fetched_ns, added, replaced FROM origin"
                " WHERE interval = ? AND place = ? AND adjustment = ? AND period = ? ORDER BY rowid",
                (partition.interval, partition.place, partition.adjustment, partition.period),
            )
            return [Origin(*row) for row in rows]

    def commit(self, changes: Sequence[Change], provenance: Provenance | None = None) -> None:
        """Make changes current, all or none, durably. Only those that bring rows need a provenance."""
        make_folder(self._path.parent)
        with self._open() as database, database:
            database.executescript(_SCHEMA)
            database.execute("BEGIN IMMEDIATE")
            for change in changes:
                _apply(database, change, provenance)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=_WAIT_S)) as database:
                database.execute("PRAGMA synchronous = FULL")
                yield database
        except sqlite3.DatabaseError as error:
            raise DataError(f"the store's manifest {self._path} cannot be used: {error}", hint=_hint(error)) from error


def _is_begun(database: sqlite3.Connection) -> bool:
    """Tell whether a manifest has its tables: who was killed while it was made has left a file, and stored nothing."""
    asked = "SELECT count(*) FROM sqlite_master WHERE name IN ('partition', 'origin')"
    return bool(database.execute(asked).fetchone()[0] == 2)


def _hint(error: sqlite3.DatabaseError) -> str:
    """Return the next step: a manifest that the machine keeps from being written is not damaged."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return "What was stored before is whole: free some space and run again, or set MANJHA_HOME elsewhere."
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return "Change the rights of this place, or set MANJHA_HOME to another."
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "Another program holds it: end that one, or wait and run again."
    return "Restore it from a copy, or move the store away and import again."


def _apply(database: sqlite3.Connection, change: Change, provenance: Provenance | None) -> None:
    partition = change.partition
    key = (partition.interval, partition.place, partition.adjustment, partition.period)
    entry = change.entry
    if entry is None:
        for table in ("partition", "origin"):
            database.execute(
                f"DELETE FROM {table} WHERE interval = ? AND place = ? AND adjustment = ? AND period = ?",  # noqa: S608
                key,
            )
        return
    if provenance is None:
        raise InvariantBroken(f"rows come to {partition} from nowhere")
    database.execute(
        f"INSERT OR REPLACE INTO partition ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (
            partition.adjustment, partition.interval, partition.place, partition.period,
            entry.file, entry.sha256, entry.bytes, entry.rows, entry.first_ns, entry.last_ns,
        ),
    )  # fmt: skip
    database.execute(
        "INSERT INTO origin VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *key, provenance.source, provenance.format, provenance.file, provenance.sha256, provenance.fetched_ns,
            change.added, change.replaced,
        ),
    )  # fmt: skip

"""The journal on real files: what is refused, what survives, and what a damaged one is told to be."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from manjha.adapters.sql import journal as module
from manjha.adapters.sql.journal import SqlJournal
from manjha.domain.errors import JournalHalted, SettingsError
from manjha.domain.journal import Entry, faults
from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, RunId

ACCOUNT = AccountId("AB1234")
KILLS = int(os.environ.get("MANJHA_KILLS", "12"))
WRITER = """
import sys
from manjha.adapters.sql.journal import SqlJournal
from manjha.domain.journal import Entry
journal = SqlJournal(sys.argv[1], "AB1234")
journal.begin(sys.argv[2])
print("begun", flush=True)
number = 0
while True:
    number += 1
    head = journal.append([Entry("k", number, bytes(40)) for _ in range(1 + number % 3)])
    print(head.seq, flush=True)
"""


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'journal.db'}"


def written(folder: Path, count: int = 5) -> Path:
    journal = SqlJournal(url_of(folder), ACCOUNT)
    journal.begin(RunId("r"))
    journal.append([Entry("k", TsNs(at), bytes([at])) for at in range(count)])
    journal.close()
    return folder / "journal.db"


def raw(file: Path, *statements: str) -> None:
    with sqlite3.connect(file) as connection:
        for statement in statements:
            connection.execute(statement)


def fill(journal: SqlJournal) -> None:
    for _ in range(1_000):
        journal.append([Entry("k", TsNs(9), bytes(3_000))])


def test_it_is_in_wal_mode_and_synced_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SqlJournal(url_of(tmp_path), ACCOUNT).close()
    monkeypatch.setattr(
        module, "_prepare_sqlite", lambda raw, _record: raw.execute("PRAGMA synchronous=NORMAL") and None
    )
    with pytest.raises(JournalHalted, match="synchronous must be 2, is 1"):
        SqlJournal(url_of(tmp_path), ACCOUNT)


def test_rows_can_only_be_added(tmp_path: Path) -> None:
    file = written(tmp_path)
    for statement in ("UPDATE journal SET kind = 'x' WHERE seq = 2", "DELETE FROM journal WHERE seq = 5"):
        with pytest.raises(sqlite3.IntegrityError, match="only be added"):
            raw(file, statement)


def test_an_account_has_a_file_of_its_own(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(SettingsError, match="that of account AB1234, not of CD5678"):
        SqlJournal(url_of(tmp_path), AccountId("CD5678"))


@pytest.mark.failure("F54")
def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    raw(written(tmp_path), "UPDATE journal_heads SET format = 2")
    with pytest.raises(SettingsError, match="format 2, known is 1"):
        SqlJournal(url_of(tmp_path), ACCOUNT)


@pytest.mark.failure("F43")
def test_who_tampers_with_the_file_is_found(tmp_path: Path) -> None:
    for number, (statement, seq) in enumerate(
        [
            ("UPDATE journal SET payload = x'ff' WHERE seq = 3", 3),
            ("DELETE FROM journal WHERE seq = 3", 3),
            ("DELETE FROM journal WHERE seq > 3", 4),
            ("UPDATE journal SET seq = 99 WHERE seq = 5", 5),
            ("UPDATE journal_heads SET seq = 4", 5),
        ]
    ):
        folder = tmp_path / str(number)
        file = written(folder)
        raw(file, "DROP TRIGGER journal_keeps_UPDATE", "DROP TRIGGER journal_keeps_DELETE", statement)
        journal = SqlJournal(url_of(folder), ACCOUNT)
        assert next(faults(journal.rows(), journal.head())).seq == seq, statement
        journal.close()


def test_a_damaged_file_halts(tmp_path: Path) -> None:
    file = written(tmp_path)
    file.write_bytes(b"not a database at all" * 400)
    for rest in tmp_path.glob("journal.db-*"):
        rest.unlink()
    with pytest.raises(JournalHalted, match="cannot be opened") as halted:
        SqlJournal(url_of(tmp_path), ACCOUNT)
    assert "journal export" in halted.value.hint


@pytest.mark.failure("F39")
def test_a_writer_elsewhere_is_waited_for_shortly_and_then_nothing_is_sent(tmp_path: Path) -> None:
    file = written(tmp_path)
    journal = SqlJournal(url_of(tmp_path), ACCOUNT)
    journal.begin(RunId("r2"))
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalHalted, match="locked") as halted:
            journal.append([Entry("k", TsNs(9), b"")])
        assert halted.value.hint.startswith("Another process writes it")
        other.execute("ROLLBACK")
    # What became of it is not known to this object: it refuses until the journal is opened again.
    with pytest.raises(JournalHalted, match="was halted"):
        journal.append([Entry("k", TsNs(9), b"")])
    journal.close()
    again = SqlJournal(url_of(tmp_path), ACCOUNT)
    assert again.head().seq == 5
    assert again.begin(RunId("r3")).epoch == 3
    assert again.append([Entry("k", TsNs(9), b"")]).seq == 6


@pytest.mark.failure("F40")
def test_a_full_disk_halts_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    prepare = module._prepare_sqlite

    def small(connection: sqlite3.Connection, record: object) -> None:
        prepare(connection, record)
        connection.execute("PRAGMA max_page_count = 20")

    monkeypatch.setattr(module, "_prepare_sqlite", small)
    journal = SqlJournal(url_of(tmp_path), ACCOUNT)
    journal.begin(RunId("r2"))
    with pytest.raises(JournalHalted, match="full") as halted:
        fill(journal)
    assert halted.value.hint.startswith("Make room on its disk")
    journal.close()
    monkeypatch.undo()
    whole = SqlJournal(url_of(tmp_path), ACCOUNT)
    assert whole.head().seq >= 5
    assert list(faults(whole.rows(), whole.head())) == []


def test_a_place_that_cannot_be_written_halts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    prepare = module._prepare_sqlite

    def closed(connection: sqlite3.Connection, record: object) -> None:
        prepare(connection, record)
        connection.execute("PRAGMA query_only = ON")

    monkeypatch.setattr(module, "_prepare_sqlite", closed)
    with pytest.raises(JournalHalted, match="readonly") as halted:
        SqlJournal(url_of(tmp_path), ACCOUNT)
    assert halted.value.hint.startswith("Let this user write the file")
    # It can still be looked through.
    journal = SqlJournal(url_of(tmp_path), reads_only=True)
    assert (journal.head().account, journal.head().seq) == (ACCOUNT, 5)
    assert list(faults(journal.rows(), journal.head())) == []
    with pytest.raises(JournalHalted, match="only to be read"):
        journal.begin(RunId("r2"))
    journal.close()


def test_reading_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no journal"):
        SqlJournal(url_of(tmp_path), reads_only=True)
    assert list(tmp_path.iterdir()) == []
    raw(tmp_path / "journal.db", "CREATE TABLE other (a)")
    with pytest.raises(SettingsError, match="no journal"):
        SqlJournal(url_of(tmp_path), reads_only=True)


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    seed = random.Random(20)
    acknowledged = 0
    for number in range(KILLS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, url_of(tmp_path), f"run-{number}"], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(seed.randint(1, 60)):
            line = writer.stdout.readline().strip()
        writer.send_signal(signal.SIGKILL)
        told = [line, *writer.stdout.read().split()]
        writer.stdout.close()
        writer.wait()
        acknowledged = max([acknowledged, *(int(one) for one in told if one.isdigit())])
        journal = SqlJournal(url_of(tmp_path), ACCOUNT)
        head = journal.head()
        assert head.epoch == number + 1
        assert acknowledged <= head.seq <= acknowledged + 3
        assert list(faults(journal.rows(), head)) == []
        journal.close()
    assert acknowledged > KILLS

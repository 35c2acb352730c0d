"""What every journal does, whatever is under it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import psycopg
import pytest

from manjha.adapters.sql.journal import SqlJournal
from manjha.adapters.sql.journal_statements import ROWS_AT_ONCE
from manjha.domain.errors import JournalHalted, StaleWriter
from manjha.domain.journal import Entry, Snapshot, faults, genesis
from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, RunId
from manjha.ports.journal import Journal
from tests.fakes.journals import MemoryJournal, SharedMemory
from tests.fakes.postgres import ABSENT, binaries, server

ACCOUNT, RUN = AccountId("AB1234"), RunId("run-1")
NUMBERS = count()
Open = Callable[[], Journal]


@pytest.fixture(scope="session")
def durable_postgres() -> Iterator[str]:
    if binaries() is None:
        pytest.skip(ABSENT)
    with server(durable=True) as url:
        yield url


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Return what opens the same journal again and again."""
    made: list[Journal] = []
    shared = SharedMemory(ACCOUNT)
    url = f"sqlite:///{tmp_path / 'home' / 'journal.db'}"
    if request.param == "postgresql":
        url = own_schema(request.getfixturevalue("durable_postgres"))

    def opens() -> Journal:
        made.append(MemoryJournal(shared) if request.param == "memory" else SqlJournal(url, ACCOUNT))
        return made[-1]

    yield opens
    for journal in made:
        journal.close()


def own_schema(url: str) -> str:
    name = f"journal_{next(NUMBERS)}"
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{url}&options=-csearch_path%3D{name}"


def entry(number: int) -> Entry:
    return Entry("OrderAccepted", TsNs(1_720_000_000_000_000_000 + number), b"\x81" * (number % 5))


def test_a_new_journal_is_empty(opened: Open) -> None:
    journal = opened()
    head = journal.head()
    assert (head.account, head.epoch, head.seq, head.hash) == (ACCOUNT, 0, 0, genesis(ACCOUNT))
    assert list(journal.rows()) == []
    assert list(faults(journal.rows(), head)) == []


def test_what_is_appended_is_read_in_order_by_whoever_opens_it(opened: Open) -> None:
    journal = opened()
    assert journal.begin(RUN).epoch == 1
    assert journal.append([entry(1), entry(2)]).seq == 2
    head = journal.append([entry(3)])
    assert (head.seq, head.epoch) == (3, 1)
    again = opened()
    assert again.head() == head
    rows = list(again.rows())
    assert [row.seq for row in rows] == [1, 2, 3]
    assert [row.entry for row in rows] == [entry(1), entry(2), entry(3)]
    assert {(row.epoch, row.run) for row in rows} == {(1, RUN)}
    assert rows[-1].hash == head.hash
    assert list(again.rows(after=2)) == rows[2:]
    assert list(faults(rows, head)) == []


def test_nothing_to_append_moves_nothing(opened: Open) -> None:
    journal = opened()
    journal.begin(RUN)
    journal.append([entry(1)])
    before = journal.head()
    assert journal.append([]) == before == journal.head()


def test_nobody_writes_who_has_not_begun(opened: Open) -> None:
    journal = opened()
    with pytest.raises(StaleWriter):
        journal.append([entry(1)])
    assert journal.head().seq == 0


def test_who_begins_takes_over_and_the_one_before_is_fenced(opened: Open) -> None:
    first, second = opened(), opened()
    first.begin(RUN)
    first.append([entry(1)])
    assert second.begin(RunId("run-2")).epoch == 2
    for write in (lambda: first.append([entry(2)]), lambda: first.keep(Snapshot(1, "d", b"s"))):
        with pytest.raises(StaleWriter):
            write()
    head = second.append([entry(3)])
    rows = list(second.rows())
    assert [(row.seq, row.epoch, row.run) for row in rows] == [(1, 1, RUN), (2, 2, RunId("run-2"))]
    assert list(faults(rows, head)) == []


def test_snapshots_come_back_newest_first(opened: Open) -> None:
    journal = opened()
    journal.begin(RUN)
    journal.append([entry(1), entry(2), entry(3)])
    kept = [Snapshot(1, "a" * 64, b"one"), Snapshot(3, "b" * 64, b"\x00three")]
    for one in kept:
        journal.keep(one)
    assert list(opened().snapshots()) == kept[::-1]
    for seq in (0, 4):
        with pytest.raises(JournalHalted):
            journal.keep(Snapshot(seq, "c" * 64, b""))


def test_rows_of_a_kind_are_found_from_either_end(opened: Open) -> None:
    journal = opened()
    journal.begin(RUN)
    journal.append([Entry("AB"[at % 3 == 0], TsNs(at), b"") for at in range(8)])
    assert [row.seq for row in journal.of_kind("B")] == [1, 4, 7]
    assert [row.seq for row in opened().of_kind("B", newest_first=True)] == [7, 4, 1]
    assert list(journal.of_kind("C")) == []
    assert next(iter(journal.of_kind("A"))) == list(journal.rows())[1]


def test_ten_thousand_rows_are_one_chain(opened: Open) -> None:
    journal = opened()
    journal.begin(RUN)
    for first in range(0, 10_000, 1_000):
        journal.append([entry(first + at) for at in range(1_000)])
    assert list(faults(journal.rows(), journal.head())) == []
    assert [row.seq for row in journal.rows(after=9_990)] == list(range(9_991, 10_001))


def test_who_is_stopped_while_he_writes_rows_to_postgres_has_sent_them_or_is_seen_to_wait(
    durable_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Who does not go on inside a pipeline is at work for PostgreSQL: `idle_in_transaction_session_timeout` is mute.
    monkeypatch.setattr(psycopg.Pipeline, "__init__", lambda *_: pytest.fail("rows are sent in a pipeline"))
    journal = SqlJournal(own_schema(durable_postgres), ACCOUNT)
    journal.begin(RUN)
    journal.append([entry(number) for number in range(2 * ROWS_AT_ONCE + 1)])
    assert [row.seq for row in journal.rows()] == list(range(1, 2 * ROWS_AT_ONCE + 2))
    assert list(faults(journal.rows(), journal.head())) == []
    journal.close()


@pytest.mark.slow
def test_who_reads_postgres_may_take_time_between_rows(durable_postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where = own_schema(durable_postgres)
    with closing(SqlJournal(where, ACCOUNT)) as written:
        written.begin(RUN)
        written.append([entry(number) for number in range(3)])
        for number in (1, 2):
            written.keep(Snapshot(number, "d", b"s"))
    # Longer than a busy machine needs between two statements, shorter than what stands between two rows below.
    monkeypatch.setattr("manjha.adapters.sql.journal.STOPPED_MS", 1_000)
    monkeypatch.setattr("manjha.adapters.sql.journal.READ_AT_ONCE", 1)
    journal = SqlJournal(where, ACCOUNT)
    with psycopg.connect(durable_postgres) as other:
        for read in (journal.rows, journal.snapshots):
            found = []
            for one in read():
                other.execute("SELECT pg_sleep(1.2)")
                found.append(one.seq)
            assert found in ([1, 2, 3], [2, 1])
    journal.close()

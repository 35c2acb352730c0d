"""What every lock of an account does, whatever is under it."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manjha.adapters.sql.leader_lock import SqlLeaderLock
from manjha.adapters.system.clock import SystemClock
from manjha.adapters.system.leader_lock import FileLeaderLock
from manjha.domain.errors import AccountHeld, SettingsError
from manjha.domain.orders import AccountId
from manjha.ports.leader_lock import LeaderLock
from tests.fakes.leader_locks import LockTable, MemoryLeaderLock
from tests.fakes.postgres import ABSENT, binaries, server

Made = Callable[[], LeaderLock]
ACCOUNT = AccountId("AB1234")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    if binaries() is None:
        pytest.skip(ABSENT)
    with server() as url:
        yield url


@pytest.fixture(params=["memory", "file", pytest.param("postgresql", marks=pytest.mark.slow)])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Made]:
    """Return what makes locks of the same account again and again."""
    locks: list[LeaderLock] = []
    table = LockTable()
    url = request.getfixturevalue("postgres") if request.param == "postgresql" else ""

    def make() -> LeaderLock:
        if request.param == "memory":
            locks.append(MemoryLeaderLock(table, os.getpid()))
        elif request.param == "file":
            locks.append(FileLeaderLock(tmp_path / "home" / "leader.lock", SystemClock()))
        else:
            locks.append(SqlLeaderLock(url, ACCOUNT, SystemClock()))
        return locks[-1]

    yield make
    for lock in locks:
        lock.release()


def test_nobody_holds_it_at_first(made: Made) -> None:
    lock = made()
    assert lock.holder() is None
    assert lock.lost()
    assert lock.take_away() is None
    lock.release()


def test_the_second_is_refused_and_told_who_has_it(made: Made) -> None:
    first, second = made(), made()
    first.acquire()
    first.acquire()
    assert first.lost() == ""
    with pytest.raises(AccountHeld, match=f"process {os.getpid()} on "):
        second.acquire()
    assert second.lost()
    found = second.holder()
    assert found is not None
    assert (found.pid, bool(found.host), found.since_ns > 0) == (os.getpid(), True, True)
    assert first.lost() == ""


def test_what_is_released_can_be_taken(made: Made) -> None:
    first, second = made(), made()
    first.acquire()
    first.release()
    assert first.lost()
    second.acquire()
    assert (second.lost(), first.lost() != "") == ("", True)
    first.release()
    assert second.lost() == ""


def test_what_is_taken_away_is_lost_and_free(made: Made) -> None:
    first, other, third = made(), made(), made()
    first.acquire()
    was = other.take_away()
    assert was is not None
    assert was.pid == os.getpid()
    assert first.lost()
    third.acquire()
    first.release()
    assert third.lost() == ""
    with pytest.raises(AccountHeld):
        first.acquire()


@pytest.mark.slow
def test_accounts_of_one_database_do_not_meet(postgres: str) -> None:
    first, second = (SqlLeaderLock(postgres, AccountId(name), SystemClock()) for name in ("CD1", "CD2"))
    try:
        first.acquire()
        second.acquire()
        assert (first.lost(), second.lost()) == ("", "")
    finally:
        first.release()
        second.release()


@pytest.mark.slow
def test_a_foreign_holder_is_in_the_way_without_a_name(postgres: str) -> None:
    import psycopg

    lock = SqlLeaderLock(postgres, AccountId("EF1"), SystemClock())
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%(class)s, %(account)s)", lock._key)
        with pytest.raises(AccountHeld, match="has not said who it is"):
            lock.acquire()


def test_whoever_only_looks_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "leader.lock"
    ends = threading.Event()

    def looks() -> None:
        while not ends.is_set():
            FileLeaderLock(path, SystemClock()).holder()

    thread = threading.Thread(target=looks)
    thread.start()
    try:
        for _ in range(200):
            lock = FileLeaderLock(path, SystemClock())
            lock.acquire()
            lock.release()
    finally:
        ends.set()
        thread.join()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"leader\.lock cannot be made"):
        FileLeaderLock(tmp_path / "file" / "leader.lock", SystemClock()).acquire()


def test_a_database_that_is_not_there_is_named(tmp_path: Path) -> None:
    lock = SqlLeaderLock(f"postgresql://manjha@/x?host={tmp_path}", ACCOUNT, SystemClock())
    with pytest.raises(SettingsError, match="cannot be taken"):
        lock.acquire()
    with pytest.raises(SettingsError, match="cannot be taken"):
        lock.holder()

"""Real processes that hold an account: killed, started twice, stopped and overtaken."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from manjha.adapters.sql.journal import SqlJournal
from manjha.app.bootstrap import journal_to_write
from manjha.app.cli import main
from manjha.app.cli.errors import HALTED, HELD
from manjha.app.trading.account_parts import leader_lock
from manjha.domain.errors import StaleWriter
from manjha.domain.journal import Entry, faults
from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, RunId
from tests.fakes import small_trader
from tests.fakes.postgres import ABSENT, binaries, server

ACCOUNTS = (AccountId(f"AB{number}") for number in count(1))
Process = subprocess.Popen[str]
Start = Callable[[], Process]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def durable_postgres() -> Iterator[str]:
    if binaries() is None:
        pytest.skip(ABSENT)
    with server(durable=True) as url:
        yield url


@pytest.fixture
def account() -> AccountId:
    return next(ACCOUNTS)


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where the account's journal lies."""
    if request.param == "sqlite":
        return str(tmp_path / "account" / "journal.db")
    return str(request.getfixturevalue("durable_postgres"))


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    return tmp_path / "sent"


@pytest.fixture
def start(where: str, account: AccountId, sent: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def started() -> Process:
            words = [sys.executable, small_trader.__file__, where, account, str(sent)]
            pipe = subprocess.PIPE
            process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield started


def line_of(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def order(process: Process) -> None:
    assert process.stdin is not None
    process.stdin.write("buy\n")
    process.stdin.flush()


def wait_for_the_session_to_end(where: str, account: AccountId) -> None:
    """A server notices the end of a process by its closed connection, a moment later than the kernel."""
    if "://" not in where:
        return
    import psycopg

    from manjha.adapters.sql.leader_lock import CLASS, _number_of

    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '20s'")
        connection.execute("SELECT pg_advisory_lock(%s, %s)", (CLASS, _number_of(account)))


def test_a_killed_holder_leaves_the_account_free(start: Start, where: str, account: AccountId) -> None:
    process = start()
    assert line_of(process) == "ready"
    lock = leader_lock(where, account)
    held = lock.holder()
    assert held is not None
    assert held.pid == process.pid
    process.kill()
    process.wait()
    wait_for_the_session_to_end(where, account)
    lock.acquire()
    assert lock.lost() == ""
    lock.release()


@pytest.mark.failure("F45")
def test_a_second_start_ends_at_once_and_sends_nothing(start: Start, sent: Path) -> None:
    first = start()
    assert line_of(first) == "ready"
    second = start()
    out, err = second.communicate("buy\n")
    assert (second.returncode, out) == (HELD, "")
    assert f"the account is traded by process {first.pid} on " in err
    assert not sent.exists()
    order(first)
    assert line_of(first) == "sent"
    assert sent.read_text() == "buy\n"


@pytest.mark.failure("F47")
def test_who_was_stopped_and_overtaken_sends_nothing(
    start: Start, where: str, account: AccountId, sent: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    old = start()
    assert line_of(old) == "ready"
    old.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, old.pid, os.WSTOPPED | os.WNOWAIT)
    with pytest.raises(SystemExit) as ended:
        main(["leader", "take-away", where, "--account", account, "--confirm", account])
    assert (ended.value.code, f"kill {old.pid}" in capfd.readouterr().out) == (0, True)
    new = start()
    assert line_of(new) == "ready"
    order(new)
    assert line_of(new) == "sent"
    order(old)
    old.send_signal(signal.SIGCONT)
    out, err = old.communicate()
    assert (old.returncode, out) == (HALTED, "")
    # The take-away has begun epoch 2, the new process epoch 3.
    assert "is in epoch 3, this process began epoch 1" in err
    assert sent.read_text() == "buy\n"


@pytest.mark.failure("F47")
def test_who_is_stopped_inside_a_transaction_keeps_a_stand_by_waiting_for_seconds_only(
    durable_postgres: str, account: AccountId
) -> None:
    old, new = (SqlJournal(durable_postgres, account) for _ in range(2))
    old.begin(RunId("old"))
    stopped = old._engine.connect()
    old._own_head(stopped)
    assert new.begin(RunId("new")).epoch == 2
    stopped.invalidate()
    with pytest.raises(StaleWriter):
        old.append([Entry("TimerFired", TsNs(1), b"")])
    stopped.close()
    for journal in (old, new):
        journal.close()


def test_without_a_take_over_a_stopped_holder_keeps_the_account(start: Start, where: str, account: AccountId) -> None:
    old = start()
    assert line_of(old) == "ready"
    old.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, old.pid, os.WSTOPPED | os.WNOWAIT)
    second = start()
    _, err = second.communicate("buy\n")
    assert (second.returncode, f"process {old.pid} on " in err) == (HELD, True)


def test_the_journal_of_a_take_over_is_whole(start: Start, where: str, account: AccountId) -> None:
    old = start()
    assert line_of(old) == "ready"
    order(old)
    assert line_of(old) == "sent"
    leader_lock(where, account).take_away()
    journal = journal_to_write(where, account)
    journal.begin(RunId("after"))
    head = journal.append([Entry("TimerFired", TsNs(2), b"")])
    order(old)
    old.communicate()
    assert (old.returncode, head.seq, list(faults(journal.rows(), journal.head()))) == (HALTED, 2, [])
    journal.close()


def test_a_wrong_confirmation_changes_nothing(
    start: Start, where: str, account: AccountId, capfd: pytest.CaptureFixture[str]
) -> None:
    process = start()
    assert line_of(process) == "ready"
    with pytest.raises(SystemExit) as ended:
        main(["leader", "take-away", where, "--account", account, "--confirm", "yes"])
    assert ended.value.code == 2
    assert "nothing was changed" in capfd.readouterr().err
    order(process)
    assert line_of(process) == "sent"
    with pytest.raises(SystemExit):
        main(["leader", "show", where, "--account", account])
    assert f"{account} is traded by process {process.pid} on " in capfd.readouterr().out


def test_nobody_to_take_from_is_said(where: str, account: AccountId, capfd: pytest.CaptureFixture[str]) -> None:
    journal_to_write(where, account).close()
    with pytest.raises(SystemExit) as ended:
        main(["leader", "take-away", where, "--account", account])
    assert (ended.value.code, capfd.readouterr().out) == (
        0,
        f"{account} is traded by nobody: there is nothing to take away.\n",
    )
    with pytest.raises(SystemExit):
        main(["leader", "show", where, "--account", account, "--json"])
    assert '"holder": null' in capfd.readouterr().out

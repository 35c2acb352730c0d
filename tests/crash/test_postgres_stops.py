"""PostgreSQL stops, is killed, or is lost exactly at a commit: the journal halts, and the next one reads what became.

How often a server is stopped is told by `STOPS`.
"""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from manjha.adapters.sql.journal import SqlJournal
from manjha.app.trading.loopback import PaperBroker
from manjha.app.trading.outbox import Outgoing
from manjha.app.trading.session import Session
from manjha.domain.commands import Approved, SubmitOrder
from manjha.domain.errors import JournalHalted
from manjha.domain.events import Event
from manjha.domain.journal import Entry, Head, faults
from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, RunId
from manjha.domain.ticks import Tick
from manjha.engine.journaling import value_of
from manjha.ports.journal import Journal
from manjha.ports.segments import MarketSegments
from tests.fakes.cut_line import CutLine, cut_line
from tests.fakes.paper import ACCOUNT, Paper
from tests.fakes.postgres import ABSENT, Server, binaries, stoppable_server
from tests.fakes.segments import MemorySegments
from tests.fakes.tick_runs import random_tick_run
from tests.parity.test_paper import plain

pytestmark = pytest.mark.slow

STOPS = int(os.environ.get("STOPS") or 3)
Stop = Callable[[Server], None]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    if binaries() is None:
        pytest.skip(ABSENT)
    with stoppable_server(durable=True) as server:
        yield server


@pytest.fixture
def line(postgres: Server) -> Iterator[CutLine]:
    """A line to the server that can be cut; its folder is short, as a socket's path is."""
    with (
        tempfile.TemporaryDirectory(prefix="pg") as folder,
        cut_line(postgres.folder / ".s.PGSQL.5432", Path(folder)) as made,
    ):
        yield made


def schema_of(server: Server, name: str) -> str:
    import psycopg

    with psycopg.connect(server.url) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name}")
    return f"&options=-csearch_path%3D{name}"


def written(journal: SqlJournal, then: Callable[[int], None]) -> Head:
    """Add rows until it halts; return the last head that was said to be durable."""
    head = journal.head()
    with suppress(JournalHalted):
        for at in range(1, 100_000):
            then(at)
            head = journal.append([Entry("k", TsNs(at), bytes(200))] * (1 + at % 3))
    with pytest.raises(JournalHalted, match="was halted"):
        journal.append([Entry("k", TsNs(0), b"")])
    return head


@pytest.mark.failure("F44")
@pytest.mark.parametrize("stop", [Server.stop_at_once, Server.kill])
def test_a_server_that_stops_loses_nothing_that_was_acknowledged(
    stop: Stop, postgres: Server, record_property: Callable[[str, object], None]
) -> None:
    url = postgres.url + schema_of(postgres, f"stops_by_{stop.__name__}")
    acknowledged = 0
    for number in range(1, STOPS + 1):
        journal = SqlJournal(url, ACCOUNT)
        assert journal.begin(RunId(f"r{number}")).epoch == number
        stopping = threading.Thread(target=stop, args=(postgres,))
        head = written(journal, lambda at, stopping=stopping: stopping.start() if at == 40 else None)  # type: ignore[misc]
        stopping.join()
        journal.close()
        postgres.start()
        again = SqlJournal(url, ACCOUNT)
        assert head.seq <= again.head().seq <= head.seq + 3
        assert list(faults(again.rows(), again.head())) == []
        assert next(again.rows(head.seq - 1)).hash == head.hash
        again.close()
        acknowledged = head.seq
    record_property("counted", f"{STOPS} stops of PostgreSQL by {stop.__name__}: none of {acknowledged:,} rows is lost")


@pytest.mark.failure("F44")
@pytest.mark.parametrize("arrives", [True, False])
def test_a_line_that_is_cut_at_a_commit_leaves_it_open_until_it_is_read_back(
    arrives: bool, postgres: Server, line: CutLine
) -> None:
    schema = schema_of(postgres, f"cut_{arrives}".lower())
    journal = SqlJournal(f"postgresql://manjha@/postgres?host={line.folder}{schema}", ACCOUNT)
    journal.begin(RunId("r1"))
    line.keeps_commit = arrives

    def cuts(at: int) -> None:
        if at == 5:
            line.cut_at = 1

    head = written(journal, cuts)
    journal.close()
    assert line.cuts == 1
    again = SqlJournal(postgres.url + schema, ACCOUNT)
    # Whoever begins waits until the server has ended what the cut connection asked for.
    found = again.begin(RunId("r2"))
    assert found.seq == head.seq + (3 if arrives else 0)
    assert list(faults(again.rows(), found)) == []
    assert again.append([Entry("k", TsNs(9), b"")]).seq == found.seq + 1
    again.close()


class SqlPaper(Paper):
    """A paper account whose journal is at an address."""

    def __init__(self, seed: int, url: str) -> None:
        super().__init__(plain(random_tick_run(seed)), "run")
        self.url = url

        self.opened: list[SqlJournal] = []

    def storage(self) -> tuple[Journal, MarketSegments]:
        self.opened.append(SqlJournal(self.url, AccountId(ACCOUNT)))
        return self.opened[-1], MemorySegments(ACCOUNT, self.stored)

    def close(self) -> None:
        for journal in self.opened:
            journal.close()


@pytest.mark.failure("F44")
@pytest.mark.parametrize("arrives", [True, False])
def test_no_order_leaves_before_its_commit_is_confirmed(
    arrives: bool, postgres: Server, line: CutLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    sends = PaperBroker.send

    def send(broker: PaperBroker, outgoing: Outgoing, now_ns: TsNs) -> Iterator[Event]:
        if isinstance(outgoing.command.command, SubmitOrder):
            sent.append(outgoing.command.command.tag)
        return sends(broker, outgoing, now_ns)

    monkeypatch.setattr(PaperBroker, "send", send)
    schema = schema_of(postgres, f"paper_{arrives}".lower())
    paper = SqlPaper(3, f"postgresql://manjha@/postgres?host={line.folder}{schema}")
    line.keeps_commit = arrives
    # So many commits into the session: some orders have left by then.
    line.cut_at = 12
    session = paper.start()
    with pytest.raises(JournalHalted):
        traded(session, paper.ticks())
    assert line.cuts == 1
    before = list(sent)
    assert before
    paper.url = postgres.url + schema
    journal, _ = paper.storage()
    assert set(before) <= tags_in(journal)
    after = paper.start(session.pump.now_ns)
    traded(after, [tick for tick in paper.ticks() if tick.ts_ns >= after.pump.now_ns])
    assert len(sent) == len(set(sent)) > len(before)
    assert set(sent) <= tags_in(journal)
    assert list(faults(journal.rows(), journal.head())) == []
    paper.close()


def traded(session: Session, ticks: list[Tick]) -> None:
    for tick in ticks:
        session.on_tick(tick, tick.ts_ns)


def tags_in(journal: Journal) -> set[str]:
    """Return the tags of the orders whose sending is written down."""
    values = (value_of(row.entry) for row in journal.rows())
    approved = [value.command for value in values if isinstance(value, Approved)]
    return {command.tag for command in approved if isinstance(command, SubmitOrder)}

"""`manjha db` as it is typed, and what a backtest leaves in the database."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from manjha.adapters.sql.database import HEAD, Database
from manjha.adapters.sql.journal import SqlJournal
from manjha.adapters.sql.unit_of_work import SqlUnitOfWork
from manjha.app.api import backtest
from manjha.domain.journal import Entry
from manjha.domain.orders import AccountId
from manjha.domain.records import BacktestRecord, Run
from tests.fakes.journaled_runs import ACCOUNT, RUN, append, journaled
from tests.fakes.searched_home import Home
from tests.property.test_core_laws import random_spec

DATABASE = Path("home") / "manjha.db"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Home:
    return Home(tmp_path, monkeypatch, capfd)


@pytest.fixture(scope="module")
def entries() -> Sequence[Entry]:
    return journaled(random_spec(7)).entries


def journal_in(path: Path, entries: Sequence[Entry], account: AccountId = ACCOUNT) -> str:
    with closing(SqlJournal(f"sqlite:///{path}", account)) as journal:
        append(journal, entries)
    return str(path)


def records_of(home: Home) -> tuple[list[Run], list[BacktestRecord]]:
    with closing(SqlUnitOfWork(Database(f"sqlite:///{home.folder / DATABASE}"))) as work, work.begin() as records:
        return records.runs.runs(ACCOUNT), records.backtests.backtests()


def test_a_new_home_has_no_database_and_asking_makes_none(home: Home) -> None:
    assert home.run("db", "status") == 0
    assert "no tables yet" in home.said
    assert not (home.folder / DATABASE).exists()
    assert home.run("db", "status", "--json") == 0
    document = json.loads(home.said)
    assert (document["migration"], document["newest"], document["rows"]) == (None, HEAD, {})


def test_up_down_and_up_again(home: Home) -> None:
    assert home.run("db", "upgrade") == 0
    assert f"the tables are of migration {HEAD} now, were of none" in home.said
    assert home.run("db", "upgrade") == 0
    assert f"of migration {HEAD} already" in home.said
    assert home.run("db", "downgrade", "0002") == 2
    assert "repeat with --yes" in home.erred
    assert home.run("db", "downgrade", "0002", "--yes", "--json") == 0
    assert json.loads(home.said)["before"] == HEAD
    assert home.run("db", "status") == 0
    assert f"tables of migration 0002 (the newest is {HEAD}: `manjha db upgrade`)" in home.said
    assert home.run("db", "downgrade", "0004", "--yes") == 2
    assert "of migration 0002, 0004 is not older" in home.erred
    assert home.run("db", "downgrade", "0000", "--yes") == 2
    assert "no migration '0000'" in home.erred
    assert home.run("db", "upgrade") == 0


def test_tables_of_a_newer_one_are_told_and_left(home: Home) -> None:
    home.run("db", "upgrade")
    with sqlite3.connect(home.folder / DATABASE) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    assert home.run("db", "status") == 0
    assert "made by a newer Manjha" in home.said
    for words in (("upgrade",), ("downgrade", "0002", "--yes")):
        assert home.run("db", *words) == 2
        assert "made by a newer Manjha" in home.erred


def test_read_models_are_rebuilt_and_go_on(home: Home, entries: Sequence[Entry]) -> None:
    file = journal_in(home.folder / "journal.db", entries[:150])
    assert home.run("db", "rebuild", file) == 0
    assert home.said == "The read models of backtest are at row 150 of the journal, from 0.\n"
    journal_in(home.folder / "journal.db", entries[150:])
    assert home.run("db", "rebuild", file, "--continue", "--batch", "7", "--json") == 0
    rows = len(entries)
    assert json.loads(home.said) == {"account": "backtest", "from": 150, "reached": rows}
    [run], _ = records_of(home)
    assert run.activity is not None
    assert (run.id, run.strategy, run.mode, run.activity.last_seq) == (RUN, "seeded", "", rows)
    assert home.run("db", "status", "--json") == 0
    counts = json.loads(home.said)["rows"]
    assert counts["orders"] == run.activity.orders > 0
    assert counts["trades"] == run.activity.trades > 0


def test_a_journal_that_is_not_whole_is_refused_and_nothing_changes(home: Home, entries: Sequence[Entry]) -> None:
    file = journal_in(home.folder / "journal.db", entries[:150])
    home.run("db", "rebuild", file)
    before = records_of(home)
    with sqlite3.connect(file) as raw:
        raw.execute("DROP TRIGGER journal_keeps_UPDATE")
        raw.execute("UPDATE journal SET ts_ns = 0 WHERE seq = 9")
    raw.close()
    assert home.run("db", "rebuild", file) == 4
    assert "is not whole: row 9 is not what was written" in home.erred
    assert records_of(home) == before


def test_another_journal_is_not_gone_on_with(home: Home, entries: Sequence[Entry]) -> None:
    home.run("db", "rebuild", journal_in(home.folder / "journal.db", entries[:150]))
    other = journal_in(home.folder / "other.db", entries[1:])
    assert home.run("db", "rebuild", other, "--continue") == 2
    assert "were made of another journal" in home.erred
    strange = journal_in(home.folder / "strange.db", entries[:150], AccountId("AB1234"))
    assert home.run("db", "rebuild", strange, "--account", "AB1234") == 4
    assert "places an order of account backtest in the journal of AB1234" in home.erred


def test_a_backtest_is_recorded_each_time_under_its_run(home: Home) -> None:
    words = ("backtest", "-s", "sma-cross", "--instrument", "NSE:ALPHA", "-p", "fast=3", "-p", "slow=8", "--no-band")
    assert home.run(*words, "--no-report") == 0
    assert home.run(*words, "--report", "page.html") == 0
    result = backtest("sma-cross", "NSE:ALPHA", fast=3, slow=8)
    [run], backtests = records_of(home)
    assert (run.id, run.mode, run.exit, run.rules_hash) == (result.run, "backtest", "done", result.rules_hash)
    assert run.ended_ns is not None
    assert run.started_ns < run.ended_ns
    assert [(one.run, one.document) for one in backtests] == [(run.id, ""), (run.id, "page.html"), (run.id, "")]
    last = backtests[0]
    assert (last.final, last.charges, last.initial) == (result.final, result.charges.total, result.initial)
    assert (last.data_set, last.instruments) == ("NSE:ALPHA 1d", "NSE:ALPHA")
    assert msgspec.json.decode(last.parameters)["fast"] == 3
    assert last.total_return == round((result.final - result.initial) * 10**12 / result.initial)


def test_a_backtest_that_cannot_be_recorded_is_shown_and_then_the_error(home: Home) -> None:
    home.run("db", "upgrade")
    with sqlite3.connect(home.folder / DATABASE) as raw:
        raw.execute("DROP TABLE backtests")
    raw.close()
    words = ("backtest", "-s", "sma-cross", "--instrument", "NSE:ALPHA", "-p", "fast=3", "-p", "slow=8", "--no-band")
    assert home.run(*words, "--no-report") == 2
    assert "Trials: 1 variant" in home.said
    assert "no such table: backtests" in home.erred

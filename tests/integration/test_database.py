"""The database of records: made, brought up to date, shared, and what is said when it cannot be used."""

import sqlite3
import sys
from pathlib import Path

import msgspec
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import manjha.adapters.sql
from manjha.adapters.sql.database import HEAD, Database
from manjha.adapters.sql.tables import METADATA
from manjha.adapters.sql.trial_ledger import SqlTrialLedger
from manjha.adapters.sql.unit_of_work import SqlUnitOfWork
from manjha.domain.errors import SettingsError
from tests.fakes.market_data import JumpingClock
from tests.fakes.trials import SUBJECT, trial

MIGRATIONS = Path(manjha.adapters.sql.__file__).parent / "migrations"


def ledger_in(path: Path) -> SqlTrialLedger:
    return SqlTrialLedger(Database(f"sqlite:///{path}"), JumpingClock(1))


def test_the_newest_migration_leaves_the_tables_that_the_code_knows(tmp_path: Path) -> None:
    path = tmp_path / "manjha.db"
    with SqlUnitOfWork(Database(f"sqlite:///{path}")).begin() as records:
        assert records.settings.settings() == []
    with create_engine(f"sqlite:///{path}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


def test_a_ledger_of_before_instruments_were_known_counts_on(tmp_path: Path) -> None:
    path = tmp_path / "manjha.db"
    many = "50 instruments from NSE:A to NSE:Z 1d #0123456789ab"
    wide = msgspec.structs.replace(
        SUBJECT, instruments="50 instruments from NSE:A to NSE:Z #ba9876543210", data_set=many
    )
    two = msgspec.structs.replace(SUBJECT, instruments="NSE:ALPHA, NSE:BETA", data_set="NSE:ALPHA, NSE:BETA 15m")
    subjects = (SUBJECT, wide, two)
    ledger_in(path).record("s", [trial(1, subject=one) for one in subjects])
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with create_engine(f"sqlite:///{path}").begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    assert "instruments" not in sqlite3.connect(path).execute("SELECT sql FROM sqlite_master").fetchone()[0]
    ledger = ledger_in(path)
    assert [ledger.count(one.scope) for one in subjects] == [1, 1, 1]
    for one in subjects:
        ledger.record("s", [trial(2, subject=one)])
        moved = msgspec.structs.replace(
            one, data_set=one.data_set.replace("1d", "5m").replace("15m", "5m"), interval=300
        )
        ledger.record("s", [trial(1, subject=moved)])
    # What was shortened in the old rows is not known by its instruments: it counts at its interval.
    assert [ledger.count(one.scope) for one in subjects] == [3, 3, 3]
    assert ledger.trials(SUBJECT.strategy, SUBJECT.data_set)[0] == trial(1)


def test_a_database_that_is_up_to_date_needs_no_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger_in(tmp_path / "manjha.db").record("s", [trial(1)])
    monkeypatch.setitem(sys.modules, "alembic.command", None)
    assert ledger_in(tmp_path / "manjha.db").count(SUBJECT.scope) == 1


def test_sqlite_logs_ahead_and_two_writers_share_it(tmp_path: Path) -> None:
    path = tmp_path / "manjha.db"
    one, other = ledger_in(path), ledger_in(path)
    one.record("s", [trial(1)])
    other.record("s", [trial(2)])
    one.record("s", [trial(3)])
    assert other.count(SUBJECT.scope) == 3
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manjha.db"
    ledger_in(path).count(SUBJECT.scope)
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SettingsError, match="made by a newer Manjha"):
        ledger_in(path).count(SUBJECT.scope)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "manjha.db"
    path.write_bytes(b"this is no database, and long enough to be read as one" * 20)
    with pytest.raises(SettingsError, match=r"manjha\.db cannot be used: file is not a database"):
        ledger_in(path).count(SUBJECT.scope)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be made: Not a directory"):
        ledger_in(tmp_path / "file" / "home" / "manjha.db")


def test_a_failing_batch_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "manjha.db"
    ledger_in(path).record("s", [trial(1)])
    with sqlite3.connect(path) as raw:
        raw.execute("DROP TABLE study_trials")
    with pytest.raises(SettingsError, match="study_trials"):
        ledger_in(path).record("s", [trial(2), trial(3)])
    assert ledger_in(path).count(SUBJECT.scope) == 1


def test_an_address_that_is_none_is_refused_without_its_password() -> None:
    with pytest.raises(SettingsError) as raised:
        Database("mysqlish://me:secret@host/db")
    assert "secret" not in str(raised.value)
    assert "postgresql://" in raised.value.hint

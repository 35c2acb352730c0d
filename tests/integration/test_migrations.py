"""Migrations on data, forwards and backwards, on both databases: nothing is lost that the older tables can hold."""

from typing import Any

import pytest
from sqlalchemy import MetaData, Table, create_engine, insert, select

from manjha.adapters.sql.database import HEAD, Database, read_url, revisions
from manjha.domain.errors import SettingsError
from tests.fakes.databases import forgetful_postgres, url
from tests.fakes.old_databases import ROWS, content, made_by

__all__ = ["forgetful_postgres", "url"]

STEPS = sorted(ROWS)
MADE = ("orders", "trades", "contract_notes", "positions", "projections")
Rows = dict[str, list[dict[str, Any]]]


def move(url: str, *steps: str) -> None:
    database = Database(url)
    try:
        for step in steps:
            database.move_to(step)
    finally:
        database.close()


def within(rows: Rows, older: Rows) -> Rows:
    """Return of some rows what tables of an older migration can hold."""
    columns = {name: set(old[0]) for name, old in older.items()}
    return {
        name: sorted(({key: row[key] for key in row if key in columns[name]} for row in rows[name]), key=repr)
        for name in older
    }


def test_every_migration_has_rows_to_be_tested_on() -> None:
    assert revisions() == STEPS
    assert STEPS[-1] == HEAD


@pytest.mark.parametrize("step", STEPS[:-1])
def test_rows_of_an_older_database_survive_the_way_up(url: str, step: str) -> None:
    made_by(url, step)
    _, before = content(url)
    assert all(before.values())
    move(url, HEAD)
    revision, after = content(url)
    assert revision == HEAD
    assert within(after, before) == before


@pytest.mark.parametrize("step", STEPS[:-1])
def test_the_way_back_leaves_what_the_older_tables_can_hold(url: str, step: str) -> None:
    made_by(url, step)
    _, tables = content(url)
    move(url, HEAD, step)
    revision, after = content(url)
    assert (revision, after) == (step, tables)
    move(url, HEAD)
    assert within(content(url)[1], tables) == tables


def test_the_way_back_from_full_tables(url: str) -> None:
    made_by(url, HEAD)
    _, full = content(url)
    assert all(full.values())
    for step in reversed(STEPS):
        move(url, step)
        revision, rows = content(url)
        assert (revision, rows) == (step, within(full, rows))
        assert set(rows) == {name for below in STEPS if below <= step for name in ROWS[below]}


def test_on_the_way_back_accounts_at_a_broker_are_left_to_be_made_anew(url: str) -> None:
    """The older fold would go on with them as if no broker were there; one trade a row is all that its table holds."""
    made_by(url, HEAD)
    engine = create_engine(read_url(url, "url"))
    with engine.begin() as connection:
        tables = {name: Table(name, MetaData(), autoload_with=connection) for name in MADE}
        rows = {name: connection.execute(select(tables[name])).mappings().first() for name in MADE}
        for account, changes in {"SENT": {"sent_tag": "K1"}, "OTHERS": {"strategy": "EXTERNAL"}}.items():
            for name in MADE:
                more = changes if name == "orders" else {}
                connection.execute(insert(tables[name]), {**(rows[name] or {}), "account": account, **more})
        again = {**(rows["trades"] or {}), "account": "SENT", "number": 1}
        connection.execute(insert(tables["trades"]), again)
    engine.dispose()
    move(url, "0006")
    _, left = content(url)
    assert {row["account"] for name in MADE for row in left[name]} == {"AB1234", "ZZ1"}
    move(url, HEAD)
    assert all(row["form"] == 1 for row in content(url)[1]["projections"])


def test_a_migration_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="no migration '0000'"):
        move(url, "0000")


def test_looking_makes_nothing(url: str) -> None:
    database = Database(url)
    assert (database.revision(), database.counts()) == ("", {})
    assert content(url) == ("", {})
    database.close()

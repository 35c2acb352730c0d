"""What the books share: rows that take the place of others, and the names of a row's columns."""

from typing import Any

from sqlalchemy import Connection, Row, Table
from sqlalchemy.dialects import postgresql, sqlite

KEYS_AT_ONCE = 500
"""Keys in one question; SQLite takes a bounded number of values in a statement."""


def inserting(connection: Connection, table: Table) -> Any:
    """Return the dialect's insert, which knows what to do about a row that is there."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def put_rows(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows; one whose key is there is replaced, in the columns that are given."""
    if not rows:
        return
    insert = inserting(connection, table)
    keys = [column.name for column in table.primary_key.columns]
    new = {name: insert.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=new), rows)


def columns_of(row: Row[Any]) -> dict[str, Any]:
    """Return a row by the names of its columns."""
    return row._asdict()

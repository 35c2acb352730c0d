"""What each commit of a journal says to its database, put into words once: that takes longer than to say it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Dialect, Insert, Select, Table, Update, bindparam, insert, select, update

from manjha.adapters.sql.held import Cursor, Speaks
from manjha.adapters.sql.journal_tables import HEADS, JOURNAL, SNAPSHOTS

ROWS_AT_ONCE = 100
"""Rows of one statement at most."""
_PLACE = re.compile(r"%\((\w+)\)s")


class _Said:
    """A statement in the words of one database."""

    def __init__(self, statement: Select[Any] | Insert | Update, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text = compiled.string
        self._places = compiled.positiontup

    def __call__(self, connection: Speaks, values: Mapping[str, Any]) -> Cursor:
        """Execute it once."""
        return connection.exec_driver_sql(self._text, self._given(values))

    def _given(self, values: Mapping[str, Any]) -> Any:
        return values if self._places is None else tuple(values[name] for name in self._places)


class _Rows:
    """Rows that are put into a table together.

    PostgreSQL gets them in one statement: where psycopg is given many it sends one after the other without waiting, and
    the server ends no transaction of somebody who was stopped between two of those. Nobody could take the account over.
    """

    def __init__(self, table: Table, dialect: Dialect) -> None:
        compiled = insert(table).compile(dialect=dialect)
        self._one_by_one = compiled.positiontup is not None
        self._text, _, self._row = compiled.string.partition(" VALUES ")
        self._names = compiled.positiontup or _PLACE.findall(self._row)
        self._row = _PLACE.sub("%s", self._row)
        self._texts: dict[int, str] = {}

    def __call__(self, connection: Speaks, many: Sequence[Mapping[str, Any]]) -> None:
        """Put in rows, by column."""
        names = self._names
        if self._one_by_one:
            connection.exec_driver_sql(self._said(1), [tuple(values[name] for name in names) for values in many])
            return
        for first in range(0, len(many), ROWS_AT_ONCE):
            part = many[first : first + ROWS_AT_ONCE]
            connection.exec_driver_sql(self._said(len(part)), tuple(values[name] for values in part for name in names))

    def _said(self, rows: int) -> str:
        text = self._texts.get(rows)
        if text is None:
            text = self._texts[rows] = f"{self._text} VALUES {', '.join([self._row] * rows)}"
        return text


class Statements:
    """What a commit needs, in the words of one database."""

    def __init__(self, dialect: Dialect) -> None:
        asked = select(HEADS).where(HEADS.c.account == bindparam("of"))
        moved: dict[str, Any] = {name: bindparam(name) for name in ("epoch", "seq", "hash")}
        self.head = _Said(asked, dialect)
        self.locked = _Said(asked.with_for_update(), dialect)
        self.move = _Said(update(HEADS).where(HEADS.c.account == bindparam("of")).values(**moved), dialect)
        self.add = _Rows(JOURNAL, dialect)
        self.keep = _Said(insert(SNAPSHOTS), dialect)

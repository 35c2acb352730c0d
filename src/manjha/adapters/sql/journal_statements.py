"""What each commit of a journal says to its database, put into words once: that takes longer than to say it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Dialect, Insert, Select, Update, bindparam, insert, select, update

from manjha.adapters.sql.held import Cursor, Speaks
from manjha.adapters.sql.journal_tables import HEADS, JOURNAL, SNAPSHOTS


class _Said:
    """A statement in the words of one database."""

    def __init__(self, statement: Select[Any] | Insert | Update, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._text = compiled.string
        self._places = compiled.positiontup

    def __call__(self, connection: Speaks, values: Mapping[str, Any]) -> Cursor:
        """Execute it once."""
        return connection.exec_driver_sql(self._text, self._given(values))

    def each(self, connection: Speaks, many: Sequence[Mapping[str, Any]]) -> None:
        """Execute it with each of some values."""
        connection.exec_driver_sql(self._text, [self._given(values) for values in many])

    def _given(self, values: Mapping[str, Any]) -> Any:
        return values if self._places is None else tuple(values[name] for name in self._places)


class Statements:
    """What a commit needs, in the words of one database."""

    def __init__(self, dialect: Dialect) -> None:
        asked = select(HEADS).where(HEADS.c.account == bindparam("of"))
        moved: dict[str, Any] = {name: bindparam(name) for name in ("epoch", "seq", "hash")}
        self.head = _Said(asked, dialect)
        self.locked = _Said(asked.with_for_update(), dialect)
        self.move = _Said(update(HEADS).where(HEADS.c.account == bindparam("of")).values(**moved), dialect)
        self.add = _Said(insert(JOURNAL), dialect).each
        self.keep = _Said(insert(SNAPSHOTS), dialect)

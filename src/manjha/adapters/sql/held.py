"""One connection that is kept and spoken to directly: what little a commit says takes longer on its way than to do."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Engine

if TYPE_CHECKING:
    from sqlalchemy.pool import PoolProxiedConnection


class Cursor(Protocol):
    """What a statement has found."""

    def fetchone(self) -> Any:
        """Return the next row, None where there is none."""
        ...


class Speaks(Protocol):
    """Takes statements in a database's own words: SQLAlchemy's connection does, and so does `Held`."""

    def exec_driver_sql(self, statement: str, parameters: Any = None, /) -> Cursor:
        """Execute a statement; with a list of parameters, once with each."""
        ...


class Held:
    """A connection of an engine, taken when it is first needed. What the driver raises, it raises as it is (`errors`).

    One thread has it at a time; another one waits.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._taken: PoolProxiedConnection | None = None
        self._alone = threading.Lock()
        self.errors: type[Exception] = engine.dialect.loaded_dbapi.Error

    @contextmanager
    def writing(self) -> Iterator["Held"]:
        """Give the connection for one transaction, which is durable at the end of the block or undone."""
        with self._alone:
            raw = self._connection()
            try:
                if self._is_sqlite:
                    raw.execute("BEGIN IMMEDIATE")
                yield self
                raw.commit()
            except BaseException:
                self._undo()
                raise

    @contextmanager
    def reading(self) -> Iterator["Held"]:
        """Give the connection to read; nobody is kept waiting by it afterwards."""
        with self._alone:
            try:
                yield self
            finally:
                self._undo()

    def exec_driver_sql(self, statement: str, parameters: Mapping[str, Any] | Sequence[Any] | None = None, /) -> Cursor:
        """Execute a statement; with a list of parameters, once with each."""
        cursor = self._connection().cursor()
        if isinstance(parameters, list):
            cursor.executemany(statement, parameters)
        else:
            cursor.execute(statement, parameters or ())
        found: Cursor = cursor
        return found

    def close(self) -> None:
        """Give the connection back."""
        taken, self._taken = self._taken, None
        if taken is not None:
            taken.close()

    def _connection(self) -> Any:
        if self._taken is None:
            self._taken = self._engine.raw_connection()
        return self._taken.dbapi_connection

    def _undo(self) -> None:
        """Leave no transaction open; where that fails, not even the connection."""
        if self._taken is None:
            return
        try:
            self._connection().rollback()
        except self.errors:
            taken, self._taken = self._taken, None
            with suppress(self.errors):
                taken.invalidate()

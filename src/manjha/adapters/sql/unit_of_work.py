"""Implements `ports.unit_of_work.UnitOfWork` over SQL."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from manjha.adapters.sql.answer_books import SqlAnswerBook, SqlHookBook
from manjha.adapters.sql.audit_books import SqlAttemptBook, SqlAuditBook
from manjha.adapters.sql.books import SqlModelCatalogue, SqlSettingBook
from manjha.adapters.sql.database import Database
from manjha.adapters.sql.job_book import SqlJobBook
from manjha.adapters.sql.read_models import SqlReadModels
from manjha.adapters.sql.run_books import SqlBacktestBook, SqlRunBook
from manjha.adapters.sql.session_books import SqlPeopleBook, SqlSessionBook
from manjha.adapters.sql.token_book import SqlTokenBook


class SqlRecords:
    """The books over one connection, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.read_models = SqlReadModels(connection)
        self.runs = SqlRunBook(connection)
        self.backtests = SqlBacktestBook(connection)
        self.models = SqlModelCatalogue(connection)
        self.tokens = SqlTokenBook(connection)
        self.settings = SqlSettingBook(connection)
        self.jobs = SqlJobBook(connection)
        self.answers = SqlAnswerBook(connection)
        self.hooks = SqlHookBook(connection)
        self.sessions = SqlSessionBook(connection)
        self.people = SqlPeopleBook(connection)
        self.attempts = SqlAttemptBook(connection)
        self.audit = SqlAuditBook(connection)


class SqlUnitOfWork:
    """Transactions over one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def begin(self) -> Iterator[SqlRecords]:
        """Begin a transaction. See the port."""
        with self._database.transaction() as connection:
            yield SqlRecords(connection)

    @contextmanager
    def read(self) -> Iterator[SqlRecords]:
        """Begin a transaction that only reads. See the port."""
        with self._database.reading() as connection:
            yield SqlRecords(connection)

    def close(self) -> None:
        """Let the connections go."""
        self._database.close()

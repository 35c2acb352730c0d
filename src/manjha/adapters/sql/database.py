"""Connections to the database of records, and its tables brought up to date."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, select, table, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from manjha.domain.errors import SettingsError

HEAD = "0010"
"""The newest migration; a test holds it against the folder. Alembic is loaded only where a database is behind it."""
BUSY_MS = 30_000
"""How long a writer of SQLite waits for another one; a batch takes milliseconds."""
LOCK = 7_226_025
"""Number of PostgreSQL's advisory lock under which tables are changed."""
READS = "manjha_reads"
"""Option of a connection that does not write."""
DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "sqlite": "sqlite"}


class Database:
    """One database. Tables are made or brought up to date at the first connection."""

    def __init__(self, url: str) -> None:
        self._url = read_url(url, "database_url")
        self._engine = self._open()
        self._is_new = True

    @property
    def is_sqlite(self) -> bool:
        """Tell which dialect's words are needed."""
        return self._url.get_backend_name() == "sqlite"

    @property
    def name(self) -> str:
        """The address for people, without the password."""
        return self._url.database or "" if self.is_sqlite else self._url.render_as_string(hide_password=True)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Give a connection; commit at the end. Raises `SettingsError` where the database does not do its part."""
        with self._speaking():
            with self._engine.begin() as connection:
                if self._is_new:
                    self._bring_up_to_date(connection)
                yield connection
            self._is_new = False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that only reads and, in SQLite, waits for no writer. Raises as `transaction`."""
        if self._is_new:
            with self.transaction():
                pass
        with self._speaking(), self._engine.connect() as connection:
            yield connection.execution_options(**{READS: True})

    def revision(self) -> str:
        """Return of which migration the tables are, changing nothing; empty where there are none. Raises the same."""
        if self.is_sqlite and not Path(self._url.database or "").is_file():
            return ""
        with self._speaking(), self._engine.begin() as connection:
            return _revision(connection)

    def counts(self) -> dict[str, int]:
        """Return how many rows each table has, by name, changing nothing; empty where there are none."""
        if not self.revision():
            return {}
        with self._speaking(), self._engine.begin() as connection:
            names = sorted(set(inspect(connection).get_table_names()) - {"alembic_version"})
            return {name: _count(connection, name) for name in names}

    def move_to(self, revision: str) -> None:
        """Bring the tables to a migration, forwards or backwards, all of it or nothing.

        Raises
        ------
        SettingsError
            The database does not do its part, or there is no such migration.
        """
        known = revisions()
        if revision not in known:
            raise SettingsError(f"there is no migration {revision!r}", hint=f"Known are {', '.join(known)}.")
        with self._speaking(), self._engine.begin() as connection:
            there = self._locked_revision(connection)
            if there != revision:
                migrate(connection, revision, back=there > revision)

    def close(self) -> None:
        """Let the connections go."""
        self._engine.dispose()

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Say in our words what the database complains of."""
        try:
            yield
        except SQLAlchemyError as error:
            cause = " ".join(str(getattr(error, "orig", None) or error).split())
            raise SettingsError(f"the database {self.name} cannot be used: {cause}", hint=self._advice()) from error

    def _open(self) -> Engine:
        if not self.is_sqlite:
            try:
                return create_engine(self._url, pool_pre_ping=True)
            except ModuleNotFoundError as error:
                raise SettingsError(
                    f"PostgreSQL needs the package {error.name}", hint="Install it: pip install 'manjha[postgres]'."
                ) from None
        if self._url.database:
            try:
                Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise SettingsError(
                    f"the database {self.name} cannot be made: {error.strerror}", hint=self._advice()
                ) from error
        engine = create_engine(self._url, connect_args={"timeout": BUSY_MS / 1000})
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine

    def _bring_up_to_date(self, connection: Connection) -> None:
        """Run the migrations that are missing; who comes at the same time waits and finds them done."""
        if self._locked_revision(connection) != HEAD:
            migrate(connection, HEAD)

    def _locked_revision(self, connection: Connection) -> str:
        """Return of which migration the tables are, and let nobody else change them until the transaction ends."""
        if not self.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        there = _revision(connection)
        if there > HEAD:
            raise SettingsError(
                f"the database {self.name} was made by a newer Manjha (its tables are of {there}, known are {HEAD})",
                hint="Upgrade Manjha, or give another database_url.",
            )
        return there

    def _advice(self) -> str:
        if self.is_sqlite:
            return "Check the disk and who may write there; moved away, it is made anew and counts trials from zero."
        return "Check database_url in manjha.toml and whether the server runs."


def migrate(connection: Connection, revision: str, *, back: bool = False) -> None:
    """Run Alembic's migrations up (or back) to one on a connection, inside its transaction."""
    from alembic import command

    config = _alembic()
    config.attributes["connection"] = connection
    (command.downgrade if back else command.upgrade)(config, revision)


def revisions() -> list[str]:
    """Return the migrations that there are, oldest first."""
    from alembic.script import ScriptDirectory

    return sorted(step.revision for step in ScriptDirectory.from_config(_alembic()).walk_revisions())


def _alembic() -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return ""
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "")


def _count(connection: Connection, name: str) -> int:
    return int(connection.scalar(select(func.count()).select_from(table(name))) or 0)


def read_url(url: str, setting: str) -> URL:
    """Return an address with its driver. Raises `SettingsError`, naming the setting that it came from."""
    try:
        parsed = make_url(url)
        scheme, _, driver = parsed.drivername.partition("+")
        return parsed.set(drivername=parsed.drivername if driver else DRIVERS[scheme])
    except (ArgumentError, KeyError, NoSuchModuleError):
        # The text may hold a password, so it is not repeated.
        raise SettingsError(
            f"{setting} is no address of a database",
            hint="Give one like postgresql://user@host/name, or leave it out for a file in MANJHA_HOME.",
        ) from None


def _prepare(raw: Any, _record: object) -> None:
    """Set up a SQLite connection. It begins transactions when told, not when it thinks (the driver's old habit)."""
    raw.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
        raw.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(READS) else "BEGIN IMMEDIATE")

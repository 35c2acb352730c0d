"""The lock of an account in PostgreSQL: a session's advisory lock, on a connection that does nothing else."""

import hashlib
import os
import socket
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from manjha.adapters.sql.database import read_url
from manjha.domain.errors import AccountHeld, SettingsError
from manjha.domain.leader import Holder, held_by
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.orders import AccountId
from manjha.ports.clock import Clock

CLASS = 7_226_027
"""First number of the advisory locks of accounts; the second is of the account's name."""
NAME_BYTES = 63
"""PostgreSQL cuts the name of a session here."""
DEAD_HOST = ("tcp_keepalives_idle = 10", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 3")
"""The server notices within half a minute that the holder's machine is gone; without, in two hours."""
DEAD_SERVER = {"connect_timeout": 10, "tcp_user_timeout": 10_000}
"""Seconds, and milliseconds, after which a server that says nothing is given up: a trader must not hang on it."""

_HOLDERS = text(
    "SELECT a.pid AS backend, a.application_name AS name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.classid = :class AND l.objid = :account AND l.objsubid = 2 "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class SqlLeaderLock:
    """Implements `ports.leader_lock.LeaderLock` for an account whose journal lies in PostgreSQL.

    The session's name says who holds it, so that nothing is left behind when it ends.
    """

    def __init__(self, url: str, account: AccountId, clock: Clock) -> None:
        self._url = read_url(url, "journal_url")
        self._key = {"class": CLASS, "account": _number_of(account)}
        self._clock = clock
        self._engine = self._made_engine()
        self._held: Connection | None = None

    def acquire(self) -> None:
        """Take the lock; see the port."""
        if not self.lost():
            return
        self.release()
        connection = self._connected()
        try:
            asked = text("SELECT pg_try_advisory_lock(:class, :account)")
            taken = connection.execute(asked, self._key).scalar()
            if not taken:
                raise held_by(_read(connection.execute(_HOLDERS, self._key).first()))
        except SQLAlchemyError as error:
            connection.close()
            raise self._unusable(error) from error
        except AccountHeld:
            connection.close()
            raise
        self._held = connection

    def lost(self) -> str:
        """Return why the lock is not held; see the port. It asks the server, which costs a round trip."""
        if self._held is None:
            return "the account's lock was not taken"
        try:
            self._held.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return "the account's lock went with its connection to the database"
        return ""

    def holder(self) -> Holder | None:
        """Return who holds it; see the port."""
        with self._connected() as connection:
            found = connection.execute(_HOLDERS, self._key).first()
        return None if found is None else _read(found)

    def take_away(self) -> Holder | None:
        """Take the lock from whoever holds it: its session is ended. See the port."""
        with self._connected() as connection:
            found = connection.execute(_HOLDERS, self._key).first()
            if found is None:
                return None
            # The second number is how long to wait for its end, in ms: it may be in the middle of something.
            asked = text("SELECT pg_terminate_backend(:backend, 10000)")
            if not connection.execute(asked, {"backend": found.backend}).scalar():
                raise SettingsError(
                    f"the session of {_read(found).display} did not end within 10 s",
                    hint="Ask who runs the database to end it.",
                )
        return _read(found)

    def release(self) -> None:
        """Let the lock go: its session ends."""
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def _made_engine(self) -> Engine:
        try:
            engine = create_engine(
                self._url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=DEAD_SERVER
            )
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"PostgreSQL needs the package {error.name}", hint="Install it: pip install 'manjha[postgres]'."
            ) from None
        event.listen(engine, "connect", self._name_session)
        return engine

    def _name_session(self, raw: Any, _record: object) -> None:
        since = self._clock.now_ns() // SECOND_NS
        name = f"manjha {os.getpid()} {since} {socket.gethostname()}".encode()[:NAME_BYTES].decode(errors="ignore")
        with raw.cursor() as cursor:
            cursor.execute("SELECT set_config('application_name', %s, false)", (name,))
            for setting in (*DEAD_HOST, "idle_session_timeout = 0"):
                cursor.execute(f"SET {setting}")
        raw.commit()

    def _connected(self) -> Connection:
        try:
            return self._engine.connect()
        except SQLAlchemyError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: SQLAlchemyError) -> SettingsError:
        cause = " ".join(str(getattr(error, "orig", None) or error).split())
        name = self._url.render_as_string(hide_password=True)
        return SettingsError(
            f"the account's lock in {name} cannot be taken: {cause}", hint="Check the address and whether it runs."
        )


def _number_of(account: AccountId) -> int:
    return int.from_bytes(hashlib.sha256(account.encode()).digest()[:4], "big") >> 1


def _read(found: Any) -> Holder:
    """Return who a session says it is; who holds the lock without saying so is not ours, and is in the way anyway."""
    words = str(found.name).split(" ", 3) if found is not None and found.name else []
    if len(words) != 4 or words[0] != "manjha" or not (words[1].isdigit() and words[2].isdigit()):
        return Holder()
    return Holder(int(words[1]), words[3], TsNs(int(words[2]) * SECOND_NS))

"""Access over a database that is thrown away: a clock that is set, secrets in memory, hashes that are cheap."""

from contextlib import closing, nullcontext
from pathlib import Path

from argon2 import PasswordHasher

from manjha.adapters.sql.database import Database
from manjha.adapters.sql.unit_of_work import SqlUnitOfWork
from manjha.domain.moments import TsNs
from manjha.domain.secret import Secret
from manjha.services.identity.access import access_of
from manjha.services.identity.credentials import KeyRing
from manjha.services.identity.desk import desk_of
from manjha.services.identity.hasher import Hasher

AT = 1_800_000_000_000_000_000
PASSWORD = "four words in a row"  # noqa: S105 - of these tests
HERE = "192.0.2.7"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class SetClock:
    """Tells the time that it was set to."""

    def __init__(self, now: int = AT) -> None:
        self.now = now

    def now_ns(self) -> TsNs:
        return TsNs(self.now)

    def wait_until(self, ts_ns: TsNs) -> None:
        self.now = max(self.now, ts_ns)


class MemorySecrets:
    """Implements `ports.secret_store.SecretStore` in memory."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}

    @property
    def name(self) -> str:
        return "memory"

    def get(self, name: str) -> Secret | None:
        return Secret(self.held[name]) if name in self.held else None

    def put(self, name: str, value: Secret) -> None:
        self.held[name] = value.reveal()

    def delete(self, name: str) -> bool:
        return self.held.pop(name, None) is not None

    def names(self) -> list[str]:
        return sorted(self.held)


class House:
    """One process that gives access: several over one database stand for several processes."""

    def __init__(self, url: str, clock: SetClock | None = None, secrets: MemorySecrets | None = None) -> None:
        self.url = url
        self.clock, self.secrets = clock or SetClock(), secrets or MemorySecrets()
        self.database = Database(url)
        work = SqlUnitOfWork(self.database)
        ring = KeyRing(self.secrets, nullcontext)
        self.desk = desk_of(work, self.clock, ring, self.secrets, Hasher(CHEAP))
        self.access, self.identity = access_of(self.desk)

    def beside(self) -> "House":
        """Return another process over the same database, secrets and time."""
        return House(self.url, self.clock, self.secrets)

    def close(self) -> None:
        self.database.close()


def house_in(folder: Path) -> closing[House]:
    """Return access over a new file."""
    return closing(House(f"sqlite:///{folder / 'manjha.db'}"))

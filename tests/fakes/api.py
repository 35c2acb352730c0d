"""The API over a real home, and callers who are who they say."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import msgspec
from starlette.testclient import TestClient

from manjha.api.application import create_api
from manjha.api.parts import ApiParts
from manjha.api.problems import Logged, forget
from manjha.app.bootstrap import system_clock, unit_of_work
from manjha.app.serving.parts import api_parts
from manjha.app.settings import Settings, load_settings
from manjha.domain.moments import TsNs
from manjha.services.identity.access import access_of
from manjha.services.identity.caller import Caller, Scope, UnknownCallerError
from manjha.services.identity.credentials import KeyRing
from manjha.services.identity.desk import desk_of
from manjha.services.identity.hasher import Hasher
from tests.fakes.access import CHEAP, MemorySecrets

ROOT = "/api/v1"


class KnownCallers:
    """Knows one caller a scope, by a token that is the scope's name; and "all", who has every scope.

    With "+proved" behind it the caller has proved anew who they are.
    """

    def authenticate(self, bearer: str, address: str) -> Caller:
        """Return who has this token. See the protocol."""
        del address
        name, _, proved = bearer.partition("+")
        if (name != "all" and name not in list(Scope)) or proved not in ("", "proved"):
            raise UnknownCallerError("nobody has this token")
        scopes = frozenset(Scope) if name == "all" else frozenset({Scope(name)})
        return Caller(name, name, "token", scopes, TsNs(2**62 if proved else 0))

    def still(self, caller: Caller) -> Caller:
        """Return a caller as he is now: as ever. See the protocol."""
        return caller

    def on_change(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Tell nothing: nobody is ever let in no more. See the protocol."""
        del tell
        return lambda: None


def known_parts(settings: Settings) -> ApiParts:
    """Return the parts of an API over a home, with secrets in memory; it knows `KnownCallers`."""
    secrets = MemorySecrets()
    ring = KeyRing(secrets, nullcontext)
    access, _ = access_of(desk_of(unit_of_work(settings), system_clock(), ring, secrets, Hasher(CHEAP)))
    return msgspec.structs.replace(api_parts(settings, access), identity=KnownCallers())


@contextmanager
def api_of(settings: Settings | None = None, *, log: Logged = forget, **parts: object) -> Iterator[TestClient]:
    """Give a client of the API over a home, `parts` in place of what it is put together from otherwise."""
    app = create_api(msgspec.structs.replace(known_parts(settings or load_settings()), **parts), log)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def by(scope: str) -> dict[str, str]:
    """Return the headers of the caller who has this scope."""
    return {"authorization": f"Bearer {scope}"}

"""Who asks, and what they may."""

from enum import StrEnum
from typing import Protocol

import msgspec

from manjha.domain.errors import ManjhaError
from manjha.domain.moments import TsNs


class Scope(StrEnum):
    """What a token lets do. None of them contains another.

    `read` looks at everything but secrets; `trade` orders, starts and stops; `admin` has settings, limits, secrets and
    tokens; `hook` lets a program outside send a signal, and nothing else.
    """

    READ = "read"
    TRADE = "trade"
    ADMIN = "admin"
    HOOK = "hook"


class Caller(msgspec.Struct, frozen=True):
    """Who asks, once it is known. `id` is of the token or the session, `kind` says which of the two.

    `stepped_up_until_ns` is how long what is dangerous may be done: 0 where nobody has proved anew who they are.
    """

    id: str
    name: str
    kind: str
    scopes: frozenset[Scope]
    stepped_up_until_ns: TsNs = TsNs(0)


class UnknownCallerError(ManjhaError):
    """Nobody has this token: it never was, has expired, or was revoked. It never says which."""


class Identity(Protocol):
    """Knows who asks."""

    def authenticate(self, bearer: str, address: str) -> Caller:
        """Return who has this token. `address` is the client's. Raises `UnknownCallerError`."""
        ...

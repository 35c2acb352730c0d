"""Who asks, and what they may."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import msgspec

from manjha.domain.errors import ManjhaError
from manjha.domain.moments import SECOND_NS, TsNs


class Scope(StrEnum):
    """What a token lets do. None of them contains another.

    `read` looks at everything but secrets; `trade` orders, starts and stops; `admin` has settings, limits, secrets and
    tokens; `hook` lets a program outside send a signal, and nothing else.
    """

    READ = "read"
    TRADE = "trade"
    ADMIN = "admin"
    HOOK = "hook"


TOKEN, SESSION = "token", "session"
"""Kinds of callers."""
OWNER = "owner"
"""The person whose bot it is; there is one."""


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
    """Nobody has this token or password: it never was, has expired, or was revoked. It never says which."""


class TooManyAttemptsError(ManjhaError):
    """So much was tried from there, or for that person, that nothing more is looked at for a while.

    Parameters
    ----------
    wait_ns
        After how long it may be tried again.
    """

    def __init__(self, wait_ns: int) -> None:
        self.wait_s = -(-wait_ns // SECOND_NS)
        super().__init__("too many attempts were wrong", hint=f"Try again in {self.wait_s} s.")


class Identity(Protocol):
    """Knows who asks."""

    def authenticate(self, bearer: str, address: str) -> Caller:
        """Return who has this token. `address` is the client's.

        Raises
        ------
        UnknownCallerError
            Nobody has it.
        TooManyAttemptsError
            Nobody has it, and too many others that nobody has came from there.
        """
        ...

    def still(self, caller: Caller) -> Caller:
        """Return a caller as he is now, for what stays open. Raises `UnknownCallerError` once he is let in no more."""
        ...

    def on_change(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Have a function called, in any thread, when somebody may be let in no more; return what ends that."""
        ...

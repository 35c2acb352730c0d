"""Personal access tokens: made once, shown once, kept as a salted hash."""

import secrets

from manjha.domain.moments import TsNs
from manjha.domain.records import SECRET_BYTES, ApiToken, secret_hash
from manjha.ports.clock import Clock
from manjha.ports.unit_of_work import UnitOfWork
from manjha.services.identity.caller import Caller, Scope, UnknownCallerError

PREFIX = "mjt"
_ID_BYTES, _SALT_BYTES = 8, 16
_NOBODY = ApiToken(
    id="", name="", salt=b"\0" * _SALT_BYTES, hash=b"\0" * 32, scopes=(), created_ns=TsNs(0), revoked_ns=TsNs(0)
)
"""Whom an unknown id is compared with, so that it takes as long as a known one."""


def make_token(records: UnitOfWork, name: str, scopes: frozenset[Scope], now_ns: TsNs, expires_ns: TsNs | None) -> str:
    """Record a token and return it: the only time that it can be seen. Raises `UsageError` where its name is taken."""
    token_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_hex(SECRET_BYTES)
    salt = secrets.token_bytes(_SALT_BYTES)
    token = ApiToken(
        id=token_id, name=name, salt=salt, hash=secret_hash(salt, bytes.fromhex(secret)),
        scopes=tuple(sorted(scopes)), created_ns=now_ns, expires_ns=expires_ns,
    )  # fmt: skip
    with records.begin() as books:
        books.tokens.add(token)
    return f"{PREFIX}_{token_id}_{secret}"


class TokenIdentity:
    """Knows callers by their tokens. Implements `Identity`."""

    def __init__(self, records: UnitOfWork, clock: Clock) -> None:
        self._records, self._clock = records, clock

    def authenticate(self, bearer: str, address: str) -> Caller:
        """Return who has this token. See the protocol."""
        del address
        now_ns = self._clock.now_ns()
        prefix, _, rest = bearer.partition("_")
        token_id, _, secret = rest.partition("_")
        with self._records.begin() as books:
            found = books.tokens.find(token_id) or _NOBODY
            try:
                sent = bytes.fromhex(secret)
            except ValueError:
                sent = b""
            if not found.lets_in(sent, now_ns) or prefix != PREFIX:
                raise UnknownCallerError("nobody has this token", hint="`manjha token create` makes one.")
            books.tokens.used(found.id, now_ns)
        return Caller(found.id, found.name, "token", frozenset(map(Scope, found.scopes)))

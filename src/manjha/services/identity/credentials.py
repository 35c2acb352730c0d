"""What lets in, as it is written: a word for its sort, an id that is no secret, and 256 bits of chance."""

import hmac
import re
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import StrEnum

import msgspec

from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.identity import SECRET_BYTES, secret_hash
from manjha.domain.secret import Secret
from manjha.ports.secret_store import SecretStore

PEPPER, AUDIT_KEY = "identity.pepper", "identity.audit_key"
"""Names of the secrets by which what is kept is keyed."""
SALT_BYTES = 16
_ID_BYTES = 8
_FORM = re.compile(rf"(mj[a-z])_([0-9a-f]{{{2 * _ID_BYTES}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})")
_DISTINCT_MIN = 16
"""Different bytes in a key: chance has about 30 of 32, what somebody types has few."""


class Sort(StrEnum):
    """What a credential is good for. None is taken for another."""

    TOKEN = "mjt"  # noqa: S105  # nosec B105 - a word
    ACCESS = "mjs"
    REFRESH = "mjr"
    LINK = "mjl"
    TICKET = "mjw"


class Credential(msgspec.Struct, frozen=True):
    """A credential: shown once to whom it is for, and kept as a hash."""

    sort: Sort
    id: str
    secret: bytes

    @property
    def text(self) -> str:
        """As it is handed over."""
        return f"{self.sort}_{self.id}_{self.secret.hex()}"

    def __repr__(self) -> str:
        return f"Credential({self.sort}_{self.id}_…)"

    def kept(self, pepper: bytes, salt: bytes = b"") -> bytes:
        """Return the hash that is kept of it."""
        return secret_hash(pepper, salt + f"{self.sort}:{self.id}:".encode(), self.secret)

    def fits(self, pepper: bytes, kept: bytes, salt: bytes = b"") -> bool:
        """Tell whether that hash was kept of it, in a time that does not depend on the answer."""
        return hmac.compare_digest(self.kept(pepper, salt), kept)


def new_salt() -> bytes:
    """Return a salt."""
    return secrets.token_bytes(SALT_BYTES)


def new_id() -> str:
    """Return an id that nothing has."""
    return secrets.token_hex(_ID_BYTES)


def new_credential(sort: Sort, id_: str = "") -> Credential:
    """Make a credential."""
    return Credential(sort, id_ or new_id(), secrets.token_bytes(SECRET_BYTES))


def read_credential(text: str) -> Credential | None:
    """Return a credential as it was handed over; None for what is no text of ours."""
    found = _FORM.fullmatch(text)
    if found is None or found[1] not in list(Sort):
        return None
    return Credential(Sort(found[1]), found[2], bytes.fromhex(found[3]))


class Keys(msgspec.Struct, frozen=True):
    """The pepper, which keys hashes of what lets in, and the key of the audit log."""

    pepper: bytes
    audit: bytes

    def __repr__(self) -> str:
        return "Keys(…)"


class KeyRing:
    """The keys as the secret store has them, made at the first use.

    Parameters
    ----------
    guard
        Holds a lock against other processes that would make them too.
    """

    def __init__(self, store: SecretStore, guard: Callable[[], AbstractContextManager[None]]) -> None:
        self._store, self._guard = store, guard
        self._keys: Keys | None = None

    def now(self) -> Keys:
        """Return the keys. Raises `SettingsError` where there are none and none can be kept, or one is too weak."""
        if self._keys is None:
            self.reload()
        return self._keys or self.reload()

    def reload(self) -> Keys:
        """Return the keys as they are in the store now. Raises the same."""
        names = (PEPPER, AUDIT_KEY)
        if any(self._store.get(name) is None for name in names):
            with self._guard():
                for name in names:
                    if self._store.get(name) is None:
                        self._make(name)
        self._keys = Keys(*(_key(name, self._store.get(name)) for name in names))
        return self._keys

    def new_pepper(self) -> Keys:
        """Put another pepper in place, so that nothing that was handed out before lets in. Raises as the store."""
        with self._guard():
            self._make(PEPPER)
        return self.reload()

    def _make(self, name: str) -> None:
        try:
            self._store.put(name, Secret(secrets.token_hex(SECRET_BYTES)))
        except UsageError as error:
            raise SettingsError(
                f"the secret {name} is needed and cannot be kept: {error.message}",
                hint='Give a place for secrets: export MANJHA_SEAL_KEY="$(manjha login --new-seal-key)", and keep that '
                "key where your passwords are, never in MANJHA_HOME.",
            ) from None


def _key(name: str, held: Secret | None) -> bytes:
    try:
        key = bytes.fromhex(held.reveal() if held else "")
    except ValueError:
        key = b""
    if len(key) < SECRET_BYTES or len(set(key)) < _DISTINCT_MIN:
        raise SettingsError(
            f"the secret {name} must be at least {SECRET_BYTES} bytes of chance, as hexadecimal digits",
            hint="`openssl rand -hex 32` makes such a text; or take it away, and one is made.",
        )
    return key

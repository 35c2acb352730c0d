"""Hashes of passwords: Argon2id."""

import secrets
import threading
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

BYTES_MAX = 1_000
"""Bytes of a password; what is longer is hashed as far, so that nobody can keep us busy, and fits nothing."""
_AT_ONCE = 2
"""Hashes at one time: each takes 64 MiB."""


class Hasher:
    """Argon2id with the second of RFC 9106's parameter sets (64 MiB, 3 passes, 4 lanes), few at a time."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._slots = threading.Semaphore(_AT_ONCE)

    def kept(self, password: str) -> str:
        """Return what is kept of a password."""
        with self._slots:
            return self._hasher.hash(password)

    def fits(self, password: str, kept: str) -> bool:
        """Tell whether that was kept of it; where nothing was, it takes as long and is False."""
        sent = password.encode(errors="surrogatepass")
        try:
            with self._slots:
                self._hasher.verify(kept or self._nobodys, sent[:BYTES_MAX])
        except (VerificationError, InvalidHashError):
            return False
        return bool(kept) and len(sent) <= BYTES_MAX

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash(secrets.token_hex(16))

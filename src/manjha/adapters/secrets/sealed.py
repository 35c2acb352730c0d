"""A file of secrets, sealed with Fernet (AES-128-CBC and HMAC-SHA256, by the library cryptography).

The key is somewhere else, never beside the file: whoever copies the disk, or a backup, has nothing.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from manjha.domain.errors import SettingsError, UsageError

FORMAT = 1
Writer = Callable[[Path, bytes], None]
"""Puts a file in place whole and durably; raises `OSError`."""
Guard = Callable[[Path], AbstractContextManager[None]]
"""Holds a lock against other writers."""


class _Kept(msgspec.Struct):
    format: int
    sealed: dict[str, str]


class SealedFile:
    """Implements `ports.secret_store.SecretStore`. Several processes may use it: it is read anew each time.

    Parameters
    ----------
    keys
        Fernet keys, the newest first: it seals, all open. Raises `SettingsError` where one is none.
    """

    def __init__(self, path: Path, keys: Sequence[str], write: Writer, guard: Guard) -> None:
        self._path = path
        try:
            self._seal = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise SettingsError("the key of the sealed secrets is no Fernet key", hint=_KEY) from None
        self._write = write
        self._guard = guard

    @property
    def name(self) -> str:
        """Return what people call it."""
        return f"the sealed file {self._path}"

    def get(self, name: str) -> str | None:
        """Return a secret."""
        token = self._read().sealed.get(name)
        return None if token is None else self._opened(name, token)

    def put(self, name: str, value: str) -> None:
        """Keep a secret. Raises `SettingsError` where the file cannot be written."""
        if not name or not value:
            raise UsageError("a secret needs a name and a value", hint="Nothing was changed.")
        with self._guard(self._lock):
            kept = self._read()
            kept.sealed[name] = self._seal.encrypt(value.encode()).decode()
            self._save(kept)

    def delete(self, name: str) -> bool:
        """Forget a secret."""
        with self._guard(self._lock):
            kept = self._read()
            there = kept.sealed.pop(name, None) is not None
            if there:
                self._save(kept)
        return there

    def names(self) -> list[str]:
        """Return the names."""
        return sorted(self._read().sealed)

    def rotate(self) -> int:
        """Seal everything with the newest key, and return how many there are; the old keys are not needed then."""
        with self._guard(self._lock):
            kept = self._read()
            for name, token in kept.sealed.items():
                self._opened(name, token)
                kept.sealed[name] = self._seal.rotate(token).decode()
            self._save(kept)
        return len(kept.sealed)

    @property
    def _lock(self) -> Path:
        return self._path.with_name(self._path.name + ".lock")

    def _opened(self, name: str, token: str) -> str:
        try:
            return self._seal.decrypt(token.encode()).decode()
        except (InvalidToken, UnicodeDecodeError):
            raise SettingsError(
                f"the secret {name} does not open with this key, or was changed", hint=f"{_KEY} Else set it again."
            ) from None

    def _read(self) -> _Kept:
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return _Kept(FORMAT, {})
        except OSError as error:
            raise SettingsError(
                f"{self._path} cannot be read: {error.strerror}", hint="Its owner must be you."
            ) from None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise SettingsError(f"{self._path} is no file of sealed secrets", hint=_AGAIN) from None
        if kept.format != FORMAT:
            raise SettingsError(f"{self._path} is of format {kept.format}, this Manjha knows {FORMAT}", hint=_AGAIN)
        return kept

    def _save(self, kept: _Kept) -> None:
        try:
            self._write(self._path, msgspec.json.encode(kept))
        except OSError as error:
            raise SettingsError(f"{self._path} cannot be written: {error.strerror}", hint="Nothing was lost.") from None


def new_key() -> str:
    """Return a new key."""
    return Fernet.generate_key().decode()


_KEY = "MANJHA_SEAL_KEY must be the key that sealed them (44 characters)."
_AGAIN = "Move it away and set the secrets again."

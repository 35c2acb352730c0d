"""A file of secrets, sealed with Fernet (AES-128-CBC and HMAC-SHA256, by the library cryptography).

Each secret is sealed with a key of its own, made of the file's key, its salt and the secret's name: a secret that is
put in another's place does not open. The file's key lies in it wrapped by a key that is somewhere else, never beside
the file: whoever copies the disk, or a backup, has nothing.
"""

import base64
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.secret import Secret
from manjha.ports.secret_store import KeyWrap, require_name

FORMAT = 2
FORMAT_1 = 1
"""Each secret sealed by the key outside itself, under any name; read, and written as `FORMAT` at the next change."""
SALT_BYTES = 32
KEY_LENGTH = 44
DISTINCT_MIN = 18
"""How many different bytes a key has at least."""
_EXAMPLE = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="
"""The key that the specification of Fernet shows."""
Writer = Callable[[Path, bytes], None]
"""Puts a file in place whole and durably; raises `OSError`."""
Guard = Callable[[Path], AbstractContextManager[None]]
"""Holds a lock against other writers."""


class Disk(NamedTuple):
    """How the file is written, and the time of day in ns by which an old key ends."""

    write: Writer
    guard: Guard
    now_ns: Callable[[], int]


class _Slot(msgspec.Struct, frozen=True):
    """The file's key, wrapped. `until_ns` is when this wrapping is believed no longer, 0 for never."""

    wrapped: str
    until_ns: int = 0


class _Kept(msgspec.Struct):
    format: int
    sealed: dict[str, str]
    salt: str = ""
    slots: tuple[_Slot, ...] = ()


class _Opened(NamedTuple):
    """The file and its key; the key is empty where nothing was sealed yet, or in `FORMAT_1`."""

    kept: _Kept
    key: bytes


class SealedFile:
    """Implements `ports.secret_store.SecretStore`. Several processes may use it: it is read anew each time.

    Parameters
    ----------
    wrap
        Who wraps the file's key, and opens what it or an older key of it has wrapped.
    """

    def __init__(self, path: Path, wrap: KeyWrap, disk: Disk) -> None:
        self._path, self._wrap, self._disk = path, wrap, disk

    @property
    def name(self) -> str:
        """Return what people call it."""
        return f"the sealed file {self._path}"

    def get(self, name: str) -> Secret | None:
        """Return a secret."""
        kept = self._read()
        token = kept.sealed.get(name)
        return None if token is None else Secret(self._value(_Opened(kept, self._key(kept)), name, token))

    def put(self, name: str, value: Secret) -> None:
        """Keep a secret. Raises `SettingsError` where the file cannot be written."""
        if not value:
            raise UsageError(f"{require_name(name)} needs a value", hint="Nothing was changed.")
        with self._disk.guard(self._lock):
            kept, key = self._current()
            kept.sealed[require_name(name)] = _sealer(kept.salt, key, name).encrypt(value.reveal().encode()).decode()
            self._save(kept)

    def delete(self, name: str) -> bool:
        """Forget a secret."""
        with self._disk.guard(self._lock):
            kept = self._read()
            there = kept.sealed.pop(name, None) is not None
            if there:
                self._save(kept)
        return there

    def names(self) -> list[str]:
        """Return the names."""
        return sorted(self._read().sealed)

    def rotate(self, new: KeyWrap, overlap_ns: int) -> int:
        """Seal everything with a new key that `new` wraps, and return how many there are.

        Who has only the key before opens the file for `overlap_ns` more, so that whoever runs goes on. Where a secret
        does not open, nothing is changed. Raises as `get` and `put`.
        """
        with self._disk.guard(self._lock):
            kept, key = self._current()
            fresh = Fernet.generate_key()
            for name, token in kept.sealed.items():
                self._value(_Opened(kept, key), name, token)
                both = MultiFernet([_sealer(kept.salt, fresh, name), _sealer(kept.salt, key, name)])
                kept.sealed[name] = both.rotate(token).decode()
            before = _Slot(self._wrap.wrap(fresh), self._disk.now_ns() + overlap_ns)
            kept.slots = (_Slot(new.wrap(fresh)), *([before] if overlap_ns else []))
            self._save(kept)
        return len(kept.sealed)

    def retire(self) -> None:
        """Let no key but the newest open the file, from now on."""
        with self._disk.guard(self._lock):
            kept = self._read()
            kept.slots = tuple(slot for slot in kept.slots if not slot.until_ns)
            self._save(kept)

    @property
    def _lock(self) -> Path:
        return self._path.with_name(self._path.name + ".lock")

    def _current(self) -> _Opened:
        """Return the file as `FORMAT` with its key: of an older one, or none, a new key is made. The lock is held."""
        kept = self._read()
        if kept.slots:
            return _Opened(kept, self._key(kept))
        opened = {name: self._value(_Opened(kept, b""), name, token) for name, token in kept.sealed.items()}
        key, salt = Fernet.generate_key(), base64.urlsafe_b64encode(os.urandom(SALT_BYTES)).decode()
        sealed = {name: _sealer(salt, key, name).encrypt(value.encode()).decode() for name, value in opened.items()}
        return _Opened(_Kept(FORMAT, sealed, salt, (_Slot(self._wrap.wrap(key)),)), key)

    def _key(self, kept: _Kept) -> bytes:
        if not kept.slots:
            return b""
        live = [slot for slot in kept.slots if not slot.until_ns or self._disk.now_ns() < slot.until_ns]
        why = SettingsError(f"nothing in {self._path} is for {self._wrap.name}", hint=_KEY)
        for slot in live:
            try:
                return self._wrap.unwrap(slot.wrapped)
            except SettingsError as error:
                why = error
        raise SettingsError(f"{self._path} does not open with this key: {why.message}", hint=why.hint or _KEY)

    def _value(self, opened: _Opened, name: str, token: str) -> str:
        try:
            if not opened.kept.slots:
                return self._wrap.unwrap(token).decode()
            return _sealer(opened.kept.salt, opened.key, name).decrypt(token.encode()).decode()
        except (InvalidToken, UnicodeDecodeError, SettingsError):
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
        if kept.format not in (FORMAT, FORMAT_1):
            raise SettingsError(f"{self._path} is of format {kept.format}, this Manjha knows {FORMAT}", hint=_AGAIN)
        if kept.format == FORMAT and kept.sealed and not (kept.slots and kept.salt):
            raise SettingsError(f"{self._path} has secrets, but not the key that they are sealed with", hint=_AGAIN)
        return kept

    def _save(self, kept: _Kept) -> None:
        now = self._disk.now_ns()
        kept.slots = tuple(slot for slot in kept.slots if not slot.until_ns or now < slot.until_ns)
        try:
            self._disk.write(self._path, msgspec.json.encode(kept))
        except OSError as error:
            raise SettingsError(f"{self._path} cannot be written: {error.strerror}", hint="Nothing was lost.") from None


class LocalKeys:
    """Implements `ports.secret_store.KeyWrap` with Fernet keys that somebody keeps outside of MANJHA_HOME.

    Parameters
    ----------
    keys
        Gives them, the newest first: it wraps, all open. Asked each time, so that a new one needs no restart.
    where
        Where they come from, in words.
    """

    def __init__(self, keys: Callable[[], tuple[Secret, ...]], where: str) -> None:
        self._keys = keys
        self.name = where

    def wrap(self, key: bytes) -> str:
        """Return the key sealed with the newest."""
        return self._seal().encrypt(key).decode()

    def unwrap(self, wrapped: str) -> bytes:
        """Return what one of the keys has sealed."""
        try:
            return self._seal().decrypt(wrapped.encode())
        except (InvalidToken, UnicodeEncodeError):
            raise SettingsError(f"it was not sealed with the key of {self.name}", hint=_KEY) from None

    def _seal(self) -> MultiFernet:
        return MultiFernet([_fernet(key) for key in self._keys()])


def new_key() -> str:
    """Return a new key."""
    return Fernet.generate_key().decode()


def _fernet(key: Secret) -> Fernet:
    try:
        made, raw = Fernet(key.reveal()), base64.urlsafe_b64decode(key.reveal())
    except ValueError:
        raise SettingsError("the key of the sealed secrets is no Fernet key", hint=_KEY) from None
    # By chance neither comes about: of 32 bytes about 30 are different, and about 20 cannot be typed.
    if len(key.reveal()) != KEY_LENGTH:
        raise SettingsError("the key of the sealed secrets is no Fernet key: too long", hint=_KEY)
    if len(set(raw)) < DISTINCT_MIN or all(32 <= byte < 127 for byte in raw) or key.matches(_EXAMPLE):
        raise SettingsError(
            "the key of the sealed secrets was not made by chance, so others can guess it",
            hint="Make one: manjha login --new-seal-key",
        )
    return made


def _sealer(salt: str, key: bytes, name: str) -> Fernet:
    """Return what seals one secret: its name goes into the key, as Fernet binds a text to nothing else."""
    made = HKDF(SHA256(), 32, salt.encode(), b"manjha secret\0" + name.encode()).derive(key)
    return Fernet(base64.urlsafe_b64encode(made))


_KEY = "The seal's key must be the one that sealed them: MANJHA_SEAL_KEY (44 characters), the keyring's, or Vault's."
_AGAIN = "Move it away and set the secrets again."

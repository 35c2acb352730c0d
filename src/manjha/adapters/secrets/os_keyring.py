"""The keyring of the operating system: SecretService (GNOME, KeePassXC), KWallet, the keychain of macOS."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from manjha.domain.errors import SettingsError, SourceError, UsageError
from manjha.domain.secret import Secret
from manjha.ports.secret_store import require_name

ALLOWED = (
    "keyring.backends.SecretService.Keyring", "keyring.backends.libsecret.Keyring", "keyring.backends.macOS.Keyring",
    "keyring.backends.kwallet.DBusKeyring", "keyring.backends.kwallet.DBusKeyringKWallet4",
)  # fmt: skip
"""What keeps secrets sealed by the user's login. Others that people install write them to a plain file, unasked."""
CHAIN = "keyring.backends.chainer.ChainerBackend"
INDEX = ".names"
"""The entry that lists the names: a keyring lists none. No secret can be called so."""


class OsKeyring:
    """Implements `ports.secret_store.SecretStore` for one MANJHA_HOME; another home of the user has its own secrets.

    Parameters
    ----------
    guard
        Holds a lock against other writers of the index of names.
    """

    def __init__(self, home: Path, guard: Callable[[Path], AbstractContextManager[None]]) -> None:
        self._service = f"manjha {home}"
        self._lock = home / "keyring.lock"
        self._guard = guard

    @property
    def name(self) -> str:
        """Return what people call it."""
        return "the keyring"

    def get(self, name: str) -> Secret | None:
        """Return a secret."""
        value = self._ask(name)
        return None if value is None else Secret(value)

    def put(self, name: str, value: Secret) -> None:
        """Keep a secret."""
        if not value:
            raise UsageError(f"{require_name(name)} needs a value", hint="Nothing was changed.")
        with self._guard(self._lock), _told() as keyring:
            keyring.set_password(self._service, require_name(name), value.reveal())
            self._list({*self.names(), name})

    def delete(self, name: str) -> bool:
        """Forget a secret."""
        with self._guard(self._lock), _told() as keyring:
            there = keyring.get_password(self._service, name) is not None
            if there:
                keyring.delete_password(self._service, name)
            self._list(set(self.names()) - {name})
        return there

    def names(self) -> list[str]:
        """Return the names that were kept through this."""
        try:
            return msgspec.json.decode(self._ask(INDEX) or "[]", type=list[str])
        except msgspec.MsgspecError:
            raise SettingsError(
                "the keyring's list of our names cannot be read", hint=f"Delete its entry {INDEX} of {self._service!r}."
            ) from None

    def _list(self, names: set[str]) -> None:
        with _told() as keyring:
            keyring.set_password(self._service, INDEX, msgspec.json.encode(sorted(names)).decode())

    def _ask(self, name: str) -> str | None:
        with _told() as keyring:
            found: str | None = keyring.get_password(self._service, name)
            return found


@contextmanager
def _told() -> Iterator[Any]:
    """Give the user's keyring, and say in our words what it says. What it says may hold a value, so none of it is told.

    Raises
    ------
    SettingsError
        keyring is not installed, or the keyring here is none that is allowed.
    SourceError
        It is locked, or does not answer.
    """
    backend = allowed_keyring()
    try:
        yield backend
    except (SettingsError, SourceError, UsageError):
        raise
    except Exception as error:  # noqa: BLE001 - each keyring raises what it likes: D-Bus's, the keychain's, its own
        raise SourceError(
            f"the keyring does not answer: {type(error).__name__}",
            hint="Unlock it by logging in to the desktop, or set secrets.keyring to false.",
        ) from None


def allowed_keyring() -> Any:
    """Return the user's keyring. Raises `SettingsError` where there is none, or one that is not allowed."""
    try:
        import keyring
    except ImportError:
        raise SettingsError(
            "secrets.keyring is set, but keyring is not installed", hint="Install it: pip install 'manjha[secrets]'."
        ) from None
    found: Any = keyring.get_keyring()
    chained = list(found.backends) if _kind(found) == CHAIN else [found]
    refused = [_kind(one) for one in chained if _kind(one) not in ALLOWED]
    if refused or not chained:
        raise SettingsError(
            f"no keyring that seals what it keeps was found, but {', '.join(refused) or 'none'}",
            hint="Start a desktop's keyring (SecretService, KWallet, macOS), take others out (keyrings.alt writes "
            "plain files), or leave secrets.keyring out: the sealed file needs no keyring.",
        )
    return chained[0]


def _kind(backend: object) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"

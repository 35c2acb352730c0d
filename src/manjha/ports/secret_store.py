"""Where secrets are kept: keys of a broker, today's access token. They stand in no setting, log or database."""

import re
from typing import Protocol

from manjha.domain.errors import UsageError
from manjha.domain.secret import Secret

NAME_MAX = 100
_NAME = re.compile(r"[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)*")


class SecretStore(Protocol):
    """Secrets by name. A value is never in a message, and a store's `repr` shows none."""

    @property
    def name(self) -> str:
        """Return what people call it."""
        ...

    def get(self, name: str) -> Secret | None:
        """Return a secret; None where there is none of that name.

        Raises `SettingsError` where it cannot be opened, `SourceError` where its keeper does not answer.
        """
        ...

    def put(self, name: str, value: Secret) -> None:
        """Keep a secret, in place of the one before. Raises `UsageError` where it is only to be read."""
        ...

    def delete(self, name: str) -> bool:
        """Forget a secret; tell whether there was one."""
        ...

    def names(self) -> list[str]:
        """Return the names, sorted; never the values."""
        ...


class KeyWrap(Protocol):
    """Seals a small key with one that it does not give away: a key of this machine's keeping, Vault, a cloud's KMS."""

    @property
    def name(self) -> str:
        """Return what people call it."""
        ...

    def wrap(self, key: bytes) -> str:
        """Return the key sealed. Raises `SourceError` where the keeper does not answer."""
        ...

    def unwrap(self, wrapped: str) -> bytes:
        """Return what was sealed. Raises `SettingsError` where this does not open it, `SourceError` as `wrap`."""
        ...


def require_name(name: str) -> str:
    """Return a name of a secret. Raises `UsageError` where it is none: it becomes part of paths and variables."""
    if len(name) > NAME_MAX or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:NAME_MAX]!r} is no name of a secret",
            hint=f"Small letters, digits, _ and -, in parts joined by dots, at most {NAME_MAX}: kite.api_key.",
        )
    return name

"""Where secrets are kept: keys of a broker, today's access token. They stand in no setting, log or database."""

from typing import Protocol


class SecretStore(Protocol):
    """Secrets by name. A value is never in a message, and a store's `repr` shows none."""

    @property
    def name(self) -> str:
        """Return what people call it."""
        ...

    def get(self, name: str) -> str | None:
        """Return a secret; None where there is none of that name. Raises `SettingsError` where it cannot be opened."""
        ...

    def put(self, name: str, value: str) -> None:
        """Keep a secret, in place of the one before. Raises `UsageError` where it is only to be read."""
        ...

    def delete(self, name: str) -> bool:
        """Forget a secret; tell whether there was one."""
        ...

    def names(self) -> list[str]:
        """Return the names, sorted; never the values."""
        ...

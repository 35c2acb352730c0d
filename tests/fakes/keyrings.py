"""Keyrings in memory: one that stands for a desktop's, and ones that must be refused."""

from collections.abc import Callable

import keyring.backend


class MemoryKeyring(keyring.backend.KeyringBackend):
    """Keeps passwords in a dict; `fails` is what it raises instead of answering."""

    priority = 1

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.fails: Exception | None = None

    def get_password(self, service: str, username: str) -> str | None:
        self._maybe_fail()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._maybe_fail()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._maybe_fail()
        del self.kept[service, username]

    def _maybe_fail(self) -> None:
        if self.fails is not None:
            raise self.fails


def named(module: str, name: str) -> Callable[[], MemoryKeyring]:
    """Return a class of a keyring that says that it comes from a module."""
    made: type[MemoryKeyring] = type(name, (MemoryKeyring,), {"__module__": module})
    return made

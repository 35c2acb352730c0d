"""The limits of paper and live trading as people set them."""

from collections.abc import Mapping
from typing import Protocol

Limit = int | str | None
"""A value as people set it: whole rupees, seconds, counts, hundredths of a per cent, or names; None is no limit."""


class LimitBook(Protocol):
    """Limits by the names of `[risk]`."""

    def limits(self) -> Mapping[str, Limit]:
        """Return what the next session would be held to, in the order of the settings."""
        ...

    def changed(self) -> Mapping[str, int]:
        """Return those that were changed while the program runs, and the version of each."""
        ...

    def require(self, name: str, value: Limit) -> None:
        """Raise `UsageError` for a name that is none, and for a value that is none for it or contradicts others."""
        ...

"""Where strategies come from."""

from collections.abc import Sequence
from typing import Any, Protocol


class StrategySource(Protocol):
    """Finds strategy classes. A class is `strategy.interface.Strategy`'s subclass; ports do not know that package."""

    def find(self, name: str) -> type[Any]:
        """Return a strategy by name, or from a file as `path/to/file.py` or `path/to/file.py:ClassName`.

        Raises
        ------
        UsageError
            No such name (with a "did you mean"), no such file, or a file that cannot be read as a strategy.
        """
        ...

    def all(self) -> Sequence[type[Any]]:
        """Return all that have a name: the library's and the user's own, by name."""
        ...

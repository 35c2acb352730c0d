"""Journals of studies: lines that a long task leaves behind, so that it can go on where it was stopped."""

from collections.abc import Sequence
from typing import Protocol


class StudyJournal(Protocol):
    """Lines of text without line ends, in the order of writing. One process at a time holds a journal."""

    def lines(self) -> Sequence[bytes]:
        """Return what was written, oldest first; a line that a killed process left half written is not there."""
        ...

    def append(self, line: bytes) -> None:
        """Write a line durably: afterwards it is there whole, whatever happens to the process or the machine.

        Raises
        ------
        OSError
            The machine refuses, with the file's name.
        """
        ...

    def clear(self) -> None:
        """Forget everything that was written."""
        ...

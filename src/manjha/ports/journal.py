"""The journal: the truth about an account. State is a fold over it."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from manjha.domain.journal import Entry, Head, Row, Snapshot
from manjha.domain.orders import RunId


class Journal(Protocol):
    """One account's append-only chain of rows. One writer at a time: whoever began the newest epoch."""

    def head(self) -> Head:
        """Return where the journal ends."""
        ...

    def begin(self, run: RunId) -> Head:
        """Begin an epoch: from now on only this journal object may write; one that wrote before is stale.

        Raises
        ------
        JournalHalted
            The storage does not do its part.
        """
        ...

    def append(self, entries: Sequence[Entry]) -> Head:
        """Write entries down durably, all or none; return the head after them.

        When this returns they are there whatever happens to the process or the machine. After an error nobody knows
        whether they are: the journal refuses everything until it is opened again and its head is read.

        Raises
        ------
        JournalHalted
            The storage does not do its part, or an earlier append failed.
        StaleWriter
            Another one has begun an epoch since, or none was begun.
        """
        ...

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Yield the rows after a number, as they are stored, in ascending order."""
        ...

    def of_kind(self, kind: str, *, newest_first: bool = False) -> Iterator[Row]:
        """Yield the rows of one kind by number, ascending or from the newest back."""
        ...

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot of the state after a row that is there. Raises as `append`."""
        ...

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield the snapshots that are kept, newest first; whoever loads one checks its digest."""
        ...

    def close(self) -> None:
        """Let the storage go."""
        ...

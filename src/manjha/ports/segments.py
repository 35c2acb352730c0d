"""Where market data lie beside a journal."""

from collections.abc import Sequence
from typing import Protocol

from manjha.domain.segments import Frame, MarketWritten


class MarketSegments(Protocol):
    """One account's append-only segments of market data. Whoever writes the journal writes them, nobody else."""

    def resume(self, last: MarketWritten | None) -> int:
        """Get ready to write after what a journal stated last; what stands after it is cut. Return how many bytes.

        What was written but never stated in the journal is known to nobody. What the statement has of the segment
        itself (`MarketWritten.tail`) is written again and made durable. Writing goes on in a new segment.

        Raises
        ------
        JournalHalted
            The segment that was stated is missing or shorter: what was acknowledged is lost.
        """
        ...

    def append(self, frames: Sequence[Frame]) -> None:
        """Write frames after those before; not durable before `sync`.

        Raises
        ------
        JournalHalted
            The storage does not do its part, an earlier write failed, or `resume` was not called.
        """
        ...

    def sync(self) -> MarketWritten | None:
        """Make durable what was appended, and return what the journal is to state; None where nothing is written yet.

        Raises as `append`.
        """
        ...

    def stated(self) -> MarketWritten | None:
        """Return what the journal is to state, without waiting for the disk where only little is not durable yet.

        The statement then has what is not (`MarketWritten.tail`), and is durable with it. Else as `sync`.
        """
        ...

    def read(self, number: int) -> bytes:
        """Return the bytes of a segment, what was not stated included; none where there is no such segment."""
        ...

    def numbers(self) -> Sequence[int]:
        """Return the numbers of the segments that are there, ascending."""
        ...

    def close(self) -> None:
        """Let the storage go."""
        ...

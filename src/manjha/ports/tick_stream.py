"""A stream of ticks that one process publishes and many take up, each at its own place in it."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.streams import LinkState, Message, Streamed


class Tape(Protocol):
    """A place in a stream that outlives who reads there: what was not acknowledged comes again."""

    async def take(self, most: int, wait_ns: int) -> Sequence[Streamed]:
        """Return what comes next, in order, at most so many; none where nothing has come for `wait_ns`."""
        ...

    async def ack(self, seq: int) -> None:
        """Say that everything up to a message is kept elsewhere for good. Call it after that was made durable."""
        ...


class TickStream(Protocol):
    """One stream. It keeps messages for a bounded time and size, the oldest give way; nobody waits for a slow reader.

    A link that is lost is taken up again inside; `link` counts it. Opened before anything else.
    """

    async def open(self) -> None:
        """Reach the stream, and make it where there is none. May be called again.

        Raises
        ------
        SourceError
            Nobody answers at its address, or who does keeps no streams, or lets us not in.
        """
        ...

    async def identity(self) -> str:
        """Return what tells this stream from another one that was made anew under its name: numbers begin anew there.

        Raises `SourceError` where it cannot be had.
        """
        ...

    async def publish(self, messages: Sequence[tuple[str, Message]]) -> int:
        """Say messages in order, each under a key of its own; return the number of the last one once all are kept.

        A message is sent again until it is known to be kept; of those with the same key the stream keeps one. Raises
        `SourceError` where the stream will never take it.
        """
        ...

    async def last(self) -> tuple[Streamed | None, Streamed | None]:
        """Return the last `Began` and the last `Beat` that are kept. Raises `SourceError` where they cannot be had."""
        ...

    def read(
        self, instruments: Collection[InstrumentId] | None = None, *, since_ns: TsNs | None = None
    ) -> AsyncIterator[Sequence[Streamed]]:
        """Yield what comes, in order and without end: ticks of some instruments (None is all) and all that is no tick.

        `since_ns` begins with what the stream has kept since then, by its own clock; None with what comes from now on.
        An empty sequence tells that nothing has come for a second.
        """
        ...

    async def tape(self, name: str, after: int) -> Tape:
        """Return the place of that name, after a message; 0 is the beginning, or where it was acknowledged to before.

        One process at a time has it: who asks for it takes it over.
        """
        ...

    @property
    def link(self) -> LinkState:
        """How the way to it is now."""
        ...

    async def close(self) -> None:
        """Let go of it; `read` ends. May be called again."""
        ...

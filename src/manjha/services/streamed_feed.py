"""A stream of ticks as the feed of one trader: what comes late is joined, what is old is kept out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection

from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.streams import MISSED_BEATS, STALE_BEATS, Beat, Began, Streamed, TickSeen, WaitingTicks
from manjha.domain.ticks import Tick
from manjha.ports.feed import FeedHealth
from manjha.ports.tick_stream import TickStream

WAITING_MAX = 4_096
"""Ticks that may wait for the trader; of more, those of one instrument are joined."""
TURN = 256
NOBODY = "nobody publishes on this stream yet"


class StreamedFeed:
    """Implements `ports.feed.Feed` over what is published from now on. Use it inside one event loop.

    It does not end when a publisher does: another may begin. A tick that is older than `STALE_BEATS` when it comes, as
    after a link that was lost, is kept out like the first packet of a ticker; its quantity counts with the next one.

    Parameters
    ----------
    now_ns
        The exchange's time, by which a tick is old.
    """

    def __init__(
        self, stream: TickStream, instruments: Collection[InstrumentId], now_ns: Callable[[], TsNs],
        limit: int = WAITING_MAX,
    ) -> None:  # fmt: skip
        self._stream, self._instruments, self._now_ns = stream, instruments, now_ns
        self._waiting = WaitingTicks(limit)
        self._news = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._epoch, self._beat_ns = 0, SECOND_NS
        self._beat: Beat | None = None
        self._quiet = self._ticks = self._lost = 0
        self._last_ns = self._arrived_ns = TsNs(0)
        self._is_closed = False
        self.stale = self.foreign = 0

    @property
    def joined(self) -> int:
        """How many ticks were joined with a later one of their instrument."""
        return self._waiting.joined

    def expect(self, began: Streamed) -> None:
        """Be told who publishes now: what older publishers say is passed over."""
        if isinstance(began.message, Began):
            self._epoch, self._beat_ns = began.seq, began.message.beat_ns

    async def ticks(self) -> AsyncIterator[Tick]:
        """Yield ticks as they come; see the port."""
        self._reader = asyncio.create_task(self._read())
        try:
            while not self._is_closed:
                await self._news.wait()
                self._news.clear()
                while taken := self._waiting.take(TURN):
                    for seen in taken:
                        yield seen.tick
                if self._reader.done() and not self._is_closed:
                    self._reader.result()
                    return
        finally:
            self._reader.cancel()

    def health(self) -> FeedHealth:
        """Return how the feed is doing, the publisher's own link included."""
        link, beat = self._stream.link, self._beat
        if not link.is_connected:
            note = link.note
        elif beat is None:
            note = NOBODY
        elif beat.ended:
            note = "the publisher has ended"
        elif self._quiet >= MISSED_BEATS:
            note = "nothing is heard of the publisher"
        else:
            note = "" if beat.is_connected else beat.note or "the publisher is not connected"
        interruptions = link.interruptions + self._lost + (beat.interruptions if beat is not None else 0)
        return FeedHealth(not note, self._ticks, self._last_ns, self._arrived_ns, interruptions, note)

    async def close(self) -> None:
        """Let go of the stream; `ticks` ends."""
        self._is_closed = True
        self._news.set()
        # First, as it ends the reader also where Python 3.11 loses a cancellation that meets a timeout.
        await self._stream.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        try:
            await self._stream.open()
            async for batch in self._stream.read(self._instruments):
                self._quiet = 0 if batch else self._quiet + 1
                for one in batch:
                    self._take(one)
        finally:
            self._news.set()

    def _take(self, one: Streamed) -> None:
        message = one.message
        epoch = one.seq if isinstance(message, Began) else message.epoch
        if epoch < self._epoch:
            self.foreign += 1
            return
        if epoch > self._epoch:
            self._lost += (self._beat.interruptions if self._beat is not None else 0) + bool(self._epoch)
            self._epoch, self._beat = epoch, None
        if isinstance(message, Began):
            self._beat_ns = message.beat_ns
        elif isinstance(message, Beat):
            self._beat = message
        else:
            self._see(message)

    def _see(self, seen: TickSeen) -> None:
        now_ns = self._now_ns()
        if now_ns - seen.arrived_ns > STALE_BEATS * self._beat_ns:
            self.stale += 1
            self._waiting.owe(seen)
            return
        self._ticks += 1
        self._last_ns, self._arrived_ns = seen.ts_ns, now_ns
        self._waiting.put(seen)
        self._news.set()


async def publisher_of(
    stream: TickStream, instruments: Collection[InstrumentId], names: Callable[[InstrumentId], str] = str
) -> tuple[Streamed, Began]:
    """Return who publishes on an open stream. `names` gives instruments as people type them.

    Raises
    ------
    SourceError
        Nobody does, or who did has ended.
    UsageError
        Some of the instruments are not published.
    """
    found, beat = await stream.last()
    last = beat.message if beat is not None else None
    if found is None or not isinstance(found.message, Began) or (isinstance(last, Beat) and last.ended):
        raise SourceError(
            NOBODY if found is None else "the publisher of this stream has ended",
            hint="Start one: manjha feed serve --stream ADDRESS --instrument …",
        )
    missing = sorted(names(one) for one in set(instruments) - set(found.message.instruments))
    if missing:
        raise UsageError(
            f"{', '.join(missing)} is not published on this stream",
            hint="Start the publisher with it: manjha feed serve --instrument …",
        )
    return found, found.message

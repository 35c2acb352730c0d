"""A stream of ticks within one process: what it keeps is in memory, and gone with it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import suppress
from itertools import islice

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.streams import Beat, Began, LinkState, Message, Streamed, TickSeen

KEPT_MAX = 100_000
"""Messages that are kept; the oldest give way."""
TAKEN_MAX = 512
QUIET_S = 1.0


class Kept:
    """What streams in this process keep in common.

    Parameters
    ----------
    now_ns
        The clock by which `read` finds what was kept since a moment.
    """

    def __init__(self, now_ns: Callable[[], TsNs], limit: int = KEPT_MAX) -> None:
        self._now_ns, self._limit = now_ns, limit
        self.identity = f"in process since {now_ns()}"
        self._kept: deque[tuple[TsNs, Streamed]] = deque(maxlen=limit)
        self._keys: dict[str, int] = {}
        self._news = asyncio.Event()
        self.last: dict[type, Streamed] = {}
        self.acked: dict[str, int] = {}
        self.seq = 0

    def keep(self, key: str, message: Message) -> int:
        """Keep a message, unless one of its key is; return its number."""
        if key in self._keys:
            return self._keys[key]
        self.seq += 1
        streamed = Streamed(self.seq, message)
        self._kept.append((self._now_ns(), streamed))
        self.last[type(message)] = streamed
        self._keys[key] = self.seq
        if len(self._keys) > self._limit:
            del self._keys[next(iter(self._keys))]
        return self.seq

    def since(self, ts_ns: TsNs) -> int:
        """Return the number before the first message that was kept at a moment or later."""
        return next((one.seq for at_ns, one in self._kept if at_ns >= ts_ns), self.seq + 1) - 1

    async def taken(self, after: int, most: int, seconds: float) -> Sequence[Streamed]:
        """Return what comes after a message, at most so many; none where nothing has come for so long."""
        found = self._after(after, most)
        if not found:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), seconds)
                found = self._after(after, most)
        return found

    def stir(self) -> None:
        """Wake all who wait; who waits next has an event of its own."""
        self._news.set()
        self._news = asyncio.Event()

    def _after(self, after: int, most: int) -> list[Streamed]:
        if self.seq <= after:
            return []
        begin = max(after + 1 - self._kept[0][1].seq, 0)
        return [one for _, one in islice(self._kept, begin, begin + most)]


class InProcessStream:
    """Implements `ports.tick_stream.TickStream` over what is kept in common. Use it inside one event loop."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._is_open = False

    async def open(self) -> None:
        """Begin."""
        self._is_open = True

    async def identity(self) -> str:
        """Return since when it has been kept."""
        return self._kept.identity

    async def publish(self, messages: Sequence[tuple[str, Message]]) -> int:
        """Keep messages; see the port."""
        numbers = [self._kept.keep(key, message) for key, message in messages]
        self._kept.stir()
        return max(numbers, default=0)

    async def last(self) -> tuple[Streamed | None, Streamed | None]:
        """Return the last `Began` and the last `Beat`."""
        return self._kept.last.get(Began), self._kept.last.get(Beat)

    async def read(
        self, instruments: Collection[InstrumentId] | None = None, *, since_ns: TsNs | None = None
    ) -> AsyncIterator[Sequence[Streamed]]:
        """Yield what comes; see the port."""
        after = self._kept.seq if since_ns is None else self._kept.since(since_ns)
        wanted = None if instruments is None else frozenset(instruments)
        while self._is_open:
            found = await self._kept.taken(after, TAKEN_MAX, QUIET_S)
            after = found[-1].seq if found else after
            yield [one for one in found if wanted is None or _is_wanted(one, wanted)]

    async def tape(self, name: str, after: int) -> "InProcessTape":
        """Return a place; see the port."""
        return InProcessTape(self._kept, name, after or self._kept.acked.get(name, 0))

    @property
    def link(self) -> LinkState:
        """Always there, until it is closed."""
        return LinkState(self._is_open, note="" if self._is_open else "closed")

    async def close(self) -> None:
        """End it; others who use what is kept go on."""
        self._is_open = False
        self._kept.stir()


class InProcessTape:
    """Implements `ports.tick_stream.Tape`; made by `InProcessStream.tape`."""

    def __init__(self, kept: Kept, name: str, after: int) -> None:
        self._kept, self._name, self._after = kept, name, after

    async def take(self, most: int, wait_ns: int) -> Sequence[Streamed]:
        """Return what comes next."""
        found = await self._kept.taken(self._after, most, wait_ns / SECOND_NS)
        self._after = found[-1].seq if found else self._after
        return found

    async def ack(self, seq: int) -> None:
        """Remember it."""
        self._kept.acked[self._name] = seq


def _is_wanted(one: Streamed, wanted: frozenset[InstrumentId]) -> bool:
    return not isinstance(one.message, TickSeen) or one.message.instrument in wanted

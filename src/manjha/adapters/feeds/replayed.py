"""Ticks that are known already, given out as if they came now: recorded or synthetic, at any speed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from manjha.domain.errors import UsageError
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.ticks import Tick
from manjha.ports.clock import Clock
from manjha.ports.feed import FeedHealth

GAP_NS = 5 * SECOND_NS
"""Longest wait for a tick: nights and lunch breaks of a recording are not waited through."""
BREATH = 256
"""Ticks after which others get their turn, where nothing is waited for."""


class ReplayedFeed:
    """Implements `ports.feed.Feed` over ticks in the order of time.

    Parameters
    ----------
    ticks
        Read as they are needed. Their stamps stay those of the recording.
    clock
        Tells the time; only differences count.
    speed
        How many times as fast as they were: 1 is real time, 60 an hour in a minute, 0 as fast as they are taken.
    pause
        Waits for some seconds; `asyncio.sleep` unless a test hands in another.
    """

    def __init__(
        self,
        ticks: Iterable[Tick],
        clock: Clock,
        *,
        speed: float = 0.0,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not 0 <= speed <= 1_000_000:
            raise UsageError(f"expected a speed from 0 (as fast as possible) to 1,000,000, was {speed!r}")
        self._source = iter(ticks)
        self._clock = clock
        self._speed = speed
        self._pause = pause
        self._count = 0
        self._last_ns = self._arrived_ns = TsNs(0)
        self._is_open = True

    async def ticks(self) -> AsyncIterator[Tick]:
        """Yield the ticks, each not before it is due."""
        due_ns = self._clock.now_ns()
        for tick in self._source:
            if self._speed and self._count:
                gap_ns = min(max(tick.ts_ns - self._last_ns, 0) / self._speed, GAP_NS)
                due_ns = TsNs(due_ns + round(gap_ns))
                wait_ns = due_ns - self._clock.now_ns()
                if wait_ns > 0:
                    await self._pause(wait_ns / SECOND_NS)
            elif self._count % BREATH == BREATH - 1:
                await self._pause(0)
            if not self._is_open:
                return
            self._count += 1
            self._last_ns, self._arrived_ns = tick.ts_ns, self._clock.now_ns()
            yield tick
        self._is_open = False

    def health(self) -> FeedHealth:
        """Return how many ticks were given and when the last one was."""
        note = "" if self._is_open else "the recording has ended" if self._count else "closed before the first tick"
        return FeedHealth(self._is_open, self._count, self._last_ns, self._arrived_ns, note=note)

    async def close(self) -> None:
        """End it."""
        self._is_open = False

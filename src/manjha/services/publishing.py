"""Publishes the ticks of a feed on a stream, so that one connection to the exchange serves many processes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec

from manjha.domain.errors import UsageError
from manjha.domain.moments import TsNs, format_ts
from manjha.domain.streams import MISSED_BEATS, Beat, Began, Message, TickSeen, WaitingTicks
from manjha.ports.feed import Feed, FeedHealth
from manjha.ports.tick_stream import TickStream

WAITING_MAX = 65_536
"""Ticks that may wait for the stream; more are joined, and every beat says so."""
TURN = 2_048
"""Ticks that are said in one piece."""
BEAT_S = 1.0


class Published(msgspec.Struct, frozen=True):
    """What a publisher has done: ticks that the stream keeps, and ticks that were joined with a later one."""

    ticks: int
    joined: int
    interruptions: int


class PublisherTimes(NamedTuple):
    """`now_ns` is the exchange's time, `mono_ns` a clock that never jumps; `pause` waits for some seconds."""

    now_ns: Callable[[], TsNs]
    mono_ns: Callable[[], int]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


class Publisher:
    """Owns a feed and says on a stream what comes from it; `begun` is set once others find it there.

    Use it inside one event loop, once.

    Parameters
    ----------
    began
        What it says first; its moment is set then.
    """

    def __init__(self, stream: TickStream, feed: Feed, began: Began, times: PublisherTimes) -> None:
        self._stream, self._feed, self._began, self._times = stream, feed, began, times
        self._waiting = WaitingTicks(WAITING_MAX)
        self._news = asyncio.Event()
        self._epoch = self._number = self._beats = self._ticks = 0
        self._is_over = self._is_due = False
        self.begun = asyncio.Event()

    def stop(self) -> None:
        """Ask it to end, after it has said what waits."""
        self._is_over = True
        self._news.set()

    def health(self) -> FeedHealth:
        """Return how its own feed is doing."""
        return self._feed.health()

    async def run(self) -> Published:
        """Publish until it is asked to stop, or the feed ends.

        Raises
        ------
        UsageError
            Another publisher lives on this stream; or one began after this one, which has to end.
        SourceError
            The stream cannot be had, or will take nothing.
        """
        await self._require_alone()
        self._began = msgspec.structs.replace(self._began, at_ns=self._times.now_ns())
        self._epoch = await self._stream.publish([(f"began {self._times.mono_ns()} {self._began.at_ns}", self._began)])
        self.begun.set()
        tasks = [asyncio.create_task(self._take()), asyncio.create_task(self._remind())]
        try:
            while not (self._is_over or tasks[0].done()):
                await self._turn()
            await self._say_waiting()
            await self._say([self._next_beat(ended=True)])
            if tasks[0].done():
                tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._feed.close()
        return Published(self._ticks, self._waiting.joined, self._feed.health().interruptions)

    async def _require_alone(self) -> None:
        """Raise `UsageError` where beats of another publisher come that has not ended."""
        before = await self._beaten()
        if before is None or before.ended:
            return
        for _ in range(MISSED_BEATS):
            await self._times.pause(BEAT_S)
            now = await self._beaten()
            if now is not None and (now.epoch, now.number) != (before.epoch, before.number):
                raise UsageError(
                    f"another publisher lives on this stream, its last beat is of {format_ts(now.at_ns)[:19]}",
                    hint="End that one (^C) and start this one again, or give this one a stream.name of its own.",
                )

    async def _beaten(self) -> Beat | None:
        _, beat = await self._stream.last()
        return beat.message if beat is not None and isinstance(beat.message, Beat) else None

    async def _take(self) -> None:
        try:
            async for tick in self._feed.ticks():
                now_ns = self._times.now_ns()
                self._waiting.put(TickSeen(self._epoch, now_ns, tick.instrument, tick.ts_ns, tick.px, tick.volume))
                self._news.set()
        finally:
            self._news.set()

    async def _remind(self) -> None:
        while True:
            self._is_due = True
            self._news.set()
            await self._times.pause(BEAT_S)

    async def _turn(self) -> None:
        """Say what waits, and then, where it is time, that all of it was said: a beat vouches for what came before."""
        await self._news.wait()
        self._news.clear()
        await self._say_waiting()
        if self._is_due:
            self._is_due = False
            await self._say([self._next_beat(ended=False)])
            await self._require_last()

    async def _require_last(self) -> None:
        began, _ = await self._stream.last()
        if began is not None and began.seq > self._epoch:
            raise UsageError(
                "another publisher has begun on this stream; this one has ended",
                hint="One is enough: nobody believes what an older one says.",
            )

    def _next_beat(self, *, ended: bool) -> Beat:
        self._beats += 1
        health = self._feed.health()
        return Beat(
            self._epoch, self._beats, self._times.now_ns(), health.is_connected, health.interruptions,
            self._waiting.joined, ended, health.note,
        )  # fmt: skip

    async def _say_waiting(self) -> None:
        while len(self._waiting):
            seen = self._waiting.take(TURN)
            await self._say(seen)
            self._ticks += len(seen)

    async def _say(self, messages: Sequence[Message]) -> None:
        keyed = []
        for message in messages:
            self._number += 1
            keyed.append((f"{self._epoch}.{self._number}", message))
        await self._stream.publish(keyed)

"""Ticks through a NATS server of this machine: `python -m benchmarks.streams TICKS PACE`.

A publisher at a pace in ticks a second, two readers of all 500 instruments and one of a single one, all in this
process; then a recorder of all of it. What is told is by the clock, of one run.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from manjha.adapters.files.bar_store import ParquetBarStore
from manjha.adapters.files.rule_tables import load_rules
from manjha.adapters.files.tick_days import TickDays
from manjha.adapters.nats.link import Server
from manjha.adapters.nats.stream import NatsStream
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.streams import Began
from manjha.domain.ticks import Tick
from manjha.ports.feed import FeedHealth
from manjha.services.publishing import Publisher, PublisherTimes
from manjha.services.streamed_feed import StreamedFeed
from manjha.services.tick_recorder import RecorderParts, TickRecorder
from tests.fakes.nats_server import a_nats_server

NAMES = [InstrumentId(f"NSE:S{at}") for at in range(500)]
FRAME = 250
"""Ticks that come at once, as in a frame of the ticker."""


def now_ns() -> TsNs:
    return TsNs(time.time_ns())


class Frames:
    """A feed that gives frames at a pace, in ticks a second."""

    def __init__(self, count: int, pace: int) -> None:
        self._count, self._wait_s = count, FRAME / pace

    async def ticks(self) -> AsyncIterator[Tick]:
        for at in range(self._count):
            if at % FRAME == 0:
                await asyncio.sleep(self._wait_s)
            yield Tick(NAMES[at % len(NAMES)], now_ns(), Px(1_000_0000 + at % 100), Qty(1))

    def health(self) -> FeedHealth:
        return FeedHealth(True, 0, TsNs(0), TsNs(0))

    async def close(self) -> None:
        return


async def taken(url: str, names: list[InstrumentId], ready: asyncio.Event, ages: list[int]) -> None:
    feed = StreamedFeed(NatsStream(Server(url)), names, now_ns, limit=65_536)
    async for tick in feed.ticks():
        ages.append(now_ns() - tick.ts_ns)
        ready.set()


async def streamed(url: str, count: int, pace: int) -> dict[str, float]:
    """Publish, read, and record; return what was measured."""
    ages: list[list[int]] = [[], [], []]
    readers = [
        asyncio.create_task(taken(url, names, asyncio.Event(), found))
        for names, found in zip((NAMES, NAMES, NAMES[:1]), ages, strict=True)
    ]
    stream = NatsStream(Server(url))
    await stream.open()
    await asyncio.sleep(1)
    began = Began(now_ns(), "benchmark", True, tuple(NAMES))
    start = time.perf_counter()
    done = await Publisher(stream, Frames(count, pace), began, PublisherTimes(now_ns, time.monotonic_ns)).run()
    published_s = time.perf_counter() - start
    await asyncio.sleep(2)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    with tempfile.TemporaryDirectory() as folder:
        log = TickDays(Path(folder), str)
        parts = RecorderParts(
            stream=stream, log=log, store=ParquetBarStore(Path(folder) / "bars"), listed={}, rules=load_rules(),
            now_ns=now_ns,
        )  # fmt: skip
        start = time.perf_counter()
        await TickRecorder(parts, "benchmark").run()
        recorded_s = time.perf_counter() - start
    await stream.close()
    age = sorted(ages[0])
    return {
        "published a second": round(done.ticks / published_s), "joined": done.joined,
        "read by each of two": len(ages[0]), "read of one instrument": len(ages[2]),
        "age in the middle, ms": age[len(age) // 2] / 1e6,
        "age at the 99th percentile, ms": age[-len(age) // 100] / 1e6,
        "recorded a second": round(done.ticks / recorded_s),
    }  # fmt: skip


def main() -> None:
    """Print what was measured as JSON."""
    count, pace = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder, a_nats_server(Path(folder)) as server:
        print(json.dumps(asyncio.run(streamed(server.url, count, pace)), indent=2))


if __name__ == "__main__":
    main()

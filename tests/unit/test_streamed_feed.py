"""One feed published once and taken up as many: the same ticks, old ones kept out, one publisher at a time."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from manjha.adapters.feeds.in_process import InProcessStream, Kept
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.streams import Beat, Began, Message, TickSeen, WaitingTicks
from manjha.domain.ticks import Tick
from manjha.ports.feed import FeedHealth
from manjha.services.publishing import Published, Publisher, PublisherTimes
from manjha.services.streamed_feed import StreamedFeed, publisher_of
from tests.fakes.virtual_time import VirtualTime

AT = TsNs(1_720_000_000 * SECOND_NS)
ONE, OTHER = InstrumentId("NSE:ONE"), InstrumentId("NSE:OTHER")
BEGAN = Began(AT, "https://api.kite.trade", False, (ONE, OTHER))


class Scripted:
    """A feed that gives ticks at their moments, is cut when told, and ends with its ticks or waits to be closed."""

    def __init__(self, time: VirtualTime, ticks: list[Tick], *, ends: bool = True) -> None:
        self._time, self._ticks, self._ends = time, ticks, ends
        self.interruptions, self.is_up, self.is_closed = 0, True, asyncio.Event()

    async def ticks(self) -> AsyncIterator[Tick]:
        for tick in self._ticks:
            await self._time.until(tick.ts_ns)
            yield tick
        if not self._ends:
            await self.is_closed.wait()

    def health(self) -> FeedHealth:
        return FeedHealth(self.is_up, 0, TsNs(0), TsNs(0), self.interruptions, "" if self.is_up else "cut")

    async def close(self) -> None:
        self.is_closed.set()


class Stage:
    """A stream in virtual time, a publisher, and feeds that take it up."""

    def __init__(self) -> None:
        self.time = VirtualTime(AT)
        self.kept = Kept(self.time.now_ns)
        self.stream = InProcessStream(self.kept)

    def publisher(self, feed: Scripted) -> Publisher:
        return Publisher(self.stream, feed, BEGAN, PublisherTimes(self.time.now_ns, self.time.mono_ns))

    def feed(self, *instruments: InstrumentId, limit: int = 100) -> StreamedFeed:
        return StreamedFeed(self.another(), instruments or (ONE, OTHER), self.time.now_ns, limit)

    def another(self) -> InProcessStream:
        """Return the stream as another process has it."""
        return InProcessStream(self.kept)

    def run(self, story: Coroutine[Any, Any, None]) -> None:
        async def lived() -> None:
            await self.stream.open()
            await asyncio.wait_for(story, 3600)

        self.time.run(lived())


@pytest.fixture
def stage() -> Stage:
    return Stage()


def tick(second: float, px: int = 1_000, volume: int = 1, name: InstrumentId = ONE) -> Tick:
    return Tick(name, TsNs(AT + round(second * SECOND_NS)), Px(px), Qty(volume))


def seen(at: Tick, epoch: int = 1, arrived_ns: int | None = None) -> TickSeen:
    return TickSeen(epoch, TsNs(arrived_ns or at.ts_ns), at.instrument, at.ts_ns, at.px, at.volume)


async def collected(feed: StreamedFeed, found: list[Tick]) -> None:
    async for one in feed.ticks():
        found.append(one)  # noqa: PERF401 - looked at while it grows


def test_two_feeds_give_the_ticks_of_one_publisher(stage: Stage) -> None:
    ticks = [tick(at / 4, 1_000 + at, at, (ONE, OTHER)[at % 2]) for at in range(4, 60)]

    async def story() -> None:
        found: list[list[Tick]] = [[], []]
        feeds = [stage.feed(), stage.feed(ONE)]
        tasks = [asyncio.create_task(collected(*pair)) for pair in zip(feeds, found, strict=True)]
        await asyncio.sleep(0.1)
        assert await stage.publisher(Scripted(stage.time, ticks)).run() == Published(len(ticks), 0, 0)
        await asyncio.sleep(1)
        assert found == [ticks, [one for one in ticks if one.instrument == ONE]]
        health = feeds[0].health()
        assert (health.is_connected, health.ticks, health.last_ns) == (False, len(ticks), ticks[-1].ts_ns)
        assert health.note == "the publisher has ended"
        await feeds[0].close()
        await feeds[1].close()
        await asyncio.gather(*tasks)

    stage.run(story())


@pytest.mark.failure("F58")
def test_a_publisher_that_falls_silent_and_one_that_is_cut_off_are_told(stage: Stage) -> None:
    async def story() -> None:
        source, feed = Scripted(stage.time, [], ends=False), stage.feed()
        taking = asyncio.create_task(collected(feed, []))
        publishing = asyncio.create_task(stage.publisher(source).run())
        await asyncio.sleep(3)
        assert feed.health() == FeedHealth(True, 0, TsNs(0), TsNs(0), 0, "")
        source.is_up, source.interruptions = False, 1
        await asyncio.sleep(3)
        assert (feed.health().is_connected, feed.health().interruptions, feed.health().note) == (False, 1, "cut")
        publishing.cancel()
        await asyncio.sleep(10)
        assert feed.health().note == "nothing is heard of the publisher"
        await feed.close()
        await taking

    stage.run(story())


@pytest.mark.failure("F60")
def test_what_is_old_is_kept_out_and_its_quantity_counts_with_the_next(stage: Stage) -> None:
    async def story() -> None:
        feed, found = stage.feed(), list[Tick]()
        taking = asyncio.create_task(collected(feed, found))
        await asyncio.sleep(60)
        said: list[Message] = [BEGAN, seen(tick(40, 900, 5)), seen(tick(44.9, 901, 2)), seen(tick(45, 902, 3))]
        await stage.stream.publish([(str(at), one) for at, one in enumerate(said)])
        await asyncio.sleep(1)
        assert (found, feed.stale) == ([tick(45, 902, 10)], 2)
        await feed.close()
        await taking

    stage.run(story())


def test_nobody_believes_a_publisher_that_was_replaced(stage: Stage) -> None:
    async def story() -> None:
        feed, found = stage.feed(), list[Tick]()
        taking = asyncio.create_task(collected(feed, found))
        await asyncio.sleep(0.1)
        said: list[Message] = [
            BEGAN, seen(tick(0, 1)), Beat(1, 1, AT, True, 2), BEGAN, seen(tick(0, 2)), seen(tick(0, 3), epoch=4),
            Beat(1, 2, AT, True, 9), Beat(4, 1, AT, True, 1),
        ]  # fmt: skip
        await stage.stream.publish([(str(at), one) for at, one in enumerate(said)])
        await asyncio.sleep(0.5)
        assert ([one.px for one in found], feed.foreign) == ([1, 3], 2)
        # Two of the first one, the change itself, one of the second.
        assert feed.health().interruptions == 4
        await feed.close()
        await taking

    stage.run(story())


@pytest.mark.failure("F53")
def test_ticks_that_nobody_takes_are_joined_and_never_more_than_the_bound(stage: Stage) -> None:
    async def story() -> None:
        feed = stage.feed(limit=2)
        ticks = feed.ticks()
        first = asyncio.ensure_future(anext(ticks))
        await asyncio.sleep(0.1)
        said: list[Message] = [BEGAN, *(seen(tick(0, 100 + at, 1, (ONE, OTHER)[at % 2])) for at in range(50))]
        await stage.stream.publish([(str(at), one) for at, one in enumerate(said)])
        found = [await first, await anext(ticks)]
        assert found == [tick(0, 148, 25), tick(0, 149, 25, OTHER)]
        assert feed.joined == 48
        await feed.close()

    stage.run(story())


def test_joining_loses_no_quantity_and_keeps_the_last_price_of_each() -> None:
    waiting = WaitingTicks(2)
    names = [InstrumentId(f"NSE:{letter}") for letter in "ABC"]
    said = [tick(at, 100 + at, at + 1, names[(at * 7) % 3]) for at in range(40)]
    for one in said:
        waiting.put(seen(one))
        assert len(waiting) <= 2
    left = [one.tick for one in waiting.take(10)]
    assert [one.ts_ns for one in left] == sorted(one.ts_ns for one in left)
    for name in names:
        waiting.put(seen(tick(99, 1, 0, name)))
        left += [one.tick for one in waiting.take(10)]
    assert sum(one.volume for one in left) == sum(one.volume for one in said)
    assert [one.px for one in left[:2]] == [138, 139]


def test_a_second_publisher_is_refused_while_the_first_lives_and_not_after(stage: Stage) -> None:
    async def story() -> None:
        first = stage.publisher(Scripted(stage.time, [], ends=False))
        publishing = asyncio.create_task(first.run())
        await asyncio.sleep(2)
        with pytest.raises(UsageError, match="another publisher lives"):
            await stage.publisher(Scripted(stage.time, [])).run()
        # Killed: no last beat. The next one listens a while, and begins.
        publishing.cancel()
        assert (await stage.publisher(Scripted(stage.time, [tick(60)])).run()).ticks == 1
        # Ended: the next one begins at once.
        before = stage.time.mono_ns()
        await stage.publisher(Scripted(stage.time, [])).run()
        assert stage.time.mono_ns() == before

    stage.run(story())


def test_a_publisher_that_was_replaced_ends(stage: Stage) -> None:
    async def story() -> None:
        publishing = asyncio.create_task(stage.publisher(Scripted(stage.time, [], ends=False)).run())
        await asyncio.sleep(2)
        await stage.stream.publish([("as after a long sleep", BEGAN)])
        with pytest.raises(UsageError, match="another publisher has begun"):
            await publishing

    stage.run(story())


def test_who_takes_a_stream_up_is_told_what_it_lacks(stage: Stage) -> None:
    async def story() -> None:
        with pytest.raises(SourceError, match="nobody publishes"):
            await publisher_of(stage.stream, [ONE])
        await stage.stream.publish([("1", BEGAN), ("2", Beat(1, 1, AT, True))])
        found, began = await publisher_of(stage.stream, [ONE])
        assert (found.seq, began) == (1, BEGAN)
        with pytest.raises(UsageError, match="NSE:THIRD is not published"):
            await publisher_of(stage.stream, [InstrumentId("NSE:THIRD")])
        await stage.stream.publish([("3", Beat(1, 2, AT, True, ended=True))])
        with pytest.raises(SourceError, match="has ended"):
            await publisher_of(stage.stream, [ONE])

    stage.run(story())

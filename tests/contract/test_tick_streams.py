"""What every stream of ticks keeps: order, each message once, a place for each reader, places that outlive them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from manjha.adapters.feeds.in_process import InProcessStream, Kept
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.streams import Beat, Began, LinkState, Message, Streamed, TickSeen
from manjha.ports.tick_stream import TickStream
from tests.fakes.nats_server import a_nats_server

AT = TsNs(1_720_000_000 * SECOND_NS)
ONE, OTHER = InstrumentId("NSE:INE002A01018"), InstrumentId("NFO:NIFTY:2024-01-25:22500.5:CE")
BEGAN = Began(AT, "https://api.kite.trade", False, (ONE, OTHER))
Opens = Callable[[], TickStream]


@pytest.fixture(params=["in process", "nats"])
def opens(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opens]:
    """Give the same stream as often as it is asked for, as its several users see it."""
    if request.param == "in process":
        kept = Kept(_ticking())
        yield lambda: InProcessStream(kept)
        return
    with a_nats_server(tmp_path) as server:
        from manjha.adapters.nats.link import Server
        from manjha.adapters.nats.stream import NatsStream

        yield lambda: NatsStream(Server(server.url))


def _ticking() -> Callable[[], TsNs]:
    import time

    return lambda: TsNs(time.time_ns())


def seen(number: int, instrument: InstrumentId = ONE) -> TickSeen:
    return TickSeen(1, TsNs(AT + number), instrument, TsNs(AT + number), Px(1_000 + number), Qty(number))


def keyed(messages: Sequence[Message], first: int = 0) -> list[tuple[str, Message]]:
    return [(f"1.{first + at}", message) for at, message in enumerate(messages)]


def lived(opens: Opens, story: Callable[[TickStream], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        stream = opens()
        await stream.open()
        try:
            await asyncio.wait_for(story(stream), 60)
        finally:
            await stream.close()

    asyncio.run(all_of_it())


async def taken(reader: AsyncIterator[Sequence[Streamed]], count: int) -> list[Streamed]:
    found: list[Streamed] = []
    while len(found) < count:
        found += await anext(reader)
    return found


async def begun(reader: AsyncIterator[Sequence[Streamed]]) -> None:
    """Let a reader of what is new find its place."""
    assert await anext(reader) == []


def test_what_is_said_comes_to_each_reader_whole_and_in_order(opens: Opens) -> None:
    async def story(stream: TickStream) -> None:
        readers = [stream.read(), stream.read()]
        await asyncio.gather(*(begun(reader) for reader in readers))
        said: list[Message] = [BEGAN, *(seen(at) for at in range(600)), Beat(1, 1, AT, True)]
        last = await stream.publish(keyed(said))
        for reader in readers:
            got = await taken(reader, len(said))
            assert [one.message for one in got] == said
            assert [one.seq for one in got] == list(range(last - len(said) + 1, last + 1))

    lived(opens, story)


def test_a_reader_gets_the_ticks_of_its_instruments_and_all_that_is_no_tick(opens: Opens) -> None:
    async def story(stream: TickStream) -> None:
        reader = stream.read([OTHER])
        await begun(reader)
        beat = Beat(1, 1, AT, True)
        await stream.publish(keyed([BEGAN, seen(1), seen(2, OTHER), seen(3), beat]))
        assert [one.message for one in await taken(reader, 3)] == [BEGAN, seen(2, OTHER), beat]

    lived(opens, story)


def test_the_same_key_is_kept_once(opens: Opens) -> None:
    async def story(stream: TickStream) -> None:
        reader = stream.read()
        await begun(reader)
        said = keyed([seen(1), seen(2)])
        assert await stream.publish(said) == await stream.publish(said)
        await stream.publish(keyed([seen(3)], first=2))
        assert [one.message for one in await taken(reader, 3)] == [seen(1), seen(2), seen(3)]

    lived(opens, story)


def test_the_last_of_each_kind_is_told(opens: Opens) -> None:
    async def story(stream: TickStream) -> None:
        assert await stream.last() == (None, None)
        beats = [Beat(1, number, AT, True) for number in (1, 2)]
        await stream.publish(keyed([BEGAN, beats[0], seen(1), beats[1], seen(2)]))
        began, beat = await stream.last()
        assert began is not None
        assert beat is not None
        assert (began.message, beat.message, beat.seq - began.seq) == (BEGAN, beats[1], 3)

    lived(opens, story)


def test_what_was_kept_since_a_moment_is_read_first(opens: Opens) -> None:
    async def story(stream: TickStream) -> None:
        await stream.publish(keyed([seen(1), seen(2)]))
        reader = stream.read(since_ns=TsNs(0))
        assert [one.message for one in await taken(reader, 2)] == [seen(1), seen(2)]
        await stream.publish(keyed([seen(3)], first=2))
        assert [one.message for one in await taken(reader, 1)] == [seen(3)]
        later = stream.read(since_ns=TsNs(_ticking()() + 3600 * SECOND_NS))
        await begun(later)

    lived(opens, story)


def test_a_place_goes_on_where_it_was_acknowledged(opens: Opens) -> None:
    async def story(stream: TickStream) -> None:
        await stream.publish(keyed([seen(at) for at in range(6)]))
        tape = await stream.tape("desk", 0)
        first = await tape.take(4, 5 * SECOND_NS)
        assert [one.message for one in first] == [seen(at) for at in range(4)]
        await tape.ack(first[1].seq)
        # Another process asks for the place while what it was handed is not acknowledged.
        again = await stream.tape("desk", 0)
        got = await again.take(10, 5 * SECOND_NS)
        while got[-1].message != seen(5):
            got = [*got, *await again.take(10, 5 * SECOND_NS)]
        assert [one.message for one in got] == [seen(at) for at in range(2, 6)]
        # Who knows better than the stream how far it has come says so.
        better = await stream.tape("desk", got[-1].seq)
        assert await better.take(10, SECOND_NS) == []

    lived(opens, story)


def test_a_stream_has_one_identity_whoever_asks(opens: Opens) -> None:
    async def story(stream: TickStream) -> None:
        other = opens()
        await other.open()
        await stream.publish(keyed([seen(1)]))
        assert await stream.identity() == await other.identity() != ""
        if other is not stream:
            await other.close()

    lived(opens, story)


def test_a_stream_that_is_closed_ends_its_readers(opens: Opens) -> None:
    async def story(stream: TickStream) -> None:
        reader = stream.read()
        await begun(reader)
        assert stream.link == LinkState(is_connected=True)
        await stream.close()
        assert [one async for one in reader] in ([], [[]])
        link = stream.link
        assert (link.is_connected, link.note) == (False, "closed")

    lived(opens, story)

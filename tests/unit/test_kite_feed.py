"""The feed of Kite's ticker, over real sockets: made anew when it is dead, silent or refused, and never in secret."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest

from manjha.adapters.kite.feed import Clocks, KiteFeed, Stream
from manjha.adapters.kite.link import FRAME_MAX, Pace
from manjha.adapters.kite.observed import Watched
from manjha.domain.errors import UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.ticks import Tick
from tests.fakes.kite_packets import NSE, frame, full_body, token_of
from tests.fakes.kite_stream import HEARTBEAT, Client, StreamServer, beats, plays, quiet, refusal

TOKEN = token_of(1594, NSE)
WATCHED = {TOKEN: Watched(InstrumentId("NSE:INE0PATANG01"))}
NOW_S = 1_790_000_000
SECRET = "s3cr3tt0k3n"  # noqa: S105
QUICK = Pace(silence=0.05, stall=0.02, first=0.001, longest=0.002)
PATIENT = Pace(silence=20, stall=20, first=0.001, longest=0.002)


def packet(px: int, volume: int, token: int = TOKEN) -> bytes:
    names = (
        "last_qty", "average", "buy", "sell", "open", "high", "low", "close", "last_trade_s", "oi", "oi_high", "oi_low",
    )  # fmt: skip
    numbers = dict.fromkeys(names, 0) | {"last": px, "volume": volume, "exchange_s": NOW_S}
    return frame([full_body(token, numbers, [(1, px, 1)] * 10)])


@asynccontextmanager
async def fed(
    server: StreamServer,
    pace: Pace = PATIENT,
    watched: dict[int, Watched] | None = None,
    credentials: Callable[[], tuple[str, str]] = lambda: ("key", SECRET),
    *,
    is_open: bool = True,
    seconds: Callable[[], float] = time.monotonic,
) -> AsyncIterator[KiteFeed]:
    async with server.running():
        stream = Stream(server.base, credentials, lambda: is_open)
        clocks = Clocks(lambda: TsNs(NOW_S * SECOND_NS), seconds)
        feed = KiteFeed(stream, WATCHED if watched is None else watched, clocks, pace)
        try:
            yield feed
        finally:
            await feed.close()


async def take(feed: KiteFeed, count: int) -> list[Tick]:
    found = []
    async for tick in feed.ticks():
        found.append(tick)
        if len(found) == count:
            break
    return found


def runs(case: Callable[[], Awaitable[None]]) -> None:
    async def timed() -> None:
        async with asyncio.timeout(20):
            await case()

    asyncio.run(timed())


def test_ticks_come_in_the_order_of_the_packets() -> None:
    async def case() -> None:
        server = StreamServer(plays(HEARTBEAT, packet(15_000, 100), packet(15_010, 130)))
        async with fed(server) as feed:
            first, second = await take(feed, 2)
            assert (first.px, first.volume) == (1_500_000, 0)
            assert (second.px, second.volume) == (1_501_000, 30)
            assert server.clients[0].modes == {TOKEN: "full"}
            health = feed.health()
            assert (health.is_connected, health.ticks, health.interruptions) == (True, 2, 0)

    runs(case)


def test_a_link_without_any_sign_of_life_is_made_anew() -> None:
    async def case() -> None:
        server = StreamServer(quiet, plays(packet(15_000, 100)))
        async with fed(server, QUICK) as feed:
            await take(feed, 1)
            assert feed.health().interruptions >= 1
            assert server.clients[-1].tokens == {TOKEN}

    runs(case)


@pytest.mark.failure("F58")
def test_heartbeats_without_data_in_an_open_market_are_a_dead_link() -> None:
    async def case() -> None:
        server = StreamServer(beats, plays(packet(15_000, 100)))
        async with fed(server, QUICK) as feed:
            assert (await take(feed, 1))[0].px == 1_500_000
            assert feed.health().interruptions == 1

    runs(case)


def test_it_tells_how_long_a_link_that_is_up_has_given_no_sign_of_life() -> None:
    async def case() -> None:
        moments, beat = [100.0], asyncio.Event()

        async def script(client: Client) -> None:
            await client.asked.wait()
            await client.send(packet(15_000, 100))
            await beat.wait()
            await client.send(HEARTBEAT)
            await client.send('{"type": "order", "data": {"order_id": "1"}}')

        async with fed(StreamServer(script), seconds=lambda: moments[0]) as feed:
            assert feed.health().silent_ns == 0
            await take(feed, 1)
            moments[0] += 3
            assert feed.health().silent_ns == 3 * SECOND_NS
            hints = feed.hints()
            assert await anext(hints) == ""
            beat.set()
            assert await anext(hints) == "1"
            assert feed.health().silent_ns == 0

    runs(case)


def test_a_closed_market_is_silent_and_the_link_is_left_alone() -> None:
    async def case() -> None:
        async def night(client: Client) -> None:
            await client.asked.wait()
            for _ in range(500):
                await client.send(HEARTBEAT)
            await client.send(packet(15_000, 100))

        server = StreamServer(night)
        pace = Pace(silence=20, stall=0.0, first=0.001, longest=0.002)
        async with fed(server, pace, is_open=False) as feed:
            await take(feed, 1)
            assert len(server.clients) == 1

    runs(case)


@pytest.mark.failure("F59")
def test_a_peer_that_answers_no_ping_is_a_dead_link() -> None:
    async def case() -> None:
        async def half_open(client: Client) -> None:
            await client.asked.wait()
            # Nothing is read from now on, so that no ping is answered; frames come as from a buffer on the way.
            client.socket.transport.pause_reading()
            await beats(client)

        server = StreamServer(half_open, plays(packet(15_000, 100)))
        pace = Pace(silence=20, stall=20, ping=0.02, pong=0.02, first=0.001, longest=0.002)
        async with fed(server, pace) as feed:
            await take(feed, 1)
            assert feed.health().interruptions == 1

    runs(case)


@pytest.mark.failure("F60")
def test_a_cached_packet_of_long_ago_is_no_tick() -> None:
    async def case() -> None:
        names = ("last_qty", "average", "buy", "sell", "open", "high", "low", "close", "last_trade_s", "oi", "oi_high")
        old = dict.fromkeys((*names, "oi_low"), 0) | {"last": 9_000, "volume": 50, "exchange_s": NOW_S - 86_400}
        server = StreamServer(plays(frame([full_body(TOKEN, old, [(1, 1, 1)] * 10)]), packet(15_000, 100)))
        async with fed(server) as feed:
            assert [tick.px for tick in await take(feed, 1)] == [1_500_000]
            assert feed.counts.stale == 1

    runs(case)


@pytest.mark.failure("F64")
def test_a_frame_that_lies_is_counted_and_the_link_kept() -> None:
    async def case() -> None:
        whole = packet(15_000, 100)
        lies = [
            whole[:-7],
            b"\xff\xff" + whole[2:40],
            b"\x00\x02" + whole[2:],
            b"\x00\x01\x00\x05aaaaa",
            b"\x00\x00\x00",
        ]
        server = StreamServer(plays(*lies, packet(15_010, 130)))
        async with fed(server) as feed:
            found = await take(feed, 2)
            assert [tick.px for tick in found] == [1_500_000, 1_501_000]
            assert feed.counts.broken == 5
            assert len(server.clients) == 1

    runs(case)


def test_a_frame_that_is_too_large_ends_the_link_and_not_the_feed() -> None:
    async def case() -> None:
        server = StreamServer(plays(b"\x00" * (FRAME_MAX + 1)), plays(packet(15_000, 100)))
        async with fed(server) as feed:
            await take(feed, 1)
            assert feed.health().interruptions == 1
            assert len(server.clients) == 2

    runs(case)


def test_who_is_refused_waits_and_comes_again_with_the_new_login() -> None:
    async def case() -> None:
        logins = iter([("key", "old"), ("key", "new")])
        body = b'{"status":"error","message":"Authentication failed."}'
        server = StreamServer(plays(packet(15_000, 100)), answers=(refusal(HTTPStatus.FORBIDDEN, body),))
        async with fed(server, credentials=lambda: next(logins)) as feed:
            await take(feed, 1)
            assert ["access_token=old" in path for path in server.paths] == [True, False]
            assert feed.health().interruptions == 0

    runs(case)


@pytest.mark.parametrize("first", ["old", ""], ids=["refused", "nobody logged in"])
def test_a_new_login_is_taken_up_without_waiting_to_the_end(first: str) -> None:
    async def case() -> None:
        login = ["key", first]
        answers = (refusal(HTTPStatus.FORBIDDEN),) if first else ()
        server = StreamServer(plays(packet(15_000, 100)), answers=answers)
        pace = Pace(silence=20, stall=20, longest=3_600, look=0.001)
        async with fed(server, pace, credentials=lambda: (login[0], login[1])) as feed:
            feed.start()
            for _ in range(2_000):
                if feed.health().note != "not connected yet":
                    break
                await asyncio.sleep(0.005)
            login[1] = "new"
            await take(feed, 1)
            assert "access_token=new" in server.paths[-1]

    runs(case)


def test_without_a_login_it_says_so_and_goes_on_asking() -> None:
    async def case() -> None:
        logins = iter([("key", ""), ("key", "new")])
        server = StreamServer(plays(packet(15_000, 100)))
        async with fed(server, credentials=lambda: next(logins)) as feed:
            await take(feed, 1)

    runs(case)


def test_no_redirect_is_followed_with_the_token() -> None:
    async def case() -> None:
        elsewhere = refusal(HTTPStatus.FOUND, Location="/elsewhere?")
        server = StreamServer(plays(packet(15_000, 100)), answers=(elsewhere,))
        async with fed(server) as feed:
            await take(feed, 1)
            assert not any("elsewhere" in path for path in server.paths)

    runs(case)


def test_the_token_is_in_no_note_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def case() -> None:
        answers = tuple(
            refusal(status) for status in (HTTPStatus.FORBIDDEN, HTTPStatus.BAD_GATEWAY, HTTPStatus.NOT_FOUND)
        )
        server = StreamServer(plays(packet(15_000, 100)), answers=answers)
        notes = []
        async with fed(server) as feed:
            feed.start()
            for count in range(1, 5):
                await server.requests(count)
                notes.append(feed.health().note)
            await take(feed, 1)
        assert not any(SECRET in note for note in notes)

    with caplog.at_level(logging.DEBUG):
        runs(case)
    assert SECRET not in caplog.text


def test_many_instruments_are_divided_among_connections() -> None:
    async def case() -> None:
        tokens = [token_of(number, NSE) for number in range(1, 6_002)]
        watched = {token: Watched(InstrumentId(f"NSE:{token}")) for token in tokens}
        everyone = asyncio.Event()

        async def all_asked(client: Client) -> None:
            while len(client.modes) < 2_000:
                await client.asked.wait()
                client.asked.clear()
            if sum(len(one.modes) for one in server.clients) == len(tokens):
                everyone.set()

        server = StreamServer(all_asked)
        async with fed(server, watched=watched) as feed:
            feed.start()
            await everyone.wait()
            parts = [one.tokens for one in server.clients]
            assert len(parts) == 3
            assert all(len(part) <= 3_000 for part in parts)
            assert set.union(*parts) == set(tokens)

    runs(case)


def test_messages_about_orders_are_hints_and_others_are_passed_over() -> None:
    async def case() -> None:
        texts = [
            json.dumps({"type": "order", "data": {"order_id": "220303000308932", "status": "COMPLETE"}}),
            json.dumps({"type": "news", "data": {"order_id": "1"}}),
            json.dumps({"type": "message", "data": "the exchange is slow today"}),
            "{no json",
            json.dumps({"type": "order", "data": {"order_id": "19"}}),
        ]
        async with fed(StreamServer(plays(*texts))) as feed:
            hints = feed.hints()
            # The first one says that the link was made: what came before is not known.
            assert [await anext(hints) for _ in range(3)] == ["", "220303000308932", "19"]
            assert feed.counts.broken == 1

    runs(case)


def test_a_link_that_was_made_anew_hints_that_messages_are_missed() -> None:
    async def case() -> None:
        async def gone(client: Client) -> None:
            await client.asked.wait()
            await client.socket.close()

        async with fed(StreamServer(gone, quiet)) as feed:
            hints = feed.hints()
            assert [await anext(hints) for _ in range(2)] == ["", ""]

    runs(case)


def test_closing_ends_it() -> None:
    async def case() -> None:
        async with fed(StreamServer(plays(packet(15_000, 100)))) as feed:
            stream = feed.ticks()
            await anext(stream)
            await feed.close()
            await feed.close()
            assert [tick async for tick in stream] == []
            assert not feed.health().is_connected

    runs(case)


def test_closing_ends_it_in_the_moment_in_which_a_frame_comes() -> None:
    async def case() -> None:
        order = json.dumps({"type": "order", "data": {"order_id": "1"}})
        for _ in range(30):
            async with fed(StreamServer(plays(order, packet(15_000, 100), packet(15_010, 110), HEARTBEAT))) as feed:
                hints = feed.hints()
                while await anext(hints) != "1":
                    pass
                await feed.close()

    runs(case)


@pytest.mark.parametrize("base", ["ws://stream.example", "http://127.0.0.1", "stream.example"])
def test_an_address_that_shows_the_token_is_refused(base: str) -> None:
    stream = Stream(base, lambda: ("key", SECRET), lambda: True)
    with pytest.raises(UsageError, match="not wss"):
        KiteFeed(stream, WATCHED, Clocks(lambda: TsNs(0), time.monotonic))


def test_more_than_kite_streams_is_refused() -> None:
    watched = {number: Watched(InstrumentId(str(number))) for number in range(9_001)}
    stream = Stream("ws://127.0.0.1:1", lambda: ("key", SECRET), lambda: True)
    with pytest.raises(UsageError, match="9000"):
        KiteFeed(stream, watched, Clocks(lambda: TsNs(0), time.monotonic))

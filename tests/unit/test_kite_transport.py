"""Requests to Kite over real sockets: sent once, and what is known of one that went wrong."""

import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from manjha.adapters.kite.transport import CONNECTIONS_MAX, Patience, Request, Told, Transport
from manjha.domain.errors import UsageError
from tests.fakes.certificates import certificate
from tests.fakes.raw_server import RawServer, Reply, answer, silence, writes

PLACE = Request("POST", "/orders/regular", b"quantity=1")
READ = Request("GET", "/orders")
HEADERS = {"X-Kite-Version": "3", "Authorization": "token key:secret"}
SHORT = Patience(connect=2.0, answer=0.05)


def told(*replies: Reply, request: Request = PLACE, patience: Patience | None = None) -> tuple[Told, RawServer]:
    """Ask once."""

    async def ask(transport: Transport) -> Told:
        return await transport.ask(request, HEADERS)

    return served(ask, *replies, patience=patience)


def served(
    case: Callable[[Transport], Awaitable[Told]], *replies: Reply, patience: Patience | None = None
) -> tuple[Told, RawServer]:
    async def timed() -> tuple[Told, RawServer]:
        async with asyncio.timeout(20), RawServer(*replies).running() as server:
            transport = Transport(server.base, patience)
            try:
                return await case(transport), server
            finally:
                await transport.close()

    return asyncio.run(timed())


def test_a_request_arrives_as_it_was_asked() -> None:
    found, server = told(writes(answer(date="Tue, 24 Nov 2026 04:30:00 GMT")))
    (sent,) = server.sent
    assert (sent.method, sent.target, sent.body) == ("POST", "/orders/regular", b"quantity=1")
    assert sent.headers["authorization"] == "token key:secret"
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (found.status, found.body, found.date) == (
        200, b'{"status":"success","data":true}', "Tue, 24 Nov 2026 04:30:00 GMT",
    )  # fmt: skip
    assert found.written > len(PLACE.body)


@pytest.mark.parametrize("cut", [1, 20, 60, 150])
def test_an_answer_in_pieces_is_one(cut: int) -> None:
    whole = answer(b'{"status":"success","data":{"order_id":"1953341975595868160"}}')
    found, _ = told(writes(whole[:cut], whole[cut:]))
    assert found.status == 200
    assert found.body.endswith(b'160"}}')


def test_an_answer_in_chunks_and_one_that_is_packed() -> None:
    body = b'{"status":"success","data":[]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked = head + b"%x\r\n%s\r\n" % (10, body[:10]) + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body) - 10, body[10:])
    assert told(writes(chunked))[0].body == body
    assert told(writes(answer(gzip.compress(body), content_encoding="gzip")))[0].body == body


def test_connections_are_kept_and_used_again() -> None:
    async def twice(transport: Transport) -> Told:
        await transport.ask(READ, HEADERS)
        return await transport.ask(READ, HEADERS)

    _, server = served(twice)
    assert (len(server.sent), server.connections) == (2, 1)


def test_a_connection_that_the_other_side_closed_is_not_used_again() -> None:
    async def later(transport: Transport) -> Told:
        await transport.ask(READ, HEADERS)
        (_, idle), *_ = transport._idle
        await idle.closed
        return await transport.ask(PLACE, HEADERS)

    found, server = served(later, writes(answer(), closes=True), writes(answer()))
    assert (found.status, server.connections) == (200, 2)


@pytest.mark.parametrize("request_", [READ, PLACE], ids=["read", "order"])
def test_only_a_read_is_sent_again_where_an_idle_connection_was_closed_under_it(request_: Request) -> None:
    async def later(transport: Transport) -> Told:
        await transport.ask(READ, HEADERS)
        return await transport.ask(request_, HEADERS)

    found, server = served(later, writes(answer()), writes(closes=True), writes(answer()))
    if request_ is READ:
        assert (found.status, len(server.sent), server.connections) == (200, 3, 2)
    else:
        assert (found.status, len(server.sent)) == (0, 2)
        assert found.written > 0


def test_a_read_is_sent_once_on_a_connection_of_its_own() -> None:
    found, server = told(writes(closes=True))
    assert (found.status, len(server.sent)) == (0, 1)


def test_requests_beside_each_other_have_a_connection_each_and_no_more_than_allowed() -> None:
    async def many(transport: Transport) -> Told:
        found = await asyncio.gather(*(transport.ask(READ, HEADERS) for _ in range(20)))
        assert all(one.status == 200 for one in found)
        return found[0]

    _, server = served(many)
    assert len(server.sent) == 20
    assert server.connections <= CONNECTIONS_MAX


def test_who_waited_long_for_a_connection_and_then_sent_has_sent() -> None:
    async def crowd(transport: Transport) -> Told:
        found = await asyncio.gather(*(transport.ask(PLACE, HEADERS) for _ in range(CONNECTIONS_MAX + 1)))
        return found[-1]

    # All connections hang; the last order gets one when a second is over, and has three tenths of one left.
    found, server = served(crowd, silence, patience=Patience(connect=0.3, answer=1.0))
    assert len(server.sent) == CONNECTIONS_MAX + 1
    assert (found.status, found.written > len(PLACE.body)) == (0, True)


def test_a_head_without_end_is_no_answer() -> None:
    found, _ = told(writes(b"HTTP/1.1 200 OK\r\nX: ", *[b"y" * 2**17] * 12))
    assert (found.status, found.written > 0) == (0, True)
    assert "head" in found.words


def test_a_warm_connection_is_the_one_that_is_used() -> None:
    async def warmed(transport: Transport) -> Told:
        assert await transport.warm()
        return await transport.ask(PLACE, HEADERS)

    _, server = served(warmed)
    assert server.connections == 1


def test_what_had_no_connection_was_never_sent() -> None:
    async def nowhere() -> Told:
        async with RawServer().running() as server:
            base = server.base
        return await Transport(base).ask(PLACE, HEADERS)

    found = asyncio.run(nowhere())
    assert (found.written, found.status) == (0, 0)
    assert found.words.startswith("no connection")


@pytest.mark.parametrize(
    "reply",
    [
        silence,
        writes(b"", closes=True),
        writes(answer()[:-3], closes=True),
        writes(answer()[:30], closes=True),
        writes(b"\x16\x03\x01 this is no answer\r\n\r\n"),
        writes(answer(b"not packed", content_encoding="gzip")),
        writes(answer(gzip.compress(b"x" * 99)[:-9], content_encoding="gzip")),
        writes(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"),
    ],
)
def test_what_was_sent_and_has_no_whole_answer_is_sent_once_and_not_known(reply: Reply) -> None:
    found, server = told(reply, patience=SHORT)
    assert found.status == 0
    assert found.written > len(PLACE.body)
    assert found.words
    assert len(server.sent) == 1


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    found, server = told(writes(answer(b"", 307, location="http://127.0.0.1:1/orders/regular")))
    assert found.status == 307
    assert len(server.sent) == 1


def test_a_bomb_does_not_go_off() -> None:
    found, _ = told(writes(answer(gzip.compress(b"\0" * (300 * 2**20), 9), content_encoding="gzip")))
    assert (found.status, found.body) == (0, b"")
    assert "256 MB" in found.words


def test_no_words_repeat_what_came() -> None:
    found, _ = told(writes(b"token key:secret is what I was sent\r\n\r\n"), patience=SHORT)
    assert "secret" not in found.words


@pytest.mark.parametrize("base", ["http://api.example", "ftp://127.0.0.1", "https://", "https://127.0.0.1/path"])
def test_an_address_that_would_show_the_token_is_refused(base: str) -> None:
    with pytest.raises(UsageError, match="https"):
        Transport(base)


def test_a_line_break_in_a_token_is_refused_before_anything_is_sent() -> None:
    async def ask() -> None:
        async with RawServer().running() as server:
            with pytest.raises(UsageError, match="line break"):
                await Transport(server.base).ask(READ, {"Authorization": "token a\r\nX: b"})
            assert server.sent == []

    asyncio.run(ask())


@pytest.mark.parametrize(
    ("host", "days", "is_known", "opens"),
    [("127.0.0.1", 1, True, True), ("127.0.0.1", 1, False, False), ("api.example.com", 1, True, False),
     ("127.0.0.1", -1, True, False)],
    ids=["good", "self-signed", "another host's", "expired"],
)  # fmt: skip
def test_nothing_is_said_to_a_server_whose_certificate_is_not_good(
    tmp_path: Path, host: str, days: int, is_known: bool, opens: bool
) -> None:
    shown, file = certificate(tmp_path, host, days=days)

    async def twice() -> tuple[list[Told], RawServer]:
        async with asyncio.timeout(20), RawServer().running(shown) as server:
            trusted = ssl.create_default_context(cafile=str(file)) if is_known else None
            transport = Transport(server.base, tls=trusted)
            found = [await transport.ask(PLACE, HEADERS) for _ in range(2)]
            await transport.close()
            return found, server

    found, server = asyncio.run(twice())
    if opens:
        assert [one.status for one in found] == [200, 200]
        assert (len(server.sent), server.connections) == (2, 1)
    else:
        assert [(one.written, one.status) for one in found] == [(0, 0)] * 2
        assert "certificate" in found[0].words.lower()
        assert server.sent == []

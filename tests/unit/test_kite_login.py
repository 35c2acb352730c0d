"""The daily login: the token is caught from the browser that was sent, exchanged once, and ends at six."""

import asyncio
import http.client
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import pytest

from manjha.adapters.kite.login import (
    AppKeys,
    Session,
    TokenCatcher,
    checksum,
    ended,
    exchanged,
    expiry_of,
    login_address,
    new_state,
    read_token,
)
from manjha.adapters.kite.transport import Transport
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.moments import HOUR_NS, TsNs, at, parse_day
from manjha.domain.secret import Secret
from tests.fakes.raw_server import RawServer, answer, writes

T = TypeVar("T")
KEYS = AppKeys("key", Secret("sec"))
DAY = parse_day("2026-11-24")
TOKEN = "a" * 32
LOGGED_IN = {
    "status": "success",
    "data": {"user_id": "AB1234", "user_name": "A", "access_token": "acc", "exchanges": ["NSE"], "refresh_token": ""},
}


@asynccontextmanager
async def closing(transport: Transport) -> AsyncIterator[Transport]:
    try:
        yield transport
    finally:
        await transport.close()


def run(case: Callable[[], Awaitable[T]]) -> T:
    async def timed() -> T:
        async with asyncio.timeout(20):
            return await case()

    return asyncio.run(timed())


def test_the_checksum_is_that_of_the_fact_sheet() -> None:
    assert checksum(KEYS, "rt") == "7b47a9239417310c273435e60a7118c2e05174b9883bd2d839f4d39bea555557"


def test_a_login_ends_at_six_in_the_morning() -> None:
    assert expiry_of(at(DAY, 9 * HOUR_NS)) == at(DAY + 1, 6 * HOUR_NS)
    assert expiry_of(at(DAY, 5 * HOUR_NS)) == at(DAY, 6 * HOUR_NS)
    assert expiry_of(at(DAY, 6 * HOUR_NS)) == at(DAY + 1, 6 * HOUR_NS)


def test_a_token_is_exchanged_for_a_session() -> None:
    async def case() -> tuple[Session, RawServer]:
        server = RawServer(writes(answer(msgspec.json.encode(LOGGED_IN))))
        async with server.running(), closing(Transport(server.base)) as transport:
            return await exchanged(transport, KEYS, "rt", at(DAY, 9 * HOUR_NS)), server

    session, server = run(case)
    assert (session.user_id, session.access_token.reveal(), session.exchanges) == ("AB1234", "acc", ("NSE",))
    assert session.expires_ns == at(DAY + 1, 6 * HOUR_NS)
    (sent,) = server.sent
    assert (sent.method, sent.target) == ("POST", "/session/token")
    assert parse_qs(sent.body.decode()) == {
        "api_key": ["key"], "request_token": ["rt"], "checksum": [checksum(KEYS, "rt")],
    }  # fmt: skip
    assert "authorization" not in sent.headers
    assert "acc" not in repr(session)
    assert "sec" not in repr(KEYS)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (
            b'{"status":"error","message":"Token is invalid or has expired.","error_type":"TokenException"}',
            403,
            "expired",
        ),
        (b"<html>", 502, "cannot be read"),
        (b'{"status":"success","data":{}}', 200, "cannot be read"),
    ],
)
def test_a_refused_token_says_what_to_do(body: bytes, status: int, words: str) -> None:
    async def case() -> None:
        server = RawServer(writes(answer(body, status)))
        async with server.running(), closing(Transport(server.base)) as transport:
            await exchanged(transport, KEYS, "rt", TsNs(0))

    with pytest.raises(SourceError, match=words) as found:
        run(case)
    assert "manjha login" in found.value.hint


def test_a_session_is_ended_at_the_broker() -> None:
    async def case() -> RawServer:
        async with RawServer().running() as server:
            async with closing(Transport(server.base)) as transport:
                assert await ended(transport, "key", "acc")
            return server

    (sent,) = run(case).sent
    assert (sent.method, sent.target) == ("DELETE", "/session/token?api_key=key&access_token=acc")


def get(port: int, target: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, target)
    reply = connection.getresponse()
    return reply.status, reply.read().decode()


def back(state: str, **changes: str) -> str:
    given = {"request_token": TOKEN, "status": "success", "action": "login", "type": "login", "manjha": state}
    return "/?" + urlencode(given | changes)


def test_the_browser_that_was_sent_brings_the_token() -> None:
    async def case() -> tuple[str, list[tuple[int, str]]]:
        state = new_state()
        page = urlsplit(login_address("key", state))
        assert parse_qs(page.query)["redirect_params"] == [f"manjha={state}"]
        async with TokenCatcher(0, state) as catcher:
            targets = [
                "/favicon.ico", back("forged"), back(""), back(state, status="error"), back(state, request_token="<b>"),  # noqa: S106
                back(state),
            ]  # fmt: skip
            replies = [await asyncio.to_thread(get, catcher.port, target) for target in targets]
            replies.append(await asyncio.to_thread(get, catcher.port, back(state), "POST"))
            return await catcher.caught(10), replies

    token, replies = run(case)
    assert token == TOKEN
    assert [status for status, _ in replies] == [404, 403, 403, 400, 400, 200, 404]
    assert "logged in" in replies[5][1]
    assert not any(TOKEN in words for _, words in replies)


def test_nobody_who_comes_is_not_waited_for_for_ever() -> None:
    async def case() -> None:
        async with TokenCatcher(0, "state") as catcher:
            await catcher.caught(0.01)

    with pytest.raises(SourceError, match="nobody logged in"):
        run(case)


def test_bytes_that_are_no_request_do_no_harm() -> None:
    async def case() -> str:
        state = new_state()
        async with TokenCatcher(0, state) as catcher:
            for junk in (b"", b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"A" * 100_000):
                _, writer = await asyncio.open_connection("127.0.0.1", catcher.port)
                writer.write(junk)
                writer.close()
            assert (await asyncio.to_thread(get, catcher.port, back(state)))[0] == 200
            return await catcher.caught(10)

    assert run(case) == TOKEN


def test_a_port_that_is_taken_is_named_with_the_way_out() -> None:
    async def case() -> None:
        async with TokenCatcher(0, "one") as first, TokenCatcher(first.port, "two"):
            pass

    with pytest.raises(UsageError, match="port") as found:
        run(case)
    assert "--paste" in found.value.hint


@pytest.mark.parametrize(
    "pasted", [TOKEN, f" {TOKEN}\n", f"http://127.0.0.1:5010/?request_token={TOKEN}&status=success"]
)
def test_what_a_person_pastes_is_understood(pasted: str) -> None:
    assert read_token(pasted) == TOKEN


@pytest.mark.parametrize("pasted", ["", "http://127.0.0.1/?status=success", "a b", "<script>"])
def test_what_is_no_token_is_refused(pasted: str) -> None:
    with pytest.raises(UsageError, match="request token"):
        read_token(pasted)

"""Postbacks over a socket: one that is ours is a hint, and whoever asks learns nothing."""

import asyncio
import hashlib

import msgspec
import pytest

from manjha.adapters.kite.hooks import PATIENCE_S, PostbackListener
from manjha.adapters.kite.postback import BODY_MAX, KitePostback
from manjha.domain.errors import UsageError
from manjha.domain.secret import Secret

SECRET, USER = "sec", "AB1234"
STAMP = "2026-11-26 10:00:00"


def body(number: str = "17", secret: str = SECRET) -> bytes:
    proof = hashlib.sha256(f"{number}{STAMP}{secret}".encode()).hexdigest()
    return msgspec.json.encode(
        {"user_id": USER, "order_id": number, "order_timestamp": STAMP, "checksum": proof, "status": "COMPLETE"}
    )


def request(content: bytes, head: str = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n") -> bytes:
    return head.format(len(content)).encode() + content


async def answers(port: int, asked: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asked)
    writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_S + 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def heard(*asked: bytes) -> tuple[list[str], list[bytes]]:
    async def run() -> tuple[list[str], list[bytes]]:
        hints: list[str] = []
        async with PostbackListener(0, KitePostback(Secret(SECRET), USER), hints.append) as listener:
            said = [await answers(listener.port, one) for one in asked]
        return hints, said

    return asyncio.run(run())


def test_one_that_is_ours_is_a_hint_once_and_a_forged_one_gets_the_same_answer() -> None:
    hints, said = heard(request(body()), request(body()), request(body("18", "other")), request(b"{"), request(b""))
    assert hints == ["17"]
    assert len(set(said)) == 1
    assert said[0].startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "asked",
    [
        b"", b"\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", b"POST / HTTP/1.1\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_MAX + 1), b"POST " + b"x" * 20_000,
        b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}}",
    ],
)  # fmt: skip
def test_what_is_no_postback_is_no_hint_and_the_next_one_is_heard(asked: bytes) -> None:
    hints, said = heard(asked, request(body()))
    assert hints == ["17"]
    assert said[0] == b""


def test_a_port_that_is_taken_is_named() -> None:
    async def run() -> None:
        async with PostbackListener(0, KitePostback(Secret(SECRET), USER), print) as first:
            await PostbackListener(first.port, KitePostback(Secret(SECRET), USER), print).__aenter__()

    with pytest.raises(UsageError, match="nothing can listen"):
        asyncio.run(run())

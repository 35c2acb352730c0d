"""One connection to a web server, and the answers that come over it: httptools parses them as they come."""

import asyncio
import zlib
from typing import cast

import httptools

BODY_MAX = 256 * 2**20
"""Bytes of an answer: ten times today's whole list of instruments, unpacked."""
HEAD_MAX = 2**20
"""Bytes that may come before a body begins."""
FIRST_WHOLE = 200
"""Answers of a lower status say that one is to come."""


class WebAnswer:
    """Receives what httptools finds in an answer; what only announces one (100 to 199) is passed over."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.size = self.head = 0
        self.status = 0
        self.is_whole = self.is_kept = self._is_headed = False
        self.parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take bytes as they come. Raises where they are no answer."""
        if not self._is_headed:
            self.head += len(data)
            if self.head > HEAD_MAX:
                raise BadAnswer(f"an answer whose head has more than {HEAD_MAX // 2**20} MB")
        self.parser.feed_data(data)

    def body(self) -> bytes:
        """Return the body, unpacked. Raises where it cannot be."""
        body = b"".join(self.parts)
        return _unpacked(body) if self.headers.get("content-encoding", "").lower() == "gzip" else body

    # ---- what httptools finds

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if not self.is_whole:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Be told that the body begins."""
        self._is_headed = self.parser.get_status_code() >= FIRST_WHOLE

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        if self.is_whole:
            return
        self.size += len(part)
        if self.size > BODY_MAX:
            raise BadAnswer(f"an answer of more than {BODY_MAX // 2**20} MB")
        self.parts.append(part)

    def on_message_begin(self) -> None:
        """Be told that an answer begins."""
        # What follows a whole answer answers nothing: on this connection nobody can be believed any more.
        self.is_kept = False

    def on_message_complete(self) -> None:
        """Be told that an answer is whole."""
        if self.is_whole:
            return
        if self.parser.get_status_code() < FIRST_WHOLE:
            self.headers.clear()
            return
        # Asked any later, it is about the next answer.
        self.is_whole, self.is_kept = True, self.parser.should_keep_alive()
        self.status = self.parser.get_status_code()


class ClosedBefore(EOFError):  # noqa: N818
    """The connection was closed before a byte of the answer came."""


class BadAnswer(Exception):  # noqa: N818 - it says what the answer is
    """An answer that is none."""


BROKEN = (OSError, EOFError, httptools.HttpParserError, BadAnswer, zlib.error)
"""What ends a connection while an answer is awaited, beside silence."""


class Connection(asyncio.Protocol):
    """One connection, of which one thing is asked at a time; what comes is parsed as it comes, nothing is kept of it.

    `is_fit` tells whether something may be asked: it is open, and nothing came that nobody had asked for, which would
    be taken for the next answer. `closed` is done when it is not open any more.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._answer = WebAnswer()
        self._awaited: asyncio.Future[WebAnswer] | None = None
        self._has_begun = False
        self.is_fit = True
        self.closed: asyncio.Future[None] = loop.create_future()

    async def asked(self, data: bytes, seconds: float) -> WebAnswer:
        """Send a request and return its whole answer. Raises what `BROKEN` names, `TimeoutError` for silence."""
        if self._transport is None:
            raise ClosedBefore
        self._answer, self._has_begun = WebAnswer(), False
        awaited: asyncio.Future[WebAnswer] = self._loop.create_future()
        self._awaited = awaited
        late = self._loop.call_later(seconds, self._fail, TimeoutError())
        self._transport.write(data)
        try:
            return await awaited
        finally:
            late.cancel()
            self._awaited = None

    def abort(self) -> None:
        """Close it at once."""
        self.is_fit = False
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Close it, and wait until it is."""
        self.is_fit = False
        if self._transport is not None:
            self._transport.close()
            await self.closed

    # ---- what the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be told how to write."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes that came."""
        if self._awaited is None or self._awaited.done():
            self.is_fit = False
            return
        self._has_begun = True
        try:
            self._answer.feed(data)
        except BROKEN as error:
            self._fail(error)
            return
        if self._answer.is_whole:
            self._awaited.set_result(self._answer)

    def eof_received(self) -> bool:
        """Be told that nothing comes any more; close as well."""
        self._fail(EOFError() if self._has_begun else ClosedBefore())
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Be told that it is over."""
        self._fail(exc if exc is not None else EOFError() if self._has_begun else ClosedBefore())
        if not self.closed.done():
            self.closed.set_result(None)

    def _fail(self, error: Exception) -> None:
        self.is_fit = False
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(error)


def _unpacked(body: bytes) -> bytes:
    """Unpack an answer, but no bomb."""
    unpacker = zlib.decompressobj(wbits=31)
    found = unpacker.decompress(body, BODY_MAX)
    if unpacker.unconsumed_tail:
        raise BadAnswer(f"an answer of more than {BODY_MAX // 2**20} MB")
    if not unpacker.eof:
        raise BadAnswer("a packed answer that ends too early")
    return found

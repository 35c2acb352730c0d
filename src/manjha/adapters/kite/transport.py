"""Requests to Kite over kept-alive connections, and what is known of one that went wrong.

An order may be sent once only, so who sends must know how far a request came: a library that hides connections, tries
again or follows redirects would have to guess. What is parsed here is the answer; httptools does it.
"""

import asyncio
import ssl
import time
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple, SupportsIndex
from urllib.parse import urlsplit

import httptools
import msgspec

from manjha.domain.errors import UsageError
from manjha.ports.gateway import LastLook, no_objection

LOCAL = ("127.0.0.1", "localhost", "::1")
CONNECTIONS_MAX = 4
BODY_MAX = 256 * 2**20
"""Bytes of an answer: ten times today's whole list of instruments, unpacked."""
IDLE_MAX = 20.0
"""Seconds after which an idle connection is not used any more: the other side may be about to close it."""
FIRST_WHOLE = 200
"""Answers of a lower status say that one is to come."""
_CHUNK = 1 << 16


class Patience(msgspec.Struct, frozen=True):
    """How long is waited, in seconds, for a connection and for a whole answer: seven as the official clients do."""

    connect: float = 3.0
    answer: float = 7.0


class Request(NamedTuple):
    """What is asked. `target` is path and query; `body` is empty where there is none, `kind` its media type."""

    method: str
    target: str
    body: bytes = b""
    kind: str = "application/x-www-form-urlencoded"


class Told(NamedTuple):
    """What came of a request.

    `written` counts its bytes that were handed to the network. `status` is 0 where no whole answer came, and then
    `words` say why; `kind` is the answer's media type, `date` its header of that name.
    """

    written: int
    status: int = 0
    body: bytes = b""
    kind: str = ""
    date: str = ""
    words: str = ""


class _Answer:
    """Receives what httptools finds in an answer; what only announces one (100 to 199) is passed over."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []
        self.size = 0
        self.status = 0
        self.is_whole = self.is_kept = False
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.is_whole:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        if self.is_whole:
            return
        self.size += len(part)
        if self.size > BODY_MAX:
            raise _BadAnswer(f"an answer of more than {BODY_MAX // 2**20} MB")
        self.parts.append(part)

    def on_message_begin(self) -> None:
        # What follows a whole answer answers nothing: on this connection nobody can be believed any more.
        self.is_kept = False

    def on_message_complete(self) -> None:
        if self.is_whole:
            return
        if self.parser.get_status_code() < FIRST_WHOLE:
            self.headers.clear()
            return
        # Asked any later, it is about the next answer.
        self.is_whole, self.is_kept = True, self.parser.should_keep_alive()
        self.status = self.parser.get_status_code()


class _ClosedBefore(EOFError):  # noqa: N818
    """The connection was closed before a byte of the answer came."""


class _BadAnswer(Exception):  # noqa: N818 - it says what the answer is
    """An answer that is none."""


class _Reader(asyncio.StreamReader):
    """Knows how many bytes came that nobody has read yet."""

    unread = 0

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """Take bytes that came."""
        self.unread += len(bytes(data))
        super().feed_data(data)

    async def read(self, n: int = -1) -> bytes:
        """Return what came, as soon as something did."""
        part = await super().read(n)
        self.unread -= len(part)
        return part


class _Connection(NamedTuple):
    reader: _Reader
    writer: asyncio.StreamWriter


class Transport:
    """Sends requests to one address, each once, over at most `CONNECTIONS_MAX` connections. Use it in one event loop.

    Parameters
    ----------
    base
        `https://HOST[:PORT]`; without TLS only on this machine.
    tls
        Verifies by the system's authorities where None.
    """

    def __init__(self, base: str, patience: Patience | None = None, tls: ssl.SSLContext | None = None) -> None:
        place = urlsplit(base)
        if place.scheme != "https" and not (place.scheme == "http" and place.hostname in LOCAL):
            raise UsageError(f"Kite's address {base!r} is not https", hint="Correct kite_url in `[fetch]`.")
        if not place.hostname or place.path.strip("/"):
            raise UsageError(f"Kite's address {base!r} is no https://host", hint="Correct kite_url in `[fetch]`.")
        self._host = place.hostname
        self._is_secure = place.scheme == "https"
        self._port = place.port or (443 if self._is_secure else 80)
        self._named = place.netloc.rpartition("@")[2]
        self._tls = (tls or ssl.create_default_context()) if self._is_secure else None
        self._patience = patience or Patience()
        self._idle: list[tuple[float, _Connection]] = []
        self._free = asyncio.Semaphore(CONNECTIONS_MAX)

    async def ask(
        self,
        request: Request,
        headers: Mapping[str, str],
        *,
        wait: float = 0.0,
        last_look: LastLook = no_objection,
    ) -> Told:
        """Send a request and return what came of it; what may change anything is never sent twice.

        A GET is sent again where the other side had closed an idle connection before it could see the request.
        `wait` bounds the whole where not 0. `last_look` is asked when there is a connection, before the first byte.
        """
        try:
            async with asyncio.timeout(wait or self._patience.answer + self._patience.connect), self._free:
                return await self._asked(request, headers, last_look)
        except TimeoutError:
            return Told(0, words="no connection was free in time")

    async def warm(self) -> bool:
        """Have a connection ready, so that the next order does not wait for one; tell whether there is one."""
        try:
            async with asyncio.timeout(self._patience.connect), self._free:
                found = self._usable() or await self._opened()
        except (OSError, TimeoutError):
            return False
        self._idle.append((time.monotonic(), found))
        return True

    async def close(self) -> None:
        """Close the idle connections."""
        idle, self._idle = self._idle, []
        for _, connection in idle:
            await _shut(connection)

    async def _asked(self, request: Request, headers: Mapping[str, str], last_look: LastLook) -> Told:
        data = self._bytes_of(request, headers)
        try:
            async with asyncio.timeout(self._patience.connect):
                idle = self._usable()
                connection = idle or await self._opened()
        except TimeoutError:
            return Told(0, words=f"no connection within {self._patience.connect:g} seconds")
        except OSError as error:
            return Told(0, words=f"no connection: {error.strerror or type(error).__name__}")
        why = last_look()
        if why:
            self._idle.append((time.monotonic(), connection))
            return Told(0, words=why)
        is_kept = False
        try:
            async with asyncio.timeout(self._patience.answer):
                connection.writer.write(data)
                told, is_kept = await _received(connection.reader, len(data))
        except _ClosedBefore as error:
            if idle is not None and request.method == "GET":
                return await self._asked(request, headers, last_look)
            told = Told(len(data), words=f"the connection broke: {_words(error)}")
        except TimeoutError:
            told = Told(len(data), words=f"no answer within {self._patience.answer:g} seconds")
        except (OSError, EOFError, httptools.HttpParserError, _BadAnswer, zlib.error) as error:
            told = Told(len(data), words=f"the connection broke: {_words(error)}")
        finally:
            if is_kept:
                self._idle.append((time.monotonic(), connection))
            else:
                connection.writer.transport.abort()
        return told

    def _usable(self) -> _Connection | None:
        """Return an idle connection that is still open, as far as one can know before something is sent."""
        oldest = time.monotonic() - IDLE_MAX
        while self._idle:
            since, found = self._idle.pop()
            # What came while nothing was asked would be taken for the answer to what is asked next.
            is_quiet = not found.reader.unread and not found.reader.at_eof()
            if since >= oldest and is_quiet and not found.writer.is_closing():
                return found
            found.writer.transport.abort()
        return None

    async def _opened(self) -> _Connection:
        loop = asyncio.get_running_loop()
        reader = _Reader(limit=_CHUNK, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(lambda: protocol, self._host, self._port, ssl=self._tls)
        return _Connection(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    def _bytes_of(self, request: Request, headers: Mapping[str, str]) -> bytes:
        lines = [f"{request.method} {request.target} HTTP/1.1", f"Host: {self._named}", "Accept-Encoding: gzip"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if request.body or request.method in ("POST", "PUT"):
            lines += [f"Content-Type: {request.kind}", f"Content-Length: {len(request.body)}"]
        if any("\r" in line or "\n" in line for line in lines):
            raise UsageError("a line break stands in a header for Kite", hint="Check the api key and the token.")
        return "\r\n".join((*lines, "", "")).encode() + request.body


async def _received(reader: asyncio.StreamReader, written: int) -> tuple[Told, bool]:
    """Read a whole answer; tell also whether the connection can be used again."""
    answer, is_begun = _Answer(), False
    while not answer.is_whole:
        part = await reader.read(_CHUNK)
        if not part:
            raise EOFError if is_begun else _ClosedBefore
        is_begun = True
        answer.parser.feed_data(part)
    body = b"".join(answer.parts)
    if answer.headers.get("content-encoding", "").lower() == "gzip":
        body = _unpacked(body)
    kind, date = answer.headers.get("content-type", ""), answer.headers.get("date", "")
    return Told(written, answer.status, body, kind, date), answer.is_kept


def _unpacked(body: bytes) -> bytes:
    """Unpack an answer, but no bomb."""
    unpacker = zlib.decompressobj(wbits=31)
    found = unpacker.decompress(body, BODY_MAX)
    if unpacker.unconsumed_tail:
        raise _BadAnswer(f"an answer of more than {BODY_MAX // 2**20} MB")
    if not unpacker.eof:
        raise _BadAnswer("a packed answer that ends too early")
    return found


async def _shut(connection: _Connection) -> None:
    connection.writer.close()
    with suppress(OSError):
        await connection.writer.wait_closed()


def _words(error: Exception) -> str:
    """Say what happened; what an error quotes may be part of the answer and is left out."""
    if isinstance(error, EOFError):
        return "closed before the answer was whole"
    if isinstance(error, _BadAnswer):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "what came is no answer of a web server"

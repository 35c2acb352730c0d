"""Requests to Kite over kept-alive connections, and what is known of one that went wrong.

An order may be sent once only, so who sends must know how far a request came: a library that hides connections, tries
again or follows redirects would have to guess.
"""

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from manjha.adapters.kite.connection import BROKEN, BadAnswer, ClosedBefore, Connection, WebAnswer
from manjha.domain.errors import UsageError
from manjha.ports.gateway import LastLook, no_objection

LOCAL = ("127.0.0.1", "localhost", "::1")
CONNECTIONS_MAX = 4
IDLE_MAX = 20.0
"""Seconds after which an idle connection is not used any more: the other side may be about to close it."""


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
        self._idle: list[tuple[float, Connection]] = []
        self._headers: Mapping[str, str] = {}
        self._said = ""
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
        data = self._bytes_of(request, headers)
        ends = time.monotonic() + (wait or self._patience.answer + self._patience.connect)
        try:
            await self._admitted(ends)
        except TimeoutError:
            return Told(0, words="no connection was free in time")
        try:
            return await self._asked(data, ends, last_look, again=request.method == "GET")
        finally:
            self._free.release()

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
            await connection.close()

    async def _admitted(self, ends: float) -> None:
        """Return when a connection may be used, which is at once unless all are in use."""
        if self._free.locked():
            async with asyncio.timeout(ends - time.monotonic()):
                await self._free.acquire()
        else:
            await self._free.acquire()

    async def _asked(self, data: bytes, ends: float, last_look: LastLook, *, again: bool) -> Told:
        idle = self._usable()
        connection = idle or await self._connected(ends)
        if isinstance(connection, str):
            return Told(0, words=connection)
        seconds = min(self._patience.answer, ends - time.monotonic())
        why = last_look() if seconds > 0 else "no time was left to send it"
        if why:
            self._idle.append((time.monotonic(), connection))
            return Told(0, words=why)
        is_kept = False
        try:
            # What ends the wait is told from here: no bound around it may make it look as if nothing was written.
            answer = await connection.asked(data, seconds)
            told, is_kept = _told(answer, len(data)), answer.is_kept
        except ClosedBefore as error:
            if idle is not None and again:
                return await self._asked(data, ends, last_look, again=again)
            told = Told(len(data), words=f"the connection broke: {_words(error)}")
        except TimeoutError:
            told = Told(len(data), words=f"no answer within {seconds:.3g} seconds")
        except BROKEN as error:
            told = Told(len(data), words=f"the connection broke: {_words(error)}")
        finally:
            if is_kept and connection.is_fit:
                self._idle.append((time.monotonic(), connection))
            else:
                connection.abort()
        return told

    async def _connected(self, ends: float) -> Connection | str:
        """Return a new connection, or why there is none."""
        try:
            async with asyncio.timeout(min(self._patience.connect, ends - time.monotonic())):
                made = await self._opened()
        except TimeoutError:
            return f"no connection within {self._patience.connect:g} seconds"
        except OSError as error:
            return f"no connection: {error.strerror or type(error).__name__}"
        return made if made.is_fit else "no connection: it was closed at once"

    def _usable(self) -> Connection | None:
        """Return an idle connection that is still open, as far as one can know before something is sent."""
        oldest = time.monotonic() - IDLE_MAX
        while self._idle:
            since, found = self._idle.pop()
            if since >= oldest and found.is_fit:
                return found
            found.abort()
        return None

    async def _opened(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(loop), self._host, self._port, ssl=self._tls)
        return connection

    def _bytes_of(self, request: Request, headers: Mapping[str, str]) -> bytes:
        method, target, body, kind = request
        first = f"{method} {target} HTTP/1.1"
        form = f"Content-Type: {kind}" if body or method in ("POST", "PUT") else ""
        if headers != self._headers or not self._said:
            # Of one login they are always the same.
            self._said, self._headers = self._lines_of(headers), dict(headers)
        _require_one_line(first, form)
        sized = f"{form}\r\nContent-Length: {len(body)}\r\n" if form else ""
        return f"{first}\r\n{self._said}{sized}\r\n".encode() + body

    def _lines_of(self, headers: Mapping[str, str]) -> str:
        lines = [f"Host: {self._named}", "Accept-Encoding: gzip"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        _require_one_line(*lines)
        return "\r\n".join((*lines, ""))


def _require_one_line(*lines: str) -> None:
    if any("\r" in line or "\n" in line for line in lines):
        raise UsageError("a line break stands in a header for Kite", hint="Check the api key and the token.")


def _told(answer: WebAnswer, written: int) -> Told:
    """Return what a whole answer says. Raises where its body is packed and cannot be unpacked."""
    return Told(
        written, answer.status, answer.body(), answer.headers.get("content-type", ""), answer.headers.get("date", "")
    )


def _words(error: Exception) -> str:
    """Say what happened; what an error quotes may be part of the answer and is left out."""
    if isinstance(error, EOFError):
        return "closed before the answer was whole"
    if isinstance(error, BadAnswer):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "what came is no answer of a web server"

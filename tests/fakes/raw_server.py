"""A server over a bare socket that answers what a test writes, byte by byte, and remembers what it was sent."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Sent:
    """One request as it came: method, target, headers in lower case, body."""

    def __init__(self, head: str, body: bytes, connection: int) -> None:
        first, *rest = head.split("\r\n")
        self.method, self.target, _ = first.split(" ", 2)
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        self.body = body
        self.connection = connection


Reply = Callable[[Sent, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = b'{"status":"success","data":true}', status: int = 200, **headers: str) -> bytes:
    """Return an answer as bytes; a name's underscores become hyphens."""
    given = {"content-type": "application/json", "content-length": str(len(body))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Word", *(f"{name}: {value}" for name, value in given.items() if value)]
    return "\r\n".join((*lines, "", "")).encode() + body


def writes(*parts: bytes, closes: bool = False) -> Reply:
    """Return a reply of some parts, each sent by itself."""

    async def reply(_sent: Sent, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if closes:
            writer.close()

    return reply


async def silence(_sent: Sent, _writer: asyncio.StreamWriter) -> None:
    """Say nothing."""


class RawServer:
    """Plays replies, one a request, the last one again and again."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = replies or (writes(answer()),)
        self.sent: list[Sent] = []
        self.connections = 0
        self.base = ""

    @asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["RawServer"]:
        open_ones: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            open_ones[asyncio.current_task()] = writer
            self.connections += 1
            await self._serve(reader, writer, self.connections)

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        self.base = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for writer in open_ones.values():
                writer.transport.abort()
            await asyncio.gather(*(task for task in open_ones if task is not None), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().removesuffix("\r\n\r\n")
                sent = Sent(head, b"", number)
                sent.body = await reader.readexactly(int(sent.headers.get("content-length", "0")))
                self.sent.append(sent)
                await self._replies[min(len(self.sent), len(self._replies)) - 1](sent, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

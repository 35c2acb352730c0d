"""A server of Kite's ticker over a real socket that does what a test says. The exchange is another, whole one."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Script = Callable[["Client"], Awaitable[None]]
HEARTBEAT = b"\x00"


class Client:
    """A connection as the server sees it. `tokens` and `modes` are what it has asked for."""

    def __init__(self, socket: ServerConnection, number: int) -> None:
        self.socket = socket
        self.number = number
        self.tokens: set[int] = set()
        self.modes: dict[int, str] = {}
        self.asked = asyncio.Event()

    async def send(self, data: bytes | str) -> None:
        await self.socket.send(data)

    async def hear(self) -> None:
        """Take what it asks for, until it is gone."""
        try:
            async for message in self.socket:
                self._take(json.loads(message))
                self.asked.set()
        except ConnectionClosed:
            return

    def _take(self, message: dict[str, Any]) -> None:
        if message["a"] == "subscribe":
            self.tokens.update(message["v"])
        elif message["a"] == "mode":
            mode, tokens = message["v"]
            self.modes.update(dict.fromkeys(tokens, mode))


class StreamServer:
    """`scripts` are played, one a connection, the last again and again; `answers` refuse connections before that."""

    def __init__(self, *scripts: Script, answers: tuple[Response, ...] = ()) -> None:
        self._scripts = scripts
        self._answers = list(answers)
        self.clients: list[Client] = []
        self.paths: list[str] = []
        self.came = asyncio.Condition()
        self.base = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["StreamServer"]:
        async with serve(
            self._serve, "127.0.0.1", 0, process_request=self._request, compression=None, logger=_quiet()
        ) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            self.base = f"ws://127.0.0.1:{port}"
            yield self

    async def connections(self, count: int) -> None:
        """Wait until so many connections have come."""
        async with self.came:
            await self.came.wait_for(lambda: len(self.clients) >= count)

    async def requests(self, count: int) -> None:
        """Wait until a connection was asked for so often, refused ones included."""
        async with self.came:
            await self.came.wait_for(lambda: len(self.paths) >= count)

    async def _request(self, _connection: ServerConnection, request: Request) -> Response | None:
        async with self.came:
            self.paths.append(request.path)
            self.came.notify_all()
        return self._answers.pop(0) if self._answers else None

    async def _serve(self, socket: ServerConnection) -> None:
        client = Client(socket, len(self.clients))
        async with self.came:
            self.clients.append(client)
            self.came.notify_all()
        hearing = asyncio.create_task(client.hear())
        try:
            await self._scripts[min(client.number, len(self._scripts) - 1)](client)
            await hearing
        except ConnectionClosed:
            return
        finally:
            hearing.cancel()


def _quiet() -> logging.Logger:
    """Return a logger that writes nothing: what a server logs of a request is not what is tested."""
    logger = logging.getLogger("tests.kite_stream")
    logger.setLevel(logging.CRITICAL)
    return logger


def refusal(status: HTTPStatus, body: bytes = b"", **headers: str) -> Response:
    """Return an answer to a handshake that refuses it."""
    return Response(status, status.phrase, Headers(**headers), body)


async def quiet(client: Client) -> None:
    """Send nothing at all."""


def plays(*messages: bytes | str) -> Script:
    """Return a script that waits to be asked for something, and then sends messages."""

    async def script(client: Client) -> None:
        await client.asked.wait()
        for message in messages:
            await client.send(message)

    return script


async def beats(client: Client) -> None:
    """Send heartbeats as fast as they are taken, and nothing else."""
    while True:
        await client.send(HEARTBEAT)
        await asyncio.sleep(0)

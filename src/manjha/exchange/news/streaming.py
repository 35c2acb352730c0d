"""The ticker on a socket: takes in what clients ask, and sends what has gathered for them."""

import asyncio
from contextlib import suppress

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from manjha.exchange.clock import Time
from manjha.exchange.errors import KiteError
from manjha.exchange.news.packets import HEARTBEAT
from manjha.exchange.news.streams import Stream, Streams
from manjha.exchange.trouble.striking import transport_of

FLUSH_S = 0.25
"""How often prices are sent: about as often as the broker does."""
HEARTBEAT_NS = 1_000_000_000
"""After how long without anything else a heartbeat is sent; clients give up after five seconds."""
SEND_MAX_S = 10.0
"""How long a client may take to receive something before it is cut off."""
SILENT_S = 60.0
"""How long a connection stays that a fault has silenced: it does not see that the client has gone."""
_NORMAL = 1000


class Ticker:
    """The ticker of an exchange: its route, and the chore that sends prices by the beat."""

    def __init__(self, streams: Streams, time: Time) -> None:
        self._streams = streams
        self._time = time
        self._stirred: dict[Stream, asyncio.Event] = {}
        streams.stirs = self._stir

    @property
    def route(self) -> BaseRoute:
        """The route: the root of the server, as with the broker."""
        return WebSocketRoute("/", self._endpoint, name="ticker")

    async def beat(self) -> None:
        """Have every connection send what has changed, again and again."""
        while True:
            await asyncio.sleep(FLUSH_S)
            # A packet is made once for all who get it in this beat.
            self._streams.forget_packets()
            for event in self._stirred.values():
                event.set()

    def _stir(self, stream: Stream) -> None:
        event = self._stirred.get(stream)
        if event is not None:
            event.set()

    async def _endpoint(self, socket: WebSocket) -> None:
        query = socket.query_params
        self._time.bring()
        try:
            stream = self._streams.join(query.get("api_key", ""), query.get("access_token", ""))
        except KiteError as error:
            # The broker's body has no type here.
            body = msgspec.json.encode({"status": "error", "message": error.message})
            await socket.send_denial_response(Response(body, error.code, media_type="application/json"))
            return
        self._stirred[stream] = asyncio.Event()
        try:
            await socket.accept()
            await self._both(socket, stream)
        finally:
            del self._stirred[stream]
            self._streams.leave(stream)

    async def _both(self, socket: WebSocket, stream: Stream) -> None:
        """Hear and send, until the client or its login is gone."""
        tasks = [asyncio.create_task(one(socket, stream)) for one in (self._hear, self._send)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if stream.is_over:
            with suppress(RuntimeError, WebSocketDisconnect):
                await socket.close(_NORMAL)

    async def _hear(self, socket: WebSocket, stream: Stream) -> None:
        while True:
            message = await socket.receive()
            if message["type"] != "websocket.receive":
                return
            if message.get("text"):
                self._time.bring()
                self._streams.take(stream, message["text"])
                self._stir(stream)

    async def _send(self, socket: WebSocket, stream: Stream) -> None:
        """Send what has gathered whenever somebody stirs, and a heartbeat where nothing else was sent for a while."""
        mono_ns, stirred = self._time.mono_ns, self._stirred[stream]
        sent_ns = mono_ns()
        while not stream.is_over:
            if self._streams.is_silent(stream):
                # Not even an answer to a ping, nor to the end of the connection.
                transport_of(socket.scope).pause_reading()
                await asyncio.sleep(SILENT_S)
                transport_of(socket.scope).abort()
                return
            body, texts = self._streams.taken(stream)
            if not body and not texts and mono_ns() - sent_ns >= HEARTBEAT_NS:
                body = HEARTBEAT
            async with asyncio.timeout(SEND_MAX_S):
                for text in texts:
                    await socket.send_text(text)
                if body:
                    await socket.send_bytes(body)
            if body or texts:
                sent_ns = mono_ns()
            await stirred.wait()
            stirred.clear()

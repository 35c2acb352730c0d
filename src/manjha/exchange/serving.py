"""Serves an exchange on a socket: in this thread until it is told to end, or in one of its own for tests."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from manjha.domain.errors import UsageError
from manjha.exchange.trouble.striking import TRANSPORT

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

STARTS_WITHIN_S = 10
IDLE_S = 75
"""How long a connection may be idle, as web servers usually let it."""
ENDS_WITHIN_S = 3
"""How long requests may take that are under way when the server ends; some never get their answer."""


class _Http(HttpToolsProtocol):
    """Lets a request reach its connection: faults close it, or reset it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: {"transport": self.transport}}


class _WebSocket(WebSocketsSansIOProtocol):
    """Lets the ticker reach its connection."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope["extensions"] = {
                **(self.scope.get("extensions") or {}),
                TRANSPORT: {"transport": self.transport},
            }

    async def send(self, message: "ASGISendEvent") -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and self.close_sent:
            # A refusal completes the handshake too; the server would log each as a mistake of the application.
            self.handshake_complete = True


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 for any that is free. Raises `UsageError` where it is taken."""
    # With the protocol named: otherwise small answers wait for the acknowledgement of the one before (40 ms).
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as taken:
        listener.close()
        raise UsageError(
            f"cannot listen on {host}:{port}: {taken.strerror}", hint="Choose another --port; 0 takes any that is free."
        ) from None
    listener.listen(128)
    return listener


def server_of(app: Starlette) -> uvicorn.Server:
    """Return a server of the application; it logs what breaks, and no request, as whoever runs it has set up logs."""
    return uvicorn.Server(
        uvicorn.Config(
            app, http=_Http, log_config=None, log_level="warning", access_log=False, lifespan="on",
            timeout_keep_alive=IDLE_S,
            # As with the broker: no compression, and no sign of life but the heartbeat.
            ws=_WebSocket, timeout_graceful_shutdown=ENDS_WITHIN_S, ws_per_message_deflate=False, ws_ping_interval=None,
        )
    )  # fmt: skip


@contextlib.contextmanager
def served(app: Starlette, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve an application in a thread of its own; give the address of its root."""
    listener = listening(host, 0)
    server = server_of(app)
    began = threading.Event()
    startup = server.startup

    async def start(sockets: list[socket.socket] | None = None) -> None:
        await startup(sockets)
        began.set()

    server.startup = start  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        if not began.wait(STARTS_WITHIN_S):
            raise UsageError("the exchange did not begin to listen in time")
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(STARTS_WITHIN_S)
        listener.close()

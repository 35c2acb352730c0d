"""Carries out on a socket what the fault plan says of a request, or of a ticker's connection."""

import asyncio
import socket
import struct
from collections.abc import Callable
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from manjha.exchange.errors import KiteError
from manjha.exchange.exchange import Exchange
from manjha.exchange.trouble.faults import Mishap, RequestFault

TRANSPORT = "manjha.transport"
"""The extension of a request under which the server gives its connection."""
SIMULATION = "/simulation"
"""What no fault strikes: a test must be able to end one."""
Made = Callable[[], Response]
"""Carries a request out and returns its answer."""


async def answer(exchange: Exchange, request: Request, made: Made) -> Response:
    """Answer a request, or let happen to it what the plan says."""
    path = request.url.path
    if path.startswith(SIMULATION):
        return made()
    fault = exchange.mishaps.strikes(request.method, path, request.headers.get("authorization", ""))
    if fault is None:
        return made()
    if fault.what is Mishap.DELAY:
        return await _late(exchange, fault, request, made)
    return _struck(fault, made() if fault.after or fault.what is Mishap.CUT else None)


def transport_of(scope: Scope) -> asyncio.Transport:
    """Return the connection of a request."""
    found = scope["extensions"][TRANSPORT]["transport"]
    assert isinstance(found, asyncio.Transport)  # noqa: S101 - `serving` puts it there
    return found


def _struck(fault: RequestFault, answered: Response | None) -> Response:
    if fault.what is Mishap.ERROR:
        error = KiteError(fault.error_kind, fault.words, fault.status)
        return Response(msgspec.json.encode(error.body()), fault.status, headers={"content-type": "application/json"})
    if fault.what is Mishap.PAGE:
        return Response(_page(fault.status), fault.status, headers={"content-type": "text/html"})
    if fault.what is Mishap.CUT:
        return _Cut(answered)
    return _Reset() if fault.what is Mishap.RESET else _Silence()


async def _late(exchange: Exchange, fault: RequestFault, request: Request, made: Made) -> Response:
    """Answer when the time has come. Who has gone by then gets nothing, and what was asked for is done all the same."""
    done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def finish() -> None:
        answered = early if early is not None else made()
        if not done.done():
            done.set_result(answered)

    early = made() if fault.after else None
    exchange.mishaps.later(fault.seconds, exchange.now_ns, finish)
    gone = asyncio.ensure_future(_gone(request.receive))
    try:
        await asyncio.wait((done, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
    return done.result() if done.done() else _Silence()


async def _gone(receive: Receive) -> None:
    """Wait until the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _Silence(Response):
    """No answer: the connection stays open until the client closes it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, send
        await _gone(receive)


class _Reset(Response):
    """No answer: the connection is reset without a byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del send
        transport = transport_of(scope)
        # To linger for no time is what makes it a reset and not an end.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await _gone(receive)


class _Cut(Response):
    """All headers of an answer, half of its body, and the end of the connection."""

    def __init__(self, whole: Response | None) -> None:
        super().__init__()
        self._whole = whole if whole is not None else Response()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = self._whole
        await send({"type": "http.response.start", "status": whole.status_code, "headers": whole.raw_headers})
        half = bytes(whole.body)[: len(whole.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        transport_of(scope).close()
        await _gone(receive)


def _page(status: int) -> bytes:
    words = f"{status} {HTTPStatus(status).phrase if status in list(HTTPStatus) else ''}".strip()
    return f"<html>\n<head><title>{words}</title></head>\n<body><h1>{words}</h1></body>\n</html>\n".encode()

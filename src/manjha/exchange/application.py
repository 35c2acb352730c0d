"""The thin shell of the exchange: HTTP requests become calls, answers and errors become bodies, time comes along."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeAlias
from urllib.parse import parse_qs, parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as Path

from manjha.exchange.calls import Answer, Call, Route, answered, success
from manjha.exchange.clock import Time
from manjha.exchange.errors import Kind, KiteError
from manjha.exchange.exchange import Exchange
from manjha.exchange.news.postbox import Postbox
from manjha.exchange.news.posting import Posting
from manjha.exchange.news.streaming import Ticker
from manjha.exchange.news.streams import Streams
from manjha.exchange.routes.table import ROUTES
from manjha.exchange.trouble import striking

JSON = "application/json"
LOOK_S = 0.02
"""How often time is brought along where nobody asks."""
_GZIP_FROM = 500

Chore: TypeAlias = Callable[[], Awaitable[None]]
"""Runs beside the requests for as long as the exchange is served."""


def create_app(
    exchange: Exchange, time: Time, further: Sequence[BaseRoute] = (), chores: Sequence[Chore] = ()
) -> Starlette:
    """Return the application that serves an exchange, its ticker and postbacks included.

    `further` are routes that are no calls.
    """
    ticker, posting = Ticker(Streams(exchange), time), Posting(Postbox(exchange))

    async def keep_time() -> None:
        while True:
            if time.is_fastest:
                # Nothing to come: look again for what a client may bring.
                await asyncio.sleep(0 if time.step() else LOOK_S)
            else:
                time.bring()
                await asyncio.sleep(LOOK_S)

    @contextlib.asynccontextmanager
    async def beside(app: Starlette) -> AsyncIterator[None]:
        del app
        tasks = [asyncio.ensure_future(chore()) for chore in (keep_time, ticker.beat, posting.send, *chores)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return Starlette(
        routes=[*(_path(exchange, time, route) for route in ROUTES), ticker.route, *further],
        exception_handlers={HTTPException: _no_route, Exception: _broken},
        lifespan=beside,
    )


def _path(exchange: Exchange, time: Time, route: Route) -> Path:
    async def endpoint(request: Request) -> Response:
        body = await request.body() if route.method in ("POST", "PUT") else b""
        time.bring()
        call = _call(request, body, time.mono_ns())

        def made() -> Response:
            try:
                return _response(answered(exchange, route, call), request)
            except KiteError as error:
                return _error(error)

        return await striking.answer(exchange, request, made)

    return Path(route.path, endpoint, methods=[route.method], name=f"{route.method} {route.path}")


def _call(request: Request, body: bytes, mono_ns: int) -> Call:
    scope = request.scope
    query = scope["query_string"]
    is_json = request.headers.get("content-type", "").startswith(JSON)
    form = {} if is_json or not body else dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return Call(
        method=scope["method"],
        path=scope["path_params"],
        query=parse_qs(query.decode("latin-1"), keep_blank_values=True) if query else {},
        form=form,
        body=body,
        authorization=request.headers.get("authorization", ""),
        address=scope["client"][0] if scope.get("client") else "",
        mono_ns=mono_ns,
    )


def _response(answer: Any, request: Request) -> Response:
    if not isinstance(answer, Answer):
        return Response(msgspec.json.encode(success(answer)), headers={"content-type": JSON})
    headers = {**answer.headers, "content-type": answer.content_type}
    body = answer.body
    if len(body) >= _GZIP_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["content-encoding"] = gzip.compress(body, 5), "gzip"
    # By headers: a media type would get its charset added, and a client parses "text/csv" only.
    return Response(body, answer.code, headers=headers)


def _error(error: KiteError) -> Response:
    return Response(msgspec.json.encode(error.body()), error.code, headers={"content-type": JSON})


async def _no_route(request: Request, error: Exception) -> Response:
    del request
    code = error.status_code if isinstance(error, HTTPException) else 500
    return _error(
        KiteError(Kind.GENERAL, {404: "Route not found", 405: "Method not allowed"}.get(code, "Failed"), code)
    )


async def _broken(request: Request, error: Exception) -> Response:
    """Answer our own bug as the broker would answer its; the server logs it."""
    del request, error
    return _error(KiteError(Kind.GENERAL, "Something unexpected happened in the simulated exchange. See its log.", 500))

"""One connection that tells what happens: as server-sent events, or over a WebSocket."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, Field
from starlette.types import Receive, Scope, Send

from manjha.api.auth import BEARER, Needs, Reader, address_of
from manjha.api.parts import ApiParts, Parts
from manjha.api.problems import Problem
from manjha.api.streaming.events import Topic
from manjha.api.streaming.hub import Frame, Hub, Listener, Wanted, parse_place
from manjha.services.identity.caller import Caller
from manjha.services.identity.caller import Scope as TokenScope

router = APIRouter(tags=["stream"])
BEAT_S = 15.0
"""How long nothing may be said; then a beat is."""
FLUSH_S = 1.0
"""How long the last words of a stream may take."""
POLICY_VIOLATION, TRY_AGAIN = 1008, 1013
"""Codes with which a WebSocket ends (RFC 6455): the token does not hold; too slow."""
Names = Annotated[str, Query(max_length=4_000)]
LISTENABLE = [each for each in Topic if each is not Topic.RESET]


class AskedStream(BaseModel, extra="forbid"):
    """What is listened to; lists with commas, where empty is all. `ticks` need their accounts named."""

    topics: str = Field(max_length=200, examples=["orders,trades,positions"], description=", ".join(LISTENABLE))
    accounts: str = Field(default="", max_length=2_000, examples=["PAPER"])
    instruments: str = Field(default="", max_length=8_000, examples=["NSE:PATANG"])
    after: str = Field(default="", max_length=4_000, examples=["PAPER:120"], description="The `id` of the last event.")


@router.get(
    "/stream", summary="What happens, as it happens", response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)  # fmt: skip
async def stream(
    caller: Reader,
    request: Request,
    parts: Parts,
    asked: Annotated[AskedStream, Query()],
    sent: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
    last_event_id: Annotated[str, Header(max_length=4_000)] = "",
) -> StreamingResponse:
    """Tell what happens, as server-sent events. The `id` of an event is where to resume: after it nothing is lost.

    A listener that is too slow is cut off and may resume; one whose token is revoked is cut off at once. Where it is
    too far behind, `reset` tells it to read the lists anew.
    """
    del caller
    hub = hub_of(request.app.state)
    address = address_of(request)
    listener = Listener(wanted_of(parts, asked), sent.credentials if sent else "", address)
    frames = await _joined(hub, listener, last_event_id or asked.after)
    return _EventStream(hub, listener, frames)


class _ListenerNeeds(Needs):
    """The mark of a WebSocket: as of a request, and from no other site's page."""

    async def __call__(self, websocket: WebSocket) -> Caller:  # type: ignore[override]
        """Return who asks. Raises the problem of a caller who is not known, may not, or comes from elsewhere."""
        origin, host = websocket.headers.get("origin"), websocket.headers.get("host", "")
        if origin is not None and origin.partition("://")[2] != host:
            raise Problem(403, "other-origin", "a page of another site may not listen", hint="Listen from our own.")
        parts: ApiParts = websocket.app.state.parts
        return self.known(parts, bearer_of(websocket), address_of(websocket))


@router.websocket("/stream")
async def socket(
    websocket: WebSocket, caller: Annotated[Caller, Depends(_ListenerNeeds(TokenScope.READ))]
) -> None:  # fmt: skip
    """Tell what happens over a WebSocket: each message is an event with its `id`. What is sent to it is not read."""
    del caller
    parts: ApiParts = websocket.app.state.parts
    hub = hub_of(websocket.app.state)
    asked = _asked(dict(websocket.query_params))
    address = address_of(websocket)
    listener = Listener(wanted_of(parts, asked), bearer_of(websocket), address)
    frames = await _joined(hub, listener, asked.after)
    try:
        await websocket.accept()
        tasks = [
            asyncio.create_task(each)
            for each in (_say(websocket, listener, frames), _hear_nothing(websocket), listener.ended.wait())
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if listener.ended.is_set():
            code = TRY_AGAIN if listener.why == "too slow" else POLICY_VIOLATION
            await asyncio.wait_for(websocket.close(code, listener.why), FLUSH_S)
    except (WebSocketDisconnect, RuntimeError, TimeoutError):
        # It is gone, which is all that was left to do.
        pass
    finally:
        hub.leave(listener)


def bearer_of(websocket: WebSocket) -> str:
    """Return the token that a WebSocket was opened with; empty for none."""
    kind, _, token = websocket.headers.get("authorization", "").partition(" ")
    return token if kind.lower() == "bearer" else ""


def hub_of(state: Any) -> Hub:
    """Return the one hub of an application."""
    if not hasattr(state, "hub"):
        state.hub = Hub(state.parts)
    hub: Hub = state.hub
    return hub


def wanted_of(parts: ApiParts, asked: AskedStream) -> Wanted:
    """Return what is listened to. Raises the problem of a topic that is none; names of instruments become ids."""
    names = _listed(asked.topics)
    unknown = [name for name in names if name not in LISTENABLE]
    if unknown or not names:
        raise Problem(
            422, "invalid", f"there is no topic {unknown[0] if unknown else ''!r}",
            hint=f"Topics are {', '.join(LISTENABLE)}.",
        )  # fmt: skip
    topics, accounts = frozenset(map(Topic, names)), frozenset(_listed(asked.accounts))
    if Topic.TICKS in topics and not accounts:
        raise Problem(422, "invalid", "ticks are of an account's trader", hint="Name it in `accounts`.")
    instruments = frozenset(parts.instruments.find(name).id for name in _listed(asked.instruments))
    return Wanted(topics, accounts, instruments)


async def _joined(hub: Hub, listener: Listener, after: str) -> list[Frame]:
    try:
        place = parse_place(after)
    except ValueError:
        raise Problem(
            422, "bad-cursor", "where to resume is the id of an event", hint="Leave it out to begin with what is new."
        ) from None
    if not hub.has_room(listener.bearer):
        raise Problem(
            429, "too-many-streams", "too many listen already", hint="Use one connection for all topics.",
            headers={"Retry-After": "5"},
        )  # fmt: skip
    try:
        return await hub.join(listener, place)
    except BaseException:
        hub.leave(listener)
        raise


def _asked(words: dict[str, str]) -> AskedStream:
    try:
        return AskedStream.model_validate(words)
    except ValueError:
        raise Problem(
            422, "invalid", "a stream is asked for with topics, accounts, instruments and after",
            hint="GET /api/v1/openapi.json describes them, at /stream.",
        ) from None  # fmt: skip


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


async def _say(websocket: WebSocket, listener: Listener, frames: list[Frame]) -> None:
    for frame in frames:
        await websocket.send_text(frame.text)
    while True:
        try:
            async with asyncio.timeout(BEAT_S):
                coming = await listener.waiting.get()
        except TimeoutError:
            await websocket.send_text('{"topic":"beat"}')
            continue
        if coming is None:
            return
        await websocket.send_text(coming.text)


async def _hear_nothing(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


class _EventStream(StreamingResponse):
    """Server-sent events of a listener, ended when it must end, also while the client takes nothing."""

    def __init__(self, hub: Hub, listener: Listener, frames: list[Frame]) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(self._events(frames), media_type="text/event-stream", headers=headers)
        self._hub, self._listener = hub, listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client is gone or the listener must end."""
        sending = asyncio.create_task(super().__call__(scope, receive, send))
        ended = asyncio.create_task(self._listener.ended.wait())
        try:
            await asyncio.wait({sending, ended}, return_when=asyncio.FIRST_COMPLETED)
            # Its last words are on their way; who does not take them gets none.
            await asyncio.wait({sending}, timeout=FLUSH_S)
        finally:
            for task in (sending, ended):
                task.cancel()
            await asyncio.gather(sending, ended, return_exceptions=True)
            self._hub.leave(self._listener)

    async def _events(self, frames: list[Frame]) -> AsyncIterator[bytes]:
        yield b": listening\n\n"
        for frame in frames:
            yield frame.sse
        while True:
            try:
                async with asyncio.timeout(BEAT_S):
                    coming = await self._listener.waiting.get()
            except TimeoutError:
                yield b": beat\n\n"
                continue
            if coming is None:
                yield f"event: end\ndata: {self._listener.why}\n\n".encode()
                return
            yield coming.sse

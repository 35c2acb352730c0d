"""What a request may be at most, before anything is made of it."""

from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manjha.api.problems import Problem, document

BODY_MAX = 1 << 20
"""Bytes of a body, where a route does not take files."""


class BodyLimit:
    """Refuses bodies that are too large: by their head, and where that lies or is silent, while they come."""

    def __init__(self, app: ASGIApp, largest: int = BODY_MAX, larger: dict[str, int] | None = None) -> None:
        self._app, self._largest, self._larger = app, largest, larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        largest = self._larger.get(scope["path"], self._largest)
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > largest:
            await _too_large(largest)(scope, receive, send)
            return
        came, began, refused = 0, False, False

        async def bounded() -> Message:
            nonlocal came, refused
            message = await receive()
            came += len(message.get("body", b""))
            if came > largest:
                refused = True
                return {"type": "http.disconnect"}
            return message

        async def answered(message: Message) -> None:
            nonlocal began
            if refused and not began:
                return
            began = True
            await send(message)

        try:
            await self._app(scope, bounded, answered)
        finally:
            if refused and not began:
                await _too_large(largest)(scope, receive, send)


def _too_large(largest: int) -> ASGIApp:
    return document(
        Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", f"the body may have {largest:,} bytes",
            hint="Send less, or in parts.",
        )
    )  # fmt: skip

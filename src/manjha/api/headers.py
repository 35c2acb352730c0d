"""What every answer says to a browser: believe the type, frame nothing, run nothing, keep nothing, tell nobody."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALWAYS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""Where a route has not said otherwise."""
HSTS = {"strict-transport-security": "max-age=31536000"}
"""Under TLS: come by it only, for a year."""


class SafeHeaders:
    """Adds the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the headers."""

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (ALWAYS | (HSTS if scope.get("scheme") == "https" else {})).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, answered if scope["type"] == "http" else send)

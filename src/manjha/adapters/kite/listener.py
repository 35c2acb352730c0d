"""A listener on this machine, for what a browser or a web server of ours brings; nobody else reaches it."""

import asyncio
from collections.abc import Awaitable, Callable

from manjha.domain.errors import UsageError

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """Use it as `async with`. `port` 0 takes any that is free, and tells then which; `otherwise` is what else to do."""

    def __init__(self, port: int, serve: Serve, otherwise: str, head_max: int) -> None:
        self.port = port
        self._serve = serve
        self._otherwise = otherwise
        self._head_max = head_max
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Listener":
        """Listen. Raises `UsageError` where something else does."""
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=self._head_max)
        except OSError as error:
            raise UsageError(
                f"nothing can listen on port {self.port}: {error.strerror}", hint=f"Free it, or {self._otherwise}."
            ) from None
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

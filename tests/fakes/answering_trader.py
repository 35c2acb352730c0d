"""A trader that only answers what it is told through its socket."""

import asyncio
import threading
from pathlib import Path

from manjha.adapters.system.control_socket import ControlSocket
from manjha.domain.controls import Answer, AskStatus, Request, Status


class AnsweringTrader:
    """A loop in a thread of its own that answers every request with a number."""

    def __init__(self, path: Path) -> None:
        self.path, self.seen = path, list[Request]()
        self.status: Status = {}
        self.is_open = threading.Event()
        self._ends: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self) -> None:
        asyncio.run(self._trade())

    def end(self) -> None:
        assert self._loop is not None
        assert self._ends is not None
        self._loop.call_soon_threadsafe(self._ends.set)

    async def _trade(self) -> None:
        listening = ControlSocket(self.path)
        self._loop, self._ends = asyncio.get_running_loop(), asyncio.Event()
        await listening.open()
        answering = asyncio.ensure_future(self._answer(listening))
        self.is_open.set()
        await self._ends.wait()
        answering.cancel()
        await listening.close()

    async def _answer(self, listening: ControlSocket) -> None:
        while True:
            request = await listening.inbox.next()
            self.seen.append(request)
            listening.inbox.answer(self._answered(request))

    def _answered(self, request: Request) -> Answer:
        if isinstance(request.control, AskStatus):
            return Answer(request.key, status=self.status)
        return Answer(request.key, len(self.seen))

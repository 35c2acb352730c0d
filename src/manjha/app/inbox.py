"""Ticks that wait for a trader's loop: bounded, and joined where they come faster than they are taken."""

import asyncio
from collections import deque

import msgspec

from manjha.domain.money import Qty
from manjha.domain.ticks import Tick

INBOX_MAX = 4_096
"""Ticks that may wait."""


class Inbox:
    """Ticks that wait for the loop, oldest first; `joined` counts those that were joined with a later one."""

    def __init__(self, limit: int = INBOX_MAX, *, joins: bool = False) -> None:
        self._limit = limit
        self._joins = joins
        self._ticks: deque[Tick] = deque()
        self._room = asyncio.Event()
        self._room.set()
        self.stirred = asyncio.Event()
        self.joined = 0

    def __len__(self) -> int:
        return len(self._ticks)

    async def put(self, tick: Tick) -> None:
        """Put a tick in; where there is no room, wait, or join it with the one of its instrument that waits."""
        while len(self._ticks) >= self._limit:
            if self._joins and self._join(tick):
                return
            self._room.clear()
            await self._room.wait()
        self._ticks.append(tick)
        self.stirred.set()

    def take(self) -> Tick | None:
        """Take the oldest one out; None where none waits."""
        if not self._ticks:
            return None
        tick = self._ticks.popleft()
        self._room.set()
        return tick

    def _join(self, tick: Tick) -> bool:
        """Let the last waiting tick of an instrument have a later price and both quantities."""
        for at in range(len(self._ticks) - 1, -1, -1):
            waits = self._ticks[at]
            if waits.instrument == tick.instrument:
                del self._ticks[at]
                volume = Qty(waits.volume + tick.volume)
                self._ticks.append(msgspec.structs.replace(tick, volume=volume))
                self.joined += 1
                return True
        return False

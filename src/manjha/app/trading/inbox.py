"""Ticks that wait for a trader's loop: bounded, and joined where they come faster than they are taken."""

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from manjha.domain.money import Qty
from manjha.domain.ticks import Tick

if TYPE_CHECKING:
    from manjha.domain.instrument import InstrumentId

INBOX_MAX = 4_096
"""Ticks that may wait."""


class Inbox:
    """Ticks that wait for the loop, oldest first; `joined` counts those that were joined with a later one.

    What it costs to put, take or join one does not depend on how many wait: it must not slow down who is behind.
    """

    def __init__(self, limit: int = INBOX_MAX, *, joins: bool = False) -> None:
        self._limit = limit
        self._joins = joins
        self._ticks: OrderedDict[int, Tick] = OrderedDict()
        self._newest: dict[InstrumentId, int] = {}
        self._put = 0
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
        self._append(tick)
        self.stirred.set()

    def take(self) -> Tick | None:
        """Take the oldest one out; None where none waits."""
        if not self._ticks:
            return None
        _, tick = self._ticks.popitem(last=False)
        self._room.set()
        return tick

    def _append(self, tick: Tick) -> None:
        self._put += 1
        self._ticks[self._put] = tick
        self._newest[tick.instrument] = self._put

    def _join(self, tick: Tick) -> bool:
        """Let the last waiting tick of an instrument have a later price and both quantities."""
        waits = self._ticks.pop(self._newest.get(tick.instrument, 0), None)
        if waits is None:
            return False
        self._append(msgspec.structs.replace(tick, volume=Qty(waits.volume + tick.volume)))
        self.joined += 1
        return True

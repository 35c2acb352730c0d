"""An event loop in which nobody waits: when all tasks do, time jumps to what is due next."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from manjha.domain.moments import SECOND_NS, TsNs

T = TypeVar("T")


class VirtualTime:
    """Time that goes on from one event loop to the next; it begins at a moment."""

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self.elapsed_s = 0.0

    def now_ns(self) -> TsNs:
        return TsNs(self._start_ns + self.mono_ns())

    def mono_ns(self) -> int:
        return round(self.elapsed_s * SECOND_NS)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something to its end in a loop of its own."""
        with asyncio.Runner(loop_factory=lambda: _Loop(self)) as runner:
            return runner.run(work)

    async def until(self, ts_ns: int) -> None:
        """Wait for a moment."""
        await asyncio.sleep(max(ts_ns - self.now_ns(), 0) / SECOND_NS)

    def at(self, ts_ns: int, action: Callable[[], object]) -> None:
        """Do something at a moment, in the loop that runs."""
        asyncio.get_running_loop().call_later(max(ts_ns - self.now_ns(), 0) / SECOND_NS, action)


class _Selector(selectors.SelectSelector):
    def __init__(self, time: VirtualTime) -> None:
        super().__init__()
        self._time = time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found or timeout == 0:
            return found
        if timeout is None:
            raise AssertionError("every task waits for ever")
        self._time.elapsed_s += timeout
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, time: VirtualTime) -> None:
        super().__init__(_Selector(time))
        self._time = time

    def time(self) -> float:
        return self._time.elapsed_s

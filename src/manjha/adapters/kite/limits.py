"""Kite's limits on requests, by class (KITE_CONNECT_V3 section 4): whoever reads waits, an order never does."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from enum import StrEnum

QUOTES, CANDLES, OTHERS, ORDERS = 1, 3, 10, 10
"""Requests in any second."""
ORDERS_A_MINUTE = 400
_SECOND, _MINUTE = 1.0, 60.0
ON_THE_WAY = 0.25
"""By how much a request may be longer on its way than a later one, in seconds: the broker counts when they arrive."""


class RateClass(StrEnum):
    """What a request counts as."""

    QUOTE = "quote"
    HISTORICAL = "historical"
    ORDER = "order"
    OTHER = "other"


class Window:
    """At most `limit` moments in any `seconds`: a sliding window, as a burst after silence counts as well."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._taken: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Return how long until there is room, 0 where there is."""
        while self._taken and now - self._taken[0] >= self._seconds:
            self._taken.popleft()
        return 0.0 if len(self._taken) < self._limit else self._taken[0] + self._seconds - now

    def take(self, now: float) -> None:
        """Count one."""
        self._taken.append(now)


class Limits:
    """The limits of one api key. `seconds` is a clock that never jumps, `pause` waits by it."""

    def __init__(self, seconds: Callable[[], float], pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._seconds = seconds
        self._pause = pause
        self._reads = {
            RateClass.QUOTE: Window(QUOTES, _SECOND + ON_THE_WAY),
            RateClass.HISTORICAL: Window(CANDLES, _SECOND + ON_THE_WAY),
            RateClass.OTHER: Window(OTHERS, _SECOND + ON_THE_WAY),
        }
        self._orders = (Window(ORDERS, _SECOND), Window(ORDERS_A_MINUTE, _MINUTE))

    async def read(self, kind: RateClass) -> None:
        """Return when a request may be made that changes nothing; it is counted then."""
        window = self._reads[kind]
        while (wait := window.wait(self._seconds())) > 0:
            await self._pause(wait)
        window.take(self._seconds())

    async def refused(self) -> None:
        """Wait for a second: the broker counts what others ask for the same key too."""
        await self._pause(_SECOND)

    def order(self) -> str:
        """Count an order, a change or a cancel, and return nothing; or say why none may leave now.

        The engine's governor keeps below these limits. Who comes here all the same is sent nowhere: an order that waits
        may be stale when it leaves.
        """
        now = self._seconds()
        if any(window.wait(now) > 0 for window in self._orders):
            return f"more than {ORDERS} orders in a second or {ORDERS_A_MINUTE} in a minute"
        for window in self._orders:
            window.take(now)
        return ""

"""Rate limits (fact sheet 4). They count the caller's own time, not the exchange's, which may run at any speed."""

from collections import deque
from collections.abc import Mapping
from enum import StrEnum

from manjha.domain.moments import SECOND_NS
from manjha.exchange.errors import too_many

MINUTE_NS = 60 * SECOND_NS


class RateClass(StrEnum):
    """What a call counts as. FREE calls are not counted."""

    QUOTE = "quote"
    HISTORICAL = "historical"
    ORDER = "order"
    OTHER = "other"
    FREE = "free"


PER_SECOND: Mapping[RateClass, int] = {
    RateClass.QUOTE: 1, RateClass.HISTORICAL: 3, RateClass.ORDER: 10, RateClass.OTHER: 10,
}  # fmt: skip
ORDERS_A_MINUTE = 400


class Window:
    """At most so many calls in any span of time."""

    __slots__ = ("_calls", "_limit", "_span")

    def __init__(self, limit: int, span_ns: int) -> None:
        self._limit, self._span = limit, span_ns
        self._calls: deque[int] = deque()

    def has_room(self, mono_ns: int) -> bool:
        """Tell whether one more call fits at a moment of a clock that does not jump."""
        calls = self._calls
        while calls and mono_ns - calls[0] >= self._span:
            calls.popleft()
        return len(calls) < self._limit

    def count(self, mono_ns: int) -> None:
        """Count a call."""
        self._calls.append(mono_ns)


class RateLimits:
    """The limits by api_key, and of orders by the account they are for. Switched off they let everything pass."""

    def __init__(self, *, on: bool = True) -> None:
        self._on = on
        self._windows: dict[tuple[str, str], Window] = {}

    def take(self, kind: RateClass, api_key: str, user_id: str, mono_ns: int) -> None:
        """Count a call of a class. Raises `KiteError` (429) for one too many, which is not counted."""
        if not self._on or kind is RateClass.FREE:
            return
        scope = user_id if kind is RateClass.ORDER else api_key
        windows = [self._window(str(kind), scope, PER_SECOND[kind], SECOND_NS)]
        if kind is RateClass.ORDER:
            windows.append(self._window("minute", scope, ORDERS_A_MINUTE, MINUTE_NS))
        if not all(window.has_room(mono_ns) for window in windows):
            raise too_many()
        for window in windows:
            window.count(mono_ns)

    def _window(self, name: str, scope: str, limit: int, span_ns: int) -> Window:
        window = self._windows.get((name, scope))
        if window is None:
            window = self._windows[name, scope] = Window(limit, span_ns)
        return window

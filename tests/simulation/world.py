"""Virtual time, chance and faults of one simulated day: everything that happens is drawn from one seed."""

import heapq
import random
from collections.abc import Callable

SECOND = 1_000_000_000
LEVELS = (0.0, 0.0, 0.001, 0.01, 0.05, 0.2)
FAULTS = (
    "fail_connect", "rate_limited", "lose_request", "lose_response", "reset_inside", "land_slowly", "land_late",
    "http_5xx", "timeout_400", "garbage", "reject", "expire_session", "stale_book", "cut_book", "fail_read",
    "drop_hint", "double_hint", "slow_read", "crash", "crash_between", "pause", "take_over", "disk_fails",
    "disk_unknown", "outsider", "squared_off", "part_fill", "fill_in_cancel", "fill_after_cancel", "odd_status",
    "cancel_refused", "modify_ignored", "slow_cancel", "doubled_trade", "link_lost", "odd_403", "kill",
)  # fmt: skip


class World:
    """The queue of what happens, in virtual nanoseconds, and a generator that nothing else draws from."""

    def __init__(self, seed: int, start_ns: int) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.now_ns = start_ns
        self.is_healed = False
        self.injected: dict[str, int] = {}
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0
        swarm = self.rng.random()
        self.levels = {name: self.rng.choice(LEVELS) if self.rng.random() < swarm else 0.0 for name in FAULTS}

    def chance(self, fault: str) -> bool:
        """Tell whether a fault strikes now; none does once the world is healed."""
        if self.is_healed or self.levels[fault] == 0.0 or self.rng.random() >= self.levels[fault]:
            return False
        self.injected[fault] = self.injected.get(fault, 0) + 1
        return True

    def at(self, ts_ns: int, action: Callable[[], None]) -> None:
        """Do something at a moment, or now where it has passed."""
        self._number += 1
        heapq.heappush(self._queue, (max(ts_ns, self.now_ns), self._number, action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something after some seconds."""
        self.at(self.now_ns + int(seconds * SECOND), action)

    def next_ns(self) -> int:
        """Return when the next thing happens; the end of time where nothing does."""
        return self._queue[0][0] if self._queue else 2**62

    def step(self) -> None:
        """Let the next thing happen."""
        self.now_ns, _, action = heapq.heappop(self._queue)
        action()

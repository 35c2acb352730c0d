"""Timers that stand: those that were set and have not fired."""

from collections.abc import Iterable

from manjha.domain.commands import SetTimer
from manjha.domain.events import TimerFired


class StandingTimers:
    """The timers of a run by what is told of it, in the order they were set."""

    def __init__(self, standing: Iterable[SetTimer] = ()) -> None:
        self._standing = list(standing)

    def set(self, timer: SetTimer) -> None:
        """Note that a timer was set."""
        self._standing.append(timer)

    def fired(self, event: TimerFired) -> None:
        """Note that one fired: of those with its key that were due, the earliest."""
        due = [timer for timer in self._standing if timer.key == event.key and timer.ts_ns <= event.ts_ns]
        if due:
            self._standing.remove(min(due, key=lambda timer: timer.ts_ns))

    def listed(self) -> list[SetTimer]:
        """Return them."""
        return list(self._standing)

"""A token bucket on a clock: so many requests at once, so many a minute."""

from manjha.domain.errors import UsageError
from manjha.domain.moments import MINUTE_NS, TsNs
from manjha.ports.clock import Clock


class TokenBucket:
    """Lets `burst` requests through at once and `per_minute` in the long run; waits for the rest."""

    def __init__(self, clock: Clock, per_minute: int, burst: int) -> None:
        if per_minute < 1 or burst < 1:
            raise UsageError(f"expected a rate and a burst of at least 1, was {per_minute} and {burst}")
        self._clock = clock
        self._cost_ns = MINUTE_NS // per_minute
        self._slack_ns = self._cost_ns * (burst - 1)
        self._next_ns = 0

    def take(self) -> None:
        """Return when one more request may be made."""
        now = self._clock.now_ns()
        # The moment at which this request would be due at an even pace; the burst may run ahead of it.
        due = max(self._next_ns, now)
        if due - self._slack_ns > now:
            self._clock.wait_until(TsNs(due - self._slack_ns))
        self._next_ns = due + self._cost_ns

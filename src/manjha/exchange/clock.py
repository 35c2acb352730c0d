"""The exchange's time: a moment to begin at, and how fast it runs against a clock that never jumps."""

from collections.abc import Callable

from manjha.domain.errors import InvariantBroken
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.exchange.exchange import Exchange

FASTEST = 0
"""Speed at which time does not wait: it comes as far as there is something to happen."""
STEP_NS = SECOND_NS
"""How far the fastest time goes between two looks at what clients ask."""


class Time:
    """Brings an exchange to where its time stands: `speed` times real time from `start_ns` on.

    With speed `FASTEST` each step goes on to what happens next; with `stands` only a client's word lets time pass. Time
    that a client let pass counts beside. Once the exchange has broken down while time came along, nothing goes on: what
    it would show then is not the exchange any more.
    """

    def __init__(
        self, exchange: Exchange, mono_ns: Callable[[], int], start_ns: TsNs, speed: float, *, stands: bool = False
    ) -> None:
        self._exchange = exchange
        self.mono_ns = mono_ns
        self._start_ns, self._began_ns = start_ns, mono_ns()
        # In thousandths, so that moments stay whole numbers.
        self._thousandths = round(speed * 1000)
        self._stands = stands
        exchange.thousandths = 0 if stands else self._thousandths
        self._is_broken = False

    @property
    def is_fastest(self) -> bool:
        """Whether time does not wait."""
        return self._thousandths == FASTEST and not self._stands

    def bring(self) -> None:
        """Bring the exchange to now; at the fastest time that is where it is. Raises what breaks it, then for good."""
        if self._stands or self.is_fastest:
            self._check()
            return
        passed = (self.mono_ns() - self._began_ns) * self._thousandths // 1000
        self._advance(self._start_ns + passed + self._exchange.leapt_ns)

    def step(self) -> bool:
        """At the fastest time: go on to what happens next, and a second further. False where nothing is to come."""
        next_ns = self._exchange.next_ns()
        if next_ns is None:
            return False
        self._advance(next_ns + STEP_NS)
        return True

    def _advance(self, now_ns: int) -> None:
        self._check()
        self._is_broken = True
        self._exchange.advance(TsNs(now_ns))
        self._is_broken = False

    def _check(self) -> None:
        if self._is_broken:
            raise InvariantBroken(
                "the exchange has broken down while its time came along",
                hint="See its log for what broke, and start it anew.",
            )

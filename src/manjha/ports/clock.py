"""The only source of now."""

from typing import Protocol

from manjha.domain.moments import TsNs


class Clock(Protocol):
    """Tells the time and waits. Tests hand in one that jumps."""

    def now_ns(self) -> TsNs:
        """Return the present moment."""
        ...

    def wait_until(self, ts_ns: TsNs) -> None:
        """Return at this moment or later."""
        ...

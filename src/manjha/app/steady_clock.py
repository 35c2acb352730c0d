"""The time of a running trader: the machine's time of day once, carried on by a clock that does not jump.

A time server, a person or a virtual machine may set the machine's clock to anywhere while orders wait for their timers.
"""

from collections.abc import Callable

from manjha.domain.moments import TsNs


class SteadyClock:
    """Tells the time as if the machine's clock had not been set since this object was made.

    Parameters
    ----------
    wall_ns
        The machine's time of day, UTC ns; it may jump.
    mono_ns
        Nanoseconds that only ever grow, at the same rate.
    """

    def __init__(self, wall_ns: Callable[[], TsNs], mono_ns: Callable[[], int]) -> None:
        self._wall_ns, self._mono_ns = wall_ns, mono_ns
        self._offset_ns = wall_ns() - mono_ns()

    def now_ns(self) -> TsNs:
        """Return the present moment."""
        return TsNs(self._offset_ns + self._mono_ns())

    def ahead_ns(self) -> int:
        """Return by how much the machine's clock is ahead of this one; negative where it was set back."""
        return self._wall_ns() - self.now_ns()

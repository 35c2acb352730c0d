"""The time of a running trader: the machine's time of day once, carried on by a clock that does not jump.

A time server, a person or a virtual machine may set the machine's clock to anywhere while orders wait for their timers.
"""

from collections.abc import Callable

from manjha.domain.moments import SECOND_NS, TsNs

REAL = 1_000
"""Thousandths of real time: as fast as everywhere."""


class SteadyClock:
    """Tells the time as if the machine's clock had not been set since this object was made.

    Parameters
    ----------
    wall_ns
        The machine's time of day, UTC ns; it may jump.
    mono_ns
        Nanoseconds that only ever grow.
    thousandths
        How fast time passes against `mono_ns`: 1000 but where an exchange is followed whose time is made up.
    """

    def __init__(self, wall_ns: Callable[[], TsNs], mono_ns: Callable[[], int], thousandths: int = REAL) -> None:
        self._wall_ns, self._mono_ns, self._thousandths = wall_ns, mono_ns, thousandths
        self._began_ns, self._mono_began_ns = wall_ns(), mono_ns()

    def now_ns(self) -> TsNs:
        """Return the present moment."""
        passed = self._mono_ns() - self._mono_began_ns
        return TsNs(self._began_ns + passed * self._thousandths // REAL)

    @property
    def second_ns(self) -> int:
        """How much time passes in a second of the machine's."""
        return SECOND_NS * self._thousandths // REAL

    def seconds_until(self, ts_ns: int) -> float:
        """Return how many real seconds it is to a moment, 0 where it has come."""
        return max(ts_ns - self.now_ns(), 0) * REAL / self._thousandths / SECOND_NS

    def ahead_ns(self) -> int:
        """Return by how much the machine's clock is ahead of this one; negative where it was set back.

        What a process that was held up between two looks explains is no difference.
        """
        before, wall, after = self.now_ns(), self._wall_ns(), self.now_ns()
        return wall - min(max(wall, before), after)

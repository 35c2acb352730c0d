"""What time it is where an account trades: the machine's, but at a simulated exchange of this machine its own.

A simulated exchange lives on another day and at another speed; whoever trades there has to live by its time, or every
tick is of the future or of long ago. Only an address of this machine is asked whether it is one, by the call that no
broker has (`GET /simulation`).
"""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import msgspec

from manjha.adapters.kite.rest import UNREADABLE, Envelope
from manjha.adapters.kite.transport import LOCAL, Request, Transport
from manjha.app.bootstrap import system_clock
from manjha.app.trading.steady_clock import REAL, SteadyClock
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.outcomes import OK


class _Shown(msgspec.Struct):
    simulated: bool
    now_ns: int
    thousandths: int


class Times(msgspec.Struct, frozen=True):
    """The clock of an account, and whether it is one of a simulated exchange."""

    clock: SteadyClock
    at_simulation: bool

    @property
    def now_ns(self) -> Callable[[], TsNs]:
        """Who tells the time."""
        return self.clock.now_ns


async def times_at(url: str, mono_ns: Callable[[], int]) -> Times:
    """Return the time by which an account at this address lives.

    Raises
    ------
    UsageError
        A simulated exchange whose time stands, or does not wait.
    SourceError
        An address of this machine does not answer.
    """
    shown = await _simulation(url) if urlsplit(url).hostname in LOCAL else None
    if shown is None:
        return Times(SteadyClock(system_clock().now_ns, mono_ns), at_simulation=False)
    if not shown.thousandths:
        raise UsageError(
            f"the time of the simulated exchange at {url} stands, or does not wait for anybody",
            hint="Serve it with a --speed above 0 and without --paused.",
        )
    began_ns = mono_ns()

    def wall_ns() -> TsNs:
        return TsNs(shown.now_ns + (mono_ns() - began_ns) * shown.thousandths // REAL)

    return Times(SteadyClock(wall_ns, mono_ns, shown.thousandths), at_simulation=True)


async def _simulation(url: str) -> _Shown | None:
    transport = Transport(url)
    try:
        told = await transport.ask(Request("GET", "/simulation"), {})
    finally:
        await transport.close()
    if told.status == 0:
        raise SourceError(f"nothing answers at {url}: {told.words}", hint="Start it, or correct kite.url.")
    try:
        shown = msgspec.json.decode(msgspec.json.decode(told.body, type=Envelope).data, type=_Shown)
    except UNREADABLE:
        return None
    return shown if told.status == OK and shown.simulated else None


def offset_ns(date: str, before_ns: int, after_ns: int) -> int | None:
    """Return by how much our clock is ahead of a broker's, from its `Date` and our time around the request.

    The header has whole seconds and the request takes a while: what these explain counts as none. None for no date.
    """
    try:
        at_ns = round(parsedate_to_datetime(date).timestamp()) * SECOND_NS
    except (TypeError, ValueError):
        return None
    if before_ns > at_ns + SECOND_NS:
        return before_ns - at_ns - SECOND_NS
    return min(after_ns - at_ns, 0)

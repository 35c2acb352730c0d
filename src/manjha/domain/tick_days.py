"""A day of recorded ticks: what is kept of it, and what is missing."""

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.streams import Beat
from manjha.domain.ticks import Tick


class RecordedTick(msgspec.Struct, frozen=True, gc=False):
    """A tick as it is recorded: with the stamp that it counts at, under its number in the stream."""

    seq: int
    tick: Tick


class Missing(msgspec.Struct, frozen=True):
    """A time of which ticks are missing, and why; the half-open [from_ns, until_ns)."""

    from_ns: TsNs
    until_ns: TsNs
    why: str


class DayRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is recorded of a day. Everything up to message `seq` of a stream (its identity) is accounted for.

    `rows` ticks stand in the first `size` bytes of the day's file, whose SHA-256 is `hash`. Until `last`, the last
    beat, nothing is missing but what `missing` says; what came after it is missing as well. `kept_out` counts ticks
    that are none, by instrument and reason; `torn` is how many bars were not stored because ticks of their time are
    missing.
    """

    day: TradingDay
    stream: str = ""
    source: str = ""
    made_up: bool = False
    beat_ns: int = 0
    instruments: tuple[InstrumentId, ...] = ()
    epoch: int = 0
    seq: int = 0
    rows: int = 0
    size: int = 0
    hash: str = ""
    last: Beat | None = None
    missing: tuple[Missing, ...] = ()
    kept_out: dict[str, int] = {}
    torn: int = 0

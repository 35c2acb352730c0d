"""What a publisher of ticks says on a stream: who it is, the ticks, and once a second that it lives.

A publisher owns a ticker; many processes take its stream up. The number at which the stream keeps its `Began` is its
epoch: whatever bears an older one is of a publisher that was replaced, and nobody believes it.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.ticks import Tick

STALE_BEATS = 15
"""How old a tick may be for who trades on it, in beats: seconds of real time. As old as Kite's first packet may be."""
MISSED_BEATS = 5
"""How many beats may fail to come, or lie between two, before the ticks of that time count as missing."""


class Began(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A publisher has begun: whose ticks it publishes, of which instruments, and how long a beat of it is.

    `source` is the address of the exchange; `made_up` tells that its market is simulated. `beat_ns` is how much time
    of the exchange passes in a second: a second, but where a simulated one is faster.
    """

    at_ns: TsNs
    source: str
    made_up: bool
    instruments: tuple[InstrumentId, ...]
    beat_ns: int = SECOND_NS


class TickSeen(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """A tick as the publisher of an epoch saw it: `arrived_ns` is when, by the publisher's clock."""

    epoch: int
    arrived_ns: TsNs
    instrument: InstrumentId
    ts_ns: TsNs
    px: Px
    volume: Qty = Qty(0)

    @property
    def tick(self) -> Tick:
        """The tick itself."""
        return Tick(self.instrument, self.ts_ns, self.px, self.volume)


class Beat(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=True):
    """What came until `at_ns` was said before this. `number` counts the beats of an epoch, from 1.

    `interruptions` counts how often the publisher's link to the exchange was lost, `joined` how many ticks it joined
    with a later one because the stream took too long; `ended` tells that it says nothing more. `note` is for people.
    """

    epoch: int
    number: int
    at_ns: TsNs
    is_connected: bool
    interruptions: int = 0
    joined: int = 0
    ended: bool = False
    note: str = ""


Message: TypeAlias = Began | TickSeen | Beat


class Streamed(msgspec.Struct, frozen=True, gc=False):
    """A message with the number at which the stream keeps it: ascending, from 1."""

    seq: int
    message: Message


class LinkState(msgspec.Struct, frozen=True):
    """How the way to a stream is. `interruptions` counts how often it was lost; `note` says why it is not there."""

    is_connected: bool
    interruptions: int = 0
    note: str = ""


class WaitingTicks:
    """Ticks that wait to be taken, oldest first, never more than `limit` of them.

    Where there is no room, a tick is joined with the one of its instrument that waits: the later price and stamp, both
    quantities; `joined` counts those. Where none of its instrument waits, the oldest gives way to it, and its quantity
    is owed to the next tick of its own instrument.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: OrderedDict[int, TickSeen] = OrderedDict()
        self._newest: dict[InstrumentId, int] = {}
        self._owed: dict[InstrumentId, int] = {}
        self._number = 0
        self.joined = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def owe(self, seen: TickSeen) -> None:
        """Keep a tick out, but let its quantity count with the next one of its instrument."""
        self._owed[seen.instrument] = self._owed.get(seen.instrument, 0) + seen.volume

    def put(self, seen: TickSeen) -> None:
        """Let a tick wait."""
        name = seen.instrument
        volume = seen.volume + self._owed.pop(name, 0)
        if len(self._waiting) >= self._limit:
            self.joined += 1
            before = self._waiting.pop(self._newest[name], None) if name in self._newest else None
            if before is not None:
                volume += before.volume
            else:
                _, oldest = self._waiting.popitem(last=False)
                self._forget(oldest)
                self.owe(oldest)
        self._number += 1
        self._waiting[self._number] = seen if volume == seen.volume else _with_volume(seen, volume)
        self._newest[name] = self._number

    def take(self, most: int) -> Sequence[TickSeen]:
        """Take the oldest out, at most so many."""
        taken = [self._waiting.popitem(last=False)[1] for _ in range(min(most, len(self._waiting)))]
        for seen in taken:
            self._forget(seen)
        return taken

    def _forget(self, seen: TickSeen) -> None:
        if self._newest.get(seen.instrument) not in self._waiting:
            self._newest.pop(seen.instrument, None)


def _with_volume(seen: TickSeen, volume: int) -> TickSeen:
    return msgspec.structs.replace(seen, volume=Qty(volume))

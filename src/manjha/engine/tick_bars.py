"""Bars made of ticks as they come, the same to the last unit as `bars.bars_from_ticks` makes of all at once.

A bar ends at its bucket's end or with the session that it reaches into, never with a tick: time alone closes it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from manjha.domain.bars import DAY, Bar, Interval, interval_ns
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty

NEVER = 2**63 - 1
Key: TypeAlias = tuple[InstrumentId, int]
"""Which bars: an instrument and their length in seconds."""
Windows: TypeAlias = Sequence[tuple[int, int]]
"""An instrument's hours of continuous trading on one day, in order, each [open, close) in UTC nanoseconds."""


class _Bucket:
    """The bar that is being made of one instrument and interval."""

    __slots__ = ("close", "end", "high", "key", "low", "opened", "start", "volume")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.start = self.end = self.opened = self.high = self.low = self.close = self.volume = 0

    def begin(self, ts_ns: int, windows: Windows) -> None:
        """Find the bucket of a moment: counted from the day's first open, cut where the last session it reaches ends.

        As `market.sessions.bar_closes` has it.
        """
        self.start = start = _start(ts_ns, windows, self.key[1])
        if self.key[1] == DAY:
            self.end = windows[-1][1]
            return
        self.end = start + interval_ns(Interval(self.key[1]))
        self.end = min(self.end, max(close for opened, close in windows if opened < self.end))

    def bar(self) -> Bar:
        """Return what has come as a bar."""
        return Bar(
            TsNs(self.start),
            TsNs(self.end),
            Px(self.opened),
            Px(self.high),
            Px(self.low),
            Px(self.close),
            Qty(self.volume),
        )


class TickBars:
    """The bars that are being made, of several instruments and intervals.

    The caller closes what is due (`close`) before it adds a tick of that moment or later. `next_ns` is when the next
    bar closes, `NEVER` while none is being made.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        self.next_ns = NEVER
        self._buckets: dict[InstrumentId, list[_Bucket]] = {}
        for key in keys:
            self._buckets.setdefault(key[0], []).append(_Bucket(key))
        self._made: dict[Key, _Bucket] = {}
        self._windows: Mapping[InstrumentId, Windows] = {}

    def open_day(self, windows: Mapping[InstrumentId, Windows]) -> None:
        """Take over a day's hours; an instrument that is not among them does not trade."""
        self._windows = windows

    def first_open_ns(self, ts_ns: int) -> int:
        """Return when the first of the bars begins that hold a moment of the day, or the day itself before it opens."""
        starts = [
            _start(max(ts_ns, windows[0][0]), windows, bucket.key[1])
            for name, windows in self._windows.items()
            for bucket in self._buckets.get(name, ())
        ]
        return min(starts, default=ts_ns)

    def add(self, instrument: InstrumentId, ts_ns: int, px: int, volume: int) -> None:
        """Add a tick, in the order of time; one outside continuous trading makes no bar."""
        windows = self._windows.get(instrument)
        if windows is None or not any(opened <= ts_ns < close for opened, close in windows):
            return
        for bucket in self._buckets.get(instrument, ()):
            if not bucket.end:
                bucket.begin(ts_ns, windows)
                bucket.opened = bucket.high = bucket.low = px
                bucket.volume = 0
                self._made[bucket.key] = bucket
                self.next_ns = min(self.next_ns, bucket.end)
            elif px > bucket.high:
                bucket.high = px
            elif px < bucket.low:
                bucket.low = px
            bucket.close = px
            bucket.volume += volume

    def close(self, ts_ns: int) -> list[tuple[Key, Bar]]:
        """Return the bars that end at a moment, the next one at which any does, in the order of their first ticks."""
        ended = [(key, bucket) for key, bucket in self._made.items() if bucket.end == ts_ns]
        closed = [(key, bucket.bar()) for key, bucket in ended]
        for key, bucket in ended:
            bucket.end = 0
            del self._made[key]
        self.next_ns = min((bucket.end for bucket in self._made.values()), default=NEVER)
        return closed


def _start(ts_ns: int, windows: Windows, interval: int) -> int:
    anchor = windows[0][0]
    if interval == DAY:
        return anchor
    length = interval_ns(Interval(interval))
    return anchor + (ts_ns - anchor) // length * length

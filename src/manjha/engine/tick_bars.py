"""Bars made of ticks as they come, the same to the last unit as `bars.bars_from_ticks` makes of all at once.

A bar ends at its bucket's end or with the session that it reaches into, never with a tick: time alone closes it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
        self.start = _start(ts_ns, windows, self.key[1])
        self.end = _end(self.start, windows, self.key[1])

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
    bar closes or a stop is, `NEVER` while there is neither.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        self.next_ns = NEVER
        self._buckets: dict[InstrumentId, list[_Bucket]] = {}
        for key in keys:
            self._buckets.setdefault(key[0], []).append(_Bucket(key))
        self._made: dict[Key, _Bucket] = {}
        self._stops: list[int] = []
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
        """Return the bars that end at the next moment, in the order of their first ticks; none at a mere stop."""
        ended = [(key, bucket) for key, bucket in self._made.items() if bucket.end == ts_ns]
        closed = [(key, bucket.bar()) for key, bucket in ended]
        for key, bucket in ended:
            bucket.end = 0
            del self._made[key]
        self._stops = [stop for stop in self._stops if stop > ts_ns]
        self.next_ns = min((*self._stops, *(bucket.end for bucket in self._made.values())), default=NEVER)
        return closed

    def stop_at(self, ts_ns: int) -> None:
        """Have `close` called at a moment, also where no bar ends."""
        self._stops.append(ts_ns)
        self.next_ns = min(self.next_ns, ts_ns)

    def forget(self) -> None:
        """Let the bars that are being made begin anew: they have only what comes from now on."""
        for bucket in self._made.values():
            bucket.end = 0
        self._made.clear()
        self.next_ns = min(self._stops, default=NEVER)


def buckets(windows: Windows, interval: int, from_ns: int, until_ns: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of the buckets of a day that trade within [from_ns, until_ns), as `TickBars` makes them."""
    start = _start(max(from_ns, windows[0][0]), windows, interval)
    while start < min(until_ns, windows[-1][1]):
        end = _end(start, windows, interval)
        if any(max(opened, start, from_ns) < min(close, end, until_ns) for opened, close in windows):
            yield start, end
        start += interval_ns(Interval(interval))


def _end(start: int, windows: Windows, interval: int) -> int:
    if interval == DAY:
        return windows[-1][1]
    end = start + interval_ns(Interval(interval))
    return min(end, max(close for opened, close in windows if opened < end))


def _start(ts_ns: int, windows: Windows, interval: int) -> int:
    anchor = windows[0][0]
    if interval == DAY:
        return anchor
    length = interval_ns(Interval(interval))
    return anchor + (ts_ns - anchor) // length * length

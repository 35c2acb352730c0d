"""Bars from ticks and from finer bars, aligned to the session. Integers only; numpy, vectorised.

A day's buckets count from its first session open (09:15 IST unless sessions are given), so 30-minute bars start at
09:15, 09:45 … and the last one, 15:15, is cut at the close. Empty buckets give no bar, as at an exchange.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from manjha.domain.bars import DAY, BarColumns, Interval, format_interval, interval_ns
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import DAY_NS, HOUR_NS, IST_OFFSET_NS, MINUTE_NS, format_day, format_ts
from manjha.domain.ticks import TickColumns
from manjha.market.calendar import trading_days
from manjha.market.rules import MarketRules
from manjha.market.sessions import session

Ints: TypeAlias = NDArray[np.int64]

DaySessions: TypeAlias = tuple[int, Sequence[tuple[int, int]]]
"""A trading day and its continuous sessions in order, each [open, close) in UTC nanoseconds."""

OPEN_CLOCK_NS = 9 * HOUR_NS + 15 * MINUTE_NS
"""Where buckets are anchored on a day whose sessions are not given, after midnight IST."""
CLOSE_CLOCK_NS = 15 * HOUR_NS + 30 * MINUTE_NS
"""Where a bucket of ticks is cut on a day whose sessions are not given, after midnight IST."""


def column(values: Ints) -> memoryview:
    """Return an int64 array as the column form of `BarColumns` and `TickColumns`: a read-only view of format "q".

    The array must not be written to afterwards; it is copied only where it is not contiguous or not int64.
    """
    array = np.ascontiguousarray(values, dtype=np.int64)
    # A view of zero length cannot be cast with a shape, and numpy's own format for int64 is "l" on Linux.
    view = array.data.cast("B").cast("q") if len(array) else memoryview(b"").cast("q")
    return view.toreadonly()


def sessions_of(rules: MarketRules, instrument: Instrument, start: int, end: int) -> list[DaySessions]:
    """Return an instrument's hours of continuous trading on each trading day from `start` to `end`, both included.

    Raises `OutsideTable` where the calendar or the session table does not reach.
    """
    return [
        (day, session(rules, instrument, day).windows) for day in trading_days(rules, start, end, instrument.exchange)
    ]


def resample(columns: BarColumns, interval: Interval, sessions: Sequence[DaySessions] | None = None) -> BarColumns:
    """Return coarser bars: first open, highest high, lowest low, last close, summed volume, last open interest.

    With `sessions` (days ascending, every day of the bars present) buckets count from the day's first open and are
    cut at the close of the last session that they reach into. Without, they count from 09:15 IST and a day's last
    bucket closes no later than its last bar. `DAY` gives one bar a trading day, from its first open to its last close.

    Raises
    ------
    UsageError
        The interval is finer than the source's, or no multiple of it.
    DataError
        A bar lies across two buckets, after its session, or on a day that `sessions` does not have.
    """
    _check_multiple(columns.interval, interval)
    if interval == columns.interval or not len(columns):
        return _with_interval(columns, interval)
    opens, closes = np.asarray(columns.ts_open_ns), np.asarray(columns.ts_close_ns)
    buckets = _Buckets(opens, interval, sessions)
    first = buckets.first
    last = np.append(first[1:], len(opens)) - 1
    starts, ends = buckets.spans()
    if sessions is None:
        day_end = np.append(buckets.day[first][1:] != buckets.day[first][:-1], True)
        ends = np.where(day_end, np.minimum(ends, closes[last]), ends)
        if interval == DAY:
            starts, ends = opens[first], closes[last]
    if np.any(closes[last] > ends):
        bad = int(last[np.argmax(closes[last] > ends)])
        raise DataError(
            f"expected bars inside {format_interval(interval)} buckets, was one from {format_ts(int(opens[bad]))} "
            f"to {format_ts(int(closes[bad]))}",
            hint="Give the sessions of these days, or resample from finer bars.",
        )
    return BarColumns(
        columns.instrument,
        interval,
        column(starts),
        column(ends),
        column(np.asarray(columns.open)[first]),
        column(np.maximum.reduceat(np.asarray(columns.high), first)),
        column(np.minimum.reduceat(np.asarray(columns.low), first)),
        column(np.asarray(columns.close)[last]),
        column(np.add.reduceat(np.asarray(columns.volume), first)),
        column(np.asarray(columns.oi)[last]),
    )


def in_sessions(columns: BarColumns, sessions: Sequence[DaySessions]) -> BarColumns:
    """Return the bars inside a trading window; a source may go on through a halt. Raises as `resample` does."""
    opens, closes = np.asarray(columns.ts_open_ns), np.asarray(columns.ts_close_ns)
    keep = _inside(opens, sessions) & _inside(closes - 1, sessions)
    if keep.all():
        return columns
    names = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
    kept = {name: column(np.asarray(getattr(columns, name))[keep]) for name in names}
    return BarColumns(columns.instrument, columns.interval, **kept)


def daily(columns: BarColumns, sessions: Sequence[DaySessions] | None = None) -> BarColumns:
    """Return one bar a trading day; `resample(columns, DAY, sessions)`."""
    return resample(columns, DAY, sessions)


def bars_from_ticks(
    ticks: TickColumns, interval: Interval, sessions: Sequence[DaySessions] | None = None
) -> BarColumns:
    """Return bars of ticks: a tick at the very close of a bucket belongs to the next one; open interest is zero.

    With `sessions` (days ascending, every day of the ticks present) ticks outside every session, such as auction
    prints, are left out. Without, buckets count from 09:15 IST and one that begins before 15:30 is cut there unless
    ticks of it come later.

    Raises
    ------
    DataError
        Time runs backwards, or a tick's day is not in `sessions`.
    """
    times, prices, volumes = (np.asarray(values) for values in (ticks.ts_ns, ticks.px, ticks.volume))
    if np.any(times[1:] < times[:-1]):
        bad = int(np.argmax(times[1:] < times[:-1])) + 1
        raise DataError(f"expected ticks in time order, was {format_ts(int(times[bad]))} after a later one (row {bad})")
    if sessions is not None:
        inside = _inside(times, sessions)
        times, prices, volumes = times[inside], prices[inside], volumes[inside]
    if not len(times):
        return empty_bars(ticks.instrument, interval)
    buckets = _Buckets(times, interval, sessions)
    first = buckets.first
    last = np.append(first[1:], len(times)) - 1
    starts, ends = buckets.spans()
    if sessions is None:
        midnight = buckets.day[first] * DAY_NS - IST_OFFSET_NS
        cut = np.maximum(midnight + CLOSE_CLOCK_NS, times[last] + 1)
        ends = cut if interval == DAY else np.where(starts < midnight + CLOSE_CLOCK_NS, np.minimum(ends, cut), ends)
        if interval == DAY:
            starts = np.minimum(starts, times[first])
    return BarColumns(
        ticks.instrument,
        interval,
        column(starts),
        column(ends),
        column(prices[first]),
        column(np.maximum.reduceat(prices, first)),
        column(np.minimum.reduceat(prices, first)),
        column(prices[last]),
        column(np.add.reduceat(volumes, first)),
        column(np.zeros(len(first), np.int64)),
    )


def empty_bars(instrument: InstrumentId, interval: Interval) -> BarColumns:
    """Return columns without a row."""
    none = column(np.empty(0, np.int64))
    return BarColumns(instrument, interval, none, none, none, none, none, none, none, none)


def first_bars(columns: BarColumns, count: int) -> BarColumns:
    """Return the first rows of columns, without copying."""
    names = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
    return BarColumns(columns.instrument, columns.interval, **{name: getattr(columns, name)[:count] for name in names})


class _Buckets:
    """Which bucket each moment falls into. `first` are the rows that begin one; `day` is the day of each row."""

    def __init__(self, moments: Ints, interval: Interval, sessions: Sequence[DaySessions] | None) -> None:
        self.sessions = sessions
        self.moments = moments
        self.length = DAY_NS if interval == DAY else interval_ns(interval)
        self.is_day = interval == DAY
        self.day = (moments + IST_OFFSET_NS) // DAY_NS
        self.anchor = self.day * DAY_NS - IST_OFFSET_NS + OPEN_CLOCK_NS
        if sessions is not None:
            first_opens = np.array([spans[0][0] for _, spans in sessions], np.int64)
            self.anchor = first_opens[_day_rows(self.day, sessions)]
        self.number = np.zeros_like(moments) if self.is_day else (moments - self.anchor) // self.length
        changed = (self.day[1:] != self.day[:-1]) | (self.number[1:] != self.number[:-1])
        self.first = np.concatenate(([0], np.flatnonzero(changed) + 1))

    def spans(self) -> tuple[Ints, Ints]:
        """Return where each bucket starts and ends, cut to the sessions where they are given."""
        starts = self.anchor[self.first] + self.number[self.first] * self.length
        ends = starts + self.length
        if self.sessions is None:
            return starts, ends
        if self.is_day:
            last_closes = np.array([spans[-1][1] for _, spans in self.sessions], np.int64)
            return starts, last_closes[_day_rows(self.day[self.first], self.sessions)]
        opens, closes = _flat(self.sessions)
        # The last session that the bucket reaches into, as `market.sessions.bar_closes` has it.
        at = np.searchsorted(opens, ends) - 1
        return starts, np.where(at >= 0, np.minimum(ends, closes[at]), starts)


def _check_multiple(source: Interval, interval: Interval) -> None:
    if interval == source or (interval == DAY and source < DAY):
        return
    if interval < source or interval % source or source == DAY:
        raise UsageError(
            f"bars of {format_interval(interval)} cannot be made of bars of {format_interval(source)}",
            hint=f"Ask for a multiple of {format_interval(source)}, or bring finer data.",
        )


def _with_interval(columns: BarColumns, interval: Interval) -> BarColumns:
    return columns if interval == columns.interval else empty_bars(columns.instrument, interval)


def _flat(sessions: Sequence[DaySessions]) -> tuple[Ints, Ints]:
    spans = np.array([span for _, day_spans in sessions for span in day_spans], np.int64).reshape(-1, 2)
    return spans[:, 0], spans[:, 1]


def _day_rows(days: Ints, sessions: Sequence[DaySessions]) -> NDArray[np.intp]:
    known = np.array([day for day, _ in sessions], np.int64)
    at = np.minimum(np.searchsorted(known, days), max(len(known) - 1, 0))
    missing = known[at] != days if len(known) else np.ones(len(days), bool)
    if np.any(missing):
        day = int(days[np.argmax(missing)])
        raise DataError(
            f"no session is given for {format_day(day)}", hint="Give the sessions of every day of the data."
        )
    return at


def _inside(moments: Ints, sessions: Sequence[DaySessions]) -> NDArray[np.bool_]:
    _day_rows((moments + IST_OFFSET_NS) // DAY_NS, sessions)
    opens, closes = _flat(sessions)
    at = np.searchsorted(opens, moments, side="right") - 1
    inside: NDArray[np.bool_] = (at >= 0) & (moments < closes[np.maximum(at, 0)])
    return inside

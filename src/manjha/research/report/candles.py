"""Fewer candles without a lie: whole bars joined to longer ones, never across the end of a day or week."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from manjha.domain.bars import DAY, BarColumns, format_interval
from manjha.domain.moments import SECOND_NS
from manjha.research.metrics.daily import day_numbers
from manjha.research.result import Int64s
from manjha.research.round_trips import RoundTrip

CANDLES_MAX = 4_000
"""Candles of one overview: about two to a pixel of a wide screen, and drawn without a pause."""
_LADDER = (60, 180, 300, 600, 900, 1_800, 3_600, 7_200, DAY)


class Candles(msgspec.Struct, frozen=True, eq=False):
    """Joined bars: open times in whole seconds (UTC), prices in 1e-4 rupee.

    `step` says how long one is, `until` when the last one closes.
    """

    step: str
    until: int
    ts: Int64s
    open: Int64s
    high: Int64s
    low: Int64s
    close: Int64s
    volume: Int64s

    def __len__(self) -> int:
        return len(self.ts)

    def plain(self) -> dict[str, Any]:
        """Return columns for JSON."""
        names = ("ts", "open", "high", "low", "close", "volume")
        return {"step": self.step, "until": self.until} | {name: getattr(self, name).tolist() for name in names}


def overview(bars: BarColumns, limit: int = CANDLES_MAX) -> Candles:
    """Join bars to the shortest usual interval that needs at most `limit` candles; weeks where days do not."""
    if len(bars) <= limit:
        return _joined(bars, np.arange(len(bars)), format_interval(bars.interval))
    opens = np.asarray(bars.ts_open_ns)
    days = day_numbers(opens)
    first = np.concatenate(([True], days[1:] != days[:-1]))
    session = opens[np.maximum.accumulate(np.where(first, np.arange(len(opens)), 0))]
    for seconds in _LADDER:
        if seconds <= bars.interval or seconds == DAY:
            continue
        # Counted from each day's first bar, as Indian charts do: 09:15, 10:15, …
        starts = _changes(days, (opens - session) // (seconds * SECOND_NS))
        if len(starts) <= limit:
            return _joined(bars, starts, format_interval(seconds))
    starts, weeks = _changes(days), 0
    while len(starts) > limit:
        weeks = weeks * 2 or 1
        starts = _changes((days + 3) // (7 * weeks))
    return _joined(bars, starts, f"{weeks}w" if weeks else "1d")


def around(bars: BarColumns, trip: RoundTrip, margin: int, limit: int) -> Candles:
    """Return the bars from `margin` before a trip's entry to `margin` after its exit, joined where too many."""
    opens = np.asarray(bars.ts_open_ns)
    first = max(int(np.searchsorted(opens, trip.entry_ns, side="right")) - 1 - margin, 0)
    last = min(int(np.searchsorted(opens, trip.exit_ns, side="right")) + margin, len(bars))
    return overview(slice_of(bars, first, last), limit)


def slice_of(bars: BarColumns, first: int, last: int) -> BarColumns:
    """Return rows `first` up to `last` as a view."""
    names = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
    return msgspec.structs.replace(bars, **{name: getattr(bars, name)[first:last] for name in names})


def _changes(*keys: Int64s) -> Int64s:
    """Rows at which any key differs from the row before."""
    changed = np.zeros(len(keys[0]), bool)
    changed[:1] = True
    for key in keys:
        changed[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(changed)


def _joined(bars: BarColumns, starts: Int64s, step: str) -> Candles:
    if not len(starts):
        empty = np.empty(0, np.int64)
        return Candles(step, 0, empty, empty, empty, empty, empty, empty)
    ends = np.append(starts[1:], len(bars)) - 1
    return Candles(
        step=step,
        until=int(bars.ts_close_ns[-1]) // SECOND_NS,
        ts=np.asarray(bars.ts_open_ns)[starts] // SECOND_NS,
        open=np.asarray(bars.open)[starts],
        high=np.maximum.reduceat(np.asarray(bars.high), starts),
        low=np.minimum.reduceat(np.asarray(bars.low), starts),
        close=np.asarray(bars.close)[ends],
        volume=np.add.reduceat(np.asarray(bars.volume), starts),
    )


def windows(columns: Sequence[BarColumns], trips: Sequence[RoundTrip], count: int) -> list[tuple[int, Candles]]:
    """Pick the trips worth a close look (best, worst, newest) and return each one's row with the bars around it."""
    by_instrument = {bars.instrument: bars for bars in sorted(columns, key=lambda bars: -bars.interval)}
    rows = [row for row, trip in enumerate(trips) if trip.instrument in by_instrument]
    by_net = sorted(rows, key=lambda row: trips[row].net)
    third = max(count // 3, 1)
    chosen = sorted({*by_net[:third], *by_net[-third:], *rows[-third:]})[:count]
    return [(row, around(by_instrument[trips[row].instrument], trips[row], 30, 240)) for row in chosen]

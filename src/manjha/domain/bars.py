"""Bars: finished summaries of the half-open time [open, close). A bar is visible at its close, never earlier."""

import re
from typing import NewType

import msgspec

from manjha.domain.errors import UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import Px, Qty

Interval = NewType("Interval", int)
"""Length of a bar in seconds; `DAY` stands for one trading session whatever its length."""

MINUTE = Interval(60)
HOUR = Interval(3600)
DAY = Interval(86_400)

_UNITS = {"s": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86_400, "day": 86_400}
_INTERVAL = re.compile(r"(\d*)\s*([a-z]+)")


def parse_interval(text: str) -> Interval:
    """Read "1m", "5minute", "60m", "1h", "1d" or "day". Raises `UsageError` on anything else."""
    match = _INTERVAL.fullmatch(text.strip().lower().removesuffix("s") if len(text) > 2 else text.strip().lower())
    if match and match[2] in _UNITS:
        seconds = int(match[1] or 1) * _UNITS[match[2]]
        if seconds == DAY or 0 < seconds <= 6 * HOUR:
            return Interval(seconds)
    raise UsageError(
        f"unknown interval {text!r}",
        hint="Give one like 1m, 3m, 5m, 15m, 30m, 60m or 1d (at most 6h or a day).",
    )


def format_interval(interval: int) -> str:
    """Write an interval as users type it: "30s", "5m", "60m", "1d"."""
    if interval == DAY:
        return "1d"
    return f"{interval // 60}m" if interval % 60 == 0 else f"{interval}s"


def interval_ns(interval: int) -> int:
    """Return the nominal length in nanoseconds (a day's bar is 24 hours here; its close is the session's)."""
    return interval * SECOND_NS


class Bar(msgspec.Struct, frozen=True, gc=False):
    """One bar of one instrument. Prices in 1e-4 rupee, volume and open interest in units."""

    ts_open_ns: TsNs
    ts_close_ns: TsNs
    open: Px
    high: Px
    low: Px
    close: Px
    volume: Qty
    oi: Qty = Qty(0)


class BarColumns(msgspec.Struct, frozen=True):
    """Many bars of one instrument and interval, oldest first, as int64 columns of equal length.

    Each column is a `memoryview` of format "q" (so that ports need no numpy); `numpy.asarray(column)` is free.
    `ts_open_ns` is strictly increasing, `ts_close_ns[i] <= ts_open_ns[i + 1]`. No value is missing.
    """

    instrument: InstrumentId
    interval: Interval
    ts_open_ns: memoryview
    ts_close_ns: memoryview
    open: memoryview
    high: memoryview
    low: memoryview
    close: memoryview
    volume: memoryview
    oi: memoryview

    def __len__(self) -> int:
        return len(self.close)

    def bar(self, index: int) -> Bar:
        """Return one row as a value."""
        return Bar(
            TsNs(self.ts_open_ns[index]),
            TsNs(self.ts_close_ns[index]),
            Px(self.open[index]),
            Px(self.high[index]),
            Px(self.low[index]),
            Px(self.close[index]),
            Qty(self.volume[index]),
            Qty(self.oi[index]),
        )

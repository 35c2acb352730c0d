"""The two parts of a span: what a search may look at, and the end of it that is kept for one look afterwards."""

import msgspec
import numpy as np

from manjha.domain.bars import BarColumns
from manjha.domain.errors import DataError, UsageError
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS
from manjha.research.backtest import BacktestSpec
from manjha.research.search.variants import COLUMNS

INSIDE_MIN = 100
"""Bars that a search needs at least."""
LATER_MIN = 40
"""Bars that the hold-out needs at least."""
SHARES = (0.05, 0.9)


def part_spec(spec: BacktestSpec, holdout: float, *, later: bool) -> BacktestSpec:
    """Return the run on the first part of its span, or on the hold-out: the last share of its time, in whole days.

    Raises
    ------
    UsageError
        The share leaves one of the parts without sense.
    DataError
        One of the parts has too few bars.
    """
    low, high = SHARES
    if not low <= holdout <= high:
        raise UsageError(f"--holdout must be from {low} to {high}, was {holdout}", hint="The usual value is 0.25.")
    bars = spec.bars[0]
    if not len(bars):
        raise DataError("no bars to search on", hint="`manjha data list` shows what is stored.")
    first, last = bars.ts_open_ns[0], bars.ts_close_ns[len(bars) - 1]
    cut = int(last - holdout * (last - first))
    cut = (cut + IST_OFFSET_NS) // DAY_NS * DAY_NS - IST_OFFSET_NS
    at = int(np.searchsorted(np.asarray(bars.ts_open_ns), cut))
    if at < INSIDE_MIN or len(bars) - at < LATER_MIN:
        raise DataError(
            f"too little data: {at} bars to search on and {len(bars) - at} to hold out, expected at least {INSIDE_MIN} "
            f"and {LATER_MIN}",
            hint="Give a longer span, a finer interval, or another --holdout.",
        )
    rows = slice(at, None) if later else slice(None, at)
    return msgspec.structs.replace(spec, bars=tuple(_rows(columns, rows) for columns in spec.bars))


def longest_of(inside: BacktestSpec, later: BacktestSpec) -> int:
    """Return how long an indicator may be: so that even its third is warm before half of a part is over."""
    return min(len(inside.bars[0]), len(later.bars[0])) // 8


def _rows(columns: BarColumns, rows: slice) -> BarColumns:
    return msgspec.structs.replace(columns, **{name: getattr(columns, name)[rows] for name in COLUMNS})

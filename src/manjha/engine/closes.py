"""Daily closes as seen from now, for sizing by volatility."""

import numpy as np
from numpy.typing import NDArray

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS
from manjha.domain.sizing import SizingPolicy, VolatilityTarget
from manjha.engine.state import EngineState

Ints = NDArray[np.int64]


def recent_daily_closes(state: EngineState, instrument: InstrumentId, policy: SizingPolicy) -> list[int]:
    """Return the last close of each of the last days up to now, oldest first, in 1e-4 rupee and in today's shares.

    As many as the policy looks back, plus one. Today's is the last price so far.
    """
    assert isinstance(policy, VolatilityTarget)  # noqa: S101 - narrows the type for the reader
    series = state.timeline.series[instrument, state.setup.interval]
    last = series.row()
    if last < 0:
        return []
    rows = _last_of_days(np.asarray(series.columns.ts_close_ns), last, policy.lookback + 1)
    closes = np.asarray(series.columns.close)[rows]
    if series.basis is not None:
        closes = np.rint(closes / series.basis[rows] * series.basis[last])
    return [int(px) for px in closes]


def day_ends(close_ns: Ints) -> Ints:
    """Return the row of the last bar of each day that has bars; `close_ns` ascends, UTC nanoseconds."""
    days = (close_ns + IST_OFFSET_NS) // DAY_NS
    return np.flatnonzero(np.append(np.diff(days), 1)).astype(np.int64, copy=False)


def _last_of_days(close_ns: Ints, last: int, most: int) -> list[int]:
    """Return a row, before it the last row of each of the days before, `most` in all; oldest first."""
    rows = [last]
    while len(rows) < most:
        opens_ns = (int(close_ns[rows[-1]]) + IST_OFFSET_NS) // DAY_NS * DAY_NS - IST_OFFSET_NS
        before = int(np.searchsorted(close_ns[: rows[-1]], opens_ns)) - 1
        if before < 0:
            break
        rows.append(before)
    return rows[::-1]

"""Daily closes as seen from now, for sizing by volatility."""

import numpy as np

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS
from manjha.domain.sizing import SizingPolicy, VolatilityTarget
from manjha.engine.state import EngineState


def recent_daily_closes(state: EngineState, instrument: InstrumentId, policy: SizingPolicy) -> list[int]:
    """Return the last close of each of the last days up to now, oldest first, in 1e-4 rupee and in today's shares.

    As many as the policy looks back, plus one. Today's is the last price so far.
    """
    assert isinstance(policy, VolatilityTarget)  # noqa: S101 - narrows the type for the reader
    series = state.timeline.series[instrument, state.setup.interval]
    last = series.row()
    if last < 0:
        return []
    wanted = policy.lookback + 1
    span = min(last + 1, wanted * 400)  # a day has at most 375 one-minute bars
    close_ns = np.asarray(series.columns.ts_close_ns)[last + 1 - span : last + 1]
    closes = np.asarray(series.columns.close)[last + 1 - span : last + 1]
    if series.basis is not None:
        basis = series.basis[last + 1 - span : last + 1]
        closes = np.rint(closes / basis * basis[-1])
    days = (close_ns + IST_OFFSET_NS) // DAY_NS
    ends = np.flatnonzero(np.append(np.diff(days), 1))
    return [int(px) for px in closes[ends][-wanted:]]

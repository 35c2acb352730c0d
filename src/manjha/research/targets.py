"""Target strategies in a backtest: `targets` is computed once, and the engine wakes only where it says a number."""

from collections.abc import Sequence  # noqa: TC003 - a runtime annotation of ColumnHistory

import numpy as np
from numpy.typing import NDArray

from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS
from manjha.domain.sizing import NANO, TargetUnit
from manjha.engine.state import EngineState

TARGET_MAX = 1e9
"""Largest target taken; beyond it an integer of 1e-9 would leave int64."""


class ColumnHistory:
    """Implements `strategy.interface.History` over the run's timeline."""

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self.instruments: Sequence[Instrument] = state.setup.instruments
        self.ts_ns: NDArray[np.int64] = np.asarray(state.timeline.close_ns)
        self.day: NDArray[np.int64] = (self.ts_ns - 1 + IST_OFFSET_NS) // DAY_NS

    def column(self, field: str) -> NDArray[np.float64]:
        """Return a column of every instrument, shape (bars, instruments), NaN before the first bar."""
        out = np.full((len(self.ts_ns), len(self.instruments)), np.nan)
        for index, instrument in enumerate(self.instruments):
            series = self._state.timeline.series[instrument.id, self._state.setup.interval]
            values = series.floats(field)
            if series.rows is None:
                out[:, index] = values
            else:
                seen = series.rows >= 0
                out[seen, index] = values[series.rows[seen]]
        return out


def plan_targets(state: EngineState) -> None:
    """Ask the strategy for its targets and set the positions at which the engine wakes.

    Raises
    ------
    UsageError
        The array has another shape than (bars, instruments), or holds an infinite or too large number, or a signal
        outside −1…1.
    """
    strategy = state.strategy
    history = ColumnHistory(state)
    targets = np.asarray(strategy.targets(history), dtype=np.float64)
    shape = (len(history.ts_ns), len(history.instruments))
    if targets.ndim == 1 and shape[1] == 1:
        targets = targets[:, None]
    if targets.shape != shape:
        raise UsageError(f"{strategy.name}.targets gave an array of shape {targets.shape}, expected {shape}")
    wanted = ~np.isnan(targets)
    bound = 1.0 if strategy.unit is TargetUnit.SIGNAL else TARGET_MAX
    wrong = wanted & ~(np.abs(targets) <= bound)
    if wrong.any():
        row, column = (int(at[0]) for at in np.nonzero(wrong))
        raise UsageError(
            f"{strategy.name}.targets gave {targets[row, column]} for {history.instruments[column].display} at bar "
            f"{row}; a {strategy.unit} lies within ±{bound:g}"
        )
    ids = [instrument.id for instrument in history.instruments]
    state.wakeups = np.flatnonzero(wanted.any(axis=1)).tolist()

    def wanted_at(position: int) -> list[tuple[InstrumentId, int]]:
        row = targets[position]
        return [(ids[i], round(float(row[i]) * NANO)) for i in np.flatnonzero(wanted[position])]

    state.wanted = wanted_at

"""Hold the strongest shares of a universe."""

from typing import ClassVar

import numpy as np

from manjha.domain.sizing import TargetUnit
from manjha.strategy.interface import Floats, History, Strategy
from manjha.strategy.params import param


class MomentumRotation(Strategy):
    """Every `every` days, hold the `top` shares with the best return over `lookback` days in equal weights.

    The first bar of a day decides at its close, trades are done at the next open. A share needs a price at both ends of
    the look-back; with `positive_only`, places without a rising share stay in cash. Holds for delivery.
    """

    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT
    instruments_min: ClassVar[int] = 2
    instruments_max: ClassVar[int] = 0
    lookback: int = param(60, low=1, high=500, help="days of the return")
    top: int = param(5, low=1, high=100, help="how many shares are held")
    every: int = param(21, low=1, high=250, help="days between rotations")
    weight: float = param(0.95, low=0.05, high=1.0, help="part of the capital that is invested")
    positive_only: bool = param(True, help="hold only shares that have risen")

    def history_needed(self) -> int:
        """Return the bars before the first decision."""
        return self.lookback + 1

    def targets(self, history: History) -> Floats:
        """State the weights on rotation days."""
        close = history.column("close")
        starts = np.flatnonzero(np.append(True, np.diff(history.day) != 0))
        floor = 0.0 if self.positive_only else -np.inf
        out = np.full_like(close, np.nan)
        for number in range(self.lookback, len(starts), self.every):
            row, before = starts[number], starts[number - self.lookback]
            gain = close[row] / close[before] - 1
            ranked = np.argsort(-np.where(np.isnan(gain), -np.inf, gain), kind="stable")
            out[row] = 0.0
            out[row, [i for i in ranked[: self.top] if gain[i] > floor]] = self.weight / self.top
        return out

"""Hold the strongest shares of a universe."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from manjha.domain.sizing import TargetUnit
from manjha.strategy.interface import Floats, History, Strategy
from manjha.strategy.params import param


class MomentumRotation(Strategy):
    """Every month, hold the `top` shares with the best return over `lookback` days in equal weights.

    Decides at the close of the first bar of a new week, month or quarter (`every`) and trades at the next open. The
    period in which the data begin does not count, so the days of rotation follow the calendar and not the data. The
    return is from the first close of the day `lookback` trading days before. A share needs a price at both ends; with
    `positive_only`, places without a rising share stay in cash. Each holds `weight` ÷ `top` of the equity and is
    brought back to it at each rotation; a share no longer among the `top` is sold. No stop. Holds for delivery (CNC).
    """

    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT
    instruments_min: ClassVar[int] = 2
    instruments_max: ClassVar[int] = 0
    lookback: int = param(60, low=1, high=500, help="trading days of the return")
    top: int = param(5, low=1, high=100, help="how many shares are held")
    every: str = param("month", choices=("week", "month", "quarter"), help="how often to rotate")
    weight: float = param(0.95, low=0.05, high=1.0, help="part of the capital that is invested")
    positive_only: bool = param(True, help="hold only shares that have risen")

    def history_needed(self) -> int:
        """Return the bars before the first decision."""
        return self.lookback + 1

    def targets(self, history: History) -> Floats:
        """State the weights on rotation days."""
        close = history.column("close")
        starts = np.flatnonzero(np.append(True, np.diff(history.day) != 0))
        turns = np.flatnonzero(np.diff(_period(history.day[starts], self.every))) + 1
        floor = 0.0 if self.positive_only else -np.inf
        out = np.full_like(close, np.nan)
        for number in turns[turns >= self.lookback]:
            row, before = starts[number], starts[number - self.lookback]
            gain = close[row] / close[before] - 1
            ranked = np.argsort(-np.where(np.isnan(gain), -np.inf, gain), kind="stable")
            out[row] = 0.0
            out[row, [i for i in ranked[: self.top] if gain[i] > floor]] = self.weight / self.top
        return out


def _period(day: NDArray[np.int64], every: str) -> NDArray[np.int64]:
    """Return a number for the week (from Monday), month or quarter of each trading day."""
    if every == "week":
        return (day + 3) // 7  # day 0, 1 January 1970, was a Thursday
    month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return month // 3 if every == "quarter" else month

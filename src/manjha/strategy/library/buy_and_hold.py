"""The yardstick."""

from typing import ClassVar

import numpy as np

from manjha.domain.sizing import TargetUnit
from manjha.strategy.interface import Floats, History, Strategy
from manjha.strategy.params import param


class BuyAndHold(Strategy):
    """Buy each instrument with an equal part of the capital after its first bar, and keep it.

    Each gets `weight` ÷ number of instruments of the equity at its first close, bought at the next open. Never sells:
    there is no exit, no stop and no rebalancing. Holds for delivery (CNC).
    """

    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT
    instruments_max: ClassVar[int] = 0
    weight: float = param(0.98, low=0.01, high=1.0, help="part of the capital that is invested")

    def targets(self, history: History) -> Floats:
        """State the weight once."""
        close = history.column("close")
        out = np.full_like(close, np.nan)
        for column in range(close.shape[1]):
            known = np.flatnonzero(~np.isnan(close[:, column]))
            if len(known):
                out[known[0], column] = self.weight / close.shape[1]
        return out

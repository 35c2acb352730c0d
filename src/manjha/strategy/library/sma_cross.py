"""Simple moving averages that cross."""

from typing import Any, ClassVar

import numpy as np

from manjha.domain.errors import UsageError
from manjha.domain.sizing import TargetUnit
from manjha.strategy.indicators import sma
from manjha.strategy.interface import Floats, History, Strategy
from manjha.strategy.params import param
from manjha.strategy.turns import crossings


class SmaCross(Strategy):
    """Long while the fast simple average is above the slow one, flat otherwise.

    Decides at each close and trades at the next open, from the first close at which both averages are known. No stop.
    Holds for delivery (CNC); with `both_sides` it is short while the fast average is not above, which needs a product
    that may be short (`--product MIS`, or NRML on a contract). Held intraday (MIS), what is squared off in the evening
    is entered again at the next cross only.
    """

    unit: ClassVar[TargetUnit] = TargetUnit.SIGNAL
    fast: int = param(20, low=2, high=500, help="bars of the fast average")
    slow: int = param(50, low=3, high=1000, help="bars of the slow average")
    both_sides: bool = param(False, help="be short as well")

    def check_params(self) -> None:
        """Refuse a fast average that is not faster."""
        if self.fast >= self.slow:
            raise UsageError(f"{self.name}: fast must be below slow, were {self.fast} and {self.slow}")

    def history_needed(self) -> int:
        """Return the bars before the first decision."""
        return self.slow

    def targets(self, history: History) -> Floats:
        """State 1 or 0 (or −1) where it changes."""
        return sides(history, self.average, self.fast, self.slow, both=self.both_sides)

    def average(self, close: Any, length: int) -> Floats:
        """Return the moving average that is compared."""
        return sma(close, length)


def sides(history: History, average: Any, fast: int, slow: int, *, both: bool) -> Floats:
    """Return signals of two averages for each instrument: 1 above, 0 or −1 below, NaN where nothing changes."""
    close = history.column("close")
    out = np.empty_like(close)
    for column in range(close.shape[1]):
        quick, steady = average(close[:, column], fast), average(close[:, column], slow)
        out[:, column] = crossings(quick, steady, below=-1.0 if both else 0.0)
    return out

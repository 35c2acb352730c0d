"""Follow the Supertrend."""

from typing import ClassVar

import numpy as np

from manjha.domain.sizing import TargetUnit
from manjha.strategy.indicators import supertrend
from manjha.strategy.interface import Floats, History, Strategy
from manjha.strategy.params import param
from manjha.strategy.turns import changes


class SupertrendFollower(Strategy):
    """Long while the Supertrend rises, flat while it falls; with `both_sides` short while it falls.

    The line keeps `width` ATR of `length` bars from the middle of the bar and turns when a close crosses it. Decides
    at each close and trades at the next open. No other stop. Holds for delivery (CNC); `both_sides` needs a product
    that may be short (`--product MIS`, or NRML on a contract). Held intraday (MIS), what is squared off in the evening
    is entered again at the next turn only.
    """

    name: ClassVar[str] = "supertrend"
    unit: ClassVar[TargetUnit] = TargetUnit.SIGNAL
    length: int = param(10, low=2, high=200, help="bars of ATR")
    width: float = param(3.0, low=0.5, high=10.0, help="ATRs that the line keeps away")
    both_sides: bool = param(False, help="be short as well")

    def history_needed(self) -> int:
        """Return the bars before the first decision."""
        return self.length + 1

    def targets(self, history: History) -> Floats:
        """State the side where it changes."""
        columns = [history.column(field) for field in ("high", "low", "close")]
        out = np.full_like(columns[2], np.nan)
        for index in range(out.shape[1]):
            high, low, close = (column[:, index] for column in columns)
            trend = supertrend(high, low, close, length=self.length, width=self.width).trend
            down = -1.0 if self.both_sides else 0.0
            out[:, index] = changes(np.where(np.isnan(trend), np.nan, np.where(trend > 0, 1.0, down)))
        return out

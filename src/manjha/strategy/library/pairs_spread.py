"""Two instruments that belong together."""

from typing import Any, ClassVar

import numpy as np

from manjha.domain.errors import UsageError
from manjha.domain.orders import Product
from manjha.domain.sizing import TargetUnit
from manjha.strategy.indicators import zscore
from manjha.strategy.interface import Floats, History, Strategy
from manjha.strategy.params import param


class PairsSpread(Strategy):
    """Sell the dear and buy the cheap one of two instruments when their ratio strays, leave when it is back.

    The spread is the difference of the logarithms of the two prices, in standard deviations of the last `length` bars.
    Enters beyond `entry`, leaves inside `leave`, half of the capital's `weight` a side. One side is short, so it is
    held intraday (MIS), or as NRML on two futures.
    """

    product: ClassVar[Product] = Product.MIS
    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT
    instruments_min: ClassVar[int] = 2
    instruments_max: ClassVar[int] = 2
    length: int = param(60, low=10, high=2000, help="bars of mean and deviation")
    entry: float = param(2.0, low=0.5, high=6.0, help="enter beyond this many deviations")
    leave: float = param(0.5, low=0.0, high=5.0, help="leave inside this many deviations")
    weight: float = param(0.8, low=0.05, high=4.0, help="gross exposure as a multiple of equity")

    def check_params(self) -> None:
        """Refuse an exit outside the entry."""
        if self.leave >= self.entry:
            raise UsageError(f"{self.name}: leave must be below entry, were {self.leave} and {self.entry}")

    def history_needed(self) -> int:
        """Return the bars before the first decision."""
        return self.length

    def targets(self, history: History) -> Floats:
        """State opposite weights where the side changes; flat again at the end of a day by square-off."""
        close = history.column("close")
        score = zscore(np.log(close[:, 0]) - np.log(close[:, 1]), self.length)
        fresh_day = np.append(True, np.diff(history.day) != 0)
        out = np.full_like(close, np.nan)
        side = 0
        for row in np.flatnonzero(~np.isnan(score)):
            if fresh_day[row] and self.product is Product.MIS:
                side = 0
            now = self._side(side, score[row])
            if now != side:
                out[row] = np.array([now, -now]) * self.weight / 2
            side = now
        return out

    def _side(self, side: int, score: Any) -> int:
        if side == 0:
            return -1 if score > self.entry else (1 if score < -self.entry else 0)
        return 0 if abs(score) < self.leave else side

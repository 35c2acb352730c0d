"""Two instruments that belong together."""

from typing import ClassVar

import numpy as np

from manjha.domain.errors import UsageError
from manjha.domain.orders import Product
from manjha.domain.sizing import TargetUnit
from manjha.strategy.indicators import sma, zscore
from manjha.strategy.interface import Floats, History, Strategy
from manjha.strategy.params import param

STILL = 1e-12
"""A variance of logarithms below this is no movement: a millionth of the price."""


class PairsSpread(Strategy):
    """Sell the dear and buy the cheap one of two instruments when their spread strays, leave when it is back.

    The spread is log(first) − hedge × log(second), its distance from its mean measured in standard deviations, both of
    the last `length` bars. The hedge is the slope of least squares over the same bars (`rolling`), or 1 (`one`: the
    ratio of the two prices). Beyond `entry` it sells the first and buys the second at the next open, below −`entry` the
    other way round; the sides' values stand as 1 to the hedge and sum to `weight` of the equity. No entry while the
    hedge is not positive. Leaves inside `leave`; no stop. One side is short, so it is held intraday (MIS): what is open
    is squared off before the broker does it, and each day begins flat. On two futures it can be held over night with
    `--product NRML`.
    """

    product: ClassVar[Product] = Product.MIS
    unit: ClassVar[TargetUnit] = TargetUnit.WEIGHT
    instruments_min: ClassVar[int] = 2
    instruments_max: ClassVar[int] = 2
    length: int = param(60, low=10, high=2000, help="bars of hedge, mean and deviation")
    entry: float = param(2.0, low=0.5, high=6.0, help="enter beyond this many deviations")
    leave: float = param(0.5, low=0.0, high=5.0, help="leave inside this many deviations")
    weight: float = param(0.8, low=0.05, high=4.0, help="gross exposure as a multiple of equity")
    hedge: str = param("rolling", choices=("rolling", "one"), help="how much of the second balances the first")

    def check_params(self) -> None:
        """Refuse an exit outside the entry."""
        if self.leave >= self.entry:
            raise UsageError(f"{self.name}: leave must be below entry, were {self.leave:g} and {self.entry:g}")

    def history_needed(self) -> int:
        """Return the bars before the first decision."""
        return self.length

    def targets(self, history: History) -> Floats:
        """State opposite weights where the side changes; flat again at the end of a day by square-off."""
        close = history.column("close")
        first, second = np.log(close[:, 0]), np.log(close[:, 1])
        if self.hedge == "rolling":
            slope, score = hedged(first, second, self.length)
        else:
            slope, score = np.ones(len(close)), zscore(first - second, self.length)
        fresh_day = np.append(True, np.diff(history.day) != 0)
        out = np.full_like(close, np.nan)
        side = 0
        for row in np.flatnonzero(~np.isnan(score)):
            if fresh_day[row] and self.product is Product.MIS:
                side = 0
            now = self._side(side, float(score[row]), may_enter=bool(slope[row] > 0))
            if now != side:
                balance = slope[row] if now else 1.0
                out[row] = np.array([now, -now * balance]) * self.weight / (1 + balance)
            side = now
        return out

    def _side(self, side: int, score: float, *, may_enter: bool) -> int:
        if side == 0:
            far = 0 if abs(score) <= self.entry or not may_enter else 1
            return -far if score > 0 else far
        return 0 if abs(score) < self.leave else side


def hedged(first: Floats, second: Floats, length: int) -> tuple[Floats, Floats]:
    """Return the slope of `first` on `second` over the last `length` rows, and the last residual in deviations.

    Shape (rows,) each; NaN while warming up and where either does not move.
    """
    known = np.flatnonzero(~(np.isnan(first) | np.isnan(second)))
    if not len(known):
        return np.full_like(first, np.nan), np.full_like(first, np.nan)
    # Measured from the first row, so that squares keep their digits.
    a, b = first - first[known[0]], second - second[known[0]]
    a_mean, b_mean = sma(a, length), sma(b, length)
    a_var, b_var = sma(a * a, length) - a_mean**2, sma(b * b, length) - b_mean**2
    shared = sma(a * b, length) - a_mean * b_mean
    slope = np.divide(shared, b_var, out=np.full_like(a, np.nan), where=b_var > STILL)
    left = a_var - slope * shared
    residual = a - a_mean - slope * (b - b_mean)
    score = np.divide(residual, np.sqrt(np.maximum(left, STILL)), out=np.full_like(a, np.nan), where=left > STILL)
    return slope, score

"""Exponential moving averages that cross."""

from typing import Any

from manjha.strategy.indicators import ema
from manjha.strategy.interface import Floats
from manjha.strategy.library.sma_cross import SmaCross
from manjha.strategy.params import param


class EmaCross(SmaCross):
    """Long while the fast exponential average is above the slow one, flat otherwise; see sma-cross."""

    fast: int = param(9, low=2, high=500, help="bars of the fast average")
    slow: int = param(21, low=3, high=1000, help="bars of the slow average")

    def average(self, close: Any, length: int) -> Floats:
        """Return the moving average that is compared."""
        return ema(close, length)

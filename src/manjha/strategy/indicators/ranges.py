"""Indicators of where a price stands: in its window's range, spread or past."""

from typing import NamedTuple

from numpy.typing import ArrayLike

from manjha.strategy.indicators.entry import FloatArray, Indicator, Parameter, width, window
from manjha.strategy.indicators.trend import Bands

_EXTREMES = "manjha.strategy.indicators.kernels.extremes"
_SPREAD = "manjha.strategy.indicators.kernels.spread"
_BAR = ("high", "low", "close")


class Stochastic(NamedTuple):
    """The lines of `stochastic`, 0 to 100."""

    k: FloatArray
    d: FloatArray


class Aroon(NamedTuple):
    """The lines of `aroon`, 0 to 100."""

    up: FloatArray
    down: FloatArray


HIGHEST = Indicator(
    name="highest",
    title="Rolling highest",
    inputs=("x",),
    parameters=(window(20),),
    outputs=("highest",),
    warmup=lambda length: length - 1,
    kernel=f"{_EXTREMES}:highest",
    formula="maximum of the last `length` values",
    source="TA-Lib MAX",
)
LOWEST = Indicator(
    name="lowest",
    title="Rolling lowest",
    inputs=("x",),
    parameters=(window(20),),
    outputs=("lowest",),
    warmup=lambda length: length - 1,
    kernel=f"{_EXTREMES}:lowest",
    formula="minimum of the last `length` values",
    source="TA-Lib MIN",
)
DONCHIAN = Indicator(
    name="donchian",
    title="Donchian channel",
    inputs=("high", "low"),
    parameters=(window(20),),
    outputs=Bands._fields,
    warmup=lambda length: length - 1,
    kernel=f"{_EXTREMES}:donchian",
    formula="highest high, mean of both, lowest low of the last `length` bars, the present one included",
    source="Richard Donchian",
)
STOCHASTIC = Indicator(
    name="stochastic",
    title="Stochastic oscillator",
    inputs=_BAR,
    parameters=(window(14), window(3, "smooth", high=200), window(3, "signal", high=200)),
    outputs=Stochastic._fields,
    warmup=lambda length, smooth, signal: length + smooth + signal - 3,
    kernel=f"{_EXTREMES}:stochastic",
    formula="k = SMA(smooth) of 100·(close − lowest low) / (highest high − lowest low), 50 if the range is zero; "
    "d = SMA(signal) of k",
    source="George Lane; TA-Lib STOCH (0 if the range is zero)",
)
WILLIAMS_R = Indicator(
    name="williams_r",
    title="Williams %R",
    inputs=_BAR,
    parameters=(window(14),),
    outputs=("williams_r",),
    warmup=lambda length: length - 1,
    kernel=f"{_EXTREMES}:williams_r",
    formula="100·(close − highest high) / (highest high − lowest low); −50 if the range is zero",
    source="Larry Williams; TA-Lib WILLR (0 if the range is zero)",
)
AROON = Indicator(
    name="aroon",
    title="Aroon",
    inputs=("high", "low"),
    parameters=(window(14),),
    outputs=Aroon._fields,
    warmup=lambda length: length,
    kernel=f"{_EXTREMES}:aroon",
    formula="100·(length − bars since the highest high, lowest low) / length over length + 1 bars; newest of equals",
    source="Tushar Chande; TA-Lib AROON",
)
BOLLINGER = Indicator(
    name="bollinger",
    title="Bollinger bands",
    inputs=("x",),
    parameters=(window(20, low=2), width(2.0)),
    outputs=Bands._fields,
    warmup=lambda length, width: length - 1,  # noqa: ARG005 - takes all the parameters
    kernel=f"{_SPREAD}:bollinger",
    formula="SMA ± width·σ, σ of the population (divisor `length`)",
    source="John Bollinger; TA-Lib BBANDS",
)
ZSCORE = Indicator(
    name="zscore",
    title="Rolling z-score",
    inputs=("x",),
    parameters=(window(20, low=2),),
    outputs=("zscore",),
    warmup=lambda length: length - 1,
    kernel=f"{_SPREAD}:zscore",
    formula="(x − mean) / σ over the last `length` values, σ of the population; 0 if all are equal",
    source="standard score",
)
REALISED_VOL = Indicator(
    name="realised_vol",
    title="Realised volatility",
    inputs=("x",),
    parameters=(window(20, low=2), Parameter("annual", 252.0, 1.0, 1e8, integer=False)),
    outputs=("realised_vol",),
    warmup=lambda length, annual: length,  # noqa: ARG005 - takes all the parameters
    kernel=f"{_SPREAD}:realised_vol",
    formula="σ of the last `length` log returns (divisor length − 1) · √annual, annual = bars a year; as a fraction",
    source="close-to-close estimator",
)


def highest(x: ArrayLike, length: int = 20) -> FloatArray:
    """Return the maximum of the last `length` values, in rupees for int64 prices."""
    return HIGHEST.arrays(x, length=length)[0]


def lowest(x: ArrayLike, length: int = 20) -> FloatArray:
    """Return the minimum of the last `length` values, in rupees for int64 prices."""
    return LOWEST.arrays(x, length=length)[0]


def donchian(high: ArrayLike, low: ArrayLike, length: int = 20) -> Bands:
    """Return the Donchian channel in rupees. It includes the present bar: a breakout compares with the row before."""
    return Bands(*DONCHIAN.arrays(high, low, length=length))


def stochastic(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, length: int = 14, smooth: int = 3, signal: int = 3
) -> Stochastic:
    """Return the slow stochastic %K and %D, 0 to 100."""
    return Stochastic(*STOCHASTIC.arrays(high, low, close, length=length, smooth=smooth, signal=signal))


def williams_r(high: ArrayLike, low: ArrayLike, close: ArrayLike, length: int = 14) -> FloatArray:
    """Return Williams %R, −100 to 0."""
    return WILLIAMS_R.arrays(high, low, close, length=length)[0]


def aroon(high: ArrayLike, low: ArrayLike, length: int = 14) -> Aroon:
    """Return Aroon up and down, 0 to 100."""
    return Aroon(*AROON.arrays(high, low, length=length))


def bollinger(x: ArrayLike, length: int = 20, width: float = 2.0) -> Bands:
    """Return the Bollinger bands, in rupees for int64 prices."""
    return Bands(*BOLLINGER.arrays(x, length=length, width=width))


def zscore(x: ArrayLike, length: int = 20) -> FloatArray:
    """Return how many standard deviations the value is above the mean of its window."""
    return ZSCORE.arrays(x, length=length)[0]


def realised_vol(x: ArrayLike, length: int = 20, annual: float = 252.0) -> FloatArray:
    """Return the annualised volatility of log returns as a fraction; `annual` is the number of bars in a year.

    A price that is not positive has no logarithm and counts as NaN.
    """
    return REALISED_VOL.arrays(x, length=length, annual=annual)[0]

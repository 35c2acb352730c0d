"""Moving averages, and MACD, which is a difference of two."""

from math import isqrt
from typing import NamedTuple

from numpy.typing import ArrayLike

from manjha.strategy.indicators.entry import FloatArray, Indicator, window

_WINDOWS = "manjha.strategy.indicators.kernels.windows"
_EXPONENTIAL = "manjha.strategy.indicators.kernels.exponential"


class Macd(NamedTuple):
    """The lines of `macd`."""

    line: FloatArray
    signal: FloatArray
    histogram: FloatArray


SMA = Indicator(
    name="sma",
    title="Simple moving average",
    inputs=("x",),
    parameters=(window(20),),
    outputs=("sma",),
    warmup=lambda length: length - 1,
    kernel=f"{_WINDOWS}:sma",
    formula="mean of the last `length` values; of whole 1e-4 rupees the sum is exact",
    source="TA-Lib SMA",
)
WMA = Indicator(
    name="wma",
    title="Weighted moving average",
    inputs=("x",),
    parameters=(window(20),),
    outputs=("wma",),
    warmup=lambda length: length - 1,
    kernel=f"{_WINDOWS}:wma",
    formula="mean with weights 1 (oldest) to `length` (newest)",
    source="TA-Lib WMA",
)
HMA = Indicator(
    name="hma",
    title="Hull moving average",
    inputs=("x",),
    parameters=(window(16, low=2),),
    outputs=("hma",),
    warmup=lambda length: length - 1 + isqrt(length) - 1,
    kernel=f"{_WINDOWS}:hma",
    formula="WMA over ⌊√length⌋ of 2·WMA(⌊length / 2⌋) − WMA(length)",
    source="Alan Hull (2005)",
)
EMA = Indicator(
    name="ema",
    title="Exponential moving average",
    inputs=("x",),
    parameters=(window(20),),
    outputs=("ema",),
    warmup=lambda length: length - 1,
    kernel=f"{_EXPONENTIAL}:ema",
    formula="(1 − α)·ema + α·x, α = 2 / (length + 1); begins with the mean of the first `length` values",
    source="TA-Lib EMA",
)
DEMA = Indicator(
    name="dema",
    title="Double exponential moving average",
    inputs=("x",),
    parameters=(window(20),),
    outputs=("dema",),
    warmup=lambda length: 2 * (length - 1),
    kernel=f"{_EXPONENTIAL}:dema",
    formula="2·EMA − EMA(EMA)",
    source="TA-Lib DEMA",
)
TEMA = Indicator(
    name="tema",
    title="Triple exponential moving average",
    inputs=("x",),
    parameters=(window(20),),
    outputs=("tema",),
    warmup=lambda length: 3 * (length - 1),
    kernel=f"{_EXPONENTIAL}:tema",
    formula="3·EMA − 3·EMA(EMA) + EMA(EMA(EMA))",
    source="TA-Lib TEMA",
)
MACD = Indicator(
    name="macd",
    title="Moving average convergence / divergence",
    inputs=("x",),
    parameters=(window(12, "fast"), window(26, "slow", low=2), window(9, "signal")),
    outputs=Macd._fields,
    warmup=lambda fast, slow, signal: slow + signal - 2,  # noqa: ARG005 - takes all the parameters
    kernel=f"{_EXPONENTIAL}:macd",
    formula="line = EMA(fast) − EMA(slow), signal = EMA of the line, histogram = line − signal; "
    "EMA(fast) begins with the mean of `fast` values at the same bar as EMA(slow)",
    source="TA-Lib MACD",
    rising=("fast", "slow"),
)


def sma(x: ArrayLike, length: int = 20) -> FloatArray:
    """Return the simple moving average, in rupees for int64 prices."""
    return SMA.arrays(x, length=length)[0]


def wma(x: ArrayLike, length: int = 20) -> FloatArray:
    """Return the linearly weighted moving average, in rupees for int64 prices."""
    return WMA.arrays(x, length=length)[0]


def hma(x: ArrayLike, length: int = 16) -> FloatArray:
    """Return Hull's moving average, in rupees for int64 prices."""
    return HMA.arrays(x, length=length)[0]


def ema(x: ArrayLike, length: int = 20) -> FloatArray:
    """Return the exponential moving average, in rupees for int64 prices."""
    return EMA.arrays(x, length=length)[0]


def dema(x: ArrayLike, length: int = 20) -> FloatArray:
    """Return the double exponential moving average, in rupees for int64 prices."""
    return DEMA.arrays(x, length=length)[0]


def tema(x: ArrayLike, length: int = 20) -> FloatArray:
    """Return the triple exponential moving average, in rupees for int64 prices."""
    return TEMA.arrays(x, length=length)[0]


def macd(x: ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """Return MACD line, signal and histogram, in rupees for int64 prices. `fast` must be below `slow`."""
    return Macd(*MACD.arrays(x, fast=fast, slow=slow, signal=signal))

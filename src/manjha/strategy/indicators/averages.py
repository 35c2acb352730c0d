"""Moving averages."""

from numpy.typing import ArrayLike

from manjha.strategy.indicators.entry import FloatArray, Indicator, length

_KERNELS = "manjha.strategy.indicators.kernels.averages"

SMA = Indicator(
    name="sma",
    title="Simple moving average",
    inputs=("x",),
    parameters=(length(20),),
    outputs=("sma",),
    warmup=lambda length: length - 1,
    kernel=f"{_KERNELS}:sma",
    formula="mean of the last `length` values; for prices in 1e-4 rupee the sum is exact",
    source="TA-Lib SMA",
)
EMA = Indicator(
    name="ema",
    title="Exponential moving average",
    inputs=("x",),
    parameters=(length(20),),
    outputs=("ema",),
    warmup=lambda length: length - 1,
    kernel=f"{_KERNELS}:ema",
    formula="ema + α·(x − ema), α = 2 / (length + 1), beginning with the mean of the first `length` values",
    source="TA-Lib EMA",
)


def sma(x: ArrayLike, length: int = 20) -> FloatArray:
    """Return the simple moving average, in rupees for int64 prices."""
    return SMA.arrays(x, length=length)[0]


def ema(x: ArrayLike, length: int = 20) -> FloatArray:
    """Return the exponential moving average, in rupees for int64 prices."""
    return EMA.arrays(x, length=length)[0]

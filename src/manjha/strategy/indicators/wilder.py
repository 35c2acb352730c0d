"""Indicators after J. Welles Wilder, *New Concepts in Technical Trading Systems* (1978)."""

from numpy.typing import ArrayLike

from manjha.strategy.indicators.entry import FloatArray, Indicator, length

_KERNELS = "manjha.strategy.indicators.kernels.wilder"
_BAR = ("high", "low", "close")

TRUE_RANGE = Indicator(
    name="true_range",
    title="True range",
    inputs=_BAR,
    parameters=(),
    outputs=("true_range",),
    warmup=lambda: 1,
    kernel=f"{_KERNELS}:true_range",
    formula="max(high, previous close) − min(low, previous close)",
    source="Wilder; TA-Lib TRANGE",
)
ATR = Indicator(
    name="atr",
    title="Average true range",
    inputs=_BAR,
    parameters=(length(14),),
    outputs=("atr",),
    warmup=lambda length: length,
    kernel=f"{_KERNELS}:atr",
    formula="Wilder's smoothing of the true range, beginning with the mean of the first `length` true ranges",
    source="Wilder; TA-Lib ATR",
)
RSI = Indicator(
    name="rsi",
    title="Relative strength index",
    inputs=("x",),
    parameters=(length(14),),
    outputs=("rsi",),
    warmup=lambda length: length,
    kernel=f"{_KERNELS}:rsi",
    formula="100·up / (up + down) of Wilder-smoothed gains and losses; 50 if nothing moved",
    source="Wilder; TA-Lib RSI (which gives 0 if nothing moved)",
)


def true_range(high: ArrayLike, low: ArrayLike, close: ArrayLike) -> FloatArray:
    """Return the true range in rupees."""
    return TRUE_RANGE.arrays(high, low, close)[0]


def atr(high: ArrayLike, low: ArrayLike, close: ArrayLike, length: int = 14) -> FloatArray:
    """Return Wilder's average true range in rupees."""
    return ATR.arrays(high, low, close, length=length)[0]


def rsi(x: ArrayLike, length: int = 14) -> FloatArray:
    """Return Wilder's relative strength index, 0 to 100."""
    return RSI.arrays(x, length=length)[0]

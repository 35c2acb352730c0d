"""Indicators of trend and of the range of bars, most of them after J. Welles Wilder.

Wilder: *New Concepts in Technical Trading Systems* (1978). His smoothing gives each new value the weight 1 / length.
"""

from typing import NamedTuple

from numpy.typing import ArrayLike

from manjha.strategy.indicators.entry import FloatArray, Indicator, window
from manjha.strategy.indicators.entry import width as multiple

_WILDER = "manjha.strategy.indicators.kernels.wilder"
_BAR = ("high", "low", "close")


class Adx(NamedTuple):
    """The lines of `adx`, 0 to 100."""

    adx: FloatArray
    plus: FloatArray
    minus: FloatArray


class Supertrend(NamedTuple):
    """The line of `supertrend` and the trend: 1 up, −1 down."""

    line: FloatArray
    trend: FloatArray


class Bands(NamedTuple):
    """An upper, a middle and a lower line."""

    upper: FloatArray
    middle: FloatArray
    lower: FloatArray


RSI = Indicator(
    name="rsi",
    title="Relative strength index",
    inputs=("x",),
    parameters=(window(14),),
    outputs=("rsi",),
    warmup=lambda length: length,
    kernel=f"{_WILDER}:rsi",
    formula="100·up / (up + down) of Wilder-smoothed gains and losses; 50 if nothing moved",
    source="Wilder; TA-Lib RSI (0 if nothing moved)",
)
TRUE_RANGE = Indicator(
    name="true_range",
    title="True range",
    inputs=_BAR,
    parameters=(),
    outputs=("true_range",),
    warmup=lambda: 1,
    kernel=f"{_WILDER}:true_range",
    formula="max(high, previous close) − min(low, previous close)",
    source="Wilder; TA-Lib TRANGE",
)
ATR = Indicator(
    name="atr",
    title="Average true range",
    inputs=_BAR,
    parameters=(window(14),),
    outputs=("atr",),
    warmup=lambda length: length,
    kernel=f"{_WILDER}:atr",
    formula="Wilder's smoothing of the true range; begins with the mean of the first `length` true ranges",
    source="Wilder; TA-Lib ATR",
)
ADX = Indicator(
    name="adx",
    title="Average directional index",
    inputs=_BAR,
    parameters=(window(14, low=2),),
    outputs=Adx._fields,
    warmup=lambda length: 2 * length - 1,
    kernel=f"{_WILDER}:adx",
    formula="plus, minus = 100 · smoothed directional movement / smoothed true range; "
    "adx = Wilder's smoothing of 100·|plus − minus| / (plus + minus), 0 of nothing",
    source="Wilder; TA-Lib ADX, PLUS_DI, MINUS_DI",
)
SUPERTREND = Indicator(
    name="supertrend",
    title="Supertrend",
    inputs=_BAR,
    parameters=(window(10), multiple(3.0)),
    outputs=Supertrend._fields,
    warmup=lambda length, width: length,  # noqa: ARG005 - takes all the parameters
    kernel=f"{_WILDER}:supertrend",
    formula="(high + low) / 2 ± width·ATR; a band only tightens while the previous close is within; the line is the "
    "lower band in a rising trend (1), else the upper (−1); turns when the close crosses it; begins falling",
    source="Olivier Seban, as on TradingView, with TA-Lib's ATR",
)
KELTNER = Indicator(
    name="keltner",
    title="Keltner channel",
    inputs=_BAR,
    parameters=(window(20), window(10, "atr_length"), multiple(2.0)),
    outputs=Bands._fields,
    warmup=lambda length, atr_length, width: max(length - 1, atr_length),  # noqa: ARG005 - takes all the parameters
    kernel=f"{_WILDER}:keltner",
    formula="EMA(close, length) ± width·ATR(atr_length)",
    source="Chester Keltner, Linda Raschke's form",
)


def rsi(x: ArrayLike, length: int = 14) -> FloatArray:
    """Return Wilder's relative strength index, 0 to 100."""
    return RSI.arrays(x, length=length)[0]


def true_range(high: ArrayLike, low: ArrayLike, close: ArrayLike) -> FloatArray:
    """Return the true range in rupees."""
    return TRUE_RANGE.arrays(high, low, close)[0]


def atr(high: ArrayLike, low: ArrayLike, close: ArrayLike, length: int = 14) -> FloatArray:
    """Return Wilder's average true range in rupees."""
    return ATR.arrays(high, low, close, length=length)[0]


def adx(high: ArrayLike, low: ArrayLike, close: ArrayLike, length: int = 14) -> Adx:
    """Return Wilder's average directional index and the two directional indicators, 0 to 100."""
    return Adx(*ADX.arrays(high, low, close, length=length))


def supertrend(high: ArrayLike, low: ArrayLike, close: ArrayLike, length: int = 10, width: float = 3.0) -> Supertrend:
    """Return the Supertrend line in rupees and the trend, 1 or −1."""
    return Supertrend(*SUPERTREND.arrays(high, low, close, length=length, width=width))


def keltner(
    high: ArrayLike, low: ArrayLike, close: ArrayLike, length: int = 20, atr_length: int = 10, width: float = 2.0
) -> Bands:
    """Return the Keltner channel in rupees."""
    return Bands(*KELTNER.arrays(high, low, close, length=length, atr_length=atr_length, width=width))

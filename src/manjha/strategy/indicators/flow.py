"""Indicators of momentum and of volume, and Heikin-Ashi candles."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from manjha.domain.moments import DAY_NS, IST_OFFSET_NS
from manjha.strategy.indicators.entry import FloatArray, Indicator, window

_DISTANCES = "manjha.strategy.indicators.kernels.distances"
_FLOW = "manjha.strategy.indicators.kernels.flow"
_BAR = ("high", "low", "close")


class Candles(NamedTuple):
    """The four columns of `heikin_ashi`."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray


MOMENTUM = Indicator(
    name="momentum",
    title="Momentum",
    inputs=("x",),
    parameters=(window(10),),
    outputs=("momentum",),
    warmup=lambda length: length,
    kernel=f"{_DISTANCES}:momentum",
    formula="x − x `length` bars before",
    source="TA-Lib MOM",
)
ROC = Indicator(
    name="roc",
    title="Rate of change",
    inputs=("x",),
    parameters=(window(10),),
    outputs=("roc",),
    warmup=lambda length: length,
    kernel=f"{_DISTANCES}:roc",
    formula="100·(x / x `length` bars before − 1), NaN from zero",
    source="TA-Lib ROC",
)
SLOPE = Indicator(
    name="slope",
    title="Linear-regression slope",
    inputs=("x",),
    parameters=(window(14, low=2, high=1_000),),
    outputs=("slope",),
    warmup=lambda length: length - 1,
    kernel=f"{_DISTANCES}:slope",
    formula="least-squares slope a bar over the last `length` values",
    source="TA-Lib LINEARREG_SLOPE",
)
CCI = Indicator(
    name="cci",
    title="Commodity channel index",
    inputs=_BAR,
    parameters=(window(20, low=2, high=1_000),),
    outputs=("cci",),
    warmup=lambda length: length - 1,
    kernel=f"{_DISTANCES}:cci",
    formula="(tp − SMA(tp)) / (0.015 · mean |tp − SMA(tp)|), tp = (high + low + close) / 3; 0 if all are equal",
    source="Donald Lambert; TA-Lib CCI",
)
HEIKIN_ASHI = Indicator(
    name="heikin_ashi",
    title="Heikin-Ashi candles",
    inputs=("open", *_BAR),
    parameters=(),
    outputs=Candles._fields,
    warmup=lambda: 0,
    kernel=f"{_DISTANCES}:heikin_ashi",
    formula="close = mean of the four; open = mean of the previous candle's open and close, at first of the bar's; "
    "high and low include both",
    source="Dan Valcu (2004)",
)
OBV = Indicator(
    name="obv",
    title="On-balance volume",
    inputs=("close", "volume"),
    parameters=(),
    outputs=("obv",),
    warmup=lambda: 0,
    kernel=f"{_FLOW}:obv",
    formula="running sum of volume, added on a rise, taken off on a fall; begins with the first bar's",
    source="Joseph Granville; TA-Lib OBV",
)
VWAP = Indicator(
    name="vwap",
    title="Volume-weighted average price of the session",
    inputs=("day", *_BAR, "volume"),
    parameters=(),
    outputs=("vwap",),
    warmup=lambda: 0,
    kernel=f"{_FLOW}:vwap",
    formula="Σ tp·volume / Σ volume since the trading day began, tp = (high + low + close) / 3; NaN until there is "
    "volume; after a NaN input NaN until the next day",
    source="as on Kite and TradingView charts (anchored to the session, hlc3)",
)
MFI = Indicator(
    name="mfi",
    title="Money flow index",
    inputs=(*_BAR, "volume"),
    parameters=(window(14),),
    outputs=("mfi",),
    warmup=lambda length: length,
    kernel=f"{_FLOW}:mfi",
    formula="100·rising / (rising + falling) of tp·volume over `length` changes of tp; 50 if there was no flow",
    source="Quong and Soudack; TA-Lib MFI (0 if there was no flow)",
)


def momentum(x: ArrayLike, length: int = 10) -> FloatArray:
    """Return the change over `length` bars, in rupees for int64 prices."""
    return MOMENTUM.arrays(x, length=length)[0]


def roc(x: ArrayLike, length: int = 10) -> FloatArray:
    """Return the change over `length` bars in percent, NaN where it would be from zero."""
    return ROC.arrays(x, length=length)[0]


def slope(x: ArrayLike, length: int = 14) -> FloatArray:
    """Return the slope of the regression line, in rupees a bar for int64 prices."""
    return SLOPE.arrays(x, length=length)[0]


def cci(high: ArrayLike, low: ArrayLike, close: ArrayLike, length: int = 20) -> FloatArray:
    """Return the commodity channel index."""
    return CCI.arrays(high, low, close, length=length)[0]


def heikin_ashi(open: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Candles:  # noqa: A002 - a column
    """Return Heikin-Ashi candles in rupees. They are no prices that anyone traded at."""
    return Candles(*HEIKIN_ASHI.arrays(open, high, low, close))


def obv(close: ArrayLike, volume: ArrayLike) -> FloatArray:
    """Return the on-balance volume in units."""
    return OBV.arrays(close, volume)[0]


def vwap(ts_ns: ArrayLike, high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike) -> FloatArray:
    """Return the session's volume-weighted average price in rupees.

    `ts_ns` are int64 UTC nanoseconds (open or close of the bars); the session is the day they fall on in India.
    """
    day = (np.asarray(ts_ns, dtype=np.int64) + IST_OFFSET_NS) // DAY_NS
    return VWAP.arrays(day, high, low, close, volume)[0]


def mfi(high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike, length: int = 14) -> FloatArray:
    """Return the money flow index, 0 to 100."""
    return MFI.arrays(high, low, close, volume, length=length)[0]

"""Causal compiled indicators, for whole columns (`sma(close, 20)`) and bar by bar (`get("sma").stream(length=20)`).

int64 price columns count 1e-4 rupee and give results in rupees where the result is a price; float64 columns are taken
as they are. Results are float64, NaN during warm-up. A NaN or infinite input gives NaN and starts the indicator over:
what comes after it is what a series beginning there would give, warm-up included; nothing is skipped silently.
(`vwap`, whose window is the session, gives NaN for the rest of the session.) Several at once are a `bundle`.
"""

from manjha.domain.errors import UsageError
from manjha.strategy.indicators.averages import (
    DEMA,
    EMA,
    HMA,
    MACD,
    SMA,
    TEMA,
    WMA,
    Macd,
    dema,
    ema,
    hma,
    macd,
    sma,
    tema,
    wma,
)
from manjha.strategy.indicators.bundle import bundle
from manjha.strategy.indicators.entry import Asked, Indicator, Parameter, Stream
from manjha.strategy.indicators.flow import (
    CCI,
    HEIKIN_ASHI,
    MFI,
    MOMENTUM,
    OBV,
    ROC,
    SLOPE,
    VWAP,
    Candles,
    cci,
    heikin_ashi,
    mfi,
    momentum,
    obv,
    roc,
    slope,
    vwap,
)
from manjha.strategy.indicators.ranges import (
    AROON,
    BOLLINGER,
    DONCHIAN,
    HIGHEST,
    LOWEST,
    REALISED_VOL,
    STOCHASTIC,
    WILLIAMS_R,
    ZSCORE,
    Aroon,
    Stochastic,
    aroon,
    bollinger,
    donchian,
    highest,
    lowest,
    realised_vol,
    stochastic,
    williams_r,
    zscore,
)
from manjha.strategy.indicators.trend import (
    ADX,
    ATR,
    KELTNER,
    RSI,
    SUPERTREND,
    TRUE_RANGE,
    Adx,
    Bands,
    Supertrend,
    adx,
    atr,
    keltner,
    rsi,
    supertrend,
    true_range,
)

INDICATORS: dict[str, Indicator] = {
    entry.name: entry
    for entry in (
        SMA, EMA, WMA, DEMA, TEMA, HMA, MACD,
        RSI, TRUE_RANGE, ATR, ADX, SUPERTREND, KELTNER,
        HIGHEST, LOWEST, DONCHIAN, STOCHASTIC, WILLIAMS_R, AROON, BOLLINGER, ZSCORE, REALISED_VOL,
        MOMENTUM, ROC, SLOPE, CCI, HEIKIN_ASHI, OBV, VWAP, MFI,
    )
}  # fmt: skip
"""Every indicator by name; the array function has the same name."""


def get(name: str) -> Indicator:
    """Return the registry's entry. Raises `UsageError` naming what there is."""
    if name not in INDICATORS:
        raise UsageError(f"no indicator {name!r}", hint=f"There are: {', '.join(sorted(INDICATORS))}.")
    return INDICATORS[name]


__all__ = [
    "INDICATORS", "Adx", "Aroon", "Asked", "Bands", "Candles", "Indicator", "Macd", "Parameter", "Stochastic", "Stream",
    "Supertrend",
    "adx", "aroon", "atr", "bollinger", "bundle", "cci", "dema", "donchian", "ema", "get", "heikin_ashi", "highest",
    "hma", "keltner", "lowest", "macd", "mfi", "momentum", "obv", "realised_vol", "roc", "rsi", "slope", "sma",
    "stochastic", "supertrend", "tema", "true_range", "vwap", "williams_r", "wma", "zscore",
]  # fmt: skip

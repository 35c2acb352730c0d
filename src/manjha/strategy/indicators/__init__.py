"""Causal compiled indicators, for whole columns (`sma(close, 20)`) and bar by bar (`get("sma").stream(length=20)`).

int64 price columns count 1e-4 rupee and give results in rupees where the result is a price; float64 columns are taken
as they are. Results are float64, NaN during warm-up. A NaN or infinite input gives NaN and starts the indicator over:
what comes after it is what a series beginning there would give, warm-up included; nothing is skipped silently.
"""

from manjha.domain.errors import UsageError
from manjha.strategy.indicators.averages import EMA, SMA, ema, sma
from manjha.strategy.indicators.entry import Indicator, Parameter, Stream
from manjha.strategy.indicators.wilder import ATR, RSI, TRUE_RANGE, atr, rsi, true_range

INDICATORS: dict[str, Indicator] = {
    entry.name: entry
    for entry in (SMA, EMA, RSI, TRUE_RANGE, ATR)
}  # fmt: skip
"""Every indicator by name."""


def get(name: str) -> Indicator:
    """Return the registry's entry. Raises `UsageError` naming what there is."""
    if name not in INDICATORS:
        raise UsageError(f"no indicator {name!r}", hint=f"There are: {', '.join(sorted(INDICATORS))}.")
    return INDICATORS[name]


__all__ = ["INDICATORS", "Indicator", "Parameter", "Stream", "atr", "ema", "get", "rsi", "sma", "true_range"]

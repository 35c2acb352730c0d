"""TA-Lib as an independent oracle: the same numbers within rounding, the same warm-up."""

import numpy as np
import pytest

from manjha.strategy import indicators as ind
from manjha.strategy.indicators.entry import FloatArray

talib = pytest.importorskip("talib", reason="TA-Lib is an optional oracle (dependency group `oracle`)")

_RANDOM = np.random.default_rng(2_024)
CLOSE = 1_000.0 + np.cumsum(_RANDOM.normal(scale=3.0, size=3_000))
OPEN = np.concatenate([CLOSE[:1], CLOSE[:-1]])
HIGH = np.maximum(OPEN, CLOSE) + _RANDOM.exponential(2.0, 3_000)
LOW = np.minimum(OPEN, CLOSE) - _RANDOM.exponential(2.0, 3_000)
VOLUME = _RANDOM.integers(1, 10_000, 3_000).astype(np.float64)
BAR = (HIGH, LOW, CLOSE)


def assert_close(ours: FloatArray, theirs: FloatArray, *, scale: float = 1_000.0) -> None:
    """Equal to 1e-10 of the scale of the values, NaN at the same places."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * scale)


@pytest.mark.parametrize("length", [2, 5, 20, 200])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (ind.sma, "SMA"), (ind.ema, "EMA"), (ind.wma, "WMA"), (ind.dema, "DEMA"), (ind.tema, "TEMA"), (ind.rsi, "RSI"),
        (ind.highest, "MAX"), (ind.lowest, "MIN"), (ind.momentum, "MOM"), (ind.roc, "ROC"),
        (ind.slope, "LINEARREG_SLOPE"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_one_column_indicators_agree(ours: object, theirs: str, length: int) -> None:
    assert_close(ours(CLOSE, length), getattr(talib, theirs)(CLOSE, length))  # type: ignore[operator]  # any of them


@pytest.mark.parametrize("length", [2, 14, 50])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(ind.atr, "ATR"), (ind.williams_r, "WILLR"), (ind.cci, "CCI")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bar_indicators_agree(ours: object, theirs: str, length: int) -> None:
    assert_close(ours(*BAR, length), getattr(talib, theirs)(*BAR, length))  # type: ignore[operator]  # any of them


def test_true_range_agrees() -> None:
    assert_close(ind.true_range(*BAR), talib.TRANGE(*BAR))


@pytest.mark.parametrize(("fast", "slow", "signal"), [(12, 26, 9), (3, 10, 16), (5, 6, 2)])
def test_macd_agrees(fast: int, slow: int, signal: int) -> None:
    for ours, theirs in zip(ind.macd(CLOSE, fast, slow, signal), talib.MACD(CLOSE, fast, slow, signal), strict=True):
        assert_close(ours, theirs)


@pytest.mark.parametrize("length", [2, 20, 100])
def test_bollinger_bands_agree(length: int) -> None:
    for ours, theirs in zip(ind.bollinger(CLOSE, length, 2.0), talib.BBANDS(CLOSE, length, 2.0, 2.0), strict=True):
        # TA-Lib takes E[x²] − E[x]², which loses half of the digits.
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 if length == 2 else 1e-6)


@pytest.mark.parametrize("length", [2, 14, 40])
def test_adx_and_directional_indicators_agree(length: int) -> None:
    adx, plus, minus = ind.adx(*BAR, length)
    assert_close(adx, talib.ADX(*BAR, length))
    assert_close(plus[2 * length - 1 :], talib.PLUS_DI(*BAR, length)[2 * length - 1 :])
    assert_close(minus[2 * length - 1 :], talib.MINUS_DI(*BAR, length)[2 * length - 1 :])


@pytest.mark.parametrize(("length", "smooth", "signal"), [(14, 3, 3), (5, 1, 1), (20, 4, 7)])
def test_stochastic_agrees(length: int, smooth: int, signal: int) -> None:
    k, d = ind.stochastic(*BAR, length, smooth, signal)
    theirs = talib.STOCH(*BAR, length, smooth, 0, signal, 0)
    assert_close(k, theirs[0])
    assert_close(d, theirs[1])


@pytest.mark.parametrize("length", [2, 14, 25])
def test_aroon_agrees_on_ties_too(length: int) -> None:
    high, low = np.round(HIGH / 10), np.round(LOW / 10)
    down, up = talib.AROON(high, low, length)
    ours = ind.aroon(high, low, length)
    assert_close(ours.up, up)
    assert_close(ours.down, down)


def test_on_balance_volume_agrees() -> None:
    assert_close(ind.obv(np.round(CLOSE), VOLUME), talib.OBV(np.round(CLOSE), VOLUME))


@pytest.mark.parametrize("length", [2, 14, 60])
def test_money_flow_index_agrees(length: int) -> None:
    assert_close(ind.mfi(*BAR, VOLUME, length), talib.MFI(*BAR, VOLUME, length))

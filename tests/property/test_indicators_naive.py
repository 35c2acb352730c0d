"""Plain Python forms of the indicators that TA-Lib lacks, written from their definitions."""

import math
import statistics

import numpy as np
import pytest

from manjha.domain.moments import MINUTE_NS, at
from manjha.strategy import indicators as ind

ROWS = 400
_RANDOM = np.random.default_rng(77)
CLOSE = np.round(500.0 * np.exp(np.cumsum(_RANDOM.normal(scale=0.01, size=ROWS))), 2)
HIGH = np.round(CLOSE + _RANDOM.exponential(2.0, ROWS), 2)
LOW = np.round(CLOSE - _RANDOM.exponential(2.0, ROWS), 2)
VOLUME = _RANDOM.integers(0, 4, ROWS).astype(np.float64)
DAY = np.repeat(np.arange(20_000, 20_000 + ROWS // 40), 40)
MINUTES = np.array([at(day, 34_200 * 10**9) + MINUTE_NS * (k % 40) for k, day in enumerate(DAY.tolist())])


def close_to(ours: object, naive: list[float]) -> None:
    np.testing.assert_allclose(np.asarray(ours, dtype=np.float64), np.array(naive), rtol=1e-11, atol=1e-9)


@pytest.mark.parametrize("length", [1, 3, 7, 20, 49, 97, 200])
def test_average_of_whole_prices_is_the_nearest_float_to_the_true_mean(length: int) -> None:
    prices = np.random.default_rng(length).integers(1, 10**11, 3_000)
    sums = [sum(prices[end - length : end].tolist()) for end in range(length, len(prices) + 1)]
    # Python divides whole numbers to the nearest float.
    true = [total / (length * 10_000) for total in sums]
    np.testing.assert_array_equal(ind.sma(prices, length)[length - 1 :], true)


@pytest.mark.parametrize("length", [2, 5, 21])
def test_zscore_is_the_standard_score_of_the_window(length: int) -> None:
    naive = [math.nan] * (length - 1)
    for end in range(length, ROWS + 1):
        window = CLOSE[end - length : end].tolist()
        deviation = statistics.pstdev(window)
        naive.append((window[-1] - statistics.fmean(window)) / deviation if deviation else 0.0)
    close_to(ind.zscore(CLOSE, length), naive)


@pytest.mark.parametrize("length", [2, 5, 21])
def test_realised_volatility_is_the_annual_deviation_of_log_returns(length: int) -> None:
    returns = [math.log(b / a) for a, b in zip(CLOSE[:-1].tolist(), CLOSE[1:].tolist(), strict=True)]
    ends = range(length, ROWS)
    naive = [statistics.stdev(returns[end - length : end]) * math.sqrt(252) for end in ends]
    close_to(ind.realised_vol(CLOSE, length), [math.nan] * length + naive)


@pytest.mark.parametrize("length", [1, 2, 21])
def test_donchian_channel_is_the_range_of_the_window(length: int) -> None:
    windows = [slice(end - length, end) for end in range(length, ROWS + 1)]
    upper, middle, lower = ind.donchian(HIGH, LOW, length)
    close_to(upper[length - 1 :], [max(HIGH[w].tolist()) for w in windows])
    close_to(lower[length - 1 :], [min(LOW[w].tolist()) for w in windows])
    close_to(middle, ((upper + lower) / 2).tolist())


def test_vwap_is_the_mean_of_typical_prices_by_volume_in_the_session() -> None:
    naive = []
    for k in range(ROWS):
        session = [j for j in range(k + 1) if DAY[j] == DAY[k]]
        volume = sum(VOLUME[j] for j in session)
        turnover = sum((HIGH[j] + LOW[j] + CLOSE[j]) / 3 * VOLUME[j] for j in session)
        naive.append(turnover / volume if volume else math.nan)
    close_to(ind.vwap(MINUTES, HIGH, LOW, CLOSE, VOLUME), naive)


@pytest.mark.parametrize(("length", "width"), [(10, 3.0), (3, 0.7)])
def test_supertrend_follows_its_published_rules(length: int, width: float) -> None:
    ranges = ind.atr(HIGH, LOW, CLOSE, length)
    upper = lower = previous = math.nan
    lines, trends = [math.nan] * length, [math.nan] * length
    for k in range(length, ROWS):
        middle = (HIGH[k] + LOW[k]) / 2
        high_band, low_band = middle + width * ranges[k], middle - width * ranges[k]
        was_falling = math.isnan(previous) or previous == upper
        if k > length:
            high_band = high_band if high_band < upper or CLOSE[k - 1] > upper else upper
            low_band = low_band if low_band > lower or CLOSE[k - 1] < lower else lower
        upper, lower = high_band, low_band
        is_rising = CLOSE[k] > upper if was_falling else CLOSE[k] >= lower
        previous = lower if is_rising else upper
        lines.append(previous)
        trends.append(1.0 if is_rising else -1.0)
    line, trend = ind.supertrend(HIGH, LOW, CLOSE, length, width)
    close_to(line, lines)
    close_to(trend, trends)


@pytest.mark.parametrize("length", [2, 4, 16, 31])
def test_hull_average_is_made_of_weighted_ones(length: int) -> None:
    half, whole = ind.wma(CLOSE, length // 2), ind.wma(CLOSE, length)
    raw = (2 * half - whole)[length - 1 :]
    root = ind.wma(raw, math.isqrt(length))
    close_to(ind.hma(CLOSE, length), [math.nan] * (length - 1) + root.tolist())


def test_keltner_channel_is_made_of_ema_and_atr() -> None:
    upper, middle, lower = ind.keltner(HIGH, LOW, CLOSE, 20, 10, 1.5)
    close_to(middle, ind.ema(CLOSE, 20).tolist())
    band = np.where(np.isnan(middle), np.nan, 1.5 * ind.atr(HIGH, LOW, CLOSE, 10))
    close_to(upper, (middle + band).tolist())
    close_to(lower, (middle - band).tolist())

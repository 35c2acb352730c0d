"""Hand-computed values of tiny series, and what happens at the edges."""

import math

import numpy as np
import pytest

from manjha.domain.moments import at
from manjha.strategy import indicators as ind
from manjha.strategy.indicators.entry import FloatArray

NAN = math.nan
FIVE = [2.0, 4.0, 6.0, 8.0, 12.0]
HIGH = [10.0, 12.0, 13.0, 12.0, 15.0]
LOW = [8.0, 9.0, 11.0, 8.0, 12.0]
CLOSE = [9.0, 11.0, 12.0, 9.0, 14.0]


def assert_values(ours: FloatArray, expected: list[float] | FloatArray) -> None:
    np.testing.assert_allclose(ours, np.asarray(expected, dtype=np.float64), rtol=0, atol=1e-12)


ONE_COLUMN = [
    (ind.sma(FIVE, 3), [NAN, NAN, 4, 6, 26 / 3]),
    (ind.ema(FIVE, 3), [NAN, NAN, 4, 6, 9]),
    (ind.wma(FIVE, 3), [NAN, NAN, 28 / 6, 40 / 6, (6 + 16 + 36) / 6]),
    (ind.dema(FIVE, 2), [NAN, NAN, 6 * 1 + 0, 8, 12 - 2 / 9]),
    (ind.tema([1.0, 1.0, 1.0, 5.0], 2), [NAN, NAN, NAN, 3 * 11 / 3 - 3 * 25 / 9 + 17 / 9]),
    (ind.hma(FIVE, 4), [NAN, NAN, NAN, NAN, (2 * (64 / 3 - 8.8) + 26 / 3) / 3]),
    (ind.rsi(FIVE, 2), [NAN, NAN, 100, 100, 100]),
    (ind.rsi([5.0, 6.0, 5.0, 8.0], 2), [NAN, NAN, 50, 100 * 1.75 / 2.0]),
    (ind.highest([3.0, 5.0, 4.0, 1.0], 2), [NAN, 5, 5, 4]),
    (ind.lowest([3.0, 5.0, 4.0, 1.0], 2), [NAN, 3, 4, 1]),
    (ind.zscore([1.0, 3.0, 5.0], 2), [NAN, 1, 1]),
    (ind.zscore([1.0, 2.0, 6.0], 3), [NAN, NAN, 3 / math.sqrt(14 / 3)]),
    (ind.realised_vol([1.0, math.e, math.e], 2, 8.0), [NAN, NAN, 2.0]),
    (ind.momentum(FIVE, 2), [NAN, NAN, 4, 4, 6]),
    (ind.roc(FIVE, 2), [NAN, NAN, 200, 100, 100]),
    (ind.slope(FIVE, 3), [NAN, NAN, 2, 2, 3]),
]


@pytest.mark.parametrize(("ours", "expected"), ONE_COLUMN)
def test_one_column_indicators_give_hand_computed_values(ours: FloatArray, expected: list[float]) -> None:
    assert_values(ours, expected)


BARS = [
    (ind.true_range(HIGH, LOW, CLOSE), [NAN, 3, 2, 4, 6]),
    (ind.atr(HIGH, LOW, CLOSE, 2), [NAN, NAN, 2.5, 3.25, 4.625]),
    (ind.williams_r(HIGH, LOW, CLOSE, 2), [NAN, -25, -25, -80, -100 / 7]),
    (ind.cci([3.0, 6.0], [3.0, 6.0], [3.0, 6.0], 2), [NAN, 1.5 / (0.015 * 1.5)]),
    (ind.obv(CLOSE, [5.0, 1.0, 2.0, 4.0, 8.0]), [5, 6, 8, 4, 12]),
    (ind.mfi([1.0, 2.0, 1.0], [1.0, 2.0, 1.0], [1.0, 2.0, 1.0], [9.0, 3.0, 2.0], 2), [NAN, NAN, 75]),
]


@pytest.mark.parametrize(("ours", "expected"), BARS)
def test_bar_indicators_give_hand_computed_values(ours: FloatArray, expected: list[float]) -> None:
    assert_values(ours, expected)


def test_macd_seeds_both_averages_at_the_same_bar() -> None:
    # Fast 2: mean(4, 6) = 5 at the third bar, then 7, 31/3; slow 3: 4, 6, 9; signal 2: mean of the first two lines.
    line, signal, histogram = ind.macd(FIVE, 2, 3, 2)
    assert_values(line, [NAN, NAN, NAN, 1, 31 / 3 - 9])
    assert_values(signal, [NAN, NAN, NAN, 1, (1 + 2 * (31 / 3 - 9)) / 3])
    assert_values(histogram, line - signal)


def test_bollinger_bands_use_the_population_deviation() -> None:
    upper, middle, lower = ind.bollinger([1.0, 3.0, 7.0], 2, 3.0)
    assert_values(upper, [NAN, 5, 11])
    assert_values(middle, [NAN, 2, 5])
    assert_values(lower, [NAN, -1, -1])


def test_donchian_channel_includes_the_present_bar() -> None:
    upper, middle, lower = ind.donchian(HIGH, LOW, 2)
    assert_values(upper, [NAN, 12, 13, 13, 15])
    assert_values(middle, [NAN, 10, 11, 10.5, 11.5])
    assert_values(lower, [NAN, 8, 9, 8, 8])


def test_stochastic_smooths_twice() -> None:
    # Raw: 75, 75, 20, 600/7 from the second bar on.
    k, d = ind.stochastic(HIGH, LOW, CLOSE, 2, 2, 2)
    assert_values(k, [NAN, NAN, NAN, 47.5, (20 + 600 / 7) / 2])
    assert_values(d, [NAN, NAN, NAN, (75 + 47.5) / 2, (47.5 + (20 + 600 / 7) / 2) / 2])


def test_aroon_counts_bars_since_the_newest_extreme() -> None:
    up, down = ind.aroon([5.0, 5.0, 4.0, 3.0], [2.0, 1.0, 1.0, 2.0], 2)
    assert_values(up, [NAN, NAN, 50, 0])
    assert_values(down, [NAN, NAN, 100, 50])


def test_adx_of_a_straight_rise_is_full() -> None:
    rise = np.arange(8.0)
    adx, plus, minus = ind.adx(rise + 1, rise, rise + 0.5, 2)
    # True range 1.5 and movement up 1 each bar: two thirds.
    assert_values(adx, [NAN] * 3 + [100.0] * 5)
    assert_values(plus, [NAN] * 3 + [200 / 3] * 5)
    assert_values(minus, [NAN] * 3 + [0.0] * 5)


def test_keltner_channel_is_an_average_with_ranges() -> None:
    upper, middle, lower = ind.keltner(HIGH, LOW, CLOSE, 3, 2, 2.0)
    assert_values(middle, [NAN, NAN, 32 / 3, (32 / 3 + 9) / 2, ((32 / 3 + 9) / 2 + 14) / 2])
    assert_values(upper - middle, [NAN, NAN, 5, 6.5, 9.25])
    assert_values(middle - lower, [NAN, NAN, 5, 6.5, 9.25])


def test_supertrend_tightens_and_turns() -> None:
    # ATR(1) is the true range: 3, 2, 4, 6, 6, 11. Upper bands 13.5, 14, 14, 19.5, 24, 21: the first one stands until
    # the close 14 is above it. Lower bands 7.5, 10, 6, 7.5, 12, -1: 12 stands until the close 9 is below it.
    line, trend = ind.supertrend([*HIGH, 20.0, 12.0], [*LOW, 16.0, 8.0], [*CLOSE, 19.0, 9.0], 1, 1.0)
    assert_values(trend, [NAN, -1, -1, -1, 1, 1, -1])
    assert_values(line, [NAN, 13.5, 13.5, 13.5, 7.5, 12, 21])


def test_heikin_ashi_candles_average() -> None:
    candles = ind.heikin_ashi([8.0, 9.0], [10.0, 12.0], [8.0, 9.0], [9.0, 11.0])
    assert_values(candles.open, [8.5, (8.5 + 8.75) / 2])
    assert_values(candles.close, [8.75, 10.25])
    assert_values(candles.high, [10, 12])
    assert_values(candles.low, [8, 8.625])


def test_vwap_begins_anew_each_day_and_waits_for_volume() -> None:
    minute = 60 * 10**9
    ts = [at(20_000, 34_200 * 10**9) + minute * k for k in range(3)] + [at(20_001, 34_200 * 10**9)] * 2
    price = [10.0, 20.0, 40.0, 50.0, 70.0]
    assert_values(ind.vwap(ts, price, price, price, [0, 1, 3, 0, 2]), [NAN, 20, 35, NAN, 70])


def test_vwap_splits_sessions_at_indian_midnight() -> None:
    ts = [at(20_000, 23 * 3_600 * 10**9), at(20_001, 1)]
    assert_values(ind.vwap(ts, [1.0, 3.0], [1.0, 3.0], [1.0, 3.0], [1, 1]), [1, 3])


def test_vwap_of_a_session_without_volume_is_nan() -> None:
    price = np.full(5, 100.0)
    assert np.isnan(ind.vwap(np.arange(5), price, price, price, np.zeros(5))).all()


def test_vwap_after_nan_waits_for_the_next_session() -> None:
    ts = [at(20_000, 1), at(20_000, 2), at(20_000, 3), at(20_001, 1)]
    price = np.array([1.0, NAN, 3.0, 4.0])
    assert_values(ind.vwap(ts, price, price, price, np.ones(4)), [1, NAN, NAN, 4])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (ind.rsi(np.full(20, 7.1), 3), 50.0),
        (ind.zscore(np.full(20, 7.1), 3), 0.0),
        (ind.realised_vol(np.full(20, 7.1), 3), 0.0),
        (ind.slope(np.full(20, 7.1), 3), 0.0),
        (ind.cci(np.full(20, 7.1), np.full(20, 7.1), np.full(20, 7.1), 3), 0.0),
        (ind.stochastic(np.full(20, 7.1), np.full(20, 7.1), np.full(20, 7.1), 3).d, 50.0),
        (ind.williams_r(np.full(20, 7.1), np.full(20, 7.1), np.full(20, 7.1), 3), -50.0),
        (ind.mfi(np.full(20, 7.1), np.full(20, 7.1), np.full(20, 7.1), np.ones(20), 3), 50.0),
        (ind.adx(np.full(20, 7.1), np.full(20, 7.1), np.full(20, 7.1), 3).adx, 0.0),
        (ind.sma(np.full(20, 71_000), 3), 7.1),
        (ind.bollinger(np.full(20, 71_000), 3).upper, 7.1),
    ],
)
def test_constant_prices_have_a_defined_value(line: FloatArray, expected: float) -> None:
    assert set(line[~np.isnan(line)]) == {expected}


def test_window_that_becomes_flat_after_a_jump_has_no_spread() -> None:
    column = np.concatenate([np.random.default_rng(3).normal(1e6, 1e5, 50), np.full(30, 0.1)])
    assert ind.zscore(column, 10)[-1] == 0.0
    assert ind.bollinger(column, 10).upper[-1] == ind.bollinger(column, 10).lower[-1]


def test_average_of_whole_prices_is_exact_after_a_million_bars() -> None:
    column = np.random.default_rng(4).integers(1, 10**9, 1_000_000)
    assert ind.sma(column, 20)[-1] == int(column[-20:].sum()) / 200_000
    assert ind.wma(column, 4)[-1] == int(column[-4:] @ np.arange(1, 5)) / 100_000


def test_a_spike_leaves_no_trace_in_later_averages() -> None:
    column = np.ones(100)
    column[10] = 1e300
    assert ind.sma(column, 5)[30:].tolist() == [1.0] * 70
    assert ind.wma(column, 5)[30:].tolist() == [1.0] * 70


def test_variance_survives_a_large_level() -> None:
    column = 1e9 + np.random.default_rng(5).normal(size=2_000)
    expected = np.array([column[k - 19 : k + 1].std() for k in range(19, 2_000)])
    bands = ind.bollinger(column, 20, 1.0)
    np.testing.assert_allclose((bands.upper - bands.middle)[19:], expected, rtol=1e-6)

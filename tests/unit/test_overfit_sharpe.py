"""Probabilistic and deflated Sharpe ratio, track record and backtest length: the papers' own examples.

Sources: D. Bailey, M. López de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2), 2012; the same,
"The Deflated Sharpe Ratio", Journal of Portfolio Management 40(5), 2014, section "A numerical example"; D. Bailey, J.
Borwein, M. López de Prado, Q. Zhu, "Pseudo-Mathematics and Financial Charlatanism", Notices of the AMS 61(5), 2014.
"""

import math

import numpy as np
import pytest

from manjha.domain.errors import DataError, UsageError
from manjha.research.metrics.ratios import probabilistic_sharpe as metric
from manjha.research.overfit import (
    Independence,
    TrackRecord,
    annualised,
    average_correlation,
    deflated_sharpe,
    effective_trials,
    expected_maximum_sharpe,
    minimum_backtest_years,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_of_columns,
    track_record,
)

# 2014, "A numerical example": annual Sharpe ratio 2.5 over five years of 250 days, γ₃ = −3, γ₄ = 10, V = ½ a year.
PAPER = TrackRecord(1250, 2.5 / math.sqrt(250), -3.0, 10.0)
VARIANCE = 0.5 / 250


def noise(seed: int, rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.01, (rows, columns))


@pytest.mark.parametrize(("skew", "kurtosis", "printed"), [(-2.448, 10.164, 0.913), (0.0, 3.0, 0.982)])
def test_the_hedge_fund_of_2012(skew: float, kurtosis: float, printed: float) -> None:
    """24 months at 0.458 a month: surely above zero if normal, not so surely with its skewness."""
    assert probabilistic_sharpe(TrackRecord(24, 0.458, skew, kurtosis)) == pytest.approx(printed, abs=6e-4)


@pytest.mark.parametrize(
    ("periods", "skew", "kurtosis", "years"),
    [(252, 0.0, 3.0, 2.73), (52, 0.0, 3.0, 2.83), (12, 0.0, 3.0, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_years_to_tell_two_from_one(periods: int, skew: float, kurtosis: float, years: float) -> None:
    record = TrackRecord(99, 2 / math.sqrt(periods), skew, kurtosis)
    length = minimum_track_record(record, benchmark=1 / math.sqrt(periods))
    assert length / periods == pytest.approx(years, abs=5e-3)


def test_the_deflated_ratio_of_2014() -> None:
    assert expected_maximum_sharpe(VARIANCE, 100) == pytest.approx(0.1132, abs=5e-5)
    assert deflated_sharpe(PAPER, variance=VARIANCE, trials=100) == pytest.approx(0.9004, abs=5e-5)
    assert deflated_sharpe(PAPER, variance=VARIANCE, trials=46) == pytest.approx(0.9505, abs=5e-5)
    normal = TrackRecord(1250, PAPER.sharpe)
    assert deflated_sharpe(normal, variance=VARIANCE, trials=88) == pytest.approx(0.9505, abs=5e-5)


def test_five_years_allow_45_trials() -> None:
    """Notices 2014: with five years of data no more than 45 independent variants, or a ratio of 1 is to be expected."""
    assert minimum_backtest_years(45) <= 5.0 < minimum_backtest_years(46)


@pytest.mark.parametrize("trials", [10, 100, 1000])
def test_the_best_of_noise_is_where_it_is_expected(trials: int) -> None:
    best = np.random.default_rng(5).standard_normal((4000, trials)).max(axis=1).mean()
    assert expected_maximum_sharpe(1.0, trials) == pytest.approx(best, rel=0.02)


def test_the_track_record_agrees_with_the_metric_of_the_report() -> None:
    returns = noise(1, 250, 1)[:, 0] + 0.001
    record = track_record(returns)
    assert probabilistic_sharpe(record) == pytest.approx(metric(returns, 0.0), rel=1e-12)
    longer = TrackRecord(math.ceil(minimum_track_record(record)), record.sharpe, record.skewness, record.kurtosis)
    assert probabilistic_sharpe(longer) >= 0.95


def test_what_is_not_defined_is_nan_or_infinite() -> None:
    flat = track_record(np.full(10, 0.01))
    assert math.isnan(probabilistic_sharpe(flat))
    assert math.isnan(minimum_track_record(flat))
    assert minimum_track_record(TrackRecord(100, -0.1)) == math.inf
    assert np.isnan(sharpe_of_columns(np.full((5, 1), 0.01))[0])
    assert sharpe_of_columns(np.zeros((5, 1)))[0] == 0.0
    assert expected_maximum_sharpe(1.0, 1) == 0.0
    assert annualised(0.1, 252) == pytest.approx(1.587, abs=1e-3)


def test_copies_are_one_trial_and_strangers_are_many() -> None:
    base = noise(2, 500, 12)
    copies = np.repeat(base[:, :1], 12, axis=1) + noise(3, 500, 12) * 1e-3
    for way in (Independence.CORRELATION, Independence.CLUSTERS):
        assert effective_trials(copies, way) == pytest.approx(1.0, abs=0.01)
        assert effective_trials(base, way) == pytest.approx(12.0, abs=0.2)
    assert effective_trials(copies, Independence.ALL) == 12


def test_clusters_find_the_families() -> None:
    family = np.repeat(noise(4, 500, 5), 8, axis=1)
    assert effective_trials(family + noise(5, 500, 40) * 0.3, Independence.CLUSTERS) == 5
    assert effective_trials(np.zeros((50, 3)), Independence.CLUSTERS) == 1
    flat = np.column_stack([family, np.zeros((500, 3))])
    assert effective_trials(flat, Independence.CLUSTERS) == 6


def test_average_correlation_is_that_of_all_pairs() -> None:
    table = noise(6, 100, 7) + noise(7, 100, 1)
    pairs = np.corrcoef(table.T)[np.triu_indices(7, 1)]
    assert average_correlation(table) == pytest.approx(pairs.mean(), rel=1e-9)
    assert math.isnan(average_correlation(table[:, :1]))


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="at row 3"):
        track_record([0.1, 0.2, 0.1, math.nan])
    with pytest.raises(DataError, match="at row 1, column 2"):
        effective_trials(np.array([[0.0, 0, 0], [0, 0, math.inf]]), Independence.ALL)
    with pytest.raises(UsageError, match="at least 1, got 0"):
        expected_maximum_sharpe(1.0, 0)
    with pytest.raises(UsageError, match="negative"):
        expected_maximum_sharpe(-1.0, 3)
    with pytest.raises(UsageError, match="between 0 and 1"):
        minimum_track_record(PAPER, confidence=1.0)
    with pytest.raises(UsageError, match="must be positive, got 0"):
        minimum_backtest_years(10, sharpe_year=0)
    with pytest.raises(DataError, match="at least 2 numbers in a row"):
        track_record([0.1])
    with pytest.raises(UsageError, match="4001 trials are more"):
        effective_trials(noise(1, 3, 4001), Independence.CLUSTERS)

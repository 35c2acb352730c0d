"""Golden vectors of spread and ratios, worked out by hand.

R = 1 %, −2 %, 3 %, 0: mean 0.5 %; deviations ½, −2½, 2½, −½ %; squares sum to 1300e-6, so the sample variance is
1300e-6 ÷ 3 and the population's 325e-6. √252 = 15.874507866.
"""

import math

import numpy as np
import pytest

from manjha.research.metrics import dispersion, ratios

R = np.array([0.01, -0.02, 0.03, 0.0])
NONE = np.empty(0)
FLAT = np.full(5, 0.01)


def near(value: float, digits: float = 1e-9) -> object:
    return pytest.approx(value, abs=digits)


def test_volatility_is_the_sample_deviation_a_year() -> None:
    # 1300e-6 ÷ 3 × 252 = 0.1092; √0.1092 = 0.3304542…
    assert dispersion.volatility(R, 252) == near(0.330454233, 1e-8)


def test_downside_deviation_counts_all_days() -> None:
    # Only −2 % is below: √(0.0004 ÷ 4) = 1 %, × √252.
    assert dispersion.downside_deviation(R, 0.0, 252) == near(0.15874507866)


def test_value_at_risk_interpolates_between_neighbours() -> None:
    # Sorted −2, 0, 1, 3 %. Rank 0.05 × 3 = 0.15: −2 + 0.15 × 2 = −1.7 %. Rank 0.03: −1.94 %.
    assert dispersion.value_at_risk(R, 0.95) == near(-0.017)
    assert dispersion.value_at_risk(R, 0.99) == near(-0.0194)


def test_expected_shortfall_is_the_mean_of_the_tail() -> None:
    # 40 returns −20 … 19 %: rank 1.95 is −18.05 %, so the tail is −20 and −19 %.
    assert dispersion.expected_shortfall(np.arange(-20, 20) / 100, 0.95) == near(-0.195)
    assert dispersion.expected_shortfall(R, 0.95) == near(-0.02)


def test_shape_of_a_lopsided_sample() -> None:
    # 0, 0, 0, 4 %: m₂ = 3e-4, m₃ = 6e-6, m₄ = 21e-8. Skew 6e-6 ÷ (3e-4)^1.5 = 2 ÷ √3; kurtosis 7 ÷ 3 − 3.
    sample = np.array([0.0, 0.0, 0.0, 0.04])
    assert dispersion.skewness(sample) == near(2 / math.sqrt(3))
    assert dispersion.excess_kurtosis(sample) == near(7 / 3 - 3)


def test_tail_ratio() -> None:
    # 95 % quantile: rank 2.85: 1 + 0.85 × 2 = 2.7 %. 2.7 ÷ 1.7.
    assert dispersion.tail_ratio(R) == near(27 / 17)
    assert dispersion.tail_ratio(np.array([0.0, 0.0, 0.0, 0.01])) == math.inf


def test_risk_of_ruin_of_a_drifting_walk() -> None:
    # Nets 10 and 30: mean 20, variance 200. exp(−2 × 20 × 50 ÷ 200) = exp(−10).
    assert dispersion.risk_of_ruin(np.array([10.0, 30.0]), 50.0) == near(math.exp(-10))
    assert dispersion.risk_of_ruin(np.array([10.0, -30.0]), 50.0) == 1.0


def test_sharpe_with_and_without_a_risk_free_rate() -> None:
    # 0.005 × √(252 × 3 ÷ 1300e-6) = 0.005 × 762.58669; with rf = 0.5 % a day nothing is left.
    assert ratios.sharpe(R, 0.0, 252) == near(3.8129335, 1e-6)
    assert ratios.sharpe(R, 0.005, 252) == near(0.0)


def test_smart_sharpe_pays_for_correlation() -> None:
    # Lag-1 ρ = −13/19. 1 + 2(¾·13/19 + ½·(13/19)² + ¼·(13/19)³) = 2.654614; √ = 1.629299; 3.8129335 ÷ 1.629299.
    assert ratios.smart_sharpe(R, 0.0, 252) == near(2.340229, 2e-6)


def test_sortino() -> None:
    # 0.005 × 252 ÷ (0.01 × √252) = 0.5 × √252.
    assert ratios.sortino(R, 0.0, 252) == near(7.93725393, 1e-8)


def test_sums_of_gains_over_sums_of_losses() -> None:
    # Gains 4 %, losses 2 %, sum 2 %.
    assert ratios.omega(R, 0.0) == near(2.0)
    assert ratios.gain_to_pain(R) == near(1.0)
    assert ratios.common_sense(R) == near(2 * 27 / 17)
    # Over 1 % a day: gain 2 %, losses 3 % and 1 %.
    assert ratios.omega(R, 0.01) == near(0.5)


def test_probabilistic_sharpe() -> None:
    # s² = 25e-6 ÷ 433.3e-6 = 0.0576923, γ₃ = 0, γ₄ = 1.852071: variance 1.0122895, z = 0.413492, Φ(z) = 0.6604.
    assert ratios.probabilistic_sharpe(R, 0.0) == near(0.66038, 2e-5)


def test_stability_is_the_fit_of_a_line() -> None:
    # ln growth 1, 3, 2 % over days 0, 1, 2: correlation 1 ÷ √(2 × 2), squared ¼.
    assert ratios.stability(np.expm1([0.01, 0.02, -0.01])) == near(0.25)
    assert ratios.stability(np.array([0.01, -1.0, 0.01])) != ratios.stability(FLAT)


def test_ratios_of_drawdown() -> None:
    assert ratios.calmar(0.12, -0.3) == near(0.4)
    assert ratios.martin(0.12, 0.06, 0.03) == near(2.0)
    assert ratios.recovery_factor(300, -120) == near(2.5)


def test_serenity() -> None:
    # Underwater 0, −2 %, 0, 0: ulcer = √(0.0004 ÷ 4) = 1 %; the worst 5 % is −2 % alone. Σr = 2 %.
    # Pitfall 0.02 ÷ 0.02081666 = 0.960769; 0.02 ÷ (0.01 × 0.960769) = 2.081666.
    assert ratios.serenity(R, np.array([0.0, -0.02, 0.0, 0.0]), 0.01, 0.0) == near(2.0816660, 1e-6)


def test_rolling_sharpe_is_nan_until_the_window_is_full() -> None:
    values = ratios.rolling_sharpe(R, 4, 252)
    assert np.isnan(values[:3]).all()
    assert values[3] == near(3.8129335, 1e-6)


@pytest.mark.parametrize("returns", [NONE, FLAT[:1], FLAT])
def test_ratios_over_no_risk_are_not_defined(returns: np.ndarray) -> None:
    assert math.isnan(ratios.sharpe(returns, 0.0, 252))
    assert math.isnan(ratios.smart_sharpe(returns, 0.0, 252))
    assert math.isnan(ratios.sortino(returns, 0.0, 252))
    assert math.isnan(ratios.probabilistic_sharpe(returns, 0.0))
    assert math.isnan(dispersion.skewness(returns))


def test_gains_without_a_loss_are_infinite() -> None:
    assert ratios.omega(FLAT, 0.0) == math.inf
    assert ratios.gain_to_pain(FLAT) == math.inf
    assert math.isnan(ratios.omega(np.zeros(3), 0.0))


def test_moments_agree_with_numpy_on_noise() -> None:
    noise = np.random.default_rng(5).normal(0.001, 0.01, 500)
    standard = (noise - noise.mean()) / noise.std()
    assert dispersion.skewness(noise) == near(float((standard**3).mean()))
    assert dispersion.excess_kurtosis(noise) == near(float((standard**4).mean()) - 3)
    assert ratios.correlation(noise[:-1], noise[1:]) == near(float(np.corrcoef(noise[:-1], noise[1:])[0, 1]))

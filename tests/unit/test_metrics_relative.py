"""Golden vectors against a benchmark. B = 1, −1, 3, −3 %, R = B's movement × 0.9 with noise: 2, −1, 2, −3 %.

Means are 0. Σrb = (2 + 1 + 6 + 9)e-4 = 18e-4, Σb² = 20e-4, Σr² = 18e-4. R2 is R + 1 % every day.
"""

import math

import numpy as np
import pytest

from manjha.research.metrics import relative

B = np.array([0.01, -0.01, 0.03, -0.03])
R = np.array([0.02, -0.01, 0.02, -0.03])
R2 = R + 0.01


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-9)


def test_beta() -> None:
    assert relative.beta(R, B) == near(0.9)


def test_alpha_is_what_beta_does_not_explain() -> None:
    assert relative.alpha(R, B, 0.0, 252) == near(0.0)
    assert relative.alpha(R2, B, 0.0, 252) == near(2.52)
    # With rf = 0.1 % a day: 1 % − 0.1 % + 0.9 × 0.1 % = 0.99 % a day.
    assert relative.alpha(R2, B, 0.001, 252) == near(0.0099 * 252)


def test_correlation_and_r_squared() -> None:
    # 18 ÷ √(18 × 20) = 0.9486833, squared 0.9.
    assert relative.benchmark_correlation(R, B) == near(0.9486832981)
    assert relative.r_squared(R, B) == near(0.9)


def test_tracking_error_and_information_ratio() -> None:
    # R2 − B = 2, 1, 0, 1 %: mean 1 %, Σ(d − 1 %)² = 2e-4; √(2e-4 ÷ 3 × 252) = √0.0168.
    assert relative.tracking_error(R2, B, 252) == near(math.sqrt(0.0168))
    # 0.01 × 252 ÷ √0.0168 = 19.4422…
    assert relative.information_ratio(R2, B, 252) == pytest.approx(19.442222, abs=1e-6)


def test_treynor() -> None:
    assert relative.treynor(0.12, 0.06, 0.9) == near(0.06 / 0.9)
    assert math.isnan(relative.treynor(0.12, 0.06, 0.0))


def test_captures() -> None:
    # Up days 1 and 3 %: R2 has 3 and 3 %. Down days −1 and −3 %: R2 has 0 and −2 %.
    assert relative.up_capture(R2, B) == near(1.5)
    assert relative.down_capture(R2, B) == near(0.5)


@pytest.mark.parametrize("benchmark", [np.empty(0), np.zeros(4), B[:3]])
def test_without_a_moving_benchmark_nothing_is_defined(benchmark: np.ndarray) -> None:
    assert math.isnan(relative.beta(R, benchmark))
    assert math.isnan(relative.alpha(R, benchmark, 0.0, 252))
    assert math.isnan(relative.r_squared(R, benchmark))
    assert math.isnan(relative.tracking_error(R, benchmark, 252))
    assert math.isnan(relative.information_ratio(R, benchmark, 252))
    assert math.isnan(relative.up_capture(R, benchmark))
    assert math.isnan(relative.down_capture(R, benchmark))

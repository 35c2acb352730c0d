"""How uneven the daily returns are: spread, tails, shape. Fractions in, fractions out."""

import math

import numpy as np

from manjha.research.metrics.daily import Floats

NAN = math.nan
FLAT = 1e-12
"""A standard deviation below this is rounding, not risk: ratios over it are not defined."""


def deviation(returns: Floats) -> float:
    """√(Σ(r − mean)² ÷ (n − 1)), of the sample. Fraction a day. NaN for fewer than two."""
    if len(returns) < 2:
        return NAN
    # As `np.std` does it, to the last bit, without what surrounds it there: a sweep asks for each of its variants.
    centred = returns - np.add.reduce(returns) / len(returns)
    return math.sqrt(np.add.reduce(centred * centred) / (len(returns) - 1))


def volatility(returns: Floats, year_days: int) -> float:
    """Sample deviation of daily returns × √(trading days of a year). Fraction a year. NaN for fewer than two."""
    return deviation(returns) * math.sqrt(year_days)


def downside_deviation(returns: Floats, daily_risk_free: float, year_days: int) -> float:
    """√(Σ min(r − rf, 0)² ÷ n) × √(trading days of a year), n counting all days. Fraction a year. NaN for none."""
    if not len(returns):
        return NAN
    below = np.minimum(returns - daily_risk_free, 0.0)
    return float(np.sqrt(np.mean(below**2)) * math.sqrt(year_days))


def value_at_risk(returns: Floats, confidence: float) -> float:
    """The (1 − confidence) quantile of daily returns, linear between neighbours (historical).

    Fraction; negative is a loss. NaN for none.
    """
    return float(np.quantile(returns, 1.0 - confidence)) if len(returns) else NAN


def expected_shortfall(returns: Floats, confidence: float) -> float:
    """Mean of the daily returns at or below the value at risk (CVaR). Fraction; negative is a loss. NaN for none."""
    if not len(returns):
        return NAN
    return float(returns[returns <= value_at_risk(returns, confidence) + FLAT].mean())


def skewness(returns: Floats) -> float:
    """m₃ ÷ m₂^1.5 with population moments. Number. NaN for fewer than two, or for equal returns."""
    return shape(returns)[0]


def excess_kurtosis(returns: Floats) -> float:
    """m₄ ÷ m₂² − 3 with population moments. Number; 0 for a normal distribution. NaN as for skewness."""
    return shape(returns)[1]


def tail_ratio(returns: Floats) -> float:
    """|95 % quantile| ÷ |5 % quantile| of daily returns. Number. NaN for none; +infinity over a 5 % quantile of 0."""
    if not len(returns):
        return NAN
    upper, lower = abs(float(np.quantile(returns, 0.95))), abs(float(np.quantile(returns, 0.05)))
    if lower:
        return upper / lower
    return math.inf if upper else NAN


def risk_of_ruin(nets: Floats, capital: float) -> float:
    """exp(−2 × mean × capital ÷ variance) of net profit per closed trip, at most 1. Probability.

    The chance that a Brownian motion with this drift and sample variance ever loses the whole initial capital, stakes
    unchanged for ever. 1 where the mean is not positive. NaN for fewer than two trips.
    """
    if len(nets) < 2:
        return NAN
    mean, variance = float(nets.mean()), float(np.var(nets, ddof=1))
    if mean <= 0:
        return 1.0
    return math.exp(-2.0 * mean * capital / variance) if variance > 0 else 0.0


def shape(returns: Floats) -> tuple[float, float]:
    """`skewness` and `excess_kurtosis`, which have the most of their work in common."""
    count = len(returns)
    if count < 2:
        return NAN, NAN
    centred = returns - np.add.reduce(returns) / count
    # Products: a power of an array takes fifty times as long.
    squares = centred * centred
    second = float(np.add.reduce(squares)) / count
    if math.sqrt(second) < FLAT:
        return NAN, NAN
    third, fourth = (float(np.add.reduce(squares * other)) / count for other in (centred, squares))
    return third / second**1.5, fourth / second**2 - 3.0

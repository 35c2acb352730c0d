"""Against buy and hold: daily returns of the run and of the benchmark on the same days.

All are NaN without a benchmark, with fewer than two days, or where the benchmark does not move.
"""

import math

import numpy as np
import numpy.typing as npt

from manjha.research.metrics.daily import Floats
from manjha.research.metrics.dispersion import FLAT, deviation
from manjha.research.metrics.ratios import correlation

NAN = math.nan


def beta(returns: Floats, benchmark: Floats) -> float:
    """cov(r, b) ÷ var(b), both of the sample. Number."""
    if not comparable(returns, benchmark):
        return NAN
    x, y = returns - returns.mean(), benchmark - benchmark.mean()
    return float(x @ y) / float(y @ y)


def alpha(returns: Floats, benchmark: Floats, daily_risk_free: float, year_days: int) -> float:
    """(mean(r − rf) − beta × mean(b − rf)) × trading days of a year (Jensen's). Fraction a year."""
    if not comparable(returns, benchmark):
        return NAN
    expected = beta(returns, benchmark) * float(benchmark.mean() - daily_risk_free)
    return (float(returns.mean() - daily_risk_free) - expected) * year_days


def benchmark_correlation(returns: Floats, benchmark: Floats) -> float:
    """Pearson's correlation of the daily returns. −1 … 1."""
    return correlation(returns, benchmark) if comparable(returns, benchmark) else NAN


def r_squared(returns: Floats, benchmark: Floats) -> float:
    """Correlation², the share of variance that the benchmark explains. 0 … 1."""
    return benchmark_correlation(returns, benchmark) ** 2


def tracking_error(returns: Floats, benchmark: Floats, year_days: int) -> float:
    """Sample deviation(r − b) × √(trading days of a year). Fraction a year."""
    return deviation(returns - benchmark) * math.sqrt(year_days) if comparable(returns, benchmark) else NAN


def information_ratio(returns: Floats, benchmark: Floats, year_days: int) -> float:
    """mean(r − b) ÷ sample deviation(r − b) × √(trading days of a year). Number. NaN where r − b does not vary."""
    if not comparable(returns, benchmark):
        return NAN
    active = returns - benchmark
    spread = deviation(active)
    return float(active.mean()) / spread * math.sqrt(year_days) if spread > FLAT else NAN


def treynor(annual: float, risk_free: float, slope: float) -> float:
    """(CAGR − rf) ÷ beta. Fraction a year per unit of beta. NaN for beta 0 or no CAGR."""
    return (annual - risk_free) / slope if abs(slope) > FLAT else NAN


def up_capture(returns: Floats, benchmark: Floats) -> float:
    """mean(r) ÷ mean(b) over the days with b > 0. Fraction. NaN without such a day."""
    return _capture(returns, benchmark, benchmark > 0) if comparable(returns, benchmark) else NAN


def down_capture(returns: Floats, benchmark: Floats) -> float:
    """mean(r) ÷ mean(b) over the days with b < 0. Fraction; lower is better. NaN without such a day."""
    return _capture(returns, benchmark, benchmark < 0) if comparable(returns, benchmark) else NAN


def comparable(returns: Floats, benchmark: Floats) -> bool:
    """Whether there is a benchmark for every return, and it moves."""
    return len(returns) == len(benchmark) > 1 and deviation(benchmark) > FLAT


def _capture(returns: Floats, benchmark: Floats, chosen: npt.NDArray[np.bool_]) -> float:
    return float(returns[chosen].mean() / benchmark[chosen].mean()) if chosen.any() else NAN

"""How sure a Sharpe ratio is: probabilistic Sharpe ratio, minimum track record length.

Sharpe ratios here are of one period (one row of returns), never annualised; `annualised` does that for people.
"""

import math
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from manjha.research.metrics.dispersion import FLAT, excess_kurtosis, skewness
from manjha.research.metrics.ratios import sharpe
from manjha.research.overfit.inputs import Floats, at_least, probability, series

NAN = math.nan
NORMAL = NormalDist()


class TrackRecord(msgspec.Struct, frozen=True):
    """What is left of returns when only the certainty of their Sharpe ratio is asked for.

    `count` periods, `sharpe` of one period, `skewness` and `kurtosis` (3 for a normal distribution).
    """

    count: int
    sharpe: float
    skewness: float = 0.0
    kurtosis: float = 3.0

    @property
    def spread(self) -> float:
        """Standard error of the Sharpe ratio: √((1 − γ₃s + (γ₄ − 1)s²/4) ÷ (n − 1)). NaN where it is not defined."""
        variance = 1.0 - self.skewness * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2
        return math.sqrt(variance / (self.count - 1)) if variance > 0 and self.count > 1 else NAN


def track_record(returns: ArrayLike) -> TrackRecord:
    """Return the track record of returns of shape (T,), T ≥ 2, fractions.

    The Sharpe ratio uses the sample deviation, the shape population moments. All three are NaN for equal returns.
    Raises `DataError` for a NaN or infinite return.
    """
    values = series(returns, "returns")
    return TrackRecord(len(values), sharpe(values, 0.0, 1), skewness(values), excess_kurtosis(values) + 3.0)


def sharpe_of_columns(trials: Floats) -> Floats:
    """mean ÷ sample deviation of each column of (T, N), shape (N,). 0 for a flat column at zero, NaN for one elsewhere.

    A trial that never traded has earned nothing and risked nothing; as a trial it counts with 0.
    """
    mean, spread = trials.mean(axis=0), trials.std(axis=0, ddof=1)
    flat = spread <= FLAT
    ratio = np.divide(mean, spread, out=np.full(len(mean), NAN), where=~flat)
    ratio[flat & (np.abs(mean) <= FLAT)] = 0.0
    return np.asarray(ratio, np.float64)


def probabilistic_sharpe(record: TrackRecord, *, benchmark: float = 0.0) -> float:
    """Φ((s − s*) ÷ standard error of s): the probability that the true Sharpe ratio is above s* = `benchmark`.

    0 … 1. NaN where the record's ratio or its error is not defined. D. Bailey and M. López de Prado, "The Sharpe
    Ratio Efficient Frontier", Journal of Risk 15(2), 2012, equation 9.
    """
    error = record.spread
    return NAN if math.isnan(error) else NORMAL.cdf((record.sharpe - benchmark) / error)


def minimum_track_record(record: TrackRecord, *, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """1 + (1 − γ₃s + (γ₄ − 1)s²/4) × (Φ⁻¹(confidence) ÷ (s − s*))²: periods until s is above s* at this confidence.

    Number of periods, not rounded; +infinity where s ≤ s*, because no length is enough. NaN where the record's ratio
    or its error is not defined. Bailey and López de Prado, 2012, equation 11. Raises `UsageError` for a confidence
    outside 0.5 … 1.
    """
    probability("confidence", confidence)
    at_least("confidence", confidence, 0.5)
    if math.isnan(record.spread):
        return NAN
    above = record.sharpe - benchmark
    if above <= 0:
        return math.inf
    variance = record.spread**2 * (record.count - 1)
    # A product, because a power of Python's floats raises where a product is infinite.
    ratio = NORMAL.inv_cdf(confidence) / above
    return 1.0 + variance * ratio * ratio


def annualised(ratio: float, periods: float) -> float:
    """Sharpe ratio of one period × √(periods of a year). Independent returns are assumed, as everywhere."""
    return ratio * math.sqrt(periods)

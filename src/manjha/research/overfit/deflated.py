"""How large the best Sharpe ratio of many trials is by luck alone, and what is left of it."""

import math
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from manjha.domain.errors import UsageError
from manjha.research.metrics.dispersion import FLAT
from manjha.research.overfit.inputs import Floats, at_least, matrix
from manjha.research.overfit.sharpe import NAN, NORMAL, TrackRecord, probabilistic_sharpe

CLUSTERED_MAX = 4_000
"""Most trials that are clustered: the distances of N trials are N²/2 numbers, 64 MB at 4,000."""
ALIKE = 0.5
"""Trials whose groups correlate more than this on average are taken for one idea when they are clustered."""


class Independence(StrEnum):
    """How trials that resemble each other are counted.

    ALL: each trial counts, which deflates most. CORRELATION: N̂ = ρ̄ + (1 − ρ̄)N, ρ̄ the mean correlation of all
    pairs, taken as 0 where it is negative (Bailey and López de Prado, 2014, appendix 3). CLUSTERS: the number of
    clusters by average linkage over the distance √((1 − ρ)/2), cut at ρ = 0.5 (in the spirit of López de Prado and
    Lewis, 2019).
    """

    ALL = "all"
    CORRELATION = "correlation"
    CLUSTERS = "clusters"


def effective_trials(trials: ArrayLike, way: Independence) -> float:
    """Return how many independent trials the columns of (T, N) amount to, 1 … N, not rounded.

    Columns that do not vary are left out of correlations and count as one trial together.

    Raises
    ------
    DataError
        A value is NaN or infinite.
    UsageError
        More than 4,000 trials are to be clustered.
    """
    table = matrix(trials)
    count = table.shape[1]
    if way is Independence.ALL or count == 1:
        return float(count)
    scaled = _standardised(table)
    flat = int(scaled.shape[1] < count)
    if scaled.shape[1] < 2:
        return float(scaled.shape[1] + flat)
    if way is Independence.CLUSTERS:
        return float(_clusters(scaled) + flat)
    mean = max(average_correlation(table), 0.0)
    return float(mean + (1.0 - mean) * scaled.shape[1] + flat)


def average_correlation(trials: ArrayLike) -> float:
    """Mean of Pearson's ρ over all pairs of columns of (T, N) that vary. −1 … 1. NaN for fewer than two of them.

    In O(T × N): (‖Σₙ zₙ‖² ÷ T − N) ÷ (N(N − 1)) with standardised columns z.
    """
    scaled = _standardised(matrix(trials))
    count = scaled.shape[1]
    if count < 2:
        return NAN
    total = scaled.sum(axis=1)
    return float((total @ total / len(scaled) - count) / (count * (count - 1)))


def expected_maximum_sharpe(variance: float, trials: float) -> float:
    """√V × ((1 − γ)Φ⁻¹(1 − 1/N) + γΦ⁻¹(1 − 1/(N·e))), γ = 0.5772…: the best of N trials without any skill.

    `variance` of the trials' Sharpe ratios and the result are of one period. 0 for one trial, and never negative. NaN
    where the variance is not defined. D. Bailey and M. López de Prado, "The Deflated Sharpe Ratio", Journal of
    Portfolio Management 40(5), 2014, equation 1. Raises `UsageError` for fewer than one trial or a negative variance.
    """
    at_least("number of trials", trials, 1)
    if variance < 0:
        raise UsageError(f"a variance cannot be negative, got {variance:g}")
    return math.sqrt(variance) * _standard_maximum(trials)


def deflated_sharpe(record: TrackRecord, *, variance: float, trials: float) -> float:
    """Return the probability that the true Sharpe ratio is above what the best of N skill-less trials shows.

    The probabilistic Sharpe ratio against `expected_maximum_sharpe(variance, trials)`. 0 … 1; NaN as there. Bailey
    and López de Prado, 2014, equation 2.
    """
    return probabilistic_sharpe(record, benchmark=expected_maximum_sharpe(variance, trials))


def minimum_backtest_years(trials: float, *, sharpe_year: float = 1.0) -> float:
    """(E[max of N] ÷ s)²: years below which the best of N skill-less trials is expected to show an annual ratio s.

    E[max of N] is that of `expected_maximum_sharpe` with variance 1. 0 for one trial. D. Bailey, J. Borwein, M. López
    de Prado, Q. Zhu, "Pseudo-Mathematics and Financial Charlatanism", Notices of the AMS 61(5), 2014, theorem 2.
    Raises `UsageError` where s is not positive or N below one.
    """
    at_least("number of trials", trials, 1)
    if not sharpe_year > 0:
        raise UsageError(f"the annual Sharpe ratio must be positive, got {sharpe_year:g}")
    ratio = _standard_maximum(trials) / sharpe_year
    return ratio * ratio


def _standard_maximum(trials: float) -> float:
    if trials <= 1:
        return 0.0
    gamma = float(np.euler_gamma)
    far = NORMAL.inv_cdf(1.0 - 1.0 / trials)
    farther = NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return max((1.0 - gamma) * far + gamma * farther, 0.0)


def _standardised(trials: Floats) -> Floats:
    """Return the columns that vary, with mean 0 and population deviation 1."""
    spread = trials.std(axis=0)
    varied = trials[:, spread > FLAT]
    return np.asarray((varied - varied.mean(axis=0)) / spread[spread > FLAT], np.float64)


def _clusters(scaled: Floats) -> int:
    from scipy.cluster.hierarchy import fcluster, linkage

    count = scaled.shape[1]
    if count > CLUSTERED_MAX:
        raise UsageError(
            f"{count} trials are more than the {CLUSTERED_MAX} that can be clustered",
            hint="Count independent trials by average correlation instead.",
        )
    correlation = np.clip(scaled.T @ scaled / len(scaled), -1.0, 1.0)
    distances = np.sqrt((1.0 - correlation[np.triu_indices(count, 1)]) / 2.0)
    tree = linkage(distances, method="average")
    return int(fcluster(tree, math.sqrt((1.0 - ALIKE) / 2.0), criterion="distance").max())

"""Does the best of many trials beat the benchmark by more than the search alone explains?"""

import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from manjha.research.metrics.dispersion import FLAT
from manjha.research.overfit.inputs import Floats, Seed, at_least, generator, matrix
from manjha.research.overfit.resampling import block_length, resampled_means


class Superiority(msgspec.Struct, frozen=True):
    """P-values of "no trial is better than the benchmark"; small is evidence of an edge. Each lies in 0 … 1.

    `white` is the reality check (means as they are, all recentred). The others are Hansen's test with means in units
    of their own errors: `lower` recentres no trial that is worse than the benchmark, `upper` all, `consistent` those
    that are not hopeless, and is the one to quote. `best` is the column with the largest statistic, `statistic` its
    √T × mean ÷ error, at least 0.
    """

    white: float
    lower: float
    consistent: float
    upper: float
    statistic: float
    best: int
    samples: int
    block: float


def superiority(excess: ArrayLike, *, seed: Seed, samples: int = 2_000, block: float = 0.0) -> Superiority:
    """Test the best of N trials against a benchmark.

    Parameters
    ----------
    excess
        Shape (T, N), T ≥ 3: each trial's return less the benchmark's, of the same period, oldest first. Fractions.
    seed
        A number, or a generator, which moves on.
    samples
        Resamples of the stationary bootstrap, at least 100.
    block
        Mean block length; 0 takes `block_length` of the column with the largest mean per deviation.

    Returns
    -------
    Superiority
        P-values are (number of resamples at or above the statistic + 1) ÷ (samples + 1), so that none is zero.
        Columns that do not vary cannot be scaled by their error; they count with 0. All p-values are 1 where no
        column varies.

    Raises
    ------
    DataError
        Not a table of numbers, or a value is NaN or infinite.
    UsageError
        Too few samples, or a block shorter than 1.

    Notes
    -----
    H. White, "A Reality Check for Data Snooping", Econometrica 68, 2000. P. Hansen, "A Test for Superior Predictive
    Ability", Journal of Business & Economic Statistics 23, 2005: statistic max(0, maxₙ √T d̄ₙ ÷ ωₙ), ω² by the
    stationary bootstrap's own kernel, threshold −√(2 ln ln T) for "consistent".
    """
    table = matrix(excess, "excess returns", rows=3)
    at_least("samples", samples, 100)
    mean, spread = table.mean(axis=0), table.std(axis=0)
    ratio = np.divide(mean, spread, out=np.zeros(len(mean)), where=spread > FLAT)
    if not block:
        block = block_length(table[:, int(np.argmax(ratio))])
    error = np.sqrt(long_run_variance(table, block))
    varies = (spread > FLAT) & (error > 0)
    if not varies.any():
        return Superiority(1.0, 1.0, 1.0, 1.0, 0.0, int(np.argmax(mean)), samples, block)
    scale = np.divide(math.sqrt(len(table)), error, out=np.zeros(len(mean)), where=varies)
    scores = mean * scale
    threshold = -math.sqrt(2.0 * math.log(max(math.log(len(table)), 1.0)))
    centres = np.stack([np.maximum(mean, 0.0), np.where(scores >= threshold, mean, 0.0), mean])
    statistic, raw = max(float(scores.max()), 0.0), float(mean.max())
    reached = np.zeros(len(centres) + 1)
    rng = generator(seed)
    for _, means in resampled_means(rng, table, samples=samples, block=block):
        reached[0] += np.sum((means - mean).max(axis=1) >= raw)
        for number, centre in enumerate(centres, 1):
            highest = np.maximum(((means - centre) * scale).max(axis=1), 0.0)
            reached[number] += np.sum(highest >= statistic)
    white, lower, consistent, upper = ((reached + 1.0) / (samples + 1.0)).tolist()
    return Superiority(white, lower, consistent, upper, statistic, int(np.argmax(scores)), samples, block)


def long_run_variance(table: Floats, block: float) -> Floats:
    """Return ω² of the columns of (T, N), shape (N,): γ₀ + 2Σκᵢγᵢ.

    κᵢ = (1 − i/T)(1 − p)^i + (i/T)(1 − p)^(T − i), p = 1/block. The variance of √T × mean under the
    stationary bootstrap (Politis and Romano, 1994, lemma 1), never negative. Lags of weight below 1e-6 are left out.
    """
    count = len(table)
    centred = table - table.mean(axis=0)
    variance = np.mean(centred**2, axis=0)
    stay = 1.0 - 1.0 / block
    for lag in range(1, count):
        weight = (1.0 - lag / count) * stay**lag + lag / count * stay ** (count - lag)
        if weight < 1e-6:
            continue
        variance += 2.0 * weight / count * np.einsum("tn,tn->n", centred[:-lag], centred[lag:])
    return np.asarray(np.maximum(variance, 0.0), np.float64)

"""Series drawn anew from themselves: the stationary bootstrap, and how long its blocks should be."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manjha.research.metrics.dispersion import FLAT
from manjha.research.overfit.inputs import Floats, Int64s, at_least, batches, series

SMALL_RUN = 5
"""Correlations in a row that must be small before those after them are taken for none (K of Politis and White)."""
VANISHING = 1e-300
"""In place of a spectrum of zero, whose block would be endless: the bound on the length decides then."""
LAGS_MAX = 1_000
"""Most lags that are looked at for a block length: correlation over more is a trend, not a block."""


def stationary_rows(rng: np.random.Generator, samples: int, count: int, *, block: float, length: int = 0) -> Int64s:
    """Return row numbers of resampled series: shape (samples, length), each 0 … count − 1.

    A series starts at a random row; each next row follows the one before (the first after the last), or, with
    probability 1/block, is a random one. Blocks are geometric with mean `block` ≥ 1; `length` 0 means `count`.
    D. Politis and J. Romano, "The Stationary Bootstrap", JASA 89, 1994.
    """
    at_least("block length", block, 1.0)
    length = length or count
    starts = rng.integers(0, count, (samples, length))
    fresh = rng.random((samples, length)) < 1.0 / block
    fresh[:, 0] = True
    at = np.arange(length)
    begun = np.maximum.accumulate(np.where(fresh, at, 0), axis=1)
    rows = np.take_along_axis(starts, begun, axis=1) + (at - begun)
    return np.asarray(rows % count, np.int64)


def resampled_means(
    rng: np.random.Generator, table: Floats, *, samples: int, block: float
) -> Iterator[tuple[slice, Floats]]:
    """Yield means of the columns of (T, N) over stationary resamples of its rows, in batches of bounded size.

    Yields
    ------
    slice, array of shape (batch, N)
        Which of the `samples` these are, and the means. All columns of a sample use the same rows.
    """
    count = len(table)
    done = 0
    # Drawing rows takes half a dozen tables of this shape at a time.
    for size in batches(samples, 6 * max(count, table.shape[1])):
        rows = stationary_rows(rng, size, count, block=block)
        rows += np.arange(size)[:, None] * count
        weights = np.bincount(rows.ravel(), minlength=size * count).reshape(size, count)
        yield slice(done, done + size), weights @ table / count
        done += size


def block_length(values: ArrayLike) -> float:
    """Return the mean block length that suits a series of shape (T,) in the stationary bootstrap, at least 1.

    Politis and White's automatic choice: with flat-top weights λ(x) = min(1, 2(1 − |x|)) up to lag M,
    (2G² ÷ D)^⅓ T^⅓, G = Σλ(k/M)|k|R(k), D = 2(Σλ(k/M)R(k))², R the autocovariances; M is twice the first lag of
    five in a row whose correlations are within 2√(log₁₀T ÷ T). At most min(3√T, T/3). 1 for a series that does not
    vary. D. Politis and H. White, Econometric Reviews 23, 2004, with the correction of Patton, Politis, White, 2009.
    """
    array = series(values, "values")
    count = len(array)
    centred = array - array.mean()
    if count < 8 or float(np.sqrt(np.mean(centred**2))) <= FLAT:
        return 1.0
    lags = min(math.ceil(math.sqrt(count)) + SMALL_RUN, LAGS_MAX, count - 1)
    covariance = np.array([centred[lag:] @ centred[: count - lag] for lag in range(lags + 1)]) / count
    small = np.abs(covariance[1:] / covariance[0]) < 2.0 * math.sqrt(math.log10(count) / count)
    widest = min(2 * _first_small(small), lags)
    at = np.arange(1, widest + 1)
    weight = np.minimum(1.0, 2.0 * (1.0 - at / widest))
    g = 2.0 * float(np.sum(weight * at * covariance[1 : widest + 1]))
    spectrum = float(covariance[0] + 2.0 * np.sum(weight * covariance[1 : widest + 1]))
    best = (g**2 / max(spectrum**2, VANISHING)) ** (1.0 / 3.0) * count ** (1.0 / 3.0)
    return float(min(max(best, 1.0), math.ceil(min(3.0 * math.sqrt(count), count / 3.0))))


def _first_small(small: NDArray[np.bool_]) -> int:
    """Return the lag that the first run of small correlations begins with; half of all where no run is long enough."""
    if len(small) >= SMALL_RUN:
        runs = np.flatnonzero(np.convolve(small, np.ones(SMALL_RUN), mode="valid") > SMALL_RUN - 0.5)
        if len(runs):
            return int(runs[0]) + 1
    return max(math.ceil(len(small) / 2), 1)

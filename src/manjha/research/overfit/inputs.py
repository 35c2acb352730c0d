"""What every statistic of luck asks of its inputs, and its one source of chance."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manjha.domain.errors import DataError, UsageError

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]

Seed = int | np.random.Generator

BATCH_VALUES = 4_000_000
"""Numbers that a resampling holds at a time (32 MB of float64): more samples are done in more batches."""


def generator(seed: Seed) -> np.random.Generator:
    """Return the generator of a seed; a generator is used as it is, and moves on."""
    return seed if isinstance(seed, np.random.Generator) else np.random.Generator(np.random.PCG64(seed))


def series(values: ArrayLike, name: str, *, least: int = 2) -> Floats:
    """Return values as float64 of shape (n,).

    Raises
    ------
    DataError
        Not one-dimensional, fewer than `least`, or a value is NaN or infinite.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or len(array) < least:
        raise DataError(f"{name} must be at least {least} numbers in a row, got shape {array.shape}")
    return _finite(array, name)


def matrix(values: ArrayLike, name: str = "trials", *, rows: int = 2) -> Floats:
    """Return values as float64 of shape (T, N): row t is a period, oldest first, column n a trial.

    Raises
    ------
    DataError
        Not two-dimensional, fewer than `rows` rows, no column, or a value is NaN or infinite.
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 2 or len(array) < rows or not array.shape[1]:
        raise DataError(f"{name} must be a table of at least {rows} periods by 1 trial, got shape {array.shape}")
    return _finite(array, name)


def column(trials: Floats, chosen: int) -> Floats:
    """Return the returns of one trial, shape (T,).

    Raises
    ------
    UsageError
        There is no such column; negative numbers do not count from the end.
    """
    if not 0 <= chosen < trials.shape[1]:
        raise UsageError(f"there are trials 0 to {trials.shape[1] - 1}, not {chosen}")
    return np.ascontiguousarray(trials[:, chosen])


def at_least(name: str, value: float, least: float) -> None:
    """Raise `UsageError` where a number is below what makes sense, or NaN."""
    if not value >= least:
        raise UsageError(f"{name} must be at least {least:g}, got {value:g}")


def probability(name: str, value: float) -> None:
    """Raise `UsageError` where a number is not strictly between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise UsageError(f"{name} must lie between 0 and 1, got {value:g}")


def batches(samples: int, width: int) -> list[int]:
    """Return the sizes of the batches in which `samples` rows of `width` numbers are done, each within the bound."""
    size = max(BATCH_VALUES // max(width, 1), 1)
    whole, rest = divmod(samples, size)
    return [size] * whole + [rest] * (rest > 0)


def _finite(array: Floats, name: str) -> Floats:
    if not np.isfinite(array).all():
        where = [int(at) for at in np.argwhere(~np.isfinite(array))[0]]
        raise DataError(f"{name} has a value that is no number at row {', column '.join(map(str, where))}")
    return array

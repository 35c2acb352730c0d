"""Is the best parameter set a plateau or a needle?"""

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from manjha.domain.errors import DataError
from manjha.research.overfit.inputs import Floats, Int64s, column, matrix, probability
from manjha.research.overfit.sharpe import NAN

FEWEST = 3
"""Neighbours below which a share of them says nothing."""


class Plateau(msgspec.Struct, frozen=True):
    """The neighbourhood of a parameter set.

    `score` is the share of neighbours that reach `keep` × its performance, 0 … 1; NaN with fewer than three
    neighbours, or where its own performance is not above 0. `median` is the neighbours' median performance ÷ its own,
    NaN likewise. `edges` are the parameters (columns) in which it lies at the end of what was searched: the best may
    lie beyond.
    """

    score: float
    median: float
    neighbours: int
    edges: tuple[int, ...]


def plateau(
    parameters: ArrayLike, performance: ArrayLike, chosen: int, *, keep: float = 0.8, radius: float | None = None
) -> Plateau:
    """Return how much of its neighbourhood keeps the performance of a parameter set.

    Neighbours are the trials that differ from it by at most one step in every parameter, a step leading to the next
    value that was tried (a grid); with `radius`, those within `radius` × the searched range in every parameter
    (random or guided searches).

    Parameters
    ----------
    parameters
        Shape (N, P): numbers; words must have been numbered by the caller, and yes and no are 1 and 0.
    performance
        Shape (N,), more is better. NaN is a trial that failed: a neighbour that keeps nothing.
    chosen
        Row of the set that is judged.
    keep
        Share of its performance that a neighbour must reach, between 0 and 1.
    radius
        Share of the range, between 0 and 1; none means steps of the grid.

    Raises
    ------
    DataError
        Lengths differ, a parameter is NaN or infinite, or the chosen trial failed.
    UsageError
        `chosen`, `keep` or `radius` out of range.
    """
    table = matrix(parameters, "parameters", rows=1)
    results = np.asarray(performance, np.float64)
    if results.shape != (len(table),):
        raise DataError(f"{len(table)} parameter sets need as many results, got shape {results.shape}")
    own = float(column(results[None, :], chosen)[0])
    if not np.isfinite(own):
        raise DataError(f"trial {chosen} has no performance to compare with, but {own}")
    probability("keep", keep)
    if radius is not None:
        probability("radius", radius)
    near = _near(table, chosen, radius)
    near[chosen] = False
    lowest, highest = table.min(axis=0), table.max(axis=0)
    at_end = (table[chosen] == lowest) | (table[chosen] == highest)
    edges = tuple(np.flatnonzero(at_end & (lowest < highest)).tolist())
    count = int(near.sum())
    if count < FEWEST or own <= 0:
        return Plateau(NAN, NAN, count, edges)
    around = np.where(np.isnan(results[near]), -np.inf, results[near])
    middle = float(np.sort(around)[[(count - 1) // 2, count // 2]].mean())
    return Plateau(float(np.mean(around >= keep * own)), middle / own, count, edges)


def _near(table: Floats, chosen: int, radius: float | None) -> NDArray[np.bool_]:
    if radius is None:
        steps = np.stack([_ranks(table[:, at]) for at in range(table.shape[1])], axis=1)
        return np.asarray((np.abs(steps - steps[chosen]) <= 1).all(axis=1))
    width = radius * np.ptp(table, axis=0)
    # A rounding more, so that a set exactly at the radius is in whichever way its distance was rounded.
    return np.asarray((np.abs(table - table[chosen]) <= width * (1.0 + 1e-9)).all(axis=1))


def _ranks(values: Floats) -> Int64s:
    """Number the distinct values from the smallest."""
    return np.asarray(np.unique(values, return_inverse=True)[1], np.int64)

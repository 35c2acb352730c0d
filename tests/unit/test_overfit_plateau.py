"""The neighbourhood of the best parameters, by hand."""

import math

import numpy as np
import pytest

from manjha.domain.errors import DataError, UsageError
from manjha.research.overfit import Plateau, plateau

# Nine sets of fast 5, 10, 20 and slow 50, 100, 200, in this order; the middle one is best.
GRID = np.array([[fast, slow] for fast in (5, 10, 20) for slow in (50, 100, 200)], np.float64)
CENTRE = 4


def test_a_hill_keeps_half_of_its_neighbours() -> None:
    results = [0.5, 0.9, 0.5, 0.9, 1.0, 0.9, 0.5, 0.9, 0.5]
    assert plateau(GRID, results, CENTRE) == Plateau(0.5, 0.7, 8, ())


def test_a_needle_keeps_none_and_a_table_all() -> None:
    needle = np.where(np.arange(9) == CENTRE, 2.0, 0.0)
    assert plateau(GRID, needle, CENTRE).score == 0.0
    assert plateau(GRID, np.full(9, 2.0), CENTRE) == Plateau(1.0, 1.0, 8, ())


def test_a_corner_has_three_neighbours_and_says_that_it_is_one() -> None:
    assert plateau(GRID, np.ones(9), 0) == Plateau(1.0, 1.0, 3, (0, 1))


def test_failed_neighbours_keep_nothing() -> None:
    results = [math.nan, 0.9, 0.9, 0.9, 1.0, 0.9, 0.9, 0.9, math.nan]
    assert plateau(GRID, results, CENTRE).score == 0.75


def test_a_radius_takes_a_share_of_the_range() -> None:
    points = np.linspace(0, 1, 101)[:, None]
    found = plateau(points, np.where(np.abs(points[:, 0] - 0.5) < 0.055, 1.0, 0.1), 50, radius=0.1)
    assert (found.neighbours, found.score) == (20, 0.5)


def test_what_is_not_defined_is_nan() -> None:
    assert math.isnan(plateau(GRID[:3], [1.0, 2.0, 1.0], 1).score)
    assert math.isnan(plateau(GRID, -np.ones(9), CENTRE).score)


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="9 parameter sets need as many results"):
        plateau(GRID, [1.0], 0)
    with pytest.raises(DataError, match="trial 0 has no performance"):
        plateau(GRID, [math.nan] * 9, 0)
    with pytest.raises(UsageError, match="trials 0 to 8, not 9"):
        plateau(GRID, np.ones(9), 9)
    with pytest.raises(UsageError, match="keep must lie between"):
        plateau(GRID, np.ones(9), 0, keep=1.5)

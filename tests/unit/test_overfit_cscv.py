"""Probability of backtest overfitting: the plain way, the paper's cases, noise and a planted edge.

D. Bailey, J. Borwein, M. López de Prado, Q. Zhu, "The Probability of Backtest Overfitting", Journal of Computational
Finance 20(4), 2017.
"""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import linregress, rankdata

from manjha.domain.errors import DataError, UsageError
from manjha.research.overfit import backtest_overfitting
from manjha.research.overfit.inputs import Floats


def noise(seed: int, rows: int = 400, columns: int = 50) -> Floats:
    return np.random.default_rng(seed).normal(0, 0.01, (rows, columns))


def plainly(table: Floats, blocks: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Do what the paper's section 2.2 says, step by step."""
    parts = np.array_split(table, blocks)
    rows = []
    for half in combinations(range(blocks), blocks // 2):
        train = np.concatenate([parts[at] for at in half])
        test = np.concatenate([parts[at] for at in range(blocks) if at not in half])
        r, rest = (part.mean(axis=0) / part.std(axis=0, ddof=1) for part in (train, test))
        best = int(np.argmax(r))
        omega = rankdata(rest)[best] / (table.shape[1] + 1)
        rows.append((np.log(omega / (1 - omega)), r[best], rest[best], rest.mean()))
    return tuple(np.array(rows).T)


def test_it_is_the_plain_way() -> None:
    table = noise(1, 83, 7) + 0.002
    logits, inside, outside, mean = plainly(table[3:], 8)
    found = backtest_overfitting(table, blocks=8)
    assert found.periods == 80
    assert found.logits == pytest.approx(logits)
    assert found.inside == pytest.approx(inside)
    assert found.outside == pytest.approx(outside)
    line = linregress(inside, outside)
    assert (found.slope, found.intercept, found.r_squared) == pytest.approx(
        (line.slope, line.intercept, line.rvalue**2)
    )
    assert found.loss == np.mean(outside < 0)
    grid = np.sort(np.concatenate([outside, mean]))
    ahead = np.array([np.mean(mean <= x) - np.mean(outside <= x) for x in grid])
    assert found.first_order == pytest.approx(ahead.min())
    assert found.second_order == pytest.approx(min(np.cumsum(ahead[:-1] * np.diff(grid)).min(), 0.0))


def test_noise_is_overfitted_half_of_the_time() -> None:
    """One table's figure spreads widely, because its halvings share their blocks; the mean of many is a half."""
    found = [backtest_overfitting(noise(seed), blocks=10).probability for seed in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


def test_case_one_of_the_paper_is_overfitted_entirely() -> None:
    """N = 100, T = 1000, S = 8, each series recentred to mean 0: what is won inside is lost outside."""
    table = noise(2, 1000, 100)
    found = backtest_overfitting(table - table.mean(axis=0), blocks=8)
    assert found.probability == 1.0
    assert found.slope == pytest.approx(-1.0, abs=0.1)
    assert found.loss == 1.0
    assert found.first_order < -0.9


def test_a_planted_edge_is_not_overfitted() -> None:
    table = noise(3)
    table[:, 11] += 0.004
    found = backtest_overfitting(table)
    assert len(found.logits) == 12870
    assert found.probability < 0.01
    assert found.loss < 0.01
    assert found.first_order == 0.0
    assert found.second_order == 0.0


def test_trials_that_never_traded_are_ties() -> None:
    found = backtest_overfitting(np.zeros((40, 4)), blocks=4)
    assert found.probability == 1.0
    assert np.isnan(found.slope)
    table = np.column_stack([noise(4, 40, 2), np.zeros((40, 30))])
    assert np.isfinite(backtest_overfitting(table, blocks=4).logits).all()


def test_small_spreads_on_large_means_are_kept() -> None:
    table = noise(5, 80, 5) * 1e-4 + 1.0
    assert backtest_overfitting(table, blocks=4).inside == pytest.approx(plainly(table, 4)[1], rel=1e-6)


def test_bad_input_is_named() -> None:
    with pytest.raises(UsageError, match="even, 2 to 20, got 7"):
        backtest_overfitting(noise(1), blocks=7)
    with pytest.raises(UsageError, match="16 blocks need at least 32 periods, there are 20"):
        backtest_overfitting(noise(1, 20))
    with pytest.raises(UsageError, match="at least 2 trials"):
        backtest_overfitting(noise(1, 100, 1))
    with pytest.raises(DataError, match="row 0, column 1"):
        backtest_overfitting([[0.1, np.nan], [0.1, 0.2]])

"""Reality check and superior predictive ability against `arch`, on noise and on a planted edge."""

import numpy as np
import pytest
from arch.bootstrap import SPA, optimal_block_length

from manjha.domain.errors import DataError, UsageError
from manjha.research.overfit import block_length, stationary_rows, superiority
from manjha.research.overfit.inputs import Floats
from manjha.research.overfit.superiority import long_run_variance


def noise(seed: int, rows: int = 500, columns: int = 20) -> Floats:
    return np.random.default_rng(seed).normal(0, 0.01, (rows, columns))


def smooth(seed: int, rows: int = 800, keep: float = 0.5) -> Floats:
    """Return a series in which each value keeps a part of the one before."""
    shocks = np.random.default_rng(seed).normal(0, 0.01, rows)
    for at in range(1, rows):
        shocks[at] += keep * shocks[at - 1]
    return shocks


def test_the_reality_check_is_that_of_arch() -> None:
    """arch 8 scales no mean by its error, whatever it is told: its upper p-value is White's."""
    table = noise(1) + np.linspace(-0.001, 0.0001, 20)
    oracle = SPA(np.zeros(500), -table, block_size=5, reps=4000, studentize=False, seed=3)
    oracle.compute()
    ours = superiority(table, seed=4, samples=4000, block=5)
    assert 0.02 < ours.white < 0.98
    assert ours.white == pytest.approx(oracle.pvalues["upper"], abs=0.03)


def test_the_test_is_that_of_arch_where_all_errors_are_the_same() -> None:
    """With equal errors scaling changes nothing, so arch's three p-values are Hansen's."""
    columns = np.stack([np.roll(noise(2, 500, 1)[:, 0], 23 * shift) for shift in range(20)], axis=1)
    table = columns - columns.mean(axis=0) + np.linspace(-0.003, 0.0006, 20)
    oracle = SPA(np.zeros(500), -table, block_size=1, reps=4000, seed=3)
    oracle.compute()
    ours = superiority(table, seed=4, samples=4000, block=1)
    assert [ours.lower, ours.consistent, ours.upper] == pytest.approx(oracle.pvalues.tolist(), abs=0.03)
    assert ours.lower <= ours.consistent <= ours.upper
    assert ours.lower < ours.upper - 0.02


@pytest.mark.parametrize("block", [1, 4, 25])
def test_the_error_is_that_of_arch(block: int) -> None:
    table = noise(3, 300, 4)
    oracle = SPA(np.zeros(300), -table, block_size=block, seed=1)
    oracle._compute_variance()
    assert long_run_variance(table, block) == pytest.approx(oracle._loss_diff_var, rel=1e-3)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.6, -0.3])
def test_the_block_length_is_that_of_arch(keep: float) -> None:
    values = smooth(4, keep=keep)
    oracle = float(optimal_block_length(values)["stationary"].iloc[0])
    assert block_length(values) == pytest.approx(max(oracle, 1.0), rel=0.02)


def test_noise_is_found_significant_at_its_rate() -> None:
    """Of 120 tables of noise a test at 10 % finds some 12; more than 22 has a chance below 1 in 500."""
    found = [superiority(noise(seed, 250, 10), seed=seed, samples=200).consistent for seed in range(120)]
    assert 2 <= np.sum(np.array(found) <= 0.10) <= 22


def test_a_planted_edge_is_found() -> None:
    table = noise(5)
    table[:, 7] += 0.0025
    found = superiority(table, seed=1)
    assert found.best == 7
    assert max(found.white, found.consistent, found.upper) < 0.01


def test_a_bad_and_wild_trial_spoils_white_but_not_hansen() -> None:
    """Hansen 2005: poor and noisy alternatives cost the reality check its power."""
    table = noise(6)
    table[:, 7] += 0.0015
    wild = np.column_stack([table, noise(7, 500, 5) * 20 - 0.05])
    found = superiority(wild, seed=1)
    assert found.consistent < 0.05 < found.white


def test_the_same_seed_gives_the_same_and_nothing_traded_is_no_evidence() -> None:
    table = noise(8)
    assert superiority(table, seed=9) == superiority(table, seed=np.random.Generator(np.random.PCG64(9)))
    assert superiority(table, seed=9) != superiority(table, seed=10)
    assert superiority(np.zeros((50, 3)), seed=1).consistent == 1.0
    assert superiority(-np.abs(table), seed=1).consistent == 1.0


def test_rows_run_on_for_a_block_and_wrap_around() -> None:
    rows = stationary_rows(np.random.default_rng(1), 200, 97, block=10)
    follows = np.diff(rows, axis=1) % 97 == 1
    assert follows.mean() == pytest.approx(0.9 + 0.1 / 97, abs=0.01)
    assert np.bincount(rows.ravel(), minlength=97) == pytest.approx(np.full(97, 200), rel=0.5)
    assert stationary_rows(np.random.default_rng(1), 2, 5, block=1, length=30).shape == (2, 30)


def test_bad_input_is_named() -> None:
    with pytest.raises(DataError, match="at least 3 periods by 1 trial"):
        superiority(np.zeros(5), seed=1)
    with pytest.raises(UsageError, match="samples must be at least 100"):
        superiority(noise(1), seed=1, samples=10)
    with pytest.raises(UsageError, match="block length must be at least 1"):
        superiority(noise(1), seed=1, block=0.5)


def test_blocks_of_degenerate_series_are_bounded() -> None:
    assert block_length(np.zeros(100)) == 1.0
    assert block_length(np.arange(90.0)) == pytest.approx(float(optimal_block_length(np.arange(90.0)).iloc[0, 0]))
    assert block_length(np.tile([1.0, -1.0], 50)) <= 30

"""Random entries and the benchmark."""

from itertools import permutations

import numpy as np
import pytest

from manjha.domain.errors import DataError
from manjha.research.overfit import against_benchmark, random_entries
from manjha.research.overfit.random_entries import _sorted_draws

PRICES = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, 500)))


def test_every_arrangement_of_two_trades_is_equally_likely() -> None:
    """Holds of 1 and 2 bars on 6 prices, apart: C(4, 2) gaps × 2 orders, worked out one by one."""
    prices = np.array([100.0, 110, 90, 120, 80, 130])
    sums = []
    for holds in permutations((1, 2)):
        for first in range(6):
            for second in range(first + holds[0], 6 - holds[1]):
                ends = (first + holds[0], second + holds[1])
                sums.append(prices[ends[0]] / prices[first] + prices[ends[1]] / prices[second] - 2)
    assert len(sums) == 12
    found = random_entries(prices, entries=[0, 2], exits=[1, 4], sides=[1, 1], seed=1, samples=20_000)
    assert found.apart
    assert found.mean == pytest.approx(np.mean(sums), abs=0.005)
    share = np.mean(np.array(sums) >= found.real - 1e-9)
    assert found.p_value == pytest.approx(share, abs=0.015)


def test_draws_are_different_and_cover_every_place() -> None:
    draws = _sorted_draws(np.random.default_rng(1), 3000, 10, 3)
    assert (np.diff(draws, axis=1) > 0).all()
    assert np.bincount(draws.ravel(), minlength=10) == pytest.approx(np.full(10, 900), rel=0.12)


def test_entries_by_chance_are_not_significant_and_foresight_is() -> None:
    entries = np.arange(0, 480, 20)
    blind = [
        random_entries(
            PRICES, entries=entries + shift, exits=entries + shift + 5, sides=np.ones(24), seed=1, samples=300
        )
        for shift in range(15)
    ]
    assert 0.15 < np.mean([found.p_value for found in blind]) < 0.85
    best = np.argsort(PRICES[5:] / PRICES[:-5])[-40:]
    seen = random_entries(PRICES, entries=best, exits=best + 5, sides=np.ones(40), seed=1)
    assert not seen.apart
    assert seen.p_value < 0.001


def test_short_trades_earn_what_long_ones_lose() -> None:
    ways = [random_entries(PRICES, entries=[3, 90], exits=[50, 95], sides=[side] * 2, seed=1) for side in (1, -1)]
    assert ways[0].real == pytest.approx(-ways[1].real)
    assert ways[0].bands == pytest.approx(-ways[1].bands[::-1])


def test_trades_that_fill_the_whole_data_have_one_arrangement() -> None:
    found = random_entries(PRICES[:11], entries=[0], exits=[10], sides=[1], seed=1)
    assert found.p_value == 1.0
    assert found.mean == pytest.approx(found.real)


@pytest.mark.parametrize(("enters", "leaves"), [(-1, 5), (5, 5), (5, 500)])
def test_trades_outside_the_data_are_named(enters: int, leaves: int) -> None:
    with pytest.raises(DataError, match=f"trade 0 enters at bar {enters} and leaves at bar {leaves} of 500"):
        random_entries(PRICES, entries=[enters], exits=[leaves], sides=[1], seed=1)
    with pytest.raises(DataError, match="2 sides need as many entries and exits"):
        random_entries(PRICES, entries=[enters], exits=[leaves], sides=[1, 1], seed=1)
    with pytest.raises(DataError, match="prices must be above zero, row 1"):
        random_entries([1.0, 0.0, 1.0], entries=[0], exits=[1], sides=[1], seed=1)


def test_a_strategy_with_an_edge_beats_its_benchmark() -> None:
    rng = np.random.default_rng(2)
    market = rng.normal(0.0003, 0.01, 500)
    better = against_benchmark(market + rng.normal(0.001, 0.004, 500), market, seed=1)
    assert better.beats > 0.99
    assert better.p_value < 0.01
    assert better.information == pytest.approx(0.25, abs=0.1)
    same = against_benchmark(market + rng.normal(0, 0.004, 500), market, seed=1)
    assert same.p_value > 0.05


def test_the_benchmark_itself_is_no_better_than_itself() -> None:
    market = np.random.default_rng(3).normal(0, 0.01, 100)
    found = against_benchmark(market, market, seed=1)
    assert found.beats == 0.0
    assert found.p_value == 1.0
    assert found.strategy == found.benchmark == pytest.approx(np.prod(1 + market) - 1)
    with pytest.raises(DataError, match="100 returns cannot be compared with 99"):
        against_benchmark(market, market[1:], seed=1)

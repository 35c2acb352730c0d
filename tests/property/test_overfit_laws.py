"""What the statistics of luck keep, whatever the numbers."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.research.overfit import (
    Candles,
    TrackRecord,
    backtest_overfitting,
    block_length,
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_backtest_years,
    minimum_track_record,
    probabilistic_sharpe,
    random_entries,
    resample_candles,
    resample_returns,
    shuffle_trades,
    stationary_rows,
    superiority,
)
from manjha.research.overfit.inputs import Floats

SEEDS = st.integers(0, 2**32 - 1)
RECORDS = st.builds(TrackRecord, st.integers(10, 5000), st.floats(-0.5, 0.5), st.floats(-1.5, 1.5), st.floats(3.5, 12))
RETURNS = st.lists(st.floats(-0.2, 0.2), min_size=3, max_size=40)


def table_of(seed: int, rows: int, columns: int) -> Floats:
    rng = np.random.default_rng(seed)
    return rng.normal(rng.normal(0, 0.002, columns), 0.01, (rows, columns))


@given(RECORDS, st.floats(1e-6, 0.1), st.floats(1, 1e5), st.floats(1, 1e5))
def test_more_trials_never_raise_the_deflated_ratio(
    record: TrackRecord, variance: float, one: float, two: float
) -> None:
    few, many = sorted((one, two))
    assert expected_maximum_sharpe(variance, few) <= expected_maximum_sharpe(variance, many) + 1e-12
    deflated = [deflated_sharpe(record, variance=variance, trials=trials) for trials in (1, few, many)]
    assert deflated[0] == probabilistic_sharpe(record)
    assert deflated == sorted(deflated, reverse=True)
    assert minimum_backtest_years(few) <= minimum_backtest_years(many) + 1e-12


@given(RECORDS, st.floats(0.6, 0.999))
def test_the_minimum_track_record_has_just_the_confidence(record: TrackRecord, confidence: float) -> None:
    length = minimum_track_record(record, confidence=confidence)
    if record.sharpe <= 0:
        assert length == math.inf
    elif length < 1e9:
        enough = msgspec.structs.replace(record, count=math.ceil(length) + 1)
        too_few = msgspec.structs.replace(record, count=max(math.floor(length), 2))
        assert probabilistic_sharpe(enough) >= confidence
        assert probabilistic_sharpe(too_few) <= confidence + 1e-12 or length < 2


@settings(max_examples=30)
@given(SEEDS, st.integers(40, 120), st.integers(2, 8), st.floats(0.1, 50))
def test_overfitting_does_not_depend_on_units_or_order(seed: int, rows: int, columns: int, unit: float) -> None:
    table = table_of(seed, rows, columns)
    found = backtest_overfitting(table, blocks=6)
    scaled = backtest_overfitting(table[:, ::-1] * unit, blocks=6)
    assert scaled.logits == pytest.approx(found.logits)
    assert 0.0 <= found.probability <= 1.0
    assert found.first_order <= 0.0
    assert found.second_order <= 0.0


@settings(max_examples=30)
@given(SEEDS, st.integers(10, 100), st.integers(1, 8), st.floats(1, 10))
def test_p_values_keep_their_order(seed: int, rows: int, columns: int, block: float) -> None:
    found = superiority(table_of(seed, rows, columns), seed=seed, samples=100, block=block)
    assert 0 < found.lower <= found.consistent <= found.upper <= 1
    assert 0 < found.white <= 1


@given(SEEDS, st.integers(1, 30), st.integers(1, 60), st.floats(1, 100))
def test_drawn_rows_exist(seed: int, samples: int, count: int, block: float) -> None:
    rows = stationary_rows(np.random.default_rng(seed), samples, count, block=block)
    assert rows.shape == (samples, count)
    assert rows.min() >= 0
    assert rows.max() < count


@given(RETURNS)
def test_a_block_is_at_least_one_and_shorter_than_the_series(returns: list[float]) -> None:
    assert 1.0 <= block_length(returns) <= max(len(returns) / 3 + 1, 1.0)


@settings(max_examples=30)
@given(RETURNS, SEEDS)
def test_bands_are_ordered_and_drawdowns_are_falls(returns: list[float], seed: int) -> None:
    for fan in (
        resample_returns(returns, seed=seed, paths=100),
        shuffle_trades(returns, initial=10.0, seed=seed, paths=100),
    ):
        assert (np.diff(fan.equity, axis=0) >= -1e-12).all()
        assert (fan.max_drawdown <= 0).all()
        assert (fan.drawdown <= 0).all()
        assert fan.real_drawdown <= 0
        assert len(fan.steps) == fan.equity.shape[1] == len(fan.real_equity) == len(returns) + 1


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(1, 10**7), st.integers(1, 10**7), st.integers(0, 999), st.integers(0, 999)),
        min_size=3,
        max_size=12,
    ),
    st.sampled_from([1, 25, 500]),
    SEEDS,
)
def test_resampled_candles_are_candles(rows: list[tuple[int, int, int, int]], tick: int, seed: int) -> None:
    opened, close, above, below = np.array(rows).T
    high, low = np.maximum(opened, close) + above, np.maximum(np.minimum(opened, close) - below, 1)
    real = Candles(opened, high, low, close, np.arange(len(rows)))
    # Moves of a factor of 10⁷ may outgrow every price, which is said; blocks of whole histories do not.
    for bars in resample_candles(real, paths=3, seed=seed, block=1e9, tick=tick):
        assert (bars.high >= np.maximum(bars.open, bars.close)).all()
        assert (bars.low <= np.minimum(bars.open, bars.close)).all()
        assert (bars.low[1:] >= tick).all()
        assert (bars.close[1:] % tick == 0).all()


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6)), min_size=1, max_size=6), st.integers(0, 10), SEEDS)
def test_random_trades_of_the_whole_span_earn_the_whole_move(
    trades: list[tuple[int, int]], rest: int, seed: int
) -> None:
    """On prices that rise by a fixed amount a bar of an exponential, any arrangement earns the same."""
    begin, at = [], 0
    for gap, hold in trades:
        begin.append(at + gap)
        at += gap + hold
    prices = np.exp(0.01 * np.arange(at + rest + 1))
    exits = [first + hold for first, (_, hold) in zip(begin, trades, strict=True)]
    found = random_entries(prices, entries=begin, exits=exits, sides=np.ones(len(begin)), seed=seed, samples=100)
    assert found.apart
    assert found.mean == pytest.approx(found.real)
    assert found.bands == pytest.approx(np.full(5, found.real))

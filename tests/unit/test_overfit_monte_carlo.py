"""Monte Carlo: what is kept, what is covered, and valid candles."""

import numpy as np
import pytest

from manjha.domain.errors import DataError, UsageError
from manjha.research.overfit import Candles, fan_of, resample_candles, resample_returns, shuffle_trades
from manjha.research.overfit.inputs import Floats

TRADES = np.array([100.0, -50, 80, -120, 60, 40, -30, 90, -70, 20])


def noise(seed: int, rows: int = 250) -> Floats:
    return np.random.default_rng(seed).normal(0.0005, 0.01, rows)


def market(rows: int = 400) -> Candles:
    """Return a market in paise steps, with gaps; each bar's volume is its number."""
    rng = np.random.default_rng(3)
    close = np.round(1_000_000 * np.exp(np.cumsum(rng.normal(0, 0.01, rows))) / 500).astype(np.int64) * 500
    opened = np.round(np.roll(close, 1) * np.exp(rng.normal(0, 0.003, rows)) / 500).astype(np.int64) * 500
    opened[0] = close[0]
    high = np.maximum(opened, close) + 500 * rng.integers(0, 9, rows)
    low = np.minimum(opened, close) - 500 * rng.integers(0, 9, rows)
    return Candles(opened, high, low, close, np.arange(rows))


def test_a_shuffle_ends_where_it_ended() -> None:
    fan = shuffle_trades(TRADES, initial=1000, seed=1)
    assert fan.final_return == pytest.approx(np.full(5, 0.12))
    assert fan.real_return == pytest.approx(0.12)
    # 1100, 1050, 1130, 1010, …: the worst fall is from 1130 to 1010.
    assert fan.real_drawdown == pytest.approx(1010 / 1130 - 1)
    assert fan.max_drawdown[0] < fan.real_drawdown < fan.max_drawdown[-1]
    assert 0.0 < fan.worse_drawdown < 1.0


def test_the_deepest_possible_fall_has_every_loss_first() -> None:
    fan = shuffle_trades(TRADES, initial=1000, seed=1, paths=5000)
    assert fan.max_drawdown.min() >= -0.27
    assert fan.ruin == 0.0


def test_ruin_is_counted_on_the_way() -> None:
    """100 + 60 − 80 − 50 touches zero in the two of six orders that lose first."""
    assert shuffle_trades([60.0, -80, -50], initial=100, seed=1, paths=6000).ruin == pytest.approx(1 / 3, abs=0.02)


def test_drawn_anew_the_end_varies_as_the_sum_does() -> None:
    """The sum of n draws has mean Σ and deviation √n × population deviation."""
    fan = shuffle_trades(TRADES, initial=1000, seed=1, paths=20_000, replace=True)
    spread = np.sqrt(10) * TRADES.std() / 1000
    assert fan.final_return[2] == pytest.approx(0.12, abs=0.01)
    assert (fan.final_return[-1] - fan.final_return[0]) / (2 * 1.645) == pytest.approx(spread, rel=0.05)


@pytest.mark.slow
def test_bands_hold_the_truth_at_their_rate() -> None:
    """Ends of histories from a known source fall below the 5 %, 50 % and 95 % bands about that often.

    The band is that of one sample, the next history another: its end differs by both, so the spread is √2 as wide and
    a normal end lies below the 5 % band with probability Φ(−1.645 ÷ √2) = 12.2 %.
    """
    below = []
    for seed in range(150):
        fan = resample_returns(noise(seed), seed=seed, paths=200, block=1)
        below.append(np.prod(1 + noise(10_000 + seed)) - 1 < fan.final_return)
    assert np.mean(below, axis=0) == pytest.approx([0.122, 0.317, 0.5, 0.683, 0.878], abs=0.09)


def test_blocks_widen_the_bands_of_returns_that_follow_each_other() -> None:
    shocks = noise(5, 1000)
    trending = np.convolve(shocks, np.ones(8) / 8, mode="valid")
    single, blocks = (resample_returns(trending, seed=2, block=block) for block in (1, 30))
    assert np.ptp(blocks.final_return) > 1.8 * np.ptp(single.final_return)


def test_the_kept_points_span_the_run_and_the_extremes_every_step() -> None:
    returns = noise(6, 5000)
    returns[1234] = -0.5
    fan = resample_returns(returns, seed=1, paths=100)
    assert (fan.steps[0], fan.steps[-1], len(fan.steps)) == (0, 5000, 251)
    assert fan.equity.shape == fan.drawdown.shape == (5, 251)
    assert fan.real_drawdown < -0.5
    assert (np.diff(fan.equity, axis=0) >= 0).all()


def test_after_ruin_equity_stays_at_zero() -> None:
    fan = resample_returns([0.1, -1.5, 0.1, 0.2], seed=1)
    assert fan.real_return == -1.0
    assert fan.ruin == pytest.approx(1 - 0.75**4, abs=0.08)


def test_the_same_seed_gives_the_same_history() -> None:
    one, two = (resample_returns(noise(1), seed=7).equity for _ in range(2))
    assert np.array_equal(one, two)
    first, second = (next(resample_candles(market(), paths=1, seed=7)).close for _ in range(2))
    assert np.array_equal(first, second)


def test_curves_from_elsewhere() -> None:
    curves = [np.array([100.0, 100 + end]) for end in range(-50, 51)]
    fan = fan_of(curves, real=[90.0, 100.0], initial=100)
    assert fan.final_return == pytest.approx([-0.45, -0.25, 0.0, 0.25, 0.45])
    assert fan.loss == pytest.approx(50 / 101)
    assert fan.worse_drawdown == pytest.approx(41 / 101)


def test_candles_are_valid_and_on_the_tick() -> None:
    for bars in resample_candles(market(), paths=20, seed=1, tick=500):
        assert (bars.high >= np.maximum(bars.open, bars.close)).all()
        assert (bars.low <= np.minimum(bars.open, bars.close)).all()
        assert (np.stack([bars.open, bars.high, bars.low, bars.close]) % 500 == 0).all()
        assert (bars.low >= 500).all()
        assert (len(bars), bars.close[0]) == (400, market().close[0])


def test_candle_moves_are_the_real_ones() -> None:
    real, bars = market(), next(resample_candles(market(), paths=1, seed=2, block=20))
    at = bars.volume[1:]
    assert bars.close[1:] / bars.close[:-1] == pytest.approx(real.close[at] / real.close[at - 1], rel=1e-5)
    assert bars.open[1:] / bars.close[:-1] == pytest.approx(real.open[at] / real.close[at - 1], rel=1e-5)
    assert np.mean(np.diff(at) == 1) == pytest.approx(0.95, abs=0.04)


def test_mornings_stay_mornings() -> None:
    """Sessions of 9, 10 and 11 bars: volumes that tell the bar's number are never moved to another."""
    lengths = [9, 10, 11] * 13
    slots = np.concatenate([np.arange(length) for length in lengths])
    bars = market(len(slots))
    told = Candles(bars.open, bars.high, bars.low, bars.close, slots)
    closes = set()
    for one in resample_candles(told, paths=10, seed=3, block=15, slots=slots):
        assert np.array_equal(one.volume, slots)
        closes.add(int(one.close[-1]))
    assert len(closes) == 10


def test_bars_without_any_order_in_their_numbers_keep_them_all_the_same() -> None:
    slots = np.random.default_rng(4).integers(0, 3, 400)
    bars = market()
    told = Candles(bars.open, bars.high, bars.low, bars.close, slots)
    assert np.array_equal(next(resample_candles(told, paths=1, seed=3, block=1e9, slots=slots)).volume, slots)


def test_a_market_that_outgrows_every_price_is_an_error() -> None:
    close = np.array([1, 10**7, 1, 10**7, 1, 10**7, 1, 10**7])
    wild = Candles(close, close, close, close, close)
    with pytest.raises(DataError, match="outgrows every price"):
        list(resample_candles(wild, paths=50, seed=1, block=1))


def test_bad_input_is_named() -> None:
    bars = market()
    broken = Candles(bars.open, bars.low, bars.low, bars.close, bars.volume)
    with pytest.raises(DataError, match="at least 3, in columns of equal length"):
        resample_candles(Candles(bars.open, bars.high, bars.low, bars.close, bars.volume[1:]), paths=1, seed=1)
    with pytest.raises(DataError, match="outside its high and low"):
        resample_candles(broken, paths=1, seed=1)
    with pytest.raises(DataError, match="as many numbers within the session"):
        resample_candles(bars, paths=1, seed=1, slots=[1, 2])
    with pytest.raises(UsageError, match="tick must be at least 1"):
        resample_candles(bars, paths=1, seed=1, tick=0)
    with pytest.raises(UsageError, match="initial capital must be above zero"):
        shuffle_trades(TRADES, initial=0, seed=1)
    with pytest.raises(UsageError, match="at most 50,000"):
        resample_returns(noise(1), seed=1, paths=60_000)
    with pytest.raises(DataError, match="there is no curve"):
        fan_of([], real=[1.0, 2.0], initial=1)
    with pytest.raises(DataError, match="curve 0 has 3 steps, the real one 2"):
        fan_of([[1.0, 2.0, 3.0]], real=[1.0, 2.0], initial=1)

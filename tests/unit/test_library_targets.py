"""What the strategies that state targets say, by hand and against an independent computation."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from manjha.domain.errors import UsageError
from manjha.domain.moments import parse_day
from manjha.domain.orders import Product
from manjha.research.backtest import run_backtest
from manjha.strategy.interface import Strategy
from manjha.strategy.library.buy_and_hold import BuyAndHold
from manjha.strategy.library.donchian_turtle import DonchianTurtle
from manjha.strategy.library.ema_cross import EmaCross
from manjha.strategy.library.gap_fade import GapFade
from manjha.strategy.library.momentum_rotation import MomentumRotation
from manjha.strategy.library.nifty_intraday_trend import NiftyIntradayTrend
from manjha.strategy.library.pairs_spread import PairsSpread, hedged
from manjha.strategy.library.rsi_mean_reversion import RsiMeanReversion
from manjha.strategy.library.sma_cross import SmaCross
from manjha.strategy.library.supertrend import SupertrendFollower
from manjha.strategy.library.vwap_reversion import VwapReversion
from tests.fakes.hand_made import days, fills_of, flat, minutes, share_named, spec_of

ALPHA, BETA, GAMMA = (share_named(name) for name in ("ALPHA", "BETA", "GAMMA"))


class Closes:
    """Implements `History` for a strategy that looks at closes and days only."""

    def __init__(self, day: Sequence[int], close: Sequence[Sequence[float]]) -> None:
        self.day: NDArray[np.int64] = np.array(day, np.int64)
        self.ts_ns = self.day
        self._close = np.array(close, np.float64)
        self.instruments = (ALPHA, BETA, GAMMA)[: self._close.shape[1]]

    def column(self, field: str) -> NDArray[np.float64]:
        assert field == "close"
        return self._close

    def at(self, field: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return self.column(field)[rows]


def days_from(first: str, count: int) -> list[int]:
    """Weekdays."""
    start = parse_day(first)
    return [day for day in range(start, start + 2 * count) if (day + 3) % 7 < 5][:count]


def test_ema_cross_buys_and_sells_at_the_open_after_the_cross() -> None:
    # EMA2 > EMA3 first at bar 4 (12.06, 11.75), not above at bar 6 (11.56, 11.69).
    closes = [12.0, 11.0, 10.0, 10.0, 13.0, 13.0, 11.0, 9.0, 9.0]
    result = run_backtest(spec_of(EmaCross(fast=2, slow=3), days(ALPHA, [(c + 0.25, c + 1, c - 1, c) for c in closes])))
    assert fills_of(result) == [(5, "BUY", 10, 13.25), (7, "SELL", 10, 9.25)]


def test_supertrend_turns_where_a_close_crosses_its_line() -> None:
    # Up at bar 5: the line was 96 + 1.875 = 97.875 and 104 is above. Down at bar 7: it is 104 − 3.09 and 94 is below.
    closes = [100.0, 100.0, 100.0, 96.0, 96.0, 104.0, 104.0, 94.0, 94.0]
    strategy = SupertrendFollower(length=2, width=1.0)
    result = run_backtest(spec_of(strategy, days(ALPHA, [flat(c) for c in closes])))
    assert fills_of(result) == [(6, "BUY", 10, 104.0), (8, "SELL", 10, 94.0)]


def test_a_cross_is_short_on_the_other_side_when_asked() -> None:
    closes = [10.0, 11.0, 12.0, 13.0, 12.0, 9.0, 8.0, 8.0]
    strategy = SmaCross(fast=2, slow=3, both_sides=True)
    vars(strategy)["product"] = Product.MIS
    bars = minutes(ALPHA, [flat(c) for c in closes])
    assert fills_of(run_backtest(spec_of(strategy, bars)))[:2] == [(3, "BUY", 10, 13.0), (6, "SELL", 20, 8.0)]


def test_turtle_sells_a_new_low_when_it_may_be_short() -> None:
    closes = [100.0, 101.0, 100.0, 101.0, 97.0, 96.0, 95.0, 95.0]
    strategy = DonchianTurtle(entry=3, leave=3, risk=9.0, atr_length=2, both_sides=True)
    vars(strategy)["product"] = Product.MIS
    result = run_backtest(spec_of(strategy, minutes(ALPHA, [flat(c) for c in closes])))
    assert fills_of(result)[0] == (5, "SELL", 10, 96.0)


def test_buy_and_hold_shares_the_capital_equally_as_instruments_appear() -> None:
    nan = float("nan")
    out = BuyAndHold(weight=0.9).targets(Closes([0, 1, 2], [[10, nan, 10], [11, nan, 9], [12, 5, 8]]))
    assert out[0, 0] == out[0, 2] == out[2, 1] == pytest.approx(0.3)
    assert np.isnan(out).sum() == 6


def test_momentum_ranks_at_the_first_close_of_a_new_week() -> None:
    # 1 to 12 January 2024 are two whole weeks. Over three days ALPHA gained 8/102, BETA 2/101, GAMMA lost.
    close = [[100.0 + 2 * i, 100 + i / 2, 100 - i] for i in range(10)]
    close[5] = [110.0, 103.0, 95.0]
    out = MomentumRotation(lookback=3, top=2, every="week").targets(Closes(days_from("2024-01-01", 10), close))
    assert np.flatnonzero(~np.isnan(out).any(axis=1)).tolist() == [5]
    assert out[5].tolist() == [0.475, 0.475, 0.0]


def test_momentum_leaves_the_place_of_a_falling_share_in_cash() -> None:
    close = [[100.0 + i, 100.0 - i, 100.0 - 2 * i] for i in range(10)]
    history = Closes(days_from("2024-01-01", 10), close)
    assert MomentumRotation(lookback=3, top=2, every="week").targets(history)[5].tolist() == [0.475, 0, 0]
    kept = MomentumRotation(lookback=3, top=2, every="week", positive_only=False).targets(history)
    assert kept[5].tolist() == [0.475, 0.475, 0]


def test_momentum_leaves_out_a_share_without_a_price_at_both_ends() -> None:
    close = [[100.0 + i, 100.0 + 9 * i] for i in range(10)]
    close[2][1] = float("nan")
    out = MomentumRotation(lookback=3, top=1, every="week").targets(Closes(days_from("2024-01-01", 10), close))
    assert out[5].tolist() == [0.95, 0.0]


@pytest.mark.parametrize("every", ["week", "month", "quarter"])
def test_momentum_rotates_by_the_calendar_wherever_the_data_begin(every: str) -> None:
    rng = np.random.default_rng(5)
    day, close = days_from("2023-01-02", 300), np.exp(rng.normal(0, 0.01, (300, 3)).cumsum(axis=0))
    strategy = MomentumRotation(lookback=10, top=1, every=every)
    whole = strategy.targets(Closes(day, close.tolist()))
    for cut in (1, 7, 33):
        later = strategy.targets(Closes(day[cut:], close[cut:].tolist()))
        # The period that the cut falls into is no longer whole, and the look-back needs ten days.
        assert np.array_equal(whole[cut + 75 :], later[75:], equal_nan=True)
    turns = np.flatnonzero(~np.isnan(whole).any(axis=1))
    assert len(turns) == {"week": 58, "month": 13, "quarter": 4}[every]


def test_the_hedge_is_least_squares_over_the_window() -> None:
    rng = np.random.default_rng(3)
    second = rng.normal(0, 0.01, 200).cumsum()
    first = 1.5 * second + rng.normal(0, 0.002, 200)
    slope, score = hedged(first, second, 30)
    assert np.isnan(slope[:29]).all()
    for row in (29, 80, 199):
        x, y = second[row - 29 : row + 1], first[row - 29 : row + 1]
        expected = np.polyfit(x, y, 1)
        left = y - np.polyval(expected, x)
        assert slope[row] == pytest.approx(expected[0], rel=1e-7)
        assert score[row] == pytest.approx(left[-1] / left.std(), rel=1e-6)


def test_the_hedge_says_nothing_while_a_price_stands_still() -> None:
    slope, score = hedged(np.log(np.linspace(100, 110, 50)), np.full(50, np.log(100.0)), 20)
    assert np.isnan(slope).all()
    assert np.isnan(score).all()


def test_a_hedged_pair_is_entered_by_value_as_one_to_the_hedge() -> None:
    wobble = np.where(np.arange(40) % 2, 0.004, -0.004)
    second = 100 * np.exp(wobble)
    first = 100 * np.exp(2 * wobble + np.where(np.arange(40) % 3, 1e-4, -1e-4))
    first[30] *= 1.01
    out = PairsSpread(length=20, entry=3.0, weight=0.9).targets(Closes([0] * 40, np.c_[first, second].tolist()))
    row = int(np.flatnonzero(~np.isnan(out[:, 0]))[0])
    slope = hedged(np.log(first), np.log(second), 20)[0][row]
    assert row == 30
    assert out[row] == pytest.approx([-0.9 / (1 + slope), 0.9 * slope / (1 + slope)])
    assert 1.5 < slope < 2.5


def test_pairs_do_not_enter_while_the_hedge_is_negative() -> None:
    wobble = np.where(np.arange(40) % 2, 0.004, -0.004)
    first, second = 100 * np.exp(-wobble), 100 * np.exp(wobble)
    first[30] *= 1.05
    assert np.isnan(PairsSpread(length=20).targets(Closes([0] * 40, np.c_[first, second].tolist()))[:31]).all()


def test_pairs_begin_each_day_flat_only_when_held_intraday() -> None:
    ratio = np.append(np.where(np.arange(30) % 2, 100.1, 99.9), [104.0] * 4)
    history = Closes([0] * 31 + [1] * 3, np.c_[ratio, np.full(34, 100.0)].tolist())
    strategy = PairsSpread(length=20, entry=2.0, leave=0.1, hedge="one")
    assert np.flatnonzero(~np.isnan(strategy.targets(history)[:, 0])).tolist() == [30, 31]
    vars(strategy)["product"] = Product.NRML
    assert np.flatnonzero(~np.isnan(strategy.targets(history)[:, 0])).tolist() == [30]


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (SmaCross, {"fast": 50, "slow": 50}),
        (EmaCross, {"fast": 30, "slow": 20}),
        (NiftyIntradayTrend, {"fast": 60, "slow": 60}),
        (NiftyIntradayTrend, {"first": 900, "last": 600}),
        (VwapReversion, {"first": 900, "last": 600}),
        (GapFade, {"gap_pct": 4.0, "gap_max_pct": 4.0}),
        (RsiMeanReversion, {"oversold": 50.0, "exit_above": 40.0}),
        (PairsSpread, {"entry": 1.0, "leave": 1.0}),
        (PairsSpread, {"hedge": "half"}),
        (MomentumRotation, {"every": "year"}),
        (MomentumRotation, {"lookback": "many"}),
        (SmaCross, {"quick": 5}),
    ],
)
def test_parameters_that_make_no_sense_are_refused(kind: type[Strategy], given: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=kind.name):
        kind(**given)

"""What the intraday strategies do on small markets whose trades are worked out by hand."""

import pytest

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.bars import DAY
from manjha.domain.errors import DataError, UsageError
from manjha.domain.moments import day_of, format_ts, parse_day
from manjha.domain.money import RUPEE
from manjha.domain.orders import Purpose
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.strategy.interface import Strategy
from manjha.strategy.library.gap_fade import GapFade
from manjha.strategy.library.nifty_intraday_trend import NiftyIntradayTrend
from manjha.strategy.library.opening_range_breakout import OpeningRangeBreakout
from manjha.strategy.library.vwap_reversion import VwapReversion
from tests.fakes.hand_made import days, fills_of, flat, minutes, share_named, spec_of

ALPHA = share_named()


def stops(result: BacktestResult) -> list[float]:
    return [r.order.trigger / RUPEE for r in result.orders if r.order.purpose is Purpose.STOP]


def test_vwap_reversion_buys_far_below_and_leaves_at_vwap() -> None:
    # Bar 8: VWAP (8 × 100 + 94) / 9 = 99.33, ATR2 (1 + 6.5) / 2 = 3.75, and 94 < 99.33 − 3.75. Stop 94 − 2 × 3.75.
    # Bar 11: VWAP (8 × 100 + 94 + 94 + 97 + 99.5) / 12 = 98.71, and 99.5 is above it.
    closes = [100.0] * 8 + [94.0, 94.0, 97.0, 99.5, 100.0, 100.0]
    strategy = VwapReversion(distance=1.0, stop=2.0, length=2)
    result = run_backtest(spec_of(strategy, minutes(ALPHA, [flat(c) for c in closes])))
    assert fills_of(result) == [(9, "BUY", 10, 94.0), (12, "SELL", 10, 100.0)]
    assert stops(result) == [86.5]


def test_vwap_reversion_sells_far_above_and_is_stopped() -> None:
    # Bar 8 mirrors the case above: 106 > 100.67 + 3.75, stop 106 + 7.5 = 113.5. Bar 10 opens beyond it, at 114.
    closes = [100.0] * 8 + [106.0, 106.0, 114.0, 114.0, 114.0]
    strategy = VwapReversion(distance=1.0, stop=2.0, length=2)
    result = run_backtest(spec_of(strategy, minutes(ALPHA, [flat(c) for c in closes])))
    assert fills_of(result)[:2] == [(9, "SELL", 10, 106.0), (10, "BUY", 10, 114.0)]
    assert stops(result)[0] == 113.5


def test_vwap_reversion_does_not_enter_before_its_window() -> None:
    closes = [100.0, 100.0, 100.0, 94.0, 100.0, 100.0, 100.0]
    result = run_backtest(spec_of(VwapReversion(distance=1.0, length=2), minutes(ALPHA, [flat(c) for c in closes])))
    assert fills_of(result) == []


def test_vwap_reversion_refuses_a_share_without_volume() -> None:
    bars = minutes(ALPHA, [flat(100.0)] * 30, volume=0)
    with pytest.raises(DataError, match="computes with volume"):
        run_backtest(spec_of(VwapReversion(), bars))


def trend_market(first_day: int = 24) -> list[tuple[float, float, float, float]]:
    return [flat(c) for c in [100.0] * first_day + [102.0] * 4 + [96.0] * 64]


def test_nifty_trend_turns_in_two_bars_and_is_squared_off() -> None:
    # EMA2 is above EMA4 at bar 24 (101.33, 100.80) and below at bar 28 (97.99, 99.44). ATR20 at bar 24 is
    # (19 × 1 + 2.5) / 20 = 1.075, so the stop is 102 − 20 × 1.075 = 80.5.
    strategy = NiftyIntradayTrend(fast=2, slow=4, stop=20.0)
    result = run_backtest(spec_of(strategy, minutes(ALPHA, trend_market())))
    assert fills_of(result)[:3] == [(25, "BUY", 10, 102.0), (29, "SELL", 10, 96.0), (30, "SELL", 10, 96.0)]
    assert stops(result)[0] == 80.5
    last = result.orders[-1].order
    assert (last.purpose, format_ts(last.decided_ns)[11:16]) == (Purpose.SQUARE_OFF, "15:19")


def test_nifty_trend_waits_for_its_window() -> None:
    # Bar 24 closes at 11:20; with a window from 11:35 the same cross is entered at bar 27's close.
    strategy = NiftyIntradayTrend(fast=2, slow=4, stop=20.0, first=11 * 60 + 35)
    result = run_backtest(spec_of(strategy, minutes(ALPHA, trend_market())))
    assert fills_of(result)[0] == (28, "BUY", 10, 96.0)


def test_nifty_trend_forgets_over_night_what_was_due() -> None:
    # The cross comes with the last bar of a day, after the window; the next day stays above without a new cross.
    rows = [flat(100.0)] * 74 + [flat(102.0)] * 30
    strategy = NiftyIntradayTrend(fast=2, slow=4)
    assert fills_of(run_backtest(spec_of(strategy, minutes(ALPHA, rows)))) == []


def test_opening_range_breakout_sells_a_break_of_the_low() -> None:
    # Range 99 to 101. The close of 98 risks 3 to the high, so the target is 98 − 2 × 3 = 92; bar 5 trades down to 91.
    rows = [(100, 101, 99, 100), flat(100.0), flat(100.0), (100, 100, 97.5, 98), flat(98.0), (94, 94, 91, 92)]
    bars = minutes(ALPHA, rows + [flat(92.0)] * 5)
    assert fills_of(run_backtest(spec_of(OpeningRangeBreakout(), bars))) == [
        (4, "SELL", 10, 98.0), (6, "BUY", 10, 92.0),
    ]  # fmt: skip
    assert fills_of(run_backtest(spec_of(OpeningRangeBreakout(short_too=False), bars))) == []


def test_opening_range_breakout_does_not_enter_after_its_last_minute() -> None:
    # 15 five-minute bars end at 10:30; the break comes in the next one.
    rows = [flat(100.0)] * 15 + [flat(102.0)] * 10
    bars = minutes(ALPHA, rows)
    assert fills_of(run_backtest(spec_of(OpeningRangeBreakout(last_entry=10 * 60 + 30), bars))) == []
    assert fills_of(run_backtest(spec_of(OpeningRangeBreakout(last_entry=10 * 60 + 35), bars)))[0][0] == 16


def test_gap_fade_buys_a_gap_down() -> None:
    rows = [flat(100.0)] * 75 + [(98, 98.5, 97.5, 98), flat(98.0), (99, 100.5, 99, 100)] + [flat(100.0)] * 10
    result = run_backtest(spec_of(GapFade(gap_pct=1.0, stop_pct=2.0), minutes(ALPHA, rows)))
    assert fills_of(result) == [(76, "BUY", 10, 98.0), (78, "SELL", 10, 100.0)]
    assert stops(result) == [96.05]  # 98 − 1.96 = 96.04, on a tick of 0.05


def test_gap_fade_compares_in_todays_shares_after_a_split() -> None:
    # 100 becomes 50 by a split of 1 into 2; the day opens at 51, a gap of 2 per cent, and comes back to 50.
    rows = [flat(100.0)] * 75 + [flat(51.0), flat(51.0), (51, 51, 49.5, 50)] + [flat(50.0)] * 10
    bars = minutes(ALPHA, rows)
    split = CorporateAction(ALPHA.id, day_of(bars.ts_open_ns[75]), ActionKind.SPLIT, 2, 1)
    result = run_backtest(spec_of(GapFade(gap_pct=1.0, stop_pct=2.0), bars, actions=(split,)))
    assert fills_of(result) == [(76, "SELL", 10, 51.0), (78, "BUY", 10, 50.0)]


@pytest.mark.parametrize("strategy", [GapFade(), OpeningRangeBreakout(), VwapReversion(), NiftyIntradayTrend()])
def test_daily_bars_are_refused_by_what_decides_within_the_day(strategy: Strategy) -> None:
    with pytest.raises(UsageError, match=r"needs bars of at most .*, was given 1d"):
        run_backtest(spec_of(strategy, days(ALPHA, [flat(100.0)] * 90)))


def test_bars_longer_than_the_opening_range_are_refused() -> None:
    bars = minutes(ALPHA, [flat(100.0)] * 30, length=900)
    with pytest.raises(UsageError, match="at most 10m, was given 15m"):
        run_backtest(spec_of(OpeningRangeBreakout(minutes=10), bars))
    assert bars.interval < DAY
    assert run_backtest(spec_of(OpeningRangeBreakout(minutes=15), bars)).start_ns >= parse_day("2024-01-01")

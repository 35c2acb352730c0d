"""What library strategies do on small markets whose trades are worked out by hand."""

from manjha.domain.moments import format_ts
from manjha.domain.orders import Purpose
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.strategy.library.bollinger_breakout import BollingerBreakout
from manjha.strategy.library.buy_and_hold import BuyAndHold
from manjha.strategy.library.donchian_turtle import DonchianTurtle
from manjha.strategy.library.gap_fade import GapFade
from manjha.strategy.library.momentum_rotation import MomentumRotation
from manjha.strategy.library.opening_range_breakout import OpeningRangeBreakout
from manjha.strategy.library.pairs_spread import PairsSpread
from manjha.strategy.library.rsi_mean_reversion import RsiMeanReversion
from manjha.strategy.library.sma_cross import SmaCross
from tests.fakes.hand_made import days, fills_of, flat, minutes, share_named, spec_of

ALPHA = share_named()


def purposes(result: BacktestResult) -> list[Purpose]:
    by_id = {record.order.id: record.order.purpose for record in result.orders}
    return [by_id[fill.order_id] for fill in result.fills]


def test_sma_cross_buys_and_sells_at_the_open_after_the_cross() -> None:
    # SMA2 > SMA3 first at bar 4 (12, 13 | 11, 12, 13), below at bar 7 (11, 9 | 13, 11, 9).
    closes = [12.0, 11.0, 10.0, 10.0, 13.0, 13.0, 11.0, 9.0, 9.0]
    rows = [(c + 0.25, c + 1, c - 1, c) for c in closes]
    result = run_backtest(spec_of(SmaCross(fast=2, slow=3), days(ALPHA, rows)))
    assert fills_of(result) == [(5, "BUY", 10, 13.25), (7, "SELL", 10, 9.25)]


def test_bollinger_breakout_buys_above_the_upper_band_and_leaves_at_the_middle() -> None:
    closes = [100.0, 101.0, 100.0, 101.0, 100.0, 106.0, 107.0, 100.0, 100.0]
    strategy = BollingerBreakout(length=5, width=1.5)
    result = run_backtest(spec_of(strategy, days(ALPHA, [flat(c) for c in closes])))
    assert fills_of(result) == [(6, "BUY", 10, 107.0), (8, "SELL", 10, 100.0)]


def test_turtle_buys_a_new_high_and_its_stop_trails() -> None:
    closes = [100.0, 101.0, 100.0, 101.0, 103.0, 106.0, 109.0, 112.0, 104.0, 104.0]
    strategy = DonchianTurtle(entry=3, leave=3, risk=1.0, atr_length=2)
    result = run_backtest(spec_of(strategy, days(ALPHA, [flat(c) for c in closes])))
    assert fills_of(result)[0] == (5, "BUY", 10, 106.0)
    assert purposes(result) == [Purpose.SIGNAL, Purpose.STOP]
    assert fills_of(result)[1][0] == 8


def test_rsi_buys_a_dip_in_an_up_trend() -> None:
    # RSI2 (Wilder) is 50 at 106.5 and 85.7 at 109; the average of five closes is 106.3 at 106.5.
    closes = [100.0, 102.0, 104.0, 106.0, 108.0, 107.0, 106.5, 109.0, 111.0, 111.0]
    strategy = RsiMeanReversion(length=2, oversold=50.0, exit_above=70.0, trend=5)
    result = run_backtest(spec_of(strategy, days(ALPHA, [flat(c) for c in closes])))
    assert [fill[1] for fill in fills_of(result)] == ["BUY", "SELL"]
    assert fills_of(result)[0][0] == 7


def test_buy_and_hold_buys_once() -> None:
    result = run_backtest(spec_of(BuyAndHold(weight=0.5), days(ALPHA, [flat(100.0)] * 5)))
    assert fills_of(result) == [(1, "BUY", 5000, 100.0)]


def test_opening_range_breakout_trades_once_and_is_flat_by_the_evening() -> None:
    # Range of three 5-minute bars: 99 to 101. The fourth closes at 102; the fifth opens at 102.
    rows = [(100, 101, 99, 100), flat(100.0), flat(100.0), (100, 102, 100, 102)] + [flat(102.0)] * 71
    result = run_backtest(spec_of(OpeningRangeBreakout(minutes=15), minutes(ALPHA, rows)))
    assert fills_of(result)[0] == (4, "BUY", 10, 102.0)
    assert purposes(result) == [Purpose.SIGNAL, Purpose.SQUARE_OFF]
    assert format_ts(result.fills[1].ts_ns)[11:16] == "15:20"


def test_opening_range_breakout_takes_its_target() -> None:
    # Entry decided at 102 with the stop at 99, so the target is 102 + 2 × 3 = 108.
    rows = [(100, 101, 99, 100), flat(100.0), flat(100.0), (100, 102, 100, 102), flat(102.0)]
    rows += [(107, 109, 106, 108)] + [flat(108.0)] * 10
    result = run_backtest(spec_of(OpeningRangeBreakout(minutes=15, reward=2.0), minutes(ALPHA, rows)))
    assert fills_of(result) == [(4, "BUY", 10, 102.0), (6, "SELL", 10, 108.0)]


def test_gap_fade_sells_a_gap_up_towards_the_close_before() -> None:
    rows = [flat(100.0)] * 75 + [(102, 102.5, 101.5, 102), (102, 102.2, 101.5, 101.6), (101, 101, 99.5, 100)]
    rows += [flat(100.0)] * 20
    result = run_backtest(spec_of(GapFade(gap_pct=1.0, stop_pct=2.0), minutes(ALPHA, rows)))
    assert fills_of(result) == [(76, "SELL", 10, 102.0), (78, "BUY", 10, 100.0)]
    assert purposes(result) == [Purpose.SIGNAL, Purpose.TARGET]


def test_gap_fade_leaves_large_gaps_alone() -> None:
    rows = [flat(100.0)] * 75 + [flat(110.0)] * 20
    assert fills_of(run_backtest(spec_of(GapFade(gap_max_pct=4.0), minutes(ALPHA, rows)))) == []


def test_momentum_holds_the_strongest() -> None:
    # Days begin on Monday, 1 January 2024: the second week's first close is bar 5, traded at the open of bar 6.
    rising = [flat(100.0 + 2 * i) for i in range(12)]
    falling = [flat(100.0 - i) for i in range(12)]
    bars = (days(ALPHA, rising), days(share_named("BETA"), falling))
    result = run_backtest(spec_of(MomentumRotation(lookback=3, top=1, every="week"), *bars))
    assert {fill.instrument for fill in result.fills} == {ALPHA.id}
    assert fills_of(result)[0][:2] == (6, "BUY")


def test_pairs_hold_opposite_sides() -> None:
    wobble = [100.0 + (0.2 if i % 2 else -0.2) for i in range(40)]
    rich = [*wobble[:30], 104.0, 104.0, 104.0, *wobble[33:]]
    bars = (minutes(ALPHA, [flat(c) for c in rich]), minutes(share_named("BETA"), [flat(c) for c in wobble]))
    result = run_backtest(spec_of(PairsSpread(length=20, entry=2.5, leave=0.5), *bars))
    first, second = result.fills[0], result.fills[1]
    assert {first.side.name, second.side.name} == {"BUY", "SELL"}
    assert next(f.side.name for f in (first, second) if f.instrument == ALPHA.id) == "SELL"
    net: dict[str, int] = {}
    for fill in result.fills:
        net[fill.instrument] = net.get(fill.instrument, 0) + int(fill.side) * fill.qty
    assert set(net.values()) == {0}

"""Joined candles keep the extremes, the sums and the days."""

import numpy as np
import pytest

from manjha.domain.bars import BarColumns
from manjha.domain.moments import HOUR_NS, MINUTE_NS
from manjha.domain.money import RUPEE
from manjha.research.metrics.daily import day_numbers
from manjha.research.metrics.drawdown import underwater
from manjha.research.report.candles import around, overview, windows
from manjha.research.report.payload import curve_rows
from manjha.research.round_trips import round_trips
from tests.fakes.results import FIRST_DAY, bars_of, close_of, market_result

MARKET = market_result(days=40)
BARS = MARKET.bars[0]


def seconds_of(bars: BarColumns) -> np.ndarray:
    return np.asarray(bars.ts_open_ns) // 1_000_000_000


def test_few_bars_stay_as_they_are() -> None:
    candles = overview(BARS, 10_000)
    assert (candles.step, len(candles)) == ("5m", len(BARS))
    assert candles.ts.tolist() == seconds_of(BARS).tolist()


@pytest.mark.parametrize(
    ("limit", "step"), [(1_600, "10m"), (1_000, "15m"), (300, "60m"), (40, "1d"), (9, "1w"), (5, "2w")]
)
def test_the_shortest_interval_that_fits_is_taken(limit: int, step: str) -> None:
    candles = overview(BARS, limit)
    assert candles.step == step
    assert len(candles) <= limit


@pytest.mark.parametrize("limit", [1_600, 300, 40, 5])
def test_joining_loses_no_extreme_and_no_volume(limit: int) -> None:
    candles = overview(BARS, limit)
    assert candles.high.max() == np.asarray(BARS.high).max()
    assert candles.low.min() == np.asarray(BARS.low).min()
    assert candles.volume.sum() == np.asarray(BARS.volume).sum()
    assert (candles.open[0], candles.close[-1]) == (BARS.open[0], BARS.close[-1])
    assert (candles.low <= np.minimum(candles.open, candles.close)).all()
    assert (candles.high >= np.maximum(candles.open, candles.close)).all()


def test_hours_are_counted_from_the_first_bar_of_the_day() -> None:
    rows = [(1.0, 2.0, 0.5, 1.0)] * 8
    start = close_of(FIRST_DAY) - 6 * HOUR_NS - 15 * MINUTE_NS
    bars = bars_of("NSE:A", [start + bar * 30 * MINUTE_NS for bar in range(8)], rows, seconds=1_800)
    candles = overview(bars, 4)
    assert candles.ts.tolist() == [(start + hour * HOUR_NS) // 1_000_000_000 for hour in range(4)]


def test_no_candle_spans_two_days() -> None:
    candles = overview(BARS, 300)
    days = day_numbers(candles.ts * 1_000_000_000)
    assert len(np.unique(days)) == 40
    assert candles.close[np.flatnonzero(np.diff(days))].tolist() == np.asarray(BARS.close)[74:-1:75].tolist()


def test_a_close_look_holds_the_whole_trade() -> None:
    trip = round_trips(MARKET).closed[20]
    candles = around(BARS, trip, 30, 400)
    assert candles.ts[30] * 1_000_000_000 == trip.entry_ns
    assert candles.until * 1_000_000_000 > trip.exit_ns


def test_close_looks_are_at_the_best_worst_and_newest_trades() -> None:
    trips = round_trips(MARKET).closed
    rows = {row for row, _ in windows(MARKET.bars, trips, 12)}
    nets = [trip.net for trip in trips]
    assert {nets.index(max(nets)), nets.index(min(nets)), len(trips) - 1} <= rows
    assert len(rows) <= 12


def test_a_thinned_curve_keeps_its_highest_lowest_and_deepest_point() -> None:
    walk = 1_000 * RUPEE + np.cumsum(np.random.default_rng(1).integers(-9_999, 10_000, 100_000))
    below = underwater(1_000 * RUPEE, walk)
    rows = curve_rows(walk, below, 100)
    assert len(rows) <= 402
    assert {int(walk.argmax()), int(walk.argmin()), int(below.argmin()), 0, len(walk) - 1} <= set(rows.tolist())


def test_no_bars_make_no_candles() -> None:
    assert len(overview(bars_of("NSE:A", [], []), 10)) == 0

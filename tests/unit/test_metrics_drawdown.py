"""Golden vectors of falls. Capital 100; equity by day:

| day | 0 | 1 | 2 | 3 | 4 | 5 |
|---|---|---|---|---|---|---|
| equity | 110 | 99 | 104.5 | 110 | 121 | 60.5 |
| peak | 110 | 110 | 110 | 110 | 121 | 121 |
| under water | 0 | −10 % | −5 % | 0 | 0 | −50 % |
"""

import math

import numpy as np
import pytest

from manjha.domain.moments import DAY_NS
from manjha.research.metrics import drawdown

INITIAL = 1_000
EQUITY = np.array([1_100, 990, 1_045, 1_100, 1_210, 605])
TS = np.arange(6) * DAY_NS
FALLS = drawdown.falls(INITIAL, EQUITY)


def test_underwater_is_measured_from_the_highest_equity() -> None:
    assert drawdown.underwater(INITIAL, EQUITY) == pytest.approx([0, -0.1, -0.05, 0, 0, -0.5])


def test_falls_have_peak_valley_and_recovery() -> None:
    assert [(fall.peak, fall.valley, fall.recovery, fall.cash) for fall in FALLS] == [
        (0, 1, 3, -110),
        (4, 5, None, -605),
    ]
    assert [fall.depth for fall in FALLS] == pytest.approx([-0.1, -0.5])


def test_the_initial_capital_is_the_first_peak() -> None:
    fall = drawdown.falls(100, np.array([90, 100]))[0]
    assert (fall.peak, fall.valley, fall.recovery, fall.cash) == (-1, 0, 1, -10)
    assert fall.depth == pytest.approx(-0.1)


def test_the_deepest_fall() -> None:
    assert drawdown.max_drawdown(FALLS) == pytest.approx(-0.5)
    assert drawdown.deepest(FALLS) == FALLS[1]
    assert drawdown.max_drawdown_cash(INITIAL, EQUITY) == -605


def test_the_largest_fall_in_rupees_may_be_another() -> None:
    # 100 → 50 is half of little; 1000 → 600 is less of more.
    assert drawdown.max_drawdown_cash(100, np.array([50, 1_000, 600])) == -400
    assert drawdown.max_drawdown(drawdown.falls(100, np.array([50, 1_000, 600]))) == pytest.approx(-0.5)


def test_lengths_of_falls() -> None:
    assert [drawdown.fall_days(TS, fall) for fall in FALLS] == [3.0, 1.0]
    assert drawdown.recovery_days(TS, FALLS[0]) == 2.0
    assert math.isnan(drawdown.recovery_days(TS, FALLS[1]))
    assert drawdown.longest_underwater(TS, FALLS) == 3.0


def test_averages_of_falls() -> None:
    assert drawdown.average_drawdown(FALLS) == pytest.approx(-0.3)
    assert drawdown.average_fall_days(TS, FALLS) == 2.0


def test_ulcer_index() -> None:
    # √((0.01 + 0.0025 + 0.25) ÷ 6) = √0.04375
    assert drawdown.ulcer_index(drawdown.underwater(INITIAL, EQUITY)) == pytest.approx(0.20916500663)


def test_moments_of_a_fall() -> None:
    assert drawdown.moment(TS, FALLS[0].recovery) == 3 * DAY_NS
    assert drawdown.moment(TS, -1) == 0
    assert math.isnan(drawdown.moment(TS, None))


def test_equity_that_never_falls_has_no_drawdown() -> None:
    rising = np.array([100, 101, 105])
    assert drawdown.falls(100, rising) == []
    assert drawdown.max_drawdown([]) == 0.0
    assert drawdown.max_drawdown_cash(100, rising) == 0
    assert drawdown.fall_days(TS, None) == 0.0

"""Golden vectors of growth, worked out by hand."""

import math
from datetime import date

import numpy as np
import pytest

from manjha.domain.moments import day_from_date
from manjha.domain.money import RUPEE
from manjha.research.metrics import growth
from manjha.research.metrics.daily import daily_equity, period_returns, returns_from
from tests.fakes.results import close_of, curve_of, result_of

DAYS = np.array([day_from_date(date.fromisoformat(text)) for text in ("2025-01-30", "2025-01-31", "2025-02-03")])
RETURNS = np.array([0.10, -0.10, 0.20])


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-12)


def test_total_return() -> None:
    assert growth.total_return(100, 125) == near(0.25)
    assert math.isnan(growth.total_return(0, 125))


def test_cagr_of_two_years() -> None:
    # 1.21 over 730 days: the square root, 1.1.
    assert growth.cagr(100, 121, 730) == near(0.1)


def test_cagr_is_not_extrapolated_from_less_than_a_quarter() -> None:
    assert math.isnan(growth.cagr(100, 120, 89))
    # 1.2^(365 ÷ 90) − 1 = 1.2^4.0555… − 1 = 1.0946…
    assert growth.cagr(100, 120, 90) == pytest.approx(1.09464, abs=1e-4)


def test_cagr_after_ruin_is_total_loss() -> None:
    assert growth.cagr(100, -5, 365) == -1.0


def test_returns_start_from_the_initial_capital() -> None:
    assert returns_from(100, np.array([110, 99])).tolist() == [near(0.1), near(-0.1)]


def test_returns_end_with_ruin() -> None:
    assert returns_from(100, np.array([50, 0, 20, 40])).tolist() == [-0.5, -1.0]


def test_months_compound_their_days() -> None:
    names, values = period_returns(DAYS, RETURNS, "month")
    # January 1.1 × 0.9 = 0.99, February 1.2.
    assert names == ["2025-01", "2025-02"]
    assert values.tolist() == [near(-0.01), near(0.2)]


def test_years_compound_their_days() -> None:
    assert period_returns(DAYS, RETURNS, "year")[1].tolist() == [near(1.1 * 0.9 * 1.2 - 1)]


def test_month_and_year_to_date() -> None:
    assert growth.month_to_date(DAYS, RETURNS) == near(0.2)
    assert growth.year_to_date(DAYS, RETURNS) == near(0.188)


def test_trailing_months_need_as_long_a_run() -> None:
    days = np.array([day_from_date(date(2024, 12, 31)), *DAYS])
    returns = np.array([0.5, *RETURNS])
    # One month back from 3 February is 3 January: the days from 4 January on count.
    assert growth.trailing_months(days, returns, 1) == near(0.188)
    assert math.isnan(growth.trailing_months(days, returns, 3))


def test_trailing_months_end_at_the_end_of_a_shorter_month() -> None:
    # One month before 31 March is 28 February, so 1 March counts and 28 February does not.
    days = np.array([day_from_date(date(2025, *day)) for day in ((2, 27), (2, 28), (3, 1), (3, 31))])
    assert growth.trailing_months(days, np.array([1.0, 1.0, 0.1, 0.1]), 1) == near(0.21)


def test_annualised_trailing_is_the_root() -> None:
    days = np.array([day_from_date(date(2021, 1, 1)), day_from_date(date(2025, 1, 1))])
    # 1.331 over the last three years: 10 % a year.
    assert growth.annualised_trailing(days, np.array([0.0, 0.331]), 3) == near(0.1)


def test_shares_extremes_and_means() -> None:
    assert growth.positive_share(RETURNS) == near(2 / 3)
    assert (growth.best(RETURNS), growth.worst(RETURNS)) == (0.2, -0.1)
    assert growth.mean_return(RETURNS) == near(0.2 / 3)
    assert growth.compound(RETURNS) == near(0.188)


def test_exposure_and_leverage() -> None:
    gross, equity = np.array([0, 50, 300, 0]), np.array([100, 100, 200, 90])
    assert growth.exposure_time(gross) == near(0.5)
    assert growth.max_leverage(gross, equity) == near(1.5)
    assert growth.max_leverage(gross, np.array([100, 0, 200, 90])) == math.inf
    assert growth.largest(np.array([-7, 5])) == 7.0


def test_turnover_is_traded_value_over_mean_equity() -> None:
    assert growth.turnover(600, np.array([100, 200])) == near(4.0)
    assert math.isnan(growth.turnover(600, np.array([-100, 50])))


@pytest.mark.parametrize("function", [growth.best, growth.worst, growth.mean_return, growth.positive_share])
def test_nothing_of_nothing_is_not_defined(function: object) -> None:
    assert callable(function)
    assert math.isnan(function(np.empty(0)))


def test_daily_equity_takes_the_last_row_of_each_indian_day() -> None:
    first = close_of(20_000)
    rows = [first - 1_000, first, close_of(20_001)]
    curve = curve_of(rows, [100 * RUPEE, 110 * RUPEE, 121 * RUPEE], benchmark=[100 * RUPEE, 105 * RUPEE, 105 * RUPEE])
    daily = daily_equity(result_of(curve=curve, initial=100 * RUPEE))
    assert daily.day.tolist() == [20_000, 20_001]
    assert daily.returns.tolist() == [near(0.1), near(0.1)]
    assert daily.benchmark.tolist() == [near(0.05), near(0.0)]

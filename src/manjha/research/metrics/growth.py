"""How much was earned, over which time. Inputs are daily; fractions out."""

import math
from collections.abc import Callable
from datetime import date

import numpy as np

from manjha.domain.moments import date_from_day, day_from_date
from manjha.research.metrics.daily import CALENDAR_YEAR, SHORTEST_ANNUAL, Floats
from manjha.research.result import Int64s

NAN = math.nan


def total_return(initial: int, final: int) -> float:
    """final ÷ initial − 1. Fraction. NaN where the initial capital is not positive."""
    return final / initial - 1.0 if initial > 0 else NAN


def cagr(initial: int, final: int, days: int) -> float:
    """(final ÷ initial)^(365 ÷ calendar days) − 1, first and last day included. Fraction a year.

    NaN for less than 90 calendar days, because a few good weeks raised to a power say nothing; −1 after ruin.
    """
    if days < SHORTEST_ANNUAL or initial <= 0:
        return NAN
    return float((final / initial) ** (CALENDAR_YEAR / days) - 1.0) if final > 0 else -1.0


def compound(returns: Floats) -> float:
    """Π(1 + r) − 1. Fraction. NaN for no returns."""
    return float(np.prod(1.0 + returns) - 1.0) if len(returns) else NAN


def trailing_return(days: Int64s, returns: Floats, since: date) -> float:
    """Π(1 + r) − 1 over the trading days on or after `since`. Fraction. NaN where the run began later than that."""
    start = day_from_date(since)
    if not len(days) or int(days[0]) > start:
        return NAN
    return compound(returns[days[: len(returns)] >= start])


def month_to_date(days: Int64s, returns: Floats) -> float:
    """Π(1 + r) − 1 over the last day's calendar month, as far as the run covers it. Fraction."""
    return _to_date(days, returns, lambda last: last.replace(day=1))


def year_to_date(days: Int64s, returns: Floats) -> float:
    """Π(1 + r) − 1 over the last day's calendar year, as far as the run covers it. Fraction."""
    return _to_date(days, returns, lambda last: last.replace(month=1, day=1))


def trailing_months(days: Int64s, returns: Floats, months: int) -> float:
    """Π(1 + r) − 1 over the last `months` calendar months up to the last day. Fraction. NaN in a shorter run.

    The first day counted is the day after the same day of the month, `months` earlier (its last day if shorter).
    """
    return trailing_return(days, returns, _months_back(days, months)) if len(days) else NAN


def annualised_trailing(days: Int64s, returns: Floats, years: int) -> float:
    """(Π(1 + r))^(1 ÷ years) − 1 over the last `years` years. Fraction a year. NaN in a shorter run."""
    whole = trailing_months(days, returns, 12 * years)
    return (1.0 + whole) ** (1.0 / years) - 1.0 if whole > -1.0 else whole


def best(values: Floats) -> float:
    """max(r). Fraction. NaN for none."""
    return float(values.max()) if len(values) else NAN


def worst(values: Floats) -> float:
    """min(r). Fraction. NaN for none."""
    return float(values.min()) if len(values) else NAN


def positive_share(values: Floats) -> float:
    """Number of r > 0 ÷ number of r. Fraction. NaN for none."""
    return float(np.mean(values > 0)) if len(values) else NAN


def mean_return(values: Floats) -> float:
    """Arithmetic mean of r. Fraction. NaN for none."""
    return float(values.mean()) if len(values) else NAN


def exposure_time(gross: Int64s) -> float:
    """Bars with an open position ÷ bars. Fraction. NaN where the run recorded no exposure."""
    return float(np.mean(gross > 0)) if len(gross) else NAN


def turnover(traded: int, equity: Int64s) -> float:
    """Value of all fills ÷ mean daily equity. Times over the whole run. NaN where mean equity is not positive."""
    mean = float(equity.mean()) if len(equity) else 0.0
    return traded / mean if mean > 0 else NAN


def max_leverage(gross: Int64s, equity: Int64s) -> float:
    """Largest gross exposure ÷ equity of the same bar. Times. NaN without exposure; +infinity where equity ≤ 0."""
    if not len(gross):
        return NAN
    held = gross > 0
    if not held.any():
        return 0.0
    if (equity[held] <= 0).any():
        return math.inf
    return float(np.max(gross[held] / equity[held]))


def largest(values: Int64s) -> float:
    """Largest absolute value. 1e-4 rupee. NaN for none."""
    return float(np.abs(values).max()) if len(values) else NAN


def _to_date(days: Int64s, returns: Floats, first_of: Callable[[date], date]) -> float:
    if not len(days):
        return NAN
    start = day_from_date(first_of(date_from_day(int(days[-1]))))
    return compound(returns[days[: len(returns)] >= start])


def _months_back(days: Int64s, months: int) -> date:
    last = date_from_day(int(days[-1]))
    year, month = divmod(last.year * 12 + last.month - 1 - months, 12)
    for day in range(last.day, 27, -1):
        try:
            return date_from_day(day_from_date(date(year, month + 1, day)) + 1)
        except ValueError:
            continue
    return date_from_day(day_from_date(date(year, month + 1, min(last.day, 28))) + 1)

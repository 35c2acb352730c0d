"""From the equity curve to daily returns: what every statistic of time stands on.

A day is a trading day of the run: an Indian calendar day on which the curve has a row. A day's equity is that of its
last row. The first day's return is measured from the initial capital.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, date_from_day
from manjha.research.result import BacktestResult, Int64s

Floats = npt.NDArray[np.float64]

YEAR_DAYS = 252
"""Trading days of a year, the number that daily figures are annualised with."""
CALENDAR_YEAR = 365
SHORTEST_ANNUAL = 90
"""Calendar days below which nothing is extrapolated to a year: the answer would be noise raised to a power."""


class Options(msgspec.Struct, frozen=True):
    """What a reader may choose. `risk_free` is an annual rate (0.065 is 6.5 %); `slab` the income tax rate assumed for
    business income, before cess."""

    risk_free: float = 0.0
    year_days: int = YEAR_DAYS
    slab: float = 0.30

    @property
    def daily_risk_free(self) -> float:
        """The rate of one trading day: (1 + annual)^(1/year_days) − 1."""
        return float((1.0 + self.risk_free) ** (1.0 / self.year_days) - 1.0)


class Daily(msgspec.Struct, frozen=True, eq=False):
    """Daily closes of the account, oldest first. `day` counts days since 1970-01-01, `equity` is in 1e-4 rupee.

    `returns` are fractions; they end where equity was zero or less the day before, because after ruin there is no
    return. `benchmark` are the returns of the benchmark on the same days; empty where there is none.
    """

    day: Int64s
    equity: Int64s
    returns: Floats
    benchmark: Floats

    def __len__(self) -> int:
        return len(self.day)


def daily_equity(result: BacktestResult) -> Daily:
    """Return the last equity of each trading day and the returns between them."""
    curve = result.curve
    rows, days = last_of_each(day_numbers(curve.ts_ns))
    equity = curve.equity[rows]
    benchmark = np.empty(0)
    if len(curve.benchmark):
        benchmark = returns_from(result.initial, curve.benchmark[rows])
    return Daily(days, equity, returns_from(result.initial, equity), benchmark)


def day_numbers(ts_ns: Int64s) -> Int64s:
    """Return the Indian calendar day of each moment."""
    return (ts_ns + IST_OFFSET_NS) // DAY_NS


def last_of_each(keys: Int64s) -> tuple[Int64s, Int64s]:
    """Return the last row of each run of equal keys, and the keys."""
    if not len(keys):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    rows = np.append(np.flatnonzero(np.diff(keys)), len(keys) - 1).astype(np.int64)
    return rows, keys[rows]


def returns_from(initial: int, equity: Int64s) -> Floats:
    """Return equity[i] ÷ equity[i−1] − 1, the first from the initial capital, up to the day of ruin."""
    before = np.concatenate((np.array([initial], np.int64), equity[:-1]))
    ruined = np.flatnonzero(before <= 0)
    end = int(ruined[0]) if len(ruined) else len(equity)
    return np.asarray(equity[:end] / before[:end] - 1.0, np.float64)


def period_returns(days: Int64s, returns: Floats, period: str) -> tuple[list[str], Floats]:
    """Compound daily returns into calendar "month" or "year" returns, with their names ("2026-11", "2026").

    Formula: Π(1 + r) − 1 over the days of the period. First and last periods may be partial.
    """
    width = 7 if period == "month" else 4
    names = [date_from_day(int(day)).isoformat()[:width] for day in days[: len(returns)]]
    labels: list[str] = []
    values: list[float] = []
    for name, value in zip(names, returns.tolist(), strict=True):
        if labels and labels[-1] == name:
            values[-1] = (1.0 + values[-1]) * (1.0 + value) - 1.0
        else:
            labels.append(name)
            values.append(value)
    return labels, np.array(values)


def calendar_days(days: Sequence[int] | Int64s) -> int:
    """Return the calendar days of the run, first and last day included; 0 for an empty run."""
    return int(days[-1]) - int(days[0]) + 1 if len(days) else 0

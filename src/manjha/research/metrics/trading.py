"""How the trading went: statistics of closed round trips after charges.

A win is a trip whose net is above zero, a loss one below, a draw exactly zero. Money is in 1e-4 rupee as a float once
it is averaged. Averages over no trips are NaN.
"""

import math
from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np

from manjha.domain.moments import DAY_NS
from manjha.domain.orders import Side
from manjha.research.metrics.daily import Floats
from manjha.research.metrics.ratios import gain_over_loss
from manjha.research.round_trips import RoundTrip

NAN = math.nan
Trips = Sequence[RoundTrip]


def nets(trips: Trips) -> Floats:
    """Net of each trip. 1e-4 rupee."""
    return np.array([trip.net for trip in trips], np.float64)


def wins(trips: Trips) -> int:
    """Trips with net > 0. Count."""
    return sum(trip.net > 0 for trip in trips)


def draws(trips: Trips) -> int:
    """Trips with net = 0. Count."""
    return sum(trip.net == 0 for trip in trips)


def losses(trips: Trips) -> int:
    """Trips with net < 0. Count."""
    return sum(trip.net < 0 for trip in trips)


def of_side(trips: Trips, side: Side) -> list[RoundTrip]:
    """Trips entered on a side: BUY for long, SELL for short."""
    return [trip for trip in trips if trip.side is side]


def win_rate(trips: Trips) -> float:
    """Wins ÷ trips. Fraction. NaN without trips."""
    return wins(trips) / len(trips) if trips else NAN


def average_net(trips: Trips) -> float:
    """Σ net ÷ trips: the expectancy of a trip. 1e-4 rupee. NaN without trips."""
    return sum(trip.net for trip in trips) / len(trips) if trips else NAN


def average_return(trips: Trips) -> float:
    """Mean of net ÷ entry value. Fraction. NaN without trips of a value."""
    values = [trip.net / trip.turnover for trip in trips if trip.turnover]
    return sum(values) / len(values) if values else NAN


def average_win(trips: Trips) -> float:
    """Σ net of wins ÷ wins. 1e-4 rupee. NaN without wins."""
    return average_net([trip for trip in trips if trip.net > 0])


def average_loss(trips: Trips) -> float:
    """Σ net of losses ÷ losses. 1e-4 rupee, negative. NaN without losses."""
    return average_net([trip for trip in trips if trip.net < 0])


def gross_profit(trips: Trips) -> int:
    """Σ net of wins. 1e-4 rupee."""
    return sum(trip.net for trip in trips if trip.net > 0)


def gross_loss(trips: Trips) -> int:
    """Σ net of losses. 1e-4 rupee, ≤ 0."""
    return sum(trip.net for trip in trips if trip.net < 0)


def payoff(trips: Trips) -> float:
    """Average win ÷ |average loss|. Number. NaN without wins or without losses."""
    return average_win(trips) / abs(average_loss(trips)) if losses(trips) else NAN


def profit_factor(trips: Trips) -> float:
    """Σ net of wins ÷ |Σ net of losses|. Number. +infinity with wins and no loss; NaN without either."""
    return gain_over_loss(gross_profit(trips), -gross_loss(trips))


def system_quality(values: Floats) -> float:
    """√n × mean ÷ sample deviation of net per trip (Van Tharp's SQN, n not capped). NaN for fewer than two."""
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return math.sqrt(len(values)) * float(values.mean()) / spread if spread > 0 else NAN


def kelly(trips: Trips) -> float:
    """p − (1 − p) ÷ payoff, p the win rate: the stake that grows fastest if the past repeats. Fraction.

    NaN without wins or without losses. Negative: do not play.
    """
    odds = payoff(trips)
    return win_rate(trips) - (1.0 - win_rate(trips)) / odds if odds > 0 else NAN


def p_value(values: Floats) -> float:
    """Two-sided p-value of Student's t = mean ÷ (sample deviation ÷ √n), n − 1 degrees of freedom. Probability.

    The chance of a mean net this far from zero if the true mean were zero and trips independent. NaN for fewer than two
    or equal trips.
    """
    t = system_quality(values)
    freedom = len(values) - 1
    return NAN if math.isnan(t) else _beta_inc(freedom / 2.0, 0.5, freedom / (freedom + t * t))


def longest_streak(trips: Trips, wanted: Callable[[int], bool]) -> int:
    """Most trips in a row, by exit time, whose net is wanted. Count."""
    runs = groupby(wanted(trip.net) for trip in trips)
    return max((sum(1 for _ in run) for hit, run in runs if hit), default=0)


def holding_ns(trips: Trips) -> Floats:
    """Exit minus entry of each trip. Nanoseconds."""
    return np.array([trip.exit_ns - trip.entry_ns for trip in trips], np.float64)


def average_holding(trips: Trips) -> float:
    """Mean of exit minus entry. Nanoseconds. NaN without trips."""
    return float(holding_ns(trips).mean()) if trips else NAN


def median_holding(trips: Trips) -> float:
    """Median of exit minus entry. Nanoseconds. NaN without trips."""
    return float(np.median(holding_ns(trips))) if trips else NAN


def average_bars(trips: Trips) -> float:
    """Mean number of the run's bars between entry and exit. Count. NaN without trips."""
    return sum(trip.bars for trip in trips) / len(trips) if trips else NAN


def average_adverse(trips: Trips) -> float:
    """Mean of the worst open profit of each trip before charges (MAE). 1e-4 rupee, ≤ 0. NaN without bars."""
    values = [trip.mae for trip in trips if trip.mae is not None]
    return sum(values) / len(values) if values else NAN


def average_favourable(trips: Trips) -> float:
    """Mean of the best open profit of each trip before charges (MFE). 1e-4 rupee, ≥ 0. NaN without bars."""
    values = [trip.mfe for trip in trips if trip.mfe is not None]
    return sum(values) / len(values) if values else NAN


def end_drawdown(trips: Trips) -> float:
    """Mean of MFE − gross: what was given back from the best moment to the exit. 1e-4 rupee, ≥ 0. NaN without bars."""
    values = [trip.mfe - trip.gross for trip in trips if trip.mfe is not None]
    return sum(values) / len(values) if values else NAN


def per_trading_day(count: int, days: int) -> float:
    """Closed trips ÷ trading days of the run. Number. NaN without days."""
    return count / days if days else NAN


def holding_days(value_ns: float) -> float:
    """Nanoseconds as calendar days."""
    return value_ns / DAY_NS


def _beta_inc(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta function by its continued fraction (Lentz); |error| below 1e-12."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _beta_inc(b, a, 1.0 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(1.0 - x))
    tiny = 1e-300
    c, d = 1.0, 1.0 / max(1.0 - (a + b) * x / (a + 1.0), tiny)
    fraction = d
    for m in range(1, 500):
        for top in (
            m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0)),
        ):
            d = 1.0 / _away(1.0 + top * d, tiny)
            c = _away(1.0 + top / c, tiny)
            fraction *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return front * fraction / a


def _away(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny

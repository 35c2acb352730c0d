"""Golden vectors of trades. Nets in rupees: 100, −50, 200, 0, −100, −50; sum 100, wins 300, losses −200."""

import math

import numpy as np
import pytest

from manjha.domain.commands import RefusalReason
from manjha.domain.moments import HOUR_NS, MINUTE_NS
from manjha.domain.money import RUPEE
from manjha.domain.orders import Phase, Side
from manjha.research.metrics import costs, trading
from manjha.research.metrics.breakdown import breakdowns
from manjha.research.round_trips import RoundTrip, round_trips
from tests.fakes.results import FIRST_DAY, bars_of, close_of, fill, market_result, order_of, result_of, share

NETS = (100, -50, 200, 0, -100, -50)
START = close_of(FIRST_DAY) - 6 * HOUR_NS  # Monday 2025-01-06, 09:30 IST


def trips_of(nets: tuple[float, ...], *, side: int = 1) -> tuple[RoundTrip, ...]:
    """One trip an hour of one unit bought at 1000, held for as many minutes as its number."""
    fills = []
    for number, net in enumerate(nets):
        entry = START + number * HOUR_NS
        fills.append(fill(2 * number, side, 1, 1_000, entry))
        fills.append(fill(2 * number + 1, -side, 1, 1_000 + side * net, entry + (number + 1) * MINUTE_NS))
    return round_trips(result_of(fills)).closed


TRIPS = trips_of(NETS)


def test_counts_of_wins_draws_and_losses() -> None:
    assert (trading.wins(TRIPS), trading.draws(TRIPS), trading.losses(TRIPS)) == (2, 1, 3)
    assert trading.win_rate(TRIPS) == pytest.approx(1 / 3)


def test_averages() -> None:
    assert trading.average_net(TRIPS) == pytest.approx(100 / 6 * RUPEE)
    assert trading.average_win(TRIPS) == 150 * RUPEE
    assert trading.average_loss(TRIPS) == pytest.approx(-200 / 3 * RUPEE)
    # 10, −5, 20, 0, −10, −5 % of 1000: 1 % ÷ 6.
    assert trading.average_return(TRIPS) == pytest.approx(0.1 / 6)


def test_payoff_and_profit_factor() -> None:
    # 150 ÷ 66.67 = 2.25; 300 ÷ 200 = 1.5.
    assert trading.payoff(TRIPS) == pytest.approx(2.25)
    assert trading.profit_factor(TRIPS) == pytest.approx(1.5)


def test_profit_factor_without_losses_is_infinite_and_without_trades_undefined() -> None:
    assert trading.profit_factor(trips_of((5,))) == math.inf
    assert math.isnan(trading.profit_factor(()))
    assert math.isnan(trading.payoff(trips_of((5,))))


def test_kelly() -> None:
    # ⅓ − ⅔ ÷ 2.25 = 1 ÷ 27
    assert trading.kelly(TRIPS) == pytest.approx(1 / 27)


def test_system_quality() -> None:
    # Squared deviations from 16.67 sum to 63333.33, ÷ 5, √ = 112.546; √6 × 16.667 ÷ 112.546.
    assert trading.system_quality(trading.nets(TRIPS)) == pytest.approx(0.3627, abs=1e-4)


def test_p_value_has_closed_forms_for_one_and_two_degrees_of_freedom() -> None:
    # 1, 3: t = 2 with 1 degree: 1 − 2 atan(2) ÷ π. 1, 2, 3: t = 2√3 with 2 degrees: 1 − t ÷ √(2 + t²).
    assert trading.p_value(np.array([1.0, 3.0])) == pytest.approx(1 - 2 * math.atan(2) / math.pi)
    assert trading.p_value(np.array([1.0, 2.0, 3.0])) == pytest.approx(1 - 2 * math.sqrt(3) / math.sqrt(14))


def test_p_value_agrees_with_the_area_under_the_density() -> None:
    sample = np.random.default_rng(3).normal(0.3, 1.0, 31)
    t = abs(sample.mean()) / sample.std(ddof=1) * math.sqrt(31)
    x = np.linspace(t, 400, 2_000_001)
    scale = math.exp(math.lgamma(15.5) - math.lgamma(15)) / math.sqrt(30 * math.pi)
    area = np.trapezoid(scale * (1 + x * x / 30) ** -15.5, x)
    assert trading.p_value(sample) == pytest.approx(2 * area, abs=1e-7)


def test_streaks() -> None:
    assert trading.longest_streak(TRIPS, lambda net: net < 0) == 2
    assert trading.longest_streak(TRIPS, lambda net: net > 0) == 1
    assert trading.longest_streak((), lambda net: net > 0) == 0


def test_holding_times() -> None:
    # 1 … 6 minutes.
    assert trading.average_holding(TRIPS) == 3.5 * MINUTE_NS
    assert trading.median_holding(TRIPS) == 3.5 * MINUTE_NS
    assert trading.average_holding([trip for trip in TRIPS if trip.net > 0]) == 2 * MINUTE_NS


def test_sides() -> None:
    both = (*TRIPS, *trips_of((10, 10), side=-1))
    assert len(trading.of_side(both, Side.BUY)) == 6
    assert trading.win_rate(trading.of_side(both, Side.SELL)) == 1.0


def test_excursions_are_averaged_and_what_was_given_back() -> None:
    bars = bars_of("NSE:A", [START], [(1_000, 1_030, 980, 1_000)], seconds=60)
    fills = [fill(1, 1, 2, 1_000, START), fill(2, -1, 2, 1_010, START + MINUTE_NS)]
    trips = round_trips(result_of(fills, bars=[bars])).closed
    assert trading.average_adverse(trips) == -40 * RUPEE
    assert trading.average_favourable(trips) == 60 * RUPEE
    assert trading.end_drawdown(trips) == 40 * RUPEE
    assert math.isnan(trading.end_drawdown(TRIPS))


def test_no_trades_have_no_averages() -> None:
    for function in (
        trading.win_rate,
        trading.average_net,
        trading.average_win,
        trading.average_holding,
        trading.kelly,
    ):
        assert math.isnan(function(()))
    assert math.isnan(trading.p_value(np.empty(0)))
    assert math.isnan(trading.per_trading_day(0, 0))


def test_costs_in_basis_points() -> None:
    # ₹3 of ₹10,000 are 3 bps.
    assert costs.in_bps(3, 10_000) == pytest.approx(3.0)
    assert math.isnan(costs.in_bps(3, 0))


def test_charges_as_a_share_of_what_was_earned_before_them() -> None:
    fills = [fill(1, 1, 1, 1_000, START), fill(2, -1, 1, 1_100, START + 1)]
    charges = [[25 * RUPEE, 0, 0, 0, 0, 0, 0, 0, 0], [0] * 9]
    result = result_of(fills, charges=charges)
    assert costs.charges_share(result, round_trips(result)) == pytest.approx(0.25)


def test_orders_by_fate() -> None:
    result = market_result(days=10)
    assert costs.in_phase(result, Phase.FILLED) == len(result.orders)
    assert costs.refused(result, RefusalReason.MARGIN) == 1
    assert costs.refused(result, RefusalReason.OFF_TICK) == 0


def test_breakdowns_group_by_the_entry() -> None:
    fills = [fill(1, 1, 1, 1_000, START), fill(2, -1, 1, 1_100, START + HOUR_NS)]
    result = result_of(fills, orders=[order_of(fills[0], tag="a<b"), order_of(fills[1])], instruments=[share("A")])
    ways = {way.name: way.groups for way in breakdowns(result, round_trips(result).closed)}
    keys = {name: groups[0].key for name, groups in ways.items()}
    assert keys == {
        **{"symbol": "NSE:A", "side": "long", "entry hour": "09:00", "entry weekday": "Monday"},
        **{"entry month": "2025-01", "exit": "signal", "product": "MIS", "tag": "a<b"},
    }
    assert (ways["side"][0].net, ways["side"][0].wins, ways["side"][0].profit_factor) == (100 * RUPEE, 1, math.inf)


def test_every_breakdown_adds_up_to_all_trades() -> None:
    result = market_result(days=40)
    trips = round_trips(result).closed
    for way in breakdowns(result, trips):
        assert sum(group.trips for group in way.groups) == len(trips)
        assert sum(group.net for group in way.groups) == sum(trip.net for trip in trips)

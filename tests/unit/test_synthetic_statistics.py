"""The synthetic market over four years against what its spec says.

One seed. Over sixteen seeds the figures scatter around those of the spec; the bands are about three times wider.
"""

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from manjha.domain.bars import BarColumns
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import parse_day
from manjha.engine.bars import daily
from manjha.simulator.synthetic import generate, weekday_sessions
from manjha.simulator.synthetic_spec import MarketSpec, SyntheticShare, default_spec

START, END = parse_day("2021-01-04"), parse_day("2024-12-31")
Floats = NDArray[np.float64]
SHARES = [InstrumentId(f"NSE:{name}") for name in ("MANJHA", "PATANG", "SADDI")]

Market = dict[InstrumentId, BarColumns]


@pytest.fixture(scope="module")
def spec() -> MarketSpec:
    whole = default_spec(11, START, END)
    return msgspec.structs.replace(
        whole, instruments=tuple(one for one in whole.instruments if one.instrument.id in SHARES)
    )


@pytest.fixture(scope="module")
def market(spec: MarketSpec) -> Market:
    return generate(spec, weekday_sessions(START, END))


def share(spec: MarketSpec, name: InstrumentId) -> SyntheticShare:
    return next(one for one in spec.instruments if isinstance(one, SyntheticShare) and one.instrument.id == name)


def by_day(bars: BarColumns, field: str) -> Floats:
    return np.asarray(getattr(bars, field)).reshape(-1, 375).astype(np.float64)


def minute_returns(bars: BarColumns) -> Floats:
    return np.log(by_day(bars, "close") / by_day(bars, "open"))


def daily_returns(bars: BarColumns) -> Floats:
    return np.diff(np.log(np.asarray(daily(bars).close)))


def correlation(first: Floats, second: Floats) -> float:
    return float(np.corrcoef(first.reshape(-1), second.reshape(-1))[0, 1])


@pytest.mark.parametrize("name", SHARES)
def test_annual_volatility_is_that_of_the_spec(spec: MarketSpec, market: Market, name: InstrumentId) -> None:
    measured = float(np.std(daily_returns(market[name]))) * 252**0.5
    assert measured == pytest.approx(share(spec, name).annual_vol, rel=0.12)


@pytest.mark.parametrize("name", SHARES)
def test_the_night_has_its_share_of_the_variance(spec: MarketSpec, market: Market, name: InstrumentId) -> None:
    opened, closed = by_day(market[name], "open")[1:, 0], by_day(market[name], "close")[:-1, -1]
    one = share(spec, name)
    # Jumps come by day only.
    expected = spec.overnight_share * (1 - one.jumps_per_year * one.jump_vol**2 / one.annual_vol**2)
    measured = np.var(np.log(opened / closed)) / np.var(daily_returns(market[name]))
    assert measured == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(("first", "second", "same_sector"), [(0, 1, True), (0, 2, False), (1, 2, False)])
def test_correlations_are_those_of_market_and_sector(
    spec: MarketSpec, market: Market, first: int, second: int, same_sector: bool
) -> None:
    one, other = share(spec, SHARES[first]), share(spec, SHARES[second])
    shared_variance = one.beta * other.beta * spec.market_vol**2 + same_sector * spec.sector_vol**2
    expected = shared_variance / (one.annual_vol * other.annual_vol)
    measured = correlation(daily_returns(market[SHARES[first]]), daily_returns(market[SHARES[second]]))
    assert measured == pytest.approx(expected, abs=0.08)


@pytest.mark.parametrize("name", SHARES)
def test_volatility_clusters_over_minutes_and_days_and_returns_do_not(market: Market, name: InstrumentId) -> None:
    returns = minute_returns(market[name])
    shaped = np.abs(returns) / np.mean(np.abs(returns), axis=0)
    assert correlation(shaped[:, :-1], shaped[:, 1:]) > 0.08
    assert correlation(shaped[:, :-30], shaped[:, 30:]) > 0.05
    heat = np.log(np.mean(np.abs(returns), axis=1))
    assert correlation(heat[:-1], heat[1:]) > 0.5
    assert abs(correlation(returns[:, :-1], returns[:, 1:])) < 0.01


@pytest.mark.parametrize("name", SHARES)
def test_volume_and_volatility_are_u_shaped_through_the_day(
    spec: MarketSpec, market: Market, name: InstrumentId
) -> None:
    volume = np.mean(by_day(market[name], "volume"), axis=0)
    moves = np.mean(np.abs(minute_returns(market[name])), axis=0)
    for curve, at_open, at_close in ((volume, 3.0, 2.0), (moves, 1.6, 1.1)):
        noon = np.mean(curve[150:225])
        assert np.mean(curve[:10]) > at_open * noon
        assert np.mean(curve[-10:]) > at_close * noon
    assert np.sum(volume) == pytest.approx(share(spec, name).base_volume, rel=0.15)


@pytest.mark.parametrize("name", SHARES)
def test_volume_is_larger_where_the_price_moves(market: Market, name: InstrumentId) -> None:
    assert correlation(by_day(market[name], "volume"), np.abs(minute_returns(market[name]))) > 0.5
    turnover, heat = (
        np.log(np.mean(part, axis=1)) for part in (by_day(market[name], "volume"), np.abs(minute_returns(market[name])))
    )
    assert np.cov(turnover, heat)[0, 1] / np.var(heat) > 0.7


@pytest.mark.parametrize("name", SHARES)
def test_a_bar_reaches_as_far_as_a_random_walk(market: Market, name: InstrumentId) -> None:
    bars = market[name]
    reach = np.log(by_day(bars, "high") / by_day(bars, "low"))
    # A Brownian path's mean range is twice its mean absolute move: sqrt(8/pi) to sqrt(2/pi).
    assert np.mean(reach) / np.mean(np.abs(minute_returns(bars))) == pytest.approx(2.0, rel=0.06)


def test_jumps_come_as_often_as_the_spec_says(spec: MarketSpec, market: Market) -> None:
    without = tuple(msgspec.structs.replace(one, jumps_per_year=0.0, jump_vol=0.0) for one in spec.instruments)
    calm = generate(msgspec.structs.replace(spec, instruments=without), weekday_sessions(START, END))
    largest = [np.max(np.abs(minute_returns(columns[SHARES[0]]))) for columns in (market, calm)]
    assert largest[0] > 2 * largest[1]
    # About six a year of 2 % over 4.1 years, of which four fifths are beyond half a percent.
    counts = [int(np.sum(np.abs(minute_returns(columns[SHARES[0]])) > 0.005)) for columns in (market, calm)]
    assert 10 <= counts[0] - counts[1] <= 32

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.bars import MINUTE, BarColumns, Interval
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument, InstrumentId, Kind
from manjha.domain.moments import MINUTE_NS, TradingDay, TsNs, at, day_of, parse_clock, parse_day
from manjha.domain.money import Px
from manjha.domain.ticks import TickColumns
from manjha.engine.bars import DaySessions, Ints, bars_from_ticks, daily
from manjha.simulator.synthetic import generate, weekday_sessions
from manjha.simulator.synthetic_noise import exponential, reverting
from manjha.simulator.synthetic_spec import (
    Clustering,
    Gap,
    MarketSpec,
    SyntheticFuture,
    SyntheticIndex,
    SyntheticShare,
    check_spec,
    default_spec,
    with_split,
)
from manjha.simulator.synthetic_ticks import ticks_within

START, WEEK_END = parse_day("2026-03-02"), parse_day("2026-03-06")
SHARE = InstrumentId("NSE:MANJHA")
INDEX = InstrumentId("NSE:#SYNTH 50")
FUTURE = InstrumentId("NFO:SYNTH50:2026-03-31:FUT")
WEEK = weekday_sessions(START, WEEK_END)
FIELDS = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")

Market = dict[InstrumentId, BarColumns]


@pytest.fixture(scope="module")
def week() -> Market:
    return generate(default_spec(1, START, WEEK_END), WEEK)


def array(bars: BarColumns | TickColumns, field: str) -> Ints:
    return np.asarray(getattr(bars, field))


def one_share(**changes: object) -> MarketSpec:
    spec = default_spec(1, START, WEEK_END)
    share = msgspec.structs.replace(spec.instruments[0], **changes)
    return msgspec.structs.replace(spec, instruments=(share,))


def test_the_same_seed_gives_the_same_bars_and_another_seed_others(week: Market) -> None:
    assert generate(default_spec(1, START, WEEK_END), WEEK) == week
    other = generate(default_spec(2, START, WEEK_END), WEEK)
    assert all(other[name].close != week[name].close for name in week)


def test_a_longer_market_begins_with_the_shorter_one(week: Market) -> None:
    end = TradingDay(WEEK_END + 7)
    longer = generate(default_spec(1, START, end), weekday_sessions(START, end))
    assert all(array(longer[SHARE], field)[:1875].tolist() == array(week[SHARE], field).tolist() for field in FIELDS)


def test_another_instrument_changes_none_of_the_others(week: Market) -> None:
    spec = default_spec(1, START, WEEK_END)
    fewer = msgspec.structs.replace(spec, instruments=(spec.instruments[1], spec.instruments[0]))
    assert generate(fewer, WEEK) == {one.instrument.id: week[one.instrument.id] for one in fewer.instruments}


def test_every_name_says_that_it_is_synthetic() -> None:
    instruments = [one.instrument for one in default_spec(1, START, WEEK_END).instruments]
    assert len({one.id for one in instruments}) == 8
    assert all("SYNTHETIC" in one.name and not one.isin for one in instruments)


@pytest.mark.parametrize("seed", range(5))
def test_bars_are_consistent_positive_and_on_the_tick(seed: int) -> None:
    spec = default_spec(seed, START, START)
    market = generate(spec, weekday_sessions(START, START))
    for one in spec.instruments:
        prices = [array(market[one.instrument.id], field) for field in ("low", "open", "close", "high")]
        assert all(np.all(values % one.instrument.tick == 0) for values in prices)
        assert np.all(prices[0] > 0)
        assert np.all(prices[0] <= np.minimum(prices[1], prices[2]))
        assert np.all(prices[3] >= np.maximum(prices[1], prices[2]))


def test_every_session_minute_has_one_bar_of_a_minute(week: Market) -> None:
    for bars in week.values():
        assert len(bars) == 5 * 375
        assert np.all(array(bars, "ts_close_ns") - array(bars, "ts_open_ns") == MINUTE_NS)
        assert (bars.ts_open_ns[0], bars.ts_close_ns[374]) == WEEK[0][1][0]


def test_a_bar_opens_near_the_last_close_and_a_day_further_away(week: Market) -> None:
    bars = week[SHARE]
    jumps = np.abs(array(bars, "open")[1:] / array(bars, "close")[:-1] - 1)
    overnight = np.diff(array(bars, "ts_open_ns")) > MINUTE_NS
    assert np.median(jumps[~overnight]) < 0.0003
    assert np.median(jumps[overnight]) > 5 * np.median(jumps[~overnight])


def test_volume_comes_in_lots_and_an_index_has_none(week: Market) -> None:
    assert not np.any(array(week[INDEX], "volume"))
    assert not np.any(array(week[SHARE], "oi"))
    assert min(week[SHARE].volume) >= 1
    assert np.all(array(week[FUTURE], "volume") % 50 == 0)
    assert np.all((array(week[FUTURE], "oi") % 50 == 0) & (array(week[FUTURE], "oi") > 0))


def test_the_index_is_the_weighted_basket_of_its_members(week: Market) -> None:
    spec = default_spec(1, START, WEEK_END)
    index = next(one for one in spec.instruments if isinstance(one, SyntheticIndex))
    starts = {one.instrument.id: one.start for one in spec.instruments if isinstance(one, SyntheticShare)}
    basket = sum(weight * array(week[name], "close") / starts[name] for name, weight in index.weights) * index.start
    assert np.max(np.abs(basket / array(week[INDEX], "close") - 1)) < 5e-5


def test_the_future_stands_above_its_index_by_the_carry(week: Market) -> None:
    premium = array(week[FUTURE], "close") / array(week[INDEX], "close") - 1
    days_left = parse_day("2026-03-31") - array(week[FUTURE], "ts_open_ns") // (1440 * MINUTE_NS)
    assert np.max(np.abs(premium - 0.065 * days_left / 365)) < 0.0015


def test_a_future_trades_from_listing_to_expiry_only() -> None:
    start, end = parse_day("2025-10-01"), parse_day("2026-02-02")
    spec = default_spec(1, start, end)
    future = next(one for one in spec.instruments if isinstance(one, SyntheticFuture))
    early = msgspec.structs.replace(
        future, instrument=msgspec.structs.replace(future.instrument, expiry=parse_day("2026-01-27"))
    )
    early = msgspec.structs.replace(early, first_day=parse_day("2025-12-01"))
    spec = msgspec.structs.replace(spec, instruments=(*spec.instruments[:-1], early))
    bars = generate(spec, weekday_sessions(start, end))[future.instrument.id]
    assert (day_of(bars.ts_open_ns[0]), day_of(bars.ts_open_ns[-1])) == (early.first_day, early.instrument.expiry)


@pytest.mark.parametrize(
    ("end", "expiry"),
    [
        ("2026-03-06", "2026-03-31"),
        ("2026-03-31", "2026-03-31"),
        ("2025-12-31", "2026-01-27"),
        ("2026-01-28", "2026-02-24"),
    ],
)
def test_the_default_future_expires_on_the_next_last_tuesday(end: str, expiry: str) -> None:
    future = default_spec(1, START, parse_day(end)).instruments[-1].instrument
    assert future.expiry == parse_day(expiry)
    assert future.id == f"NFO:SYNTH50:{expiry}:FUT"


def test_instruments_may_close_at_different_times() -> None:
    def sessions(instrument: Instrument) -> list[DaySessions]:
        close = "15:15" if instrument.kind is Kind.EQUITY else "15:40"
        return [(START, [(at(START, parse_clock("09:15")), at(START, parse_clock(close)))])]

    market = generate(default_spec(1, START, START), sessions)
    assert (len(market[SHARE]), len(market[FUTURE])) == (360, 385)


def test_a_short_evening_and_a_paused_day_have_their_own_minutes() -> None:
    evening = [(at(START, parse_clock("18:15")), at(START, parse_clock("19:15")))]
    halves = [
        (at(START + 1, parse_clock(a)), at(START + 1, parse_clock(b)))
        for a, b in (("09:15", "10:00"), ("11:30", "12:30"))
    ]
    bars = generate(default_spec(1, START, WEEK_END), [(START, evening), (START + 1, halves)])[SHARE]
    assert len(bars) == 60 + 45 + 60
    assert bars.ts_open_ns[60] == halves[0][0]
    assert bars.ts_open_ns[105] == halves[1][0]


def test_a_split_steps_raw_prices_and_volumes_but_not_the_index(week: Market) -> None:
    spec, action = with_split(default_spec(1, START, WEEK_END), SHARE, TradingDay(START + 2), new_shares=5)
    market = generate(spec, WEEK)
    ratio = array(week[SHARE], "close") / array(market[SHARE], "close")
    assert np.all(ratio[:750] == 1)
    assert np.max(np.abs(ratio[750:] - 5)) < 0.005
    assert abs(sum(market[SHARE].volume[750:]) / sum(week[SHARE].volume[750:]) - 5) < 0.001
    assert market[INDEX] == week[INDEX]
    assert action == CorporateAction(
        SHARE, TradingDay(START + 2), ActionKind.SPLIT, 5, 1, Px(0), action.ex_day, "SYNTHETIC"
    )


def test_planted_gaps_leave_out_exactly_their_minutes(week: Market) -> None:
    first, last = at(START, parse_clock("11:00")), at(START, parse_clock("11:07"))
    spec = msgspec.structs.replace(default_spec(1, START, WEEK_END), gaps=(Gap(SHARE, TsNs(first), TsNs(last)),))
    market = generate(spec, WEEK)
    missing = set(week[SHARE].ts_open_ns) - set(market[SHARE].ts_open_ns)
    assert missing == set(range(first, last, MINUTE_NS))
    assert market[INDEX] == week[INDEX]


@pytest.mark.parametrize("per_bar", [4, 5, 12])
@pytest.mark.parametrize("name", [SHARE, INDEX])
def test_ticks_give_back_exactly_the_bars_they_were_made_of(week: Market, name: InstrumentId, per_bar: int) -> None:
    ticks = ticks_within(week[name], seed=3, per_bar=per_bar)
    assert len(ticks) == per_bar * len(week[name])
    assert bars_from_ticks(ticks, MINUTE) == week[name]


def test_ticks_are_in_order_on_the_tick_and_seeded(week: Market) -> None:
    ticks = ticks_within(week[SHARE], seed=3, per_bar=8)
    times = array(ticks, "ts_ns")
    assert np.all(times[1:] > times[:-1])
    assert np.all(times[::8] == array(week[SHARE], "ts_open_ns"))
    assert np.all(array(ticks, "px") % 500 == 0)
    assert ticks == ticks_within(week[SHARE], seed=3, per_bar=8)
    assert ticks.px != ticks_within(week[SHARE], seed=4, per_bar=8).px


def test_the_extremes_come_in_both_orders(week: Market) -> None:
    px = array(ticks_within(week[SHARE], seed=3, per_bar=8), "px").reshape(-1, 8)
    high_first = np.mean(np.argmax(px, axis=1) < np.argmin(px, axis=1))
    assert 0.3 < high_first < 0.7


def test_ticks_of_day_bars_and_of_none_work(week: Market) -> None:
    days = daily(week[SHARE])
    assert bars_from_ticks(ticks_within(days, 1, 50), days.interval).high == days.high
    empty = generate(default_spec(1, START, WEEK_END), WEEK)[SHARE]
    empty = BarColumns(SHARE, Interval(60), *(getattr(empty, field)[:0] for field in FIELDS))
    assert len(ticks_within(empty, 1, 4)) == 0


def test_fewer_than_four_ticks_a_bar_are_refused(week: Market) -> None:
    with pytest.raises(UsageError, match="at least 4"):
        ticks_within(week[SHARE], 1, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annual_vol": 0.1}, "volatility of 0.1 is less"),
        ({"start": Px(100)}, "a tick or more"),
    ],
)
def test_an_impossible_share_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_spec(one_share(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end": TradingDay(START - 1)}, "before it starts"),
        ({"overnight_share": 1.0}, "overnight share"),
        ({"clustering": Clustering(minute_persistence=1.0)}, "persistence"),
        ({"actions": (CorporateAction(SHARE, START, ActionKind.DIVIDEND, cash=Px(10)),)}, "cannot make a dividend"),
        ({"actions": (CorporateAction(INDEX, START, ActionKind.SPLIT, 5),)}, "cannot make a split"),
    ],
)
def test_an_impossible_market_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_spec(msgspec.structs.replace(default_spec(1, START, WEEK_END), **changes))


@pytest.mark.parametrize(
    ("keep", "message"), [((0, 0), "twice"), ((0, 6), "needs shares"), ((0, 7), "needs an expiry and an index")]
)
def test_instruments_that_do_not_belong_together_are_refused(keep: tuple[int, int], message: str) -> None:
    spec = default_spec(1, START, WEEK_END)
    with pytest.raises(UsageError, match=message):
        check_spec(msgspec.structs.replace(spec, instruments=tuple(spec.instruments[at_] for at_ in keep)))


def test_sessions_that_overlap_or_miss_the_market_are_refused() -> None:
    spec = default_spec(1, START, WEEK_END)
    with pytest.raises(UsageError, match="one after another"):
        generate(spec, [WEEK[0], WEEK[0]])
    with pytest.raises(UsageError, match="no session lies"):
        generate(spec, weekday_sessions(TradingDay(WEEK_END + 3), TradingDay(WEEK_END + 7)))


def test_a_price_that_leaves_the_range_is_refused() -> None:
    with pytest.raises(UsageError, match="beyond"):
        generate(one_share(start=Px(10**12 - 500), drift=50.0), WEEK)


def test_our_exponential_agrees_with_the_library_to_the_last_bits() -> None:
    x = np.linspace(-40, 40, 20_001)
    expected = np.array([math.exp(value) for value in x])
    assert np.max(np.abs(exponential(x) / expected - 1)) < 5e-16


@pytest.mark.parametrize("persistence", [0.5, 0.9, 0.999])
def test_the_reverting_path_is_the_recursion(persistence: float) -> None:
    shocks = np.random.Generator(np.random.PCG64(5)).standard_normal(300)
    value, expected = 2.0 * 0.7, []
    for shock in shocks:
        value = persistence * value + 2.0 * math.sqrt(1 - persistence**2) * float(shock)
        expected.append(value)
    assert np.allclose(reverting(shocks, persistence, 2.0, 0.7), expected, rtol=1e-9, atol=1e-9)

"""The synthetic market in the hours of the shipped calendar, and its coarser bars against what the calendar expects."""

import pytest

from manjha.adapters.files.rule_tables import load_rules
from manjha.domain.bars import BarColumns, Interval
from manjha.domain.errors import OutsideTable
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, clock_ns, parse_clock, parse_day
from manjha.engine.bars import bars_from_ticks, resample, sessions_of
from manjha.market.rules import MarketRules
from manjha.market.sessions import bar_closes, expected_opens, session
from manjha.simulator.synthetic import exchange_sessions, generate
from manjha.simulator.synthetic_spec import MarketSpec, default_spec
from manjha.simulator.synthetic_ticks import ticks_within

DAYS = {
    "ordinary": "2025-07-01",
    "afternoon Muhurat": "2025-10-21",
    "evening Muhurat": "2023-11-12",
    "two halves": "2024-03-02",
    "closing auction": "2026-08-04",
}


@pytest.fixture(scope="module")
def rules() -> MarketRules:
    return load_rules()


def market(rules: MarketRules, start: str, end: str) -> tuple[MarketSpec, dict[InstrumentId, BarColumns]]:
    spec = default_spec(5, parse_day(start), parse_day(end))
    return spec, generate(spec, exchange_sessions(rules, spec))


@pytest.mark.parametrize("day", DAYS.values(), ids=DAYS)
@pytest.mark.parametrize("interval", [60, 300, 900, 1800, 3600, 10_800])
def test_coarser_bars_are_those_that_the_calendar_expects(rules: MarketRules, day: str, interval: int) -> None:
    spec, bars = market(rules, day, day)
    for one in spec.instruments:
        hours = sessions_of(rules, one.instrument, spec.start, spec.end)
        coarse = resample(bars[one.instrument.id], Interval(interval), hours)
        opens = expected_opens(rules, one.instrument, interval, spec.start)
        assert coarse.ts_open_ns.tolist() == list(opens)
        closes = bar_closes(session(rules, one.instrument, spec.start), opens, interval)
        assert coarse.ts_close_ns.tolist() == closes


@pytest.mark.parametrize("day", DAYS.values(), ids=DAYS)
def test_ticks_in_the_calendar_s_hours_give_the_same_coarse_bars(rules: MarketRules, day: str) -> None:
    spec, bars = market(rules, day, day)
    share = spec.instruments[0].instrument
    hours = sessions_of(rules, share, spec.start, spec.end)
    ticks = ticks_within(bars[share.id], 1, 5)
    assert bars_from_ticks(ticks, Interval(1800), hours) == resample(bars[share.id], Interval(1800), hours)


def test_a_share_with_derivatives_stops_at_a_quarter_past_three_after_the_change(rules: MarketRules) -> None:
    spec, bars = market(rules, "2026-07-31", "2026-08-03")
    minutes = {one.instrument.symbol: len(bars[one.instrument.id]) for one in spec.instruments}
    assert (minutes["MANJHA"], minutes["FIRKI"]) == (375 + 360, 375 + 375)
    future = bars[spec.instruments[-1].instrument.id]
    assert clock_ns(future.ts_close_ns[len(future) - 1]) == parse_clock("15:40")


def test_no_bar_falls_on_a_holiday(rules: MarketRules) -> None:
    spec, bars = market(rules, "2025-08-14", "2025-08-18")
    days = {(opened + IST_OFFSET_NS) // DAY_NS for opened in bars[spec.instruments[0].instrument.id].ts_open_ns}
    assert days == {spec.start, spec.end}


def test_a_market_beyond_the_calendar_is_refused(rules: MarketRules) -> None:
    with pytest.raises(OutsideTable):
        market(rules, "2035-01-01", "2035-01-31")

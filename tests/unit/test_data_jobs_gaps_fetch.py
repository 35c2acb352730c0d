"""Gaps against the calendar, and downloads that ask for nothing else."""

from collections.abc import Sequence

import msgspec
import pytest

from manjha.adapters.files.rule_tables import load_rules
from manjha.domain.bars import DAY, MINUTE, Bar, Interval
from manjha.domain.errors import UsageError
from manjha.domain.moments import MINUTE_NS, SECOND_NS, TradingDay, at, parse_clock, parse_day
from manjha.market.calendar import trading_days
from manjha.ports.market_data import FetchRequest, Imported, ImportHints
from manjha.services.data_jobs import DataServices
from manjha.services.fetch import fetch
from manjha.services.gaps import gaps, missing_spans
from manjha.services.rate_limit import TokenBucket
from manjha.services.reports import FetchSummary
from tests.fakes.market_data import (
    RAW,
    JumpingClock,
    MemoryActions,
    MemoryBarStore,
    MemoryBin,
    MemoryFiles,
    MemoryInstruments,
    ScriptedSource,
    batch,
    daily_bar,
    minute_bars,
    share,
)

RULES = load_rules()
RELIANCE = share()
MONDAY = parse_day("2021-06-07")
LATER = at(parse_day("2021-12-31"), 0)


def stored(bars: Sequence[Bar], interval: Interval) -> MemoryBarStore:
    store = MemoryBarStore()
    store.write(batch({RELIANCE: bars}, interval), RAW)
    return store


@pytest.mark.failure("F69")
def test_a_missing_day_is_a_gap_and_a_holiday_is_not() -> None:
    days = [parse_day(text) for text in ("2021-08-16", "2021-08-18", "2021-08-20")]
    report = gaps(stored([daily_bar(day, 1_0000) for day in days], DAY), RULES, RELIANCE, DAY, (None, None))
    # 2021-08-19 was Muharram, the 17th a Tuesday.
    assert [gap.day for gap in report.gaps] == [parse_day("2021-08-17")]
    assert (report.days, report.missing_days, report.missing_bars) == (4, 1, 1)


def test_missing_minutes_are_spans() -> None:
    bars = minute_bars(MONDAY, [1_0000] * 375)
    report = gaps(stored(bars[:10] + bars[12:-1], MINUTE), RULES, RELIANCE, MINUTE, (None, None))
    (gap,) = report.gaps
    assert (gap.expected, gap.found, report.missing_days, report.missing_bars) == (375, 372, 0, 3)
    assert gap.spans == (
        (bars[10].ts_open_ns, bars[11].ts_open_ns),
        (bars[-1].ts_open_ns, bars[-1].ts_open_ns),
    )


def test_a_full_series_has_no_gaps() -> None:
    report = gaps(stored(minute_bars(MONDAY, [1_0000] * 375), MINUTE), RULES, RELIANCE, MINUTE, (None, None))
    assert report.gaps == ()
    assert report.adjustment == "raw"


def test_gaps_of_nothing_or_of_an_empty_span_are_refused() -> None:
    with pytest.raises(UsageError, match="NSE:RELIANCE"):
        gaps(MemoryBarStore(), RULES, RELIANCE, DAY, (None, None))
    with pytest.raises(UsageError, match="is empty") as caught:
        gaps(stored([daily_bar(MONDAY, 1_0000)], DAY), RULES, RELIANCE, DAY, (MONDAY + 2, MONDAY))
    assert caught.value.hint == "Swap --from and --to."
    with pytest.raises(UsageError, match="is empty") as caught:
        gaps(stored([daily_bar(MONDAY, 1_0000)], DAY), RULES, RELIANCE, DAY, (TradingDay(MONDAY + 2), None))
    assert caught.value.hint == "The stored bars do not reach into it: give both ends."


def test_only_missing_days_are_asked_for() -> None:
    store = stored([daily_bar(MONDAY + 1, 1_0000), daily_bar(MONDAY + 2, 1_0000)], DAY)
    spans = missing_spans(store, RULES, RELIANCE, DAY, (MONDAY, MONDAY + 7))
    assert spans == [(MONDAY, MONDAY), (MONDAY + 3, MONDAY + 7)]


def test_a_last_day_that_ends_early_is_asked_for_again() -> None:
    store = stored(minute_bars(MONDAY, [1_0000] * 100), MINUTE)
    assert missing_spans(store, RULES, RELIANCE, MINUTE, (MONDAY, MONDAY)) == [(MONDAY, MONDAY)]
    store = stored(minute_bars(MONDAY, [1_0000] * 375), MINUTE)
    assert missing_spans(store, RULES, RELIANCE, MINUTE, (MONDAY, MONDAY)) == []


def test_nothing_is_asked_for_after_expiry() -> None:
    ended = msgspec.structs.replace(RELIANCE, expiry=TradingDay(MONDAY + 1))
    assert missing_spans(MemoryBarStore(), RULES, ended, DAY, (MONDAY, MONDAY + 7)) == [(MONDAY, MONDAY + 1)]


def daily_piece(request: FetchRequest, start: int, end: int) -> bytes:
    return f"{start} {end}".encode()


def services(now_ns: int = LATER) -> DataServices:
    def read(data: bytes, file: str, hints: ImportHints) -> Imported:
        first, last = map(int, data.split())
        bars = [daily_bar(day, 1_000_0000) for day in trading_days(RULES, first, last)]
        return Imported("test", "raw", (batch({RELIANCE: bars}, DAY),), (RELIANCE,), rows=len(bars))

    return DataServices(
        MemoryBarStore(),
        MemoryInstruments([RELIANCE]),
        MemoryActions(),
        MemoryFiles({}),
        MemoryBin(),
        read,
        JumpingClock(now_ns),
        RULES,
    )


def run(made: DataServices, source: ScriptedSource, start: int, end: int) -> FetchSummary:
    request = FetchRequest(RELIANCE, DAY, TradingDay(start), TradingDay(end))
    return fetch(made, source, [request])


def test_a_second_fetch_asks_for_nothing() -> None:
    made, source = services(), ScriptedSource(daily_piece)
    first = run(made, source, MONDAY, MONDAY + 4)
    assert (first.missing_days, first.requests, first.files[0].added) == (5, 1, 5)
    second = run(made, source, MONDAY, MONDAY + 4)
    assert (second.missing_days, second.requests, second.files) == (0, 0, ())
    assert source.asked == [(MONDAY, MONDAY + 4)]


def test_what_came_before_a_failure_is_stored_and_the_next_call_goes_on() -> None:
    made, source = services(), ScriptedSource(daily_piece, fail_at=1)
    made.store.write(batch({RELIANCE: [daily_bar(MONDAY + 2, 1_000_0000)]}, DAY), RAW)
    broken = run(made, source, MONDAY, MONDAY + 4)
    assert broken.problem is not None
    assert [report.added for report in broken.files] == [2]
    source.fail_at = 100
    assert run(made, source, MONDAY, MONDAY + 4).problem is None
    assert source.asked == [(MONDAY, MONDAY + 1), (MONDAY + 3, MONDAY + 4)]
    assert made.store.series()[0].rows == 5


@pytest.mark.parametrize(("clock", "last"), [("11:00", MONDAY + 1), ("16:00", MONDAY + 2)])
def test_today_is_asked_for_only_when_its_session_is_over(clock: str, last: int) -> None:
    source = ScriptedSource(daily_piece)
    run(services(at(MONDAY + 2, parse_clock(clock))), source, MONDAY, MONDAY + 4)
    assert source.asked == [(MONDAY, last)]


def test_an_empty_span_is_refused_before_anything_is_asked() -> None:
    source = ScriptedSource(daily_piece)
    with pytest.raises(UsageError, match="is empty"):
        run(services(), source, MONDAY + 1, MONDAY)
    assert source.asked == []


def test_a_span_that_has_not_come_is_refused_and_not_called_complete() -> None:
    source = ScriptedSource(daily_piece)
    with pytest.raises(UsageError, match="2021-06-08 to 2021-06-11 has not come yet: today is 2021-06-07"):
        run(services(at(MONDAY, parse_clock("11:00"))), source, MONDAY + 1, MONDAY + 4)
    assert source.asked == []


def test_days_stored_in_another_state_of_adjustment_are_missing() -> None:
    made, source = services(), ScriptedSource(daily_piece)
    adjusted = msgspec.structs.replace(RAW, adjustment="split")
    made.store.write(batch({RELIANCE: [daily_bar(MONDAY, 500_0000), daily_bar(MONDAY + 1, 500_0000)]}, DAY), adjusted)
    assert run(made, source, MONDAY, MONDAY + 1).missing_days == 2
    assert source.asked == [(MONDAY, MONDAY + 1)]
    assert run(made, source, MONDAY, MONDAY + 1).missing_days == 0


def test_progress_is_told_piece_by_piece() -> None:
    told: list[tuple[int, int]] = []
    made, source = services(), ScriptedSource(daily_piece)
    request = FetchRequest(RELIANCE, DAY, MONDAY, TradingDay(MONDAY + 1))
    fetch(made, source, [request], lambda _what, done, total: told.append((done, total)))
    assert told == [(0, 1), (1, 1)]


def test_a_bucket_lets_the_burst_through_and_then_keeps_the_pace() -> None:
    clock = JumpingClock(0)
    bucket = TokenBucket(clock, per_minute=60, burst=3)
    moments = []
    for _ in range(6):
        bucket.take()
        moments.append(clock.now // SECOND_NS)
    assert moments == [0, 0, 0, 1, 2, 3]


def test_a_bucket_fills_up_again_while_nobody_asks() -> None:
    clock = JumpingClock(0)
    bucket = TokenBucket(clock, per_minute=60, burst=2)
    for _ in range(2):
        bucket.take()
    clock.now = 10 * MINUTE_NS
    for _ in range(2):
        bucket.take()
    assert clock.waits == []


def test_a_bucket_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        TokenBucket(JumpingClock(0), 0, 1)

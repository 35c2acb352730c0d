import numpy as np
import pytest

from manjha.domain.bars import DAY, MINUTE, BarColumns, Interval
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import DAY_NS, MINUTE_NS, SECOND_NS, at, parse_clock, parse_day
from manjha.domain.ticks import TickColumns
from manjha.engine.bars import bars_from_ticks, column, daily, empty_bars, resample

NAME = InstrumentId("NSE:MANJHA")
DAY_ONE = parse_day("2026-03-02")
FIELDS = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")


def clock(text: str, day: int = DAY_ONE) -> int:
    return at(day, parse_clock(text))


def minutes(start: str, count: int, day: int = DAY_ONE, interval: Interval = MINUTE) -> BarColumns:
    opens = clock(start, day) + np.arange(count) * interval * SECOND_NS
    prices = 10_000_00 + 500 * ((np.arange(count) * 7) % 23)
    rows = (opens, opens + interval * SECOND_NS, prices, prices + 1_000, prices - 1_500, prices + 500)
    return BarColumns(NAME, interval, *map(column, (*rows, np.arange(count) + 1, np.arange(count) * 50)))


def joined(*parts: BarColumns) -> BarColumns:
    tables = [np.concatenate([np.asarray(getattr(part, field)) for part in parts]) for field in FIELDS]
    return BarColumns(NAME, parts[0].interval, *map(column, tables))


def ticks(*rows: tuple[int, int, int]) -> TickColumns:
    table = np.array(rows, np.int64).reshape(-1, 3)
    return TickColumns(NAME, *(column(table[:, at_]) for at_ in range(3)))


def test_a_column_is_a_read_only_view_of_signed_64_bit_integers() -> None:
    view = column(np.array([1, -2], np.int64))
    assert (view.format, view.itemsize, view.readonly, view.tolist()) == ("q", 8, True, [1, -2])
    assert column(np.empty(0, np.int64)).tolist() == []


def test_a_bucket_has_first_open_highest_high_lowest_low_last_close_and_summed_volume() -> None:
    source = minutes("09:15", 5)
    bar = resample(source, Interval(300)).bar(0)
    assert (bar.open, bar.close, bar.volume, bar.oi) == (source.open[0], source.close[4], 1 + 2 + 3 + 4 + 5, 200)
    assert (bar.high, bar.low) == (max(source.high), min(source.low))


def test_375_minutes_are_25_bars_of_15_minutes() -> None:
    bars = resample(minutes("09:15", 375), Interval(900))
    assert len(bars) == 25
    assert bars.ts_close_ns[24] == clock("15:30")


def test_the_last_half_hour_bar_is_cut_at_the_close() -> None:
    bars = resample(minutes("09:15", 375), Interval(1800))
    assert len(bars) == 13
    assert (bars.ts_open_ns[12], bars.ts_close_ns[12]) == (clock("15:15"), clock("15:30"))


def test_fifteen_minutes_are_the_same_through_five_minutes() -> None:
    source = joined(minutes("09:15", 375), minutes("09:15", 360, DAY_ONE + 1))
    assert resample(resample(source, Interval(300)), Interval(900)) == resample(source, Interval(900))


def test_a_day_bar_spans_the_day_s_first_open_to_its_last_close() -> None:
    source = joined(minutes("09:15", 375), minutes("18:15", 60, DAY_ONE + 1))
    bars = daily(source)
    assert bars.interval == DAY
    assert bars.ts_open_ns.tolist() == [clock("09:15"), clock("18:15", DAY_ONE + 1)]
    assert bars.ts_close_ns.tolist() == [clock("15:30"), clock("19:15", DAY_ONE + 1)]
    assert bars.high.tolist() == [max(source.high[:375]), max(source.high[375:])]


def test_a_day_bar_with_sessions_spans_the_whole_day_though_bars_are_missing() -> None:
    spans = [(clock("09:15"), clock("10:00")), (clock("11:30"), clock("12:30"))]
    bars = daily(minutes("09:20", 10), [(DAY_ONE, spans)])
    assert (bars.ts_open_ns[0], bars.ts_close_ns[0]) == (clock("09:15"), clock("12:30"))


def test_buckets_count_from_the_session_open_of_a_muhurat_afternoon() -> None:
    muhurat = [(DAY_ONE, [(clock("13:45"), clock("14:45"))])]
    assert resample(minutes("13:45", 60), Interval(1200), muhurat).ts_open_ns[1] == clock("14:05")


def test_a_bucket_is_cut_at_the_session_close_though_its_last_minute_is_missing() -> None:
    sessions = [(DAY_ONE, [(clock("09:15"), clock("15:15"))])]
    bars = resample(minutes("09:15", 358), Interval(3600), sessions)
    assert bars.ts_close_ns[len(bars) - 1] == clock("15:15")


def test_a_bucket_is_cut_where_its_last_session_closes() -> None:
    spans = [(clock("09:15"), clock("10:00")), (clock("11:30"), clock("12:30"))]
    source = joined(minutes("09:15", 45), minutes("11:30", 60))
    bars = resample(source, Interval(3600), [(DAY_ONE, spans)])
    assert bars.ts_open_ns.tolist() == [clock("09:15"), clock("11:15"), clock("12:15")]
    assert bars.ts_close_ns.tolist() == [clock("10:00"), clock("12:15"), clock("12:30")]


def test_minutes_without_bars_give_no_bucket() -> None:
    source = joined(minutes("09:15", 5), minutes("09:30", 5))
    assert resample(source, Interval(300)).ts_open_ns.tolist() == [clock("09:15"), clock("09:30")]


def test_the_same_interval_gives_the_same_bars() -> None:
    source = minutes("09:15", 7)
    assert resample(source, MINUTE) is source


def test_nothing_resamples_to_nothing() -> None:
    assert resample(empty_bars(NAME, MINUTE), DAY) == empty_bars(NAME, DAY)


@pytest.mark.parametrize(("source", "wanted"), [(300, 60), (300, 420), (DAY, 3600)])
def test_bars_cannot_be_made_finer_or_of_a_broken_multiple(source: int, wanted: int) -> None:
    with pytest.raises(UsageError, match="cannot be made of"):
        resample(minutes("09:15", 3, interval=Interval(source)), Interval(wanted))


def test_a_bar_across_two_buckets_is_refused() -> None:
    with pytest.raises(DataError, match="inside 10m buckets"):
        resample(minutes("09:17", 6, interval=Interval(300)), Interval(600))


@pytest.mark.parametrize("start", ["09:05", "15:30"])
def test_a_bar_outside_the_sessions_is_refused(start: str) -> None:
    with pytest.raises(DataError, match="inside 5m buckets"):
        resample(minutes(start, 5), Interval(300), [(DAY_ONE, [(clock("09:15"), clock("15:15"))])])


def test_a_day_without_sessions_is_named() -> None:
    with pytest.raises(DataError, match="2026-03-02"):
        resample(
            minutes("09:15", 5), Interval(300), [(DAY_ONE + 1, [(clock("09:15") + DAY_NS, clock("15:30") + DAY_NS)])]
        )


def test_ticks_make_bars_and_empty_minutes_none() -> None:
    start = clock("09:15")
    bars = bars_from_ticks(ticks((start, 100, 5), (start + 1, 104, 0), (start + 59 * SECOND_NS, 98, 2),
                                 (start + 3 * MINUTE_NS, 99, 1)), MINUTE)  # fmt: skip
    assert bars.bar(0).high == 104
    assert (bars.open.tolist(), bars.low.tolist(), bars.close.tolist()) == ([100, 99], [98, 99], [98, 99])
    assert (bars.volume.tolist(), bars.ts_open_ns[1]) == ([7, 1], start + 3 * MINUTE_NS)


def test_a_tick_at_the_close_of_a_bar_belongs_to_the_next() -> None:
    start = clock("09:15")
    bars = bars_from_ticks(ticks((start, 100, 1), (start + MINUTE_NS, 200, 1)), MINUTE)
    assert bars.close.tolist() == [100, 200]


def test_the_last_half_hour_of_ticks_is_cut_at_half_past_three() -> None:
    bars = bars_from_ticks(ticks((clock("15:20"), 100, 1)), Interval(1800))
    assert (bars.ts_open_ns[0], bars.ts_close_ns[0]) == (clock("15:15"), clock("15:30"))


def test_a_day_of_ticks_spans_the_usual_hours_and_every_tick() -> None:
    bars = bars_from_ticks(ticks((clock("09:07"), 100, 1), (clock("15:45"), 101, 1)), DAY)
    assert (bars.ts_open_ns[0], bars.ts_close_ns[0]) == (clock("09:07"), clock("15:45") + 1)


def test_ticks_outside_the_sessions_are_left_out() -> None:
    sessions = [(DAY_ONE, [(clock("09:15"), clock("15:15"))])]
    bars = bars_from_ticks(
        ticks((clock("09:07"), 90, 9), (clock("15:14"), 100, 1), (clock("15:15"), 110, 9)), Interval(1800), sessions
    )
    assert (len(bars), bars.volume[0], bars.ts_close_ns[0]) == (1, 1, clock("15:15"))


def test_only_ticks_outside_the_sessions_give_no_bar() -> None:
    sessions = [(DAY_ONE, [(clock("09:15"), clock("15:15"))])]
    assert bars_from_ticks(ticks((clock("09:07"), 90, 9)), MINUTE, sessions) == empty_bars(NAME, MINUTE)


def test_ticks_out_of_order_are_refused_with_their_row() -> None:
    with pytest.raises(DataError, match=r"row 1\)"):
        bars_from_ticks(ticks((clock("09:16"), 100, 1), (clock("09:15"), 100, 1)), MINUTE)

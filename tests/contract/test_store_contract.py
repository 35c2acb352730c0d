"""What every bar store does, whatever it is made of."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from manjha.adapters.files.bar_store import ParquetBarStore
from manjha.domain.bars import DAY, MINUTE, Interval
from manjha.domain.moments import DAY_NS, parse_day
from manjha.ports.market_data import BarStore
from tests.fakes.market_data import RAW, MemoryBarStore, batch, daily_bar, listed, minute_bars, share

Store = Callable[[], BarStore]
TOTAL = msgspec.structs.replace(RAW, source="yahoo", adjustment="total")
MONDAY = parse_day("2021-12-27")
EVER = (0, 2**62)
RELIANCE, INFY = share(), share("INFY", "INE009A01021")


@pytest.fixture(params=["parquet", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BarStore:
    return ParquetBarStore(tmp_path) if request.param == "parquet" else MemoryBarStore()


def test_what_is_written_is_read(store: BarStore) -> None:
    bars = minute_bars(MONDAY, [2_400_0000, 2_401_0000, 2_399_5000])
    report = store.write(batch({RELIANCE: bars}, MINUTE), RAW)
    assert (report.added, report.unchanged, report.conflicting) == (3, 0, 0)
    assert listed(store.read(RELIANCE.id, MINUTE, *EVER)) == bars


def test_columns_are_int64_views(store: BarStore) -> None:
    store.write(batch({RELIANCE: minute_bars(MONDAY, [1_0000])}, MINUTE), RAW)
    columns = store.read(RELIANCE.id, MINUTE, *EVER)
    assert columns.close.itemsize == 8
    assert columns.close.tolist() == [1_0000]


def test_nothing_stored_reads_as_no_bars(store: BarStore) -> None:
    assert len(store.read(RELIANCE.id, DAY, *EVER)) == 0
    assert store.adjustment(RELIANCE.id, DAY, *EVER) == ""
    assert list(store.series()) == []


def test_the_span_is_half_open(store: BarStore) -> None:
    bars = minute_bars(MONDAY, [1_0000, 2_0000, 3_0000])
    store.write(batch({RELIANCE: bars}, MINUTE), RAW)
    inside = store.read(RELIANCE.id, MINUTE, bars[1].ts_open_ns, bars[2].ts_open_ns)
    assert listed(inside) == [bars[1]]


def test_a_second_write_changes_nothing(store: BarStore) -> None:
    rows = batch({RELIANCE: minute_bars(MONDAY, [1_0000, 2_0000])}, MINUTE)
    store.write(rows, RAW)
    before = store.series()
    again = store.write(rows, RAW)
    assert (again.added, again.unchanged, again.conflicting) == (0, 2, 0)
    assert store.series() == before


def test_a_contradicting_row_is_reported_and_not_taken(store: BarStore) -> None:
    first = minute_bars(MONDAY, [1_0000, 2_0000])
    store.write(batch({RELIANCE: first}, MINUTE), RAW)
    other = [first[0], msgspec.structs.replace(first[1], close=2_0100, volume=9)]
    report = store.write(batch({RELIANCE: other}, MINUTE), RAW)
    assert (report.added, report.unchanged, report.conflicting, report.replaced) == (0, 1, 1, 0)
    assert [(c.field, c.stored, c.offered) for c in report.conflicts] == [("close", 2_0000, 2_0100), ("volume", 1, 9)]
    assert listed(store.read(RELIANCE.id, MINUTE, *EVER)) == first


def test_replace_takes_the_contradicting_row(store: BarStore) -> None:
    first = minute_bars(MONDAY, [1_0000, 2_0000])
    store.write(batch({RELIANCE: first}, MINUTE), RAW)
    other = [first[0], msgspec.structs.replace(first[1], close=2_0100)]
    report = store.write(batch({RELIANCE: other}, MINUTE), RAW, replace=True)
    assert (report.added, report.unchanged, report.conflicting, report.replaced) == (0, 1, 0, 1)
    assert listed(store.read(RELIANCE.id, MINUTE, *EVER)) == other


@pytest.mark.parametrize("replace", [False, True])
def test_a_bar_that_reaches_into_another_conflicts(store: BarStore, replace: bool) -> None:
    bars = minute_bars(MONDAY, [1_0000, 2_0000])
    store.write(batch({RELIANCE: bars}, MINUTE), RAW)
    shifted = msgspec.structs.replace(
        bars[0], ts_open_ns=bars[0].ts_open_ns + 30 * 10**9, ts_close_ns=bars[0].ts_close_ns + 30 * 10**9
    )
    report = store.write(batch({RELIANCE: [shifted]}, MINUTE), RAW, replace=replace)
    assert (report.added, report.conflicting) == (0, 1)
    assert report.conflicts[0].field == "ts_open"
    assert listed(store.read(RELIANCE.id, MINUTE, *EVER)) == bars


def test_states_of_adjustment_do_not_mix_and_raw_is_preferred(store: BarStore) -> None:
    raw, adjusted = daily_bar(MONDAY, 2_000_0000), daily_bar(MONDAY, 1_000_0000)
    early = daily_bar(MONDAY - 30, 900_0000)
    store.write(batch({RELIANCE: [early, adjusted]}, DAY), TOTAL)
    assert store.adjustment(RELIANCE.id, DAY, *EVER) == "total"
    assert store.write(batch({RELIANCE: [raw]}, DAY), RAW).conflicting == 0
    assert listed(store.read(RELIANCE.id, DAY, *EVER)) == [raw]
    assert store.adjustment(RELIANCE.id, DAY, *EVER) == "raw"
    assert listed(store.read(RELIANCE.id, DAY, *EVER, adjustment="total")) == [early, adjusted]


def test_several_instruments_and_years_in_one_batch(store: BarStore) -> None:
    days = [MONDAY, MONDAY + 1, MONDAY + 7]
    rows = {one: [daily_bar(day, 1_000_0000 + day) for day in days] for one in (RELIANCE, INFY)}
    assert store.write(batch(rows, DAY), RAW).added == 6
    many = store.read_many((INFY.id, RELIANCE.id), DAY, *EVER)
    assert [listed(columns) for columns in many] == [rows[INFY], rows[RELIANCE]]


def test_series_says_what_is_stored(store: BarStore) -> None:
    bars = [daily_bar(MONDAY, 1_0000), daily_bar(MONDAY + 7, 2_0000)]
    store.write(batch({RELIANCE: bars, INFY: bars[:1]}, DAY), RAW)
    (info,) = store.series(RELIANCE.id)
    assert (info.rows, info.first_ns, info.last_ns) == (2, bars[0].ts_open_ns, bars[1].ts_open_ns)
    assert (info.sources, info.adjustment, info.interval) == (("nse",), "raw", DAY)
    assert {one.instrument for one in store.series()} == {RELIANCE.id, INFY.id}


@pytest.mark.parametrize("interval", [MINUTE, DAY])
def test_join_gives_bars_to_another_id(store: BarStore, interval: Interval) -> None:
    nameless = share(isin="")
    day = [daily_bar(MONDAY, 1_0000), daily_bar(MONDAY + 1, 2_0000)]
    store.write(batch({nameless: day[:1], INFY: day[:1]}, interval), RAW)
    store.write(batch({RELIANCE: day[1:]}, interval), RAW)
    assert store.join({nameless.id: RELIANCE.id}, RAW).added == 1
    assert listed(store.read(RELIANCE.id, interval, *EVER)) == day
    assert len(store.read(nameless.id, interval, *EVER)) == 0
    assert listed(store.read(INFY.id, interval, *EVER)) == day[:1]
    assert store.verify() == []


def test_a_span_far_from_the_bars_is_empty(store: BarStore) -> None:
    bars = minute_bars(MONDAY, [1_0000])
    store.write(batch({RELIANCE: bars}, MINUTE), RAW)
    assert len(store.read(RELIANCE.id, MINUTE, bars[0].ts_open_ns + DAY_NS, 2**62)) == 0

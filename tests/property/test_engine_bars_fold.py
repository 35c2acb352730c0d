"""Bars against a plain Python oracle, and ticks inside bars against the bars they came from."""

from itertools import groupby

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.bars import DAY, MINUTE, BarColumns, Interval
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, at, day_of, parse_clock, parse_day
from manjha.domain.ticks import TickColumns
from manjha.engine.bars import bars_from_ticks, column, resample
from manjha.simulator.synthetic_ticks import ticks_within

NAME = InstrumentId("NSE:MANJHA")
OPENS = [at(parse_day("2026-03-02") + day, parse_clock("09:15")) for day in range(3)]

Row = tuple[int, int, int, int, int, int]


@st.composite
def rows_of_bars(draw: st.DrawFn) -> list[Row]:
    """Minute bars of up to three days with holes: (minute, open, high, low, close, volume) in ticks of 5 paise."""
    minutes = draw(st.lists(st.integers(0, 3 * 375 - 1), min_size=1, max_size=60, unique=True))
    rows = []
    for minute in sorted(minutes):
        prices = [500 * draw(st.integers(1, 4_000)) for _ in range(4)]
        rows.append((minute, prices[0], max(prices), min(prices), prices[3], draw(st.integers(0, 10**6))))
    return rows


def columns(rows: list[Row]) -> BarColumns:
    opens = np.array([OPENS[row[0] // 375] + row[0] % 375 * MINUTE_NS for row in rows], np.int64)
    table = np.array(rows, np.int64)
    values = (opens, opens + MINUTE_NS, *(table[:, place] for place in range(1, 6)), np.zeros(len(rows), np.int64))
    return BarColumns(NAME, MINUTE, *map(column, values))


@given(rows_of_bars(), st.sampled_from([2, 3, 5, 7, 15, 30, 60, 120]))
def test_resampled_bars_are_those_of_a_plain_loop(rows: list[Row], length: int) -> None:
    bars = resample(columns(rows), Interval(60 * length))
    groups = [list(group) for _, group in groupby(rows, key=lambda row: (row[0] // 375, row[0] % 375 // length))]
    assert bars.open.tolist() == [group[0][1] for group in groups]
    assert bars.high.tolist() == [max(row[2] for row in group) for group in groups]
    assert bars.low.tolist() == [min(row[3] for row in group) for group in groups]
    assert bars.close.tolist() == [group[-1][4] for group in groups]
    assert bars.volume.tolist() == [sum(row[5] for row in group) for group in groups]


@given(rows_of_bars(), st.sampled_from([(5, 15), (3, 15), (15, 30), (10, 60)]))
def test_resampling_in_two_steps_is_resampling_in_one(rows: list[Row], lengths: tuple[int, int]) -> None:
    source = columns(rows)
    halfway, wanted = (Interval(60 * length) for length in lengths)
    assert resample(resample(source, halfway), wanted) == resample(source, wanted)
    by_way, direct = resample(resample(source, halfway), DAY), resample(source, DAY)
    # A day begins with its first bar, and a coarser bar begins with its bucket though its first minutes are missing.
    assert msgspec.structs.replace(by_way, ts_open_ns=direct.ts_open_ns) == direct


@given(rows_of_bars(), st.sampled_from([5, 15, 30, 60, 375]))
def test_buckets_do_not_overlap_and_hold_their_bars(rows: list[Row], length: int) -> None:
    source = columns(rows)
    bars = resample(source, Interval(60 * length))
    assert all(end <= start for end, start in zip(bars.ts_close_ns, bars.ts_open_ns[1:], strict=False))
    spans = list(zip(bars.ts_open_ns, bars.ts_close_ns, strict=True))
    assert all(
        any(start <= opened and closed <= end for start, end in spans)
        for opened, closed in zip(source.ts_open_ns, source.ts_close_ns, strict=True)
    )
    assert {day_of(start) for start, _ in spans} == {day_of(opened) for opened in source.ts_open_ns}


@given(rows_of_bars(), st.integers(0, 2**32), st.integers(4, 20))
def test_ticks_within_bars_are_the_bars_again(rows: list[Row], seed: int, per_bar: int) -> None:
    bars = columns(rows)
    assert bars_from_ticks(ticks_within(bars, seed, per_bar), MINUTE) == bars


@given(rows_of_bars(), st.sampled_from([5, 15, 30]))
@settings(max_examples=50)
def test_bars_of_ticks_are_the_resampled_bars_of_ticks(rows: list[Row], length: int) -> None:
    ticks = ticks_within(columns(rows), 1, 6)
    coarse, twice = bars_from_ticks(ticks, Interval(60 * length)), resample(columns(rows), Interval(60 * length))
    for field in ("ts_open_ns", "open", "high", "low", "close", "volume"):
        assert getattr(coarse, field) == getattr(twice, field)


@given(st.lists(st.tuples(st.integers(0, 400 * 60), st.integers(1, 10**9), st.integers(0, 10**6)), min_size=1))
def test_bars_of_ticks_are_those_of_a_plain_loop(rows: list[tuple[int, int, int]]) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    table = np.array(rows, np.int64)
    ticks = TickColumns(NAME, *map(column, (OPENS[0] + table[:, 0] * 10**9, table[:, 1], table[:, 2])))
    bars = bars_from_ticks(ticks, Interval(300))
    groups = [list(group) for _, group in groupby(rows, key=lambda row: row[0] // 300)]
    assert bars.ts_open_ns.tolist() == [OPENS[0] + group[0][0] // 300 * 300 * 10**9 for group in groups]
    assert bars.high.tolist() == [max(row[1] for row in group) for group in groups]
    assert bars.close.tolist() == [group[-1][1] for group in groups]
    assert bars.volume.tolist() == [sum(row[2] for row in group) for group in groups]

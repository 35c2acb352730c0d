"""Bars made of ticks as they come are those made of all ticks at once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.bars import DAY, Interval
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import HOUR_NS, MINUTE_NS, at, day_of, parse_clock, parse_day
from manjha.domain.ticks import TickColumns
from manjha.engine.bars import DaySessions, bars_from_ticks, column
from manjha.engine.tick_bars import NEVER, TickBars

NAME = InstrumentId("NSE:MANJHA")
DAYS = [parse_day("2026-03-02") + number for number in range(3)]
OPENS = [at(day, parse_clock("09:15")) for day in DAYS]
WINDOWS = (
    [(0, 375)],
    [(0, 45), (135, 195)],
    [(0, 7), (7, 31), (100, 375)],
)
"""Sessions of a day in minutes after the first open: usual, a drill, and a short halt."""


@st.composite
def ticks(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Ticks of three days: (nanoseconds after 09:15 of the first day, price, volume), in order, some outside hours."""
    moments = st.tuples(st.integers(0, 2), st.integers(-5, 400), st.sampled_from([0, 1, MINUTE_NS - 1, 17 * 10**9]))
    stamps = sorted(day * 24 * HOUR_NS + minute * MINUTE_NS + rest for day, minute, rest in draw(st.lists(moments)))
    return [(stamp, 5 * draw(st.integers(1, 4_000)), draw(st.integers(0, 50))) for stamp in stamps]


@given(ticks(), st.sampled_from(WINDOWS), st.sampled_from([1, 3, 5, 7, 15, 60, 120, 1440]))
def test_bars_are_those_of_all_ticks_at_once(
    rows: list[tuple[int, int, int]], minutes: list[tuple[int, int]], length: int
) -> None:
    interval = DAY if length == 1440 else Interval(60 * length)
    sessions: list[DaySessions] = [
        (day, [(opened + low * MINUTE_NS, opened + high * MINUTE_NS) for low, high in minutes])
        for day, opened in zip(DAYS, OPENS, strict=True)
    ]
    made = TickBars([(NAME, interval)])
    bars, today = [], 0
    for stamp, px, volume in rows:
        ts_ns = OPENS[0] + stamp
        while made.next_ns <= ts_ns:
            bars += made.close(made.next_ns)
        if day_of(ts_ns) != today:
            today = day_of(ts_ns)
            made.open_day({NAME: dict(sessions)[today]})
        made.add(NAME, ts_ns, px, volume)
    while made.next_ns != NEVER:
        bars += made.close(made.next_ns)
    table = np.array(rows, np.int64).reshape(-1, 3)
    at_once = bars_from_ticks(
        TickColumns(NAME, column(table[:, 0] + OPENS[0]), column(table[:, 1]), column(table[:, 2])), interval, sessions
    )
    assert [bar for _, bar in bars] == [at_once.bar(row) for row in range(len(at_once))]


def test_a_bar_closes_in_time_and_an_empty_bucket_gives_none() -> None:
    made = TickBars([(NAME, Interval(60)), (NAME, Interval(300))])
    made.open_day({NAME: [(OPENS[0], OPENS[0] + 375 * MINUTE_NS)]})
    made.add(NAME, OPENS[0], 100, 1)
    assert made.next_ns == OPENS[0] + MINUTE_NS
    assert [key[1] for key, _ in made.close(made.next_ns)] == [60]
    assert made.next_ns == OPENS[0] + 5 * MINUTE_NS
    assert [bar.close for _, bar in made.close(made.next_ns)] == [100]
    assert made.next_ns == NEVER


def test_an_instrument_without_hours_makes_no_bar() -> None:
    made = TickBars([(NAME, Interval(60))])
    made.add(NAME, OPENS[0], 100, 1)
    assert made.next_ns == NEVER

"""Ticks from a socket to the strategy with orders beside them, briefly: the benchmark's run, judged by its counts."""

import pytest

from benchmarks.feed_load import measured

pytestmark = pytest.mark.slow


@pytest.mark.failure("F53")
def test_no_order_event_is_lost_beside_a_stream_of_ticks() -> None:
    row = measured(seconds=6, per_frame=20, count=60)
    assert row["through"] + row["joined"] + row["kept_out"] == row["ticks"] == 6 * 3 * 60
    assert row["hints_heard"] == row["hints_sent"] > 0
    assert row["broker_fills"] == row["booked"] == row["on_fill"] > 0
    assert [bars for bars, _ in row["bars"]] == [60]

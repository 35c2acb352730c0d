"""Where history ends and what was lived begins: never within a bar, or a restart would find that bar twice."""

import pytest

from manjha.app.trading.live_history import history_until
from manjha.domain.bars import DAY, interval_ns
from manjha.domain.moments import SECOND_NS, TsNs, at, parse_clock, parse_day
from manjha.engine.closing import hours_of
from manjha.engine.tick_bars import TickBars
from tests.fakes.hand_made import share_named
from tests.fakes.market_rules import shipped_rules

DAY_OF = parse_day("2026-11-26")
SHARE = share_named()


@pytest.mark.parametrize(
    ("clock", "intervals", "until"),
    [
        ("08:00", [60], "08:00"), ("09:15", [60], "09:15"), ("10:00", [60], "10:00"), ("10:29", [60, 900], "10:15"),
        ("10:29", [3600], "10:15"), ("15:29", [3600], "15:15"), ("12:00", [60, int(DAY)], "09:15"),
    ],
)  # fmt: skip
def test_history_ends_where_the_first_bar_begins(clock: str, intervals: list[int], until: str) -> None:
    now_ns = TsNs(at(DAY_OF, parse_clock(clock)) + 37 * SECOND_NS * (clock > "09:15"))
    found = history_until(shipped_rules(), [SHARE], intervals, now_ns)
    assert found == at(DAY_OF, parse_clock(until))


@pytest.mark.parametrize("interval", [60, 300, 900, 3600])
def test_no_bar_that_is_made_opens_before_it(interval: int) -> None:
    bars = TickBars([(SHARE.id, interval)])
    bars.open_day(hours_of(shipped_rules(), [SHARE])(DAY_OF))
    for minute in range(0, 370, 7):
        now_ns = TsNs(at(DAY_OF, parse_clock("09:15")) + minute * 60 * SECOND_NS + 11 * SECOND_NS)
        until = history_until(shipped_rules(), [SHARE], [interval], now_ns)
        assert until == bars.first_open_ns(now_ns)
        assert until <= now_ns < until + interval_ns(interval)


def test_a_day_off_is_all_history() -> None:
    now_ns = TsNs(at(parse_day("2026-11-29"), parse_clock("11:00")) + 5)
    assert history_until(shipped_rules(), [SHARE], [60], now_ns) == now_ns

"""What of a feed is believed."""

import pytest

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TradingDay, TsNs, at, parse_clock, parse_day
from manjha.domain.money import Px, Qty
from manjha.domain.ticks import Tick
from manjha.engine.tick_bars import Windows
from manjha.engine.tick_gate import FREEZE_AFTER, TickFault, TickGate

NAME = InstrumentId("NSE:MANJHA")
DAY = parse_day("2026-03-02")
OPENS, CLOSES = (at(DAY, parse_clock(clock)) for clock in ("09:15", "15:30"))


def hours(instrument: InstrumentId, day: TradingDay) -> Windows:
    return [(OPENS, CLOSES)] if (instrument, day) == (NAME, DAY) else []


def tick(px: int = 1_000_000, after: int = 0, volume: int = 1, name: InstrumentId = NAME) -> Tick:
    return Tick(name, TsNs(OPENS + after * SECOND_NS), Px(px), Qty(volume))


def gate() -> TickGate:
    made = TickGate(hours)
    made.bands[NAME] = (900_000, 1_100_000)
    return made


def test_a_good_tick_passes_as_it_is() -> None:
    made = gate()
    assert made.admit(tick(after=3)) == tick(after=3)
    assert made.latest_ns == OPENS + 3 * SECOND_NS
    assert not made.late
    assert not made.kept_out


@pytest.mark.failure("F62")
def test_a_late_tick_counts_as_of_now() -> None:
    made = gate()
    made.admit(tick(after=10))
    assert made.admit(tick(px=1_010_000, after=8)) == tick(px=1_010_000, after=10)
    made.reach(TsNs(OPENS + 20 * SECOND_NS))
    assert made.admit(tick(after=15)) == tick(after=20)
    assert made.late == 2


@pytest.mark.failure("F61")
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (tick(px=0), TickFault.PRICE),
        (tick(px=-5), TickFault.PRICE),
        (tick(volume=-1), TickFault.VOLUME),
        (tick(px=899_999), TickFault.BAND),
        (tick(px=1_100_001), TickFault.BAND),
        (tick(after=-1), TickFault.OUT_OF_SESSION),
        (tick(after=375 * 60), TickFault.OUT_OF_SESSION),
        (tick(name=InstrumentId("NSE:OTHER")), TickFault.OUT_OF_SESSION),
    ],
)
def test_an_impossible_tick_is_kept_out_and_counted(wrong: Tick, why: TickFault) -> None:
    made = gate()
    assert made.admit(wrong) is why
    assert made.kept_out == {(wrong.instrument, why): 1}
    assert made.latest_ns == 0


@pytest.mark.failure("F61")
def test_a_price_of_another_unit_is_a_spike() -> None:
    made = TickGate(hours)
    made.admit(tick(px=1_000))
    assert made.admit(tick(px=9_999)) == tick(px=9_999)
    assert made.admit(tick(px=99_990)) is TickFault.SPIKE
    assert made.admit(tick(px=999)) is TickFault.SPIKE
    assert made.admit(tick(px=1_001)) == tick(px=1_001)


@pytest.mark.failure("F62")
def test_a_stamp_ahead_of_the_clock_does_not_move_event_time() -> None:
    made = gate()
    now = TsNs(OPENS + 5 * SECOND_NS)
    assert made.admit(tick(after=7), now) == tick(after=7)
    assert made.admit(tick(after=8), now) is TickFault.FUTURE
    assert made.latest_ns == OPENS + 7 * SECOND_NS


def test_three_faults_in_a_row_freeze_and_a_person_thaws() -> None:
    made = gate()
    for _ in range(FREEZE_AFTER - 1):
        made.admit(tick(px=0))
    assert made.admit(tick()) == tick()
    for number in range(FREEZE_AFTER):
        assert not made.frozen, number
        made.admit(tick(px=5))
    assert made.frozen == {NAME}
    assert made.admit(tick()) == tick()
    assert made.frozen == {NAME}
    made.thaw(NAME)
    assert not made.frozen


def test_ticks_outside_the_hours_never_freeze() -> None:
    made = gate()
    for _ in range(5):
        made.admit(tick(after=-60))
    assert not made.frozen
    assert made.kept_out[NAME, TickFault.OUT_OF_SESSION] == 5

"""The machine's clock."""

from manjha.adapters.system.clock import SystemClock
from manjha.domain.moments import TsNs, day_of, parse_day


def test_it_moves_forward_and_knows_the_century() -> None:
    clock = SystemClock()
    first, second = clock.now_ns(), clock.now_ns()
    assert first <= second
    assert parse_day("2020-01-01") < day_of(first) < parse_day("2100-01-01")


def test_waiting_ends_at_the_moment_or_later() -> None:
    clock = SystemClock()
    until = TsNs(clock.now_ns() + 5_000_000)
    clock.wait_until(until)
    assert clock.now_ns() >= until


def test_a_moment_that_has_passed_is_not_waited_for() -> None:
    clock = SystemClock()
    started = clock.now_ns()
    clock.wait_until(TsNs(0))
    assert clock.now_ns() - started < 1_000_000_000

"""Whose time an account lives by, and how our clock is compared with a broker's."""

import asyncio
import time
from email.utils import formatdate

import pytest

from manjha.app.kite.login import SavedLogin
from manjha.app.kite.times import offset_ns, times_at
from manjha.app.trading.live_checks import REFUSE_NS, WARN_NS, judged_clock, login_line
from manjha.app.trading.steady_clock import SteadyClock
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.secret import Secret
from manjha.services.checklist import Verdict
from tests.fakes.exchanges import an_exchange, on_a_socket
from tests.fakes.raw_server import RawServer, answer, writes

AT_S = 1_795_000_000


def offset(ours_s: float, took_s: float = 0.0) -> int | None:
    before = round(ours_s * SECOND_NS)
    return offset_ns(formatdate(AT_S, usegmt=True), before, before + round(took_s * SECOND_NS))


@pytest.mark.parametrize(
    ("ours_s", "took_s", "ahead_s"),
    [
        (AT_S, 0.0, 0), (AT_S + 0.9, 0.3, 0), (AT_S + 1.0, 0.0, 0), (AT_S - 0.4, 0.5, 0),
        (AT_S + 4.0, 0.2, 3), (AT_S - 4.0, 0.0, -4), (AT_S - 4.0, 1.0, -3), (AT_S + 3600, 7.0, 3599),
    ],
)  # fmt: skip
def test_what_a_whole_second_and_the_way_explain_is_no_offset(ours_s: float, took_s: float, ahead_s: float) -> None:
    assert offset(ours_s, took_s) == ahead_s * SECOND_NS


def test_a_date_that_is_none_says_nothing() -> None:
    assert offset_ns("", 0, 0) is None
    assert offset_ns("yesterday", 0, 0) is None


@pytest.mark.failure("F48")
@pytest.mark.parametrize(
    ("ahead_ns", "verdict"),
    [
        (0, Verdict.OK), (WARN_NS, Verdict.OK), (-WARN_NS, Verdict.OK), (WARN_NS + 1, Verdict.WARN),
        (-REFUSE_NS, Verdict.WARN), (REFUSE_NS + 1, Verdict.REFUSE), (-REFUSE_NS - 1, Verdict.REFUSE),
        (None, Verdict.WARN),
    ],
)  # fmt: skip
def test_a_clock_that_is_away_warns_and_then_refuses_the_day(ahead_ns: int | None, verdict: Verdict) -> None:
    line = judged_clock(ahead_ns)
    assert line.verdict is verdict
    assert bool(line.remedy) == (verdict is not Verdict.OK)


def test_a_login_must_hold_until_the_close() -> None:
    close = 10**18
    held = SavedLogin("AB1234", Secret("t"), TsNs(close))
    assert login_line(held, "", close).verdict is Verdict.OK
    assert login_line(held, "", close + 1).verdict is Verdict.REFUSE
    assert login_line(None, "nobody is logged in", close).verdict is Verdict.REFUSE
    assert login_line(SavedLogin("", Secret("bare"), TsNs(0)), "", close).verdict is Verdict.WARN


def test_time_at_a_simulated_exchange_is_its_own_at_its_speed() -> None:
    exchange, mono = an_exchange(), [0]
    with on_a_socket(exchange, speed=50.0, stands=False) as root:
        times = asyncio.run(times_at(root, lambda: mono[0]))
        began = times.now_ns()
        assert times.at_simulation
        assert abs(began - exchange.now_ns) < 600 * SECOND_NS
    mono[0] += SECOND_NS
    assert times.now_ns() - began == 50 * SECOND_NS
    assert times.clock.seconds_until(times.now_ns() + 100 * SECOND_NS) == 2.0
    assert times.clock.ahead_ns() == 0


def test_a_process_held_up_between_two_looks_at_the_clocks_finds_no_difference() -> None:
    mono, held_up_ns = [0], 0

    def looked_at() -> int:
        mono[0] += held_up_ns
        return mono[0]

    def wall_ns() -> TsNs:
        return TsNs(AT_S * SECOND_NS + (looked_at() + away_ns) * 360)

    away_ns = 0
    clock = SteadyClock(wall_ns, looked_at, 360_000)
    held_up_ns = 10_000_000
    assert clock.ahead_ns() == 0
    away_ns = SECOND_NS
    assert clock.ahead_ns() > 350 * SECOND_NS
    away_ns = -SECOND_NS
    assert clock.ahead_ns() < -350 * SECOND_NS


def test_time_that_stands_is_refused_and_silence_is_an_error() -> None:
    with on_a_socket(an_exchange()) as root, pytest.raises(UsageError, match="stands"):
        asyncio.run(times_at(root, time.monotonic_ns))
    with pytest.raises(SourceError, match="nothing answers"):
        asyncio.run(times_at("http://127.0.0.1:9", time.monotonic_ns))


def test_a_broker_behind_a_tunnel_sets_no_clock() -> None:
    async def asked(body: bytes, status: int) -> bool:
        async with RawServer(writes(answer(body, status))).running() as server:
            return (await times_at(server.base, time.monotonic_ns)).at_simulation

    assert not asyncio.run(asked(b'{"status":"error","message":"Route not found"}', 404))
    assert not asyncio.run(asked(b"<html>", 200))
    assert not asyncio.run(asked(b'{"status":"success","data":{"simulated":false,"now_ns":1,"thousandths":9}}', 200))


def test_a_steady_clock_at_any_speed_does_not_jump() -> None:
    wall, mono = [TsNs(1_000)], [0]
    clock = SteadyClock(lambda: wall[0], lambda: mono[0], 2_500)
    wall[0], mono[0] = TsNs(10**15), 4
    assert clock.now_ns() == 1_010
    assert clock.seconds_until(1_000) == 0.0

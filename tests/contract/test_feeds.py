"""What every feed keeps, on feeds over known ticks; and that those keep their pace."""

import asyncio
from collections.abc import Sequence

import pytest

from manjha.adapters.feeds.replayed import GAP_NS, ReplayedFeed
from manjha.domain.errors import UsageError
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import Px
from manjha.domain.ticks import Tick
from manjha.ports.feed import Feed

NAME = InstrumentId("NSE:MANJHA")
AT = 1_720_000_000 * SECOND_NS
OFFSETS = (0, 1, 1, 3, 20_000)
"""Seconds of the ticks after the first one; the last comes a night later."""


class Jumping:
    """A clock that only moves when somebody waits."""

    def __init__(self) -> None:
        self.now, self.waits = 5 * SECOND_NS, list[float]()

    def now_ns(self) -> TsNs:
        return TsNs(self.now)

    def wait_until(self, ts_ns: TsNs) -> None:
        self.now = max(self.now, ts_ns)

    async def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += round(seconds * SECOND_NS)


def recorded() -> list[Tick]:
    return [Tick(NAME, TsNs(AT + offset * SECOND_NS), Px(100 + place)) for place, offset in enumerate(OFFSETS)]


def feed(clock: Jumping, speed: float = 0.0) -> ReplayedFeed:
    return ReplayedFeed(recorded(), clock, speed=speed, pause=clock.pause)


async def taken(source: Feed, most: int = 100) -> list[Tick]:
    got: list[Tick] = []
    async for tick in source.ticks():
        got.append(tick)
        if len(got) == most:
            await source.close()
    return got


@pytest.mark.parametrize("speed", [0.0, 1.0, 60.0])
def test_ticks_come_whole_and_in_order_and_then_it_ends(speed: float) -> None:
    source = feed(Jumping(), speed)
    assert source.health().is_connected
    assert source.health().arrived_ns == 0
    assert asyncio.run(taken(source)) == recorded()
    health = source.health()
    assert (health.is_connected, health.ticks, health.last_ns) == (False, len(OFFSETS), recorded()[-1].ts_ns)
    assert health.note == "the recording has ended"


def test_a_closed_feed_gives_nothing_more() -> None:
    source = feed(Jumping())
    assert asyncio.run(taken(source, most=2)) == recorded()[:2]
    asyncio.run(source.close())
    assert source.health().ticks == 2
    other = feed(Jumping())
    asyncio.run(other.close())
    assert asyncio.run(taken(other)) == []
    assert other.health().note == "closed before the first tick"


@pytest.mark.parametrize(
    ("speed", "waits"), [(1.0, [1, 2, GAP_NS / SECOND_NS]), (2.0, [0.5, 1, GAP_NS / SECOND_NS]), (0.0, [])]
)
def test_ticks_keep_their_pace_but_no_night_is_waited_through(speed: float, waits: Sequence[float]) -> None:
    clock = Jumping()
    asyncio.run(taken(feed(clock, speed)))
    assert clock.waits == waits


def test_the_time_that_a_taker_needs_is_not_added() -> None:
    clock = Jumping()

    async def slow() -> None:
        async for _ in feed(clock, 1.0).ticks():
            clock.now += SECOND_NS // 2

    asyncio.run(slow())
    assert clock.waits == [0.5, 1.0, 4.5]


@pytest.mark.parametrize("speed", [-1.0, float("nan"), 1e9])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(UsageError, match="expected a speed"):
        feed(Jumping(), speed)

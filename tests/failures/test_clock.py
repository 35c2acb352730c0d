"""The machine's clock jumps while a trader runs that follows it; and more ticks come than it takes."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

import pytest

from manjha.app.trading.inbox import INBOX_MAX, Inbox
from manjha.app.trading.loop import Loop, People
from manjha.app.trading.session import Session
from manjha.app.trading.steady_clock import SteadyClock
from manjha.domain.commands import Approved, CallPerson, SubmitOrder
from manjha.domain.controls import Status
from manjha.domain.events import Event, KillSwitched, TradingSwitched
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Purpose
from manjha.domain.ticks import Tick
from manjha.engine.digest import digest
from manjha.engine.journaling import value_of
from manjha.ports.feed import FeedHealth
from tests.fakes.paper import Paper
from tests.fakes.tick_runs import random_tick_run
from tests.parity.test_paper import plain

HOUR_NS = 3_600 * SECOND_NS
SEEDS = (2, 5, 9)


class Hands:
    """The two clocks of a machine, of which one can be set."""

    def __init__(self) -> None:
        self.mono = 77
        self.set_ns = 0
        self.began = 0

    def wall_ns(self) -> TsNs:
        return TsNs(self.began + self.mono + self.set_ns)

    def mono_ns(self) -> int:
        return self.mono


class Silent:
    """A feed, a kill switch and a watcher that counts beats."""

    def __init__(self) -> None:
        self.beats = 0

    def beat(self, session: Session, *, ended: bool) -> None:
        self.beats += 1

    def status(self, session: Session) -> Status:
        return {}

    async def ticks(self) -> AsyncIterator[Tick]:
        for tick in list[Tick]():
            yield tick

    def health(self) -> FeedHealth:
        return FeedHealth(is_connected=True, ticks=0, last_ns=TsNs(0), arrived_ns=TsNs(0))

    async def close(self) -> None:
        pass

    def thrown(self) -> tuple[KillSwitched, ...]:
        return ()

    def throw(self, event: KillSwitched) -> None:
        pass


class Watched(Paper):
    """A paper account that notes by which orders its strategy made a position larger while trading was stopped."""

    session: Session | None = None

    def __init__(self, seed: int) -> None:
        super().__init__(plain(random_tick_run(seed)), "run")
        self.opened_while_off: list[str] = []

    def _seen(self, event: Event, outputs: Iterable[object]) -> None:
        outputs = list(outputs)
        super()._seen(event, outputs)
        if self.session is None or self.session.trader.state.gate.trading_on:
            return
        held = {one.key.instrument: one.qty for one in self.session.trader.state.portfolio.open_positions()}
        for one in outputs:
            if isinstance(one, Approved) and isinstance(one.command, SubmitOrder):
                order = one.command.order
                # Stops and targets protect what their own entry has bought, whatever the others hold.
                if order.purpose is Purpose.SIGNAL and held.get(order.instrument, 0) * order.side >= 0:
                    self.opened_while_off.append(order.id)


class Day(NamedTuple):
    """A day that was traded by the clock."""

    paper: Watched
    session: Session
    times: list[int]
    beats: int
    sent_before: int


def lived(seed: int, jump_ns: int, back: bool = False) -> Day:
    """Trade a day by the clock, which is set once half of the ticks have come, and perhaps set right again later."""
    paper, hands, others = Watched(seed), Hands(), Silent()
    session, ticks = paper.start(), paper.ticks()
    paper.session = session
    hands.began = session.pump.now_ns - hands.mono
    offset = hands.began
    clock = SteadyClock(hands.wall_ns, hands.mono_ns)
    loop = Loop(session, others, People(None, others), others, clock, follows_clock=True)
    times, sent_before = [int(session.pump.now_ns)], 0

    async def trades() -> None:
        nonlocal sent_before
        for at, tick in enumerate(ticks):
            hands.mono = tick.ts_ns - offset
            if at == len(ticks) // 2:
                sent_before, hands.set_ns = len(paper.sent), jump_ns
            if back and at == 3 * len(ticks) // 4:
                hands.set_ns = 0
            loop._beat()
            await loop.inbox.put(tick)
            loop._turn([])
            times.append(int(session.pump.now_ns))

    asyncio.run(trades())
    return Day(paper, session, times, others.beats, sent_before)


def trading(day: Day) -> list[TradingSwitched]:
    values = (value_of(row.entry) for row in day.paper.shared.rows)
    return [value for value in values if isinstance(value, TradingSwitched)]


def clock_calls(day: Day) -> list[CallPerson]:
    return [call for call in day.paper.calls if call.about == "the machine's clock"]


@pytest.mark.failure("F48")
@pytest.mark.parametrize("jump_ns", [HOUR_NS, -HOUR_NS, 24 * HOUR_NS, -24 * HOUR_NS, 6 * SECOND_NS])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_clock_that_jumps_moves_no_timer_and_stops_what_opens(seed: int, jump_ns: int) -> None:
    calm, day = lived(seed, 0), lived(seed, jump_ns)
    # Time goes as in a day without a jump: no bar, timer or rate window comes early or late, and the heart beats on.
    assert day.times == calm.times == sorted(day.times)
    assert day.beats == calm.beats
    assert [one.on for one in trading(day)] == [False]
    assert [call.what.split("; ")[0] for call in clock_calls(day)] == [
        f"it is {abs(jump_ns) / SECOND_NS:.1f} s {'ahead' if jump_ns > 0 else 'behind'}"
    ]
    tags = [order.tag for order in day.paper.sent]
    assert len(tags) == len(set(tags))
    assert tags[: day.sent_before] == [order.tag for order in calm.paper.sent][: day.sent_before]
    assert day.paper.opened_while_off == []
    # Without the jump something would have been opened.
    assert any(order.order.exits is not None for order in calm.paper.sent[day.sent_before :])


@pytest.mark.failure("F48")
@pytest.mark.parametrize(("jump_ns", "calls"), [(SECOND_NS, 0), (3 * SECOND_NS, 1), (-3 * SECOND_NS, 1)])
def test_a_small_step_changes_nothing_and_a_larger_one_calls_a_person(jump_ns: int, calls: int) -> None:
    calm, day = lived(SEEDS[0], 0), lived(SEEDS[0], jump_ns)
    assert digest(day.session.trader.state) == digest(calm.session.trader.state)
    assert len(clock_calls(day)) == calls


@pytest.mark.failure("F48")
def test_a_clock_that_is_set_right_again_is_said_and_does_not_trade_by_itself() -> None:
    day = lived(SEEDS[0], HOUR_NS, back=True)
    assert [call.what.split(" s ")[0] for call in clock_calls(day)] == ["it is 3600.0", "it is 0.0"]
    assert not day.session.trader.state.gate.trading_on


@pytest.mark.failure("F52")
def test_ten_times_more_ticks_than_are_taken_fill_no_memory() -> None:
    names = [InstrumentId(f"NSE:N{number}") for number in range(50)]
    inbox, taken = Inbox(joins=True), 0

    async def flood(rounds: int) -> None:
        nonlocal taken
        for at in range(rounds):
            for name in names * 10:
                await inbox.put(Tick(name, TsNs(at), Px(1_000), Qty(1)))
            for _ in names:
                taken += (found := inbox.take()) is not None and found.volume > 0

    asyncio.run(flood(40))
    assert len(inbox) == INBOX_MAX - len(names)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    asyncio.run(flood(40))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert inbox.joined == 2 * 40 * len(names) * 10 - taken - len(inbox)
    # The ticks that wait are others now; there are no more of them.
    assert grown < INBOX_MAX * 400

"""The loop of a trader and its inbox."""

import asyncio
import random

import msgspec
import pytest

from manjha.app.trading.inbox import Inbox
from manjha.app.trading.loop import KILLS_MAX, REQUESTS_MAX, Loop, People
from manjha.domain.controls import Answer, LiftKill, Request, StopTrading, ThrowKill
from manjha.domain.events import KillSwitched
from manjha.domain.instrument import InstrumentId
from manjha.domain.kill import KillLevel, Scope
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import MANUAL, StrategyId
from manjha.domain.ticks import Tick
from tests.fakes.paper import Paper
from tests.fakes.tick_runs import random_tick_run
from tests.fakes.virtual_time import VirtualTime
from tests.parity.test_paper import plain

ONE, OTHER = InstrumentId("NSE:ONE"), InstrumentId("NSE:OTHER")


def tick(name: InstrumentId, at: int, volume: int = 1) -> Tick:
    return Tick(name, TsNs(at), Px(1_000_000 + at), Qty(volume))


def test_ticks_come_out_as_they_went_in() -> None:
    async def run() -> list[int]:
        inbox = Inbox(8)
        for at in range(5):
            await inbox.put(tick(ONE, at))
        return [taken.ts_ns for _ in range(5) if (taken := inbox.take()) is not None]

    assert asyncio.run(run()) == [0, 1, 2, 3, 4]


def test_a_full_inbox_keeps_a_recording_waiting_and_loses_nothing() -> None:
    async def run() -> tuple[bool, list[int]]:
        inbox = Inbox(2)
        for at in range(2):
            await inbox.put(tick(ONE, at))
        late = asyncio.create_task(inbox.put(tick(ONE, 2)))
        await asyncio.sleep(0)
        waited = not late.done()
        taken = [inbox.take()]
        await late
        taken += [inbox.take(), inbox.take()]
        return waited, [one.ts_ns for one in taken if one is not None]

    assert asyncio.run(run()) == (True, [0, 1, 2])


@pytest.mark.failure("F53")
def test_ticks_that_come_too_fast_are_joined_with_the_last_of_their_instrument() -> None:
    async def run() -> tuple[int, list[Tick | None]]:
        inbox = Inbox(3, joins=True)
        for at, name in enumerate((ONE, OTHER, ONE, ONE, OTHER)):
            await inbox.put(tick(name, at, volume=at + 1))
        return inbox.joined, [inbox.take() for _ in range(4)]

    joined, taken = asyncio.run(run())
    assert joined == 2
    assert taken == [tick(ONE, 0, 1), tick(ONE, 3, 3 + 4), tick(OTHER, 4, 2 + 5), None]


@pytest.mark.parametrize("count", [1, 7, 64])
def test_no_quantity_is_lost_by_joining(count: int) -> None:
    async def run() -> int:
        inbox = Inbox(2, joins=True)
        for at in range(count):
            await inbox.put(tick(ONE, at, volume=10))
        return sum(taken.volume for _ in range(2) if (taken := inbox.take()) is not None)

    assert asyncio.run(run()) == 10 * count


@pytest.mark.parametrize("seed", range(20))
def test_what_an_inbox_joins_is_what_one_finds_by_looking_through_it(seed: int) -> None:
    chance, names = random.Random(seed), [InstrumentId(f"NSE:{at}") for at in range(6)]
    inbox, kept, joined = Inbox(5, joins=True), list[Tick](), 0

    async def run() -> None:
        nonlocal joined
        for at in range(200):
            given = tick(chance.choice(names), at, volume=chance.randrange(9))
            if chance.random() < 0.4:
                assert inbox.take() == (kept.pop(0) if kept else None)
            if len(kept) < 5:
                kept.append(given)
            elif (last := next((one for one in reversed(kept) if one.instrument == given.instrument), None)) is None:
                # Nothing of it waits: it would have to wait itself.
                continue
            else:
                kept.remove(last)
                kept.append(tick(given.instrument, at, volume=last.volume + given.volume))
                joined += 1
            await inbox.put(given)
        assert [inbox.take() for _ in kept] == kept

    asyncio.run(run())
    assert inbox.joined == joined > 0


class Crowd:
    """Implements `ports.control_inbox.ControlInbox`: many ask at once, and each is to get an answer."""

    def __init__(self, requests: list[Request]) -> None:
        self.requests, self.answers = requests, dict[str, Answer]()

    async def next(self) -> Request:
        if not self.requests:
            await asyncio.Event().wait()
        return self.requests.pop(0)

    def answer(self, answer: Answer) -> None:
        assert answer.key not in self.answers
        self.answers[answer.key] = answer


def test_too_many_requests_are_refused_but_for_the_kill_switch() -> None:
    asked = [Request(f"k{at}", StopTrading("a test"), "people") for at in range(REQUESTS_MAX + 3)]
    kills = [Request(f"x{at}", ThrowKill("cancel-all", "a test"), "people") for at in range(KILLS_MAX + 1)]
    crowd = Crowd([*asked, *kills])

    async def run() -> None:
        loop = Loop(None, None, People(crowd, None), None, VirtualTime(0))  # type: ignore[arg-type]
        task = asyncio.create_task(loop._take_controls(crowd))
        for _ in range(len(crowd.requests) + 1):
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(run())
    assert not crowd.requests
    refused = [f"k{REQUESTS_MAX + at}" for at in range(3)] + [f"x{KILLS_MAX}"]
    assert sorted(crowd.answers) == sorted(refused)
    assert crowd.answers[refused[0]].refused == f"{REQUESTS_MAX} requests wait for the trader already: ask later"


class Switch:
    """Implements `ports.kill_switch.KillSwitch` in memory, over what a paper account hears of."""

    def __init__(self, events: list[KillSwitched]) -> None:
        self.events = events

    def throw(self, event: KillSwitched) -> None:
        self.events.append(event)

    def thrown(self) -> list[KillSwitched]:
        return self.events


def switching(paper: Paper) -> Loop:
    session = paper.start()
    clock = VirtualTime(session.pump.now_ns)
    return Loop(session, None, People(None, Switch(paper.thrown)), None, clock)  # type: ignore[arg-type]


def test_a_kill_for_an_instrument_is_for_its_id_whichever_name_was_used() -> None:
    paper = Paper(plain(random_tick_run(3)), "run")
    loop, one = switching(paper), paper.run.spec.instruments[0]
    one = msgspec.structs.replace(one, symbol="RENAMED")
    loop.session.trader.state.instruments[one.id] = one
    assert (one.id, one.display) == ("NSE:ALPHA", "NSE:RENAMED")
    for name in (one.display, one.id):
        answer = loop._done(Request(name, ThrowKill("no-new", "why", "", name), "me"))
        assert answer.refused == ""
        assert paper.thrown[-1].scope == Scope(StrategyId(""), one.id)
    answer = loop._done(Request("by hand", ThrowKill("no-new", "why", MANUAL, one.display), "me"))
    assert paper.thrown[-1].scope == Scope(MANUAL, one.id)
    answer = loop._done(Request("off", LiftKill("mended", "", one.display), "me"))
    assert answer.refused == ""
    assert (paper.thrown[-1].level, paper.thrown[-1].scope) == (KillLevel.OFF, Scope(StrategyId(""), one.id))


def test_a_kill_for_a_name_that_the_run_does_not_know_is_refused_and_says_what_it_has() -> None:
    paper = Paper(plain(random_tick_run(3)), "run")
    loop, one = switching(paper), paper.run.spec.instruments[0]
    own = loop.session.trader.state.origin.strategy
    for control in (ThrowKill("no-new", "why", "", "NSE:TYPO"), LiftKill("why", "", "NSE:TYPO")):
        refused = loop._done(Request("k", control, "me")).refused
        assert refused.startswith("NSE:TYPO is not in this run; the run has ")
        assert one.display in refused
    for wrong in (ThrowKill("no-new", "why", "typo"), LiftKill("why", "typo")):
        refused = loop._done(Request("k", wrong, "me")).refused
        assert refused.startswith("no strategy 'typo' trades in this run; it has ")
        assert own in refused
    assert paper.thrown == []


def test_what_is_thrown_can_be_lifted_though_the_run_does_not_know_it() -> None:
    paper = Paper(plain(random_tick_run(3)), "run")
    loop = switching(paper)
    scope = Scope(StrategyId("elsewhere"), OTHER)
    paper.thrown.append(KillSwitched(KillLevel.NO_NEW, scope, "why", "me", TsNs(1)))
    assert loop._done(Request("k", LiftKill("mended", "elsewhere", OTHER), "me")).refused == ""
    assert (paper.thrown[-1].level, paper.thrown[-1].scope) == (KillLevel.OFF, scope)


def test_who_is_cancelled_while_something_comes_ends_all_the_same() -> None:
    async def run() -> bool:
        loop = switching(Paper(plain(random_tick_run(3)), "run"))
        pausing = asyncio.create_task(loop._pause(60.0))
        for _ in range(3):
            await asyncio.sleep(0)
        loop.inbox.stirred.set()
        pausing.cancel()
        await asyncio.wait([pausing])
        return pausing.cancelled()

    assert asyncio.run(run())

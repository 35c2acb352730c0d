"""What every inbox of controls does, whatever lies between it and whoever asks."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from manjha.adapters.system.control_desk import KILLS_MAX, WAITING_MAX, ControlDesk
from manjha.adapters.system.control_socket import ControlSocket, SocketControls
from manjha.domain.controls import (
    AcceptDifference,
    Answer,
    AskStatus,
    Control,
    LiftKill,
    ManualOrder,
    Request,
    SetParameters,
    StartTrading,
    StopTrading,
    ThrowKill,
)
from manjha.domain.errors import InvariantBroken
from manjha.domain.money import Px, Qty
from manjha.domain.orders import OrderType, Product, Side
from manjha.ports.control_inbox import ControlInbox

Ask = Callable[[Request], Awaitable[Answer]]
Story = Callable[[ControlInbox, Ask], Coroutine[Any, Any, None]]
Tell = Callable[[Story], None]

ORDER = ManualOrder("NSE:RELIANCE", Side.BUY, Qty(5), OrderType.LIMIT, Product.MIS, limit=Px(25_000_000))
KILL = ThrowKill("no-new", "too fast")
EVERY: list[Control] = [
    StartTrading("morning"),
    StopTrading(),
    SetParameters("sma-cross", (("fast", "9"), ("slow", "21"))),
    ORDER,
    KILL,
    LiftKill("looked", strategy="sma-cross"),
    AcceptDifference("NSE:INFY"),
    AskStatus(),
]


@pytest.fixture(params=["memory", "socket"])
def tell(request: pytest.FixtureRequest, tmp_path: Path) -> Tell:
    """Return what runs a story with an inbox and a way to ask."""

    async def in_memory(story: Story) -> None:
        desk = ControlDesk()
        await story(desk, desk.submit)

    async def by_socket(story: Story) -> None:
        listening = ControlSocket(tmp_path / "control" / "socket")
        await listening.open()
        controls = SocketControls(tmp_path / "control" / "socket")
        try:
            await story(listening.inbox, lambda asked: asyncio.to_thread(controls.ask, asked))
        finally:
            await listening.close()

    chosen = in_memory if request.param == "memory" else by_socket
    return lambda story: asyncio.run(chosen(story))


@pytest.mark.parametrize("control", EVERY, ids=lambda control: type(control).__name__)
def test_every_control_comes_through_and_its_answer_back(tell: Tell, control: Control) -> None:
    async def story(inbox: ControlInbox, ask: Ask) -> None:
        asked = asyncio.ensure_future(ask(Request("k1", control)))
        taken = await inbox.next()
        assert (taken.key, taken.control) == ("k1", control)
        told = Answer("k1", 17, "", {"equity": 5, "up": True, "held": [{"what": "INFY", "qty": 3}]})
        inbox.answer(told)
        assert await asked == told

    tell(story)


def test_the_same_key_and_control_are_done_once_and_answered_the_same(tell: Tell) -> None:
    async def story(inbox: ControlInbox, ask: Ask) -> None:
        first = asyncio.ensure_future(ask(Request("k1", ORDER)))
        taken = await inbox.next()
        second = asyncio.ensure_future(ask(Request("k1", ORDER)))
        third = asyncio.ensure_future(ask(Request("k2", StopTrading())))
        assert (await inbox.next()).key == "k2"
        inbox.answer(Answer(taken.key, 4))
        inbox.answer(Answer("k2", 5))
        assert [await one for one in (first, second, third)] == [Answer("k1", 4), Answer("k1", 4), Answer("k2", 5)]
        assert await ask(Request("k1", ORDER)) == Answer("k1", 4)

    tell(story)


def test_the_same_key_with_something_else_is_refused(tell: Tell) -> None:
    async def story(inbox: ControlInbox, ask: Ask) -> None:
        other = Request("k1", StopTrading("something else"))
        first = asyncio.ensure_future(ask(Request("k1", StopTrading())))
        await inbox.next()
        assert "used for something else" in (await ask(other)).refused
        inbox.answer(Answer("k1", 1))
        assert await first == Answer("k1", 1)
        assert "used for something else" in (await ask(other)).refused

    tell(story)


def test_a_refusal_is_remembered_like_any_answer(tell: Tell) -> None:
    async def story(inbox: ControlInbox, ask: Ask) -> None:
        first = asyncio.ensure_future(ask(Request("k1", ORDER)))
        await inbox.next()
        inbox.answer(Answer("k1", 9, "the market is closed"))
        assert await first == await ask(Request("k1", ORDER)) == Answer("k1", 9, "the market is closed")

    tell(story)


def test_a_status_is_asked_anew_each_time(tell: Tell) -> None:
    async def story(inbox: ControlInbox, ask: Ask) -> None:
        for seen in (1, 2):
            asked = asyncio.ensure_future(ask(Request("k1", AskStatus())))
            inbox.answer(Answer((await inbox.next()).key, status={"seen": seen}))
            assert (await asked).status == {"seen": seen}

    tell(story)


@pytest.mark.parametrize("key", ["", "x" * 65, "a\nb", "क"])
def test_a_key_that_is_none_is_refused(tell: Tell, key: str) -> None:
    async def story(inbox: ControlInbox, ask: Ask) -> None:
        assert "a key has" in (await ask(Request(key, StopTrading()))).refused

    tell(story)


def test_nobody_waits_for_this_answer(tell: Tell) -> None:
    async def story(inbox: ControlInbox, ask: Ask) -> None:
        with pytest.raises(InvariantBroken):
            inbox.answer(Answer("k1", 1))

    tell(story)


# ---- in memory only: more than a socket's connections


def waiting(desk: ControlDesk, count: int, control: Control) -> list[asyncio.Task[Answer]]:
    return [asyncio.ensure_future(desk.submit(Request(f"{type(control).__name__}-{n}", control))) for n in range(count)]


async def settle() -> None:
    await asyncio.sleep(0)


def test_a_kill_comes_before_everything_that_waits() -> None:
    async def story() -> None:
        desk = ControlDesk()
        asked = [*waiting(desk, 3, StopTrading()), *waiting(desk, 1, KILL)]
        await settle()
        assert [(await desk.next()).key for _ in asked] == ["ThrowKill-0", *(f"StopTrading-{n}" for n in range(3))]
        for one in asked:
            one.cancel()

    asyncio.run(story())


def test_what_is_too_many_is_refused_and_kills_have_room_of_their_own() -> None:
    async def story() -> None:
        desk = ControlDesk()
        asked = waiting(desk, WAITING_MAX, StopTrading())
        await settle()
        full = await desk.submit(Request("one more", StopTrading()))
        assert full.refused == f"{WAITING_MAX} requests wait already: ask later"
        asked += waiting(desk, KILLS_MAX, KILL)
        await settle()
        assert "wait already" in (await desk.submit(Request("last", KILL))).refused
        assert (await desk.next()).key == "ThrowKill-0"
        desk.answer(Answer("ThrowKill-0", 1))
        assert (await asked[WAITING_MAX]).seq == 1
        for one in asked:
            one.cancel()

    asyncio.run(story())


def test_who_goes_away_changes_nothing_for_the_others() -> None:
    async def story() -> None:
        desk = ControlDesk()
        gone, stays = (asyncio.ensure_future(desk.submit(Request("k", KILL))) for _ in range(2))
        await desk.next()
        gone.cancel()
        await settle()
        desk.answer(Answer("k", 3))
        assert await stays == Answer("k", 3)

    asyncio.run(story())


def test_answers_of_earlier_runs_are_known() -> None:
    async def story() -> None:
        desk = ControlDesk([(Request("k", ORDER), Answer("k", 12))])
        assert await desk.submit(Request("k", ORDER)) == Answer("k", 12)
        assert "something else" in (await desk.submit(Request("k", KILL))).refused

    asyncio.run(story())

"""The sentinel with a clock that jumps: what it throws, cancels and tells, and that nothing keeps it from going on."""

import asyncio

import msgspec

from manjha.app.sentinel import Sentinel, SentinelParts
from manjha.domain.broker import BrokerStatus, OrderSeen, PositionSeen, Source, TradeSeen
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TradingDay, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.notes import NoteKind
from manjha.domain.orders import FillId, OrderType, Product, Side, StrategyId
from manjha.domain.vitals import Heartbeat, LedgerCopy
from manjha.orders.tags import tag_of
from tests.fakes.gateways import ShownBroker
from tests.fakes.notifiers import KeptNotes

INFY = InstrumentId("NSE:INFY")
TAG = tag_of(1, TradingDay(20_000), 1, StrategyId("s"))


class World:
    """Everything around a sentinel: implements vitals, kill switch and clocks."""

    def __init__(self) -> None:
        self.now_s, self.beats = 0, True
        self.ledger_copy: LedgerCopy | None = LedgerCopy(TsNs(0), (), {})
        self.beat_now = Heartbeat(0, TsNs(0), has_risk=True, reconciled_ns=TsNs(1))
        self.thrown: list[tuple[str, str]] = []
        self.is_full = False
        self.broker, self.notes = ShownBroker(), KeptNotes()
        self.sentinel = Sentinel(
            SentinelParts(
                vitals=self,
                kill=self,
                notifier=self.notes,
                clock=self,
                in_session=lambda _ns: True,
                mono_ns=lambda: self.now_s * SECOND_NS,
                account=self.broker,
            )
        )

    def now_ns(self) -> TsNs:
        return TsNs(self.now_s * SECOND_NS)

    def wait_until(self, ts_ns: TsNs) -> None:
        raise NotImplementedError

    def throw(self, level: str, reason: str, ts_ns: int) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.thrown.append((level, reason))

    def beat(self, heartbeat: Heartbeat) -> None:
        self.beat_now = heartbeat

    def copy(self, ledger: LedgerCopy) -> None:
        self.ledger_copy = ledger

    def heartbeat(self) -> Heartbeat | None:
        return self.beat_now

    def ledger(self) -> LedgerCopy | None:
        return self.ledger_copy

    def live(self, seconds: int) -> None:
        async def looks() -> None:
            for _ in range(seconds):
                self.now_s += 1
                if self.beats:
                    self.beat_now = msgspec.structs.replace(self.beat_now, count=self.beat_now.count + 1)
                await self.sentinel.look()

        asyncio.run(looks())

    @property
    def told(self) -> list[str]:
        assert all(note.kind is NoteKind.CALL for note in self.notes.notes)
        return [f"{note.title}: {note.text}" for note in self.notes.notes]


def an_order(broker_id: str, tag: str) -> OrderSeen:
    return OrderSeen(
        broker_id, tag, INFY, Side.BUY, Qty(5), OrderType.LIMIT, Product.MIS, BrokerStatus.OPEN, Qty(0), TsNs(0),
        Source.BOOK,
    )  # fmt: skip


def test_a_trader_that_lives_and_counts_right_is_left_alone() -> None:
    world = World()
    world.broker.shown_positions = [PositionSeen(INFY, Product.MIS, Qty(5))]
    world.broker.shown_trades = [TradeSeen(FillId("t"), "o1", INFY, Side.BUY, Qty(5), Px(1), Product.MIS, TsNs(0))]
    world.ledger_copy = LedgerCopy(TsNs(0), tuple(world.broker.shown_positions), {"o1": 5})
    world.live(600)
    assert (world.thrown, world.told, world.broker.cancelled) == ([], [], [])


def test_a_silent_trader_is_killed_its_orders_cancelled_and_a_person_called() -> None:
    world = World()
    world.broker.shown_orders = [an_order("o1", TAG), an_order("o2", "by hand")]
    world.live(5)
    world.beats = False
    world.live(30)
    assert (world.thrown, world.broker.cancelled) == ([], [])
    world.live(1)
    silent = "the trader's loop stands still while it has open risk"
    assert world.thrown == [("cancel-all", f"sentinel: {silent}")]
    assert world.broker.cancelled == ["o1"]
    assert world.told == [
        f"Sentinel: sentinel: {silent}",
        "Sentinel: cancelled: 1 open orders of ours, asked to cancel: o1",
    ]


def test_what_is_still_open_is_cancelled_again_until_it_is_gone() -> None:
    world = World()
    world.beats = False
    world.broker.shown_orders = [an_order("o1", TAG)]
    world.live(1)
    world.live(31 + 25)
    assert world.broker.cancelled == ["o1"] * 3
    world.broker.shown_orders = []
    world.live(60)
    assert world.broker.cancelled == ["o1"] * 3
    assert len(world.thrown) == 1


def test_an_order_that_a_stopped_trader_sends_when_it_wakes_is_cancelled_too() -> None:
    world = World()
    world.beats = False
    world.live(40)
    world.broker.shown_orders = [an_order("late", TAG)]
    world.live(10)
    assert world.broker.cancelled == ["late"]
    world.beats = True
    world.live(20)
    assert world.broker.cancelled == ["late"]
    assert "moves again" in world.told[-1]


def test_a_broker_that_is_down_is_asked_again() -> None:
    world = World()
    world.beats, world.broker.is_down = False, True
    world.broker.shown_orders = [an_order("o1", TAG)]
    world.live(50)
    assert "open orders cannot be read" in world.told[-1]
    assert len([words for words in world.told if "orders cannot be read" in words]) == 1
    world.broker.is_down = False
    world.live(10)
    assert world.broker.cancelled == ["o1"]


def test_a_cancel_that_is_refused_is_told() -> None:
    world = World()
    world.beats, world.broker.takes_cancels = False, False
    world.broker.shown_orders = [an_order("o1", TAG)]
    world.live(40)
    assert "refused o1: the link is down" in world.told[-1]


def test_a_disk_that_is_full_does_not_keep_it_from_cancelling() -> None:
    world = World()
    world.beats, world.is_full = False, True
    world.broker.shown_orders = [an_order("o1", TAG)]
    world.live(40)
    assert world.broker.cancelled == ["o1"]
    assert "it could not be thrown (No space left on device)" in world.told[0]


def test_a_difference_that_lasts_two_looks_stops_new_orders() -> None:
    world = World()
    world.broker.shown_positions = [PositionSeen(INFY, Product.MIS, Qty(5))]
    world.live(60)
    assert world.thrown == []
    world.live(1)
    words = "NSE:INFY MIS: the broker shows 5, the trader 0"
    assert world.thrown == [("no-new", f"sentinel: {words}")]
    assert world.told == [f"Sentinel: difference: {words}"]
    world.live(600)
    assert len(world.thrown) == 1


def test_a_difference_that_goes_is_none_and_one_that_comes_back_is_one_again() -> None:
    world = World()
    shown = [PositionSeen(INFY, Product.MIS, Qty(5))]
    for _ in range(2):
        world.broker.shown_positions = shown
        world.live(60)
        world.broker.shown_positions = []
        world.live(60)
    assert world.thrown == []
    for times in (1, 2):
        world.broker.shown_positions = shown
        world.live(120)
        world.broker.shown_positions = []
        world.live(60)
        assert len(world.thrown) == times


def test_no_comparison_before_the_trader_has_made_its_own() -> None:
    world = World()
    world.beat_now = msgspec.structs.replace(world.beat_now, reconciled_ns=TsNs(0))
    world.broker.shown_positions = [PositionSeen(INFY, Product.MIS, Qty(5))]
    world.live(300)
    assert (world.thrown, world.told) == ([], [])


def test_a_ledger_that_is_not_left_is_a_difference() -> None:
    world = World()
    world.ledger_copy = None
    world.live(61)
    assert world.thrown[0][0] == "no-new"
    assert "no copy of its ledger" in world.thrown[0][1]


def test_a_comparison_that_fails_says_nothing_of_the_account() -> None:
    world = World()
    world.broker.is_down = True
    world.live(200)
    assert world.thrown == []
    assert world.told == ["Sentinel: broker: the account cannot be compared: the broker is down"]

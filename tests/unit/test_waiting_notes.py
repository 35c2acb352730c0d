"""Notes that wait: joined, paced, bounded; calls one by one until they are delivered."""

import threading
from itertools import pairwise

import pytest

from manjha.adapters.notify.queued import QueuedNotifier
from manjha.adapters.notify.waiting import WAITING_MAX, WaitingNotes, joined
from manjha.domain.broker import Sent
from manjha.domain.commands import Approved, CallPerson, RefusalReason, Refused, SubmitOrder
from manjha.domain.events import LinkLost, OrderFilled, OrderRejected, SubmitAnswered, TimerFired, TradingSwitched
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs, parse_day
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.notes import Note, NoteKind, NoteLevel
from manjha.domain.orders import (
    AccountId,
    Fill,
    FillId,
    Order,
    OrderId,
    OrderType,
    Origin,
    Product,
    RunId,
    Side,
    StrategyId,
)  # fmt: skip
from manjha.services.notes import Happened, daily_note, masked, note_of

PACE = 10 * SECOND_NS
AT = TsNs(5)


def note(text: str, kind: NoteKind = NoteKind.FILL, level: NoteLevel = NoteLevel.INFO) -> Note:
    return Note(kind, level, "Fill", text, AT)


def taken(waiting: WaitingNotes, second: int, *, delivered: bool = True) -> str:
    due = waiting.due(second * SECOND_NS)
    if due is None:
        return ""
    waiting.told(due, second * SECOND_NS, delivered=delivered)
    return due.note.text


def test_the_first_goes_at_once_and_the_rest_together() -> None:
    waiting = WaitingNotes(PACE)
    waiting.put(note("one"))
    assert taken(waiting, 0) == "one"
    for number in range(15):
        waiting.put(note(f"fill {number}"))
    assert taken(waiting, 9) == ""
    assert waiting.wakes_ns() == PACE
    assert taken(waiting, 10) == "fill 12\nfill 13\nfill 14\nand 12 more fills"
    assert (taken(waiting, 30), waiting.wakes_ns(), len(waiting)) == ("", None, 0)


def test_kinds_do_not_wait_for_each_other() -> None:
    waiting = WaitingNotes(PACE)
    waiting.put(note("a fill"))
    waiting.put(note("a halt", NoteKind.HALT))
    assert {taken(waiting, 0), taken(waiting, 0)} == {"a fill", "a halt"}


def test_what_is_joined_has_the_highest_level() -> None:
    found = joined([note("a", level=NoteLevel.WARNING), note("b")])
    assert (found.level, found.title, found.text) == (NoteLevel.WARNING, "2 fills", "a\nb")


def test_too_many_are_dropped_oldest_first_and_counted() -> None:
    waiting = WaitingNotes(PACE)
    for number in range(WAITING_MAX + 7):
        waiting.put(note(f"fill {number}"))
    text = taken(waiting, 0)
    assert text.endswith(f"and {WAITING_MAX - 3} more fills\n7 fills were dropped: too many, or not delivered")
    assert f"fill {WAITING_MAX + 6}" in text


def test_what_was_not_delivered_is_counted_in_the_next() -> None:
    waiting = WaitingNotes(PACE)
    waiting.put(note("one"))
    assert taken(waiting, 0, delivered=False) == "one"
    waiting.put(note("two"))
    assert taken(waiting, 10) == "two\n1 fills were dropped: too many, or not delivered"
    waiting.put(note("three"))
    assert taken(waiting, 20) == "three"


def test_calls_go_first_one_by_one_and_are_tried_until_they_are_delivered() -> None:
    waiting = WaitingNotes(PACE)
    waiting.put(note("a fill"))
    for text in ("first", "second"):
        waiting.put(note(text, NoteKind.CALL))
    assert taken(waiting, 0, delivered=False) == "first"
    assert taken(waiting, 1) == "a fill"
    assert taken(waiting, 1) == ""
    assert taken(waiting, 2, delivered=False) == "second"
    assert taken(waiting, 5) == ""
    assert [taken(waiting, 6), taken(waiting, 6), taken(waiting, 6)] == ["first", "second", ""]


def test_the_back_off_of_a_call_has_an_end() -> None:
    waiting = WaitingNotes(PACE)
    waiting.put(note("help", NoteKind.CALL))
    tries = [second for second in range(3_000) if taken(waiting, second, delivered=False)]
    assert tries[:9] == [0, 2, 6, 14, 30, 62, 126, 254, 510]
    assert {later - earlier for earlier, later in pairwise(tries[9:])} == {300}


def test_ten_thousand_calls_are_all_there_and_the_same_call_once() -> None:
    waiting = WaitingNotes(PACE)
    for number in range(1_000):
        waiting.put(note(f"call {number}", NoteKind.CALL))
        waiting.put(note("the same", NoteKind.CALL))
    assert len(waiting) == 1_001


def test_in_a_hurry_no_pace_is_kept() -> None:
    waiting = WaitingNotes(PACE)
    waiting.put(note("one"))
    taken(waiting, 0)
    waiting.put(note("two"))
    assert waiting.due(SECOND_NS) is None
    assert waiting.due(SECOND_NS, hurry=True) is not None


class Kept:
    """A receiver that keeps what it gets; while it is `shut` a post waits."""

    name = "kept"

    def __init__(self, *, refuses: int = 0) -> None:
        self.texts: list[str] = []
        self.refuses = refuses
        self.shut, self.has_begun = threading.Event(), threading.Event()
        self.shut.set()

    def post(self, note: Note) -> str:
        self.has_begun.set()
        assert self.shut.wait(20)
        if self.refuses:
            self.refuses -= 1
            return "not now"
        self.texts.append(note.text)
        return ""


def test_a_slow_receiver_keeps_neither_the_caller_nor_another_one_waiting() -> None:
    slow, quick = Kept(), Kept()
    slow.shut.clear()
    notifier = QueuedNotifier([slow, quick], {}, pace_s=0)
    notifier.tell(note("one"))
    assert slow.has_begun.wait(20)
    for number in range(2 * WAITING_MAX):
        notifier.tell(note(f"fill {number}"))
    assert quick.has_begun.wait(20)
    assert slow.texts == []
    slow.shut.set()
    notifier.close(20)
    assert slow.texts[0] == "one"
    assert f"{WAITING_MAX} fills were dropped" in slow.texts[1]


def test_levels_choose_what_is_told_and_calls_always_are() -> None:
    kept = Kept()
    least = {NoteKind.FILL: NoteLevel.WARNING, NoteKind.ORDER: None, NoteKind.CALL: None}
    notifier = QueuedNotifier([kept], least, pace_s=0)
    notifier.tell(note("quiet"))
    notifier.tell(note("loud", level=NoteLevel.WARNING))
    notifier.tell(note("off", NoteKind.ORDER, NoteLevel.ALARM))
    notifier.tell(note("call", NoteKind.CALL, NoteLevel.INFO))
    notifier.close(20)
    assert sorted(kept.texts) == ["call", "loud"]


def test_a_call_that_is_refused_comes_again() -> None:
    kept = Kept(refuses=1)
    notifier = QueuedNotifier([kept], {}, pace_s=0)
    notifier.tell(note("help", NoteKind.CALL))
    notifier.close(20)
    assert kept.texts == ["help"]


def test_what_cannot_be_delivered_does_not_keep_a_process_from_ending() -> None:
    kept = Kept(refuses=1_000_000)
    notifier = QueuedNotifier([kept], {}, pace_s=0)
    notifier.tell(note("help", NoteKind.CALL))
    notifier.close(0)
    assert kept.texts == []


# ---- what notes say

ORIGIN = Origin(AccountId("AB1234"), StrategyId("sma-cross"), RunId("r"))
INFY = InstrumentId("NSE:INE009A01021")
ORDER = Order(
    OrderId("o1"), ORIGIN, INFY, Side.SELL, Qty(1_500), OrderType.SL, Product.MIS, AT, Px(15_000_500), Px(15_010_000)
)
FILL = Fill(FillId("f"), OrderId("o1"), ORIGIN, INFY, Side.BUY, Qty(5), Px(15_000_500), Px(15_000_500), Product.MIS, AT)
SAYS: list[tuple[Happened, str, str]] = [
    (
        Approved(SubmitOrder(ORDER)),
        "order",
        "SELL 1,500 INFY SL at 1500.05, trigger 1501.00 (signal, sma-cross, AB**34)",
    ),
    (OrderFilled(FILL), "fill", "BUY 5 INFY filled at 1500.05 (sma-cross, AB**34)"),
    (OrderRejected(OrderId("o1"), AT, "no funds"), "reject", "order o1: no funds"),
    (
        Refused(SubmitOrder(ORDER), RefusalReason.OFF_TICK, "1500.07", AT),
        "reject",
        "refused by risk: a price is not on the tick; 1500.07",
    ),
    (TradingSwitched(False, AT, "day loss"), "halt", "AB**34: day loss"),
    (LinkLost("order stream", "timeout", AT), "health", "order stream is lost: timeout"),
    (CallPerson("NSE:INFY", "frozen", AT), "call", "frozen"),
]


@pytest.mark.parametrize(("value", "kind", "text"), SAYS, ids=lambda value: type(value).__name__)
def test_what_happened_in_a_few_words(value: Happened, kind: str, text: str) -> None:
    found = note_of(value, AccountId("AB1234"), lambda _id: "INFY")
    assert found is not None
    assert (found.kind, found.text, found.ts_ns) == (kind, text, AT)
    assert "AB1234" not in found.text + found.title


def test_what_nobody_needs_to_be_told() -> None:
    quiet: list[Happened] = [
        TimerFired("x", AT),
        TradingSwitched(True, AT, ""),
        SubmitAnswered(OrderId("o"), Sent("1"), AT),
    ]
    assert [note_of(value, AccountId("AB1234"), str) for value in quiet] == [None] * 3


def test_a_day_in_figures() -> None:
    found = daily_note(AccountId("AB1234"), parse_day("2026-11-30"), {"net (Rs)": Cash(1_234_567_800), "fills": 12}, AT)
    assert (found.title, found.text) == ("2026-11-30 of AB**34", "net: 1,23,456.78\nfills: 12")


@pytest.mark.parametrize(("account", "shown"), [("AB1234", "AB**34"), ("AB12", "****"), ("A", "*"), ("", "")])
def test_accounts_are_masked(account: str, shown: str) -> None:
    assert masked(AccountId(account)) == shown

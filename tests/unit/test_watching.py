"""What the sentinel decides, as tables."""

import pytest

from manjha.domain.broker import BrokerStatus, OrderSeen, PositionSeen, Source, TradeSeen
from manjha.domain.instrument import Exchange, InstrumentId
from manjha.domain.moments import SECOND_NS, TsNs, at, parse_day
from manjha.domain.money import Px, Qty
from manjha.domain.orders import FillId, OrderType, Product, Side, StrategyId
from manjha.domain.vitals import Heartbeat, LedgerCopy
from manjha.orders.tags import read_tag, tag_of
from manjha.services.market_hours import is_open
from manjha.services.watching import (
    Alarm,
    Pulse,
    differences,
    felt,
    is_own_tag,
    lasting,
    own_open,
)
from tests.fakes.market_rules import shipped_rules

INFY, SBIN = InstrumentId("NSE:INFY"), InstrumentId("NSE:SBIN")
AT = TsNs(0)


def beat(count: int, *, risk: bool = True, ended: bool = False) -> Heartbeat:
    return Heartbeat(count, AT, risk, TsNs(1), ended)


Look = tuple[int, Heartbeat | None, bool]


@pytest.mark.parametrize(
    ("looks", "alarms"),
    [
        pytest.param([(0, None, True), (100, None, True)], [None, None], id="no trader ever"),
        pytest.param([(0, beat(1), True), (30, beat(1), True)], [None, None], id="thirty seconds are allowed"),
        pytest.param([(0, beat(1), True), (31, beat(1), True)], [None, Alarm.SILENT], id="more are not"),
        pytest.param([(0, beat(1), True), (25, beat(2), True), (50, beat(2), True)], [None] * 3, id="it moves"),
        pytest.param(
            [(0, beat(1), True), (31, beat(1), True), (62, beat(1), True), (63, beat(2), True), (95, beat(2), True)],
            [None, Alarm.SILENT, None, Alarm.BACK, Alarm.SILENT],
            id="told once, back, and silent again",
        ),
        pytest.param([(0, beat(1, risk=False), True), (99, beat(1, risk=False), True)], [None] * 2, id="no risk"),
        pytest.param([(0, beat(1), False), (99, beat(1), False)], [None, None], id="the market is closed"),
        pytest.param([(0, beat(1), False), (99, beat(1), True)], [None, Alarm.SILENT], id="dead when it opens"),
        pytest.param([(0, beat(1), True), (31, None, True)], [None, Alarm.SILENT], id="the file is gone"),
        pytest.param([(0, beat(9), True), (20, beat(1), True), (45, beat(1), True)], [None] * 3, id="started anew"),
        pytest.param(
            [(0, beat(1), True), (1, beat(2, risk=False, ended=True), True), (99, None, True)],
            [None, None, None],
            id="ended with nothing open",
        ),
        pytest.param(
            [(0, beat(1), True), (1, beat(2, ended=True), True), (99, beat(2, ended=True), True)],
            [None, Alarm.LEFT, None],
            id="ended and left risk",
        ),
        pytest.param([(0, beat(2, ended=True), True), (99, beat(2, ended=True), True)], [None] * 2, id="of yesterday"),
    ],
)
def test_the_pulse(looks: list[Look], alarms: list[Alarm | None]) -> None:
    pulse, told = Pulse(), []
    for second, seen, in_session in looks:
        pulse, alarm = felt(pulse, seen, second * SECOND_NS, in_session=in_session)
        told.append(alarm)
    assert told == alarms


def held(instrument: InstrumentId, qty: int, product: Product = Product.MIS) -> PositionSeen:
    return PositionSeen(instrument, product, Qty(qty))


def trade(number: str, qty: int, broker_id: str) -> TradeSeen:
    return TradeSeen(FillId(number), broker_id, INFY, Side.BUY, Qty(qty), Px(1), Product.MIS, AT)


def ledger(*positions: PositionSeen, **filled: int) -> LedgerCopy:
    return LedgerCopy(AT, positions, filled)


@pytest.mark.parametrize(
    ("here", "positions", "trades", "found"),
    [
        (ledger(), [], [], []),
        (ledger(held(INFY, 5), o1=5), [held(INFY, 5)], [trade("t1", 2, "o1"), trade("t2", 3, "o1")], []),
        (ledger(held(INFY, 0)), [held(SBIN, 0)], [], []),
        (None, [held(INFY, 5)], [], [("ledger", 0)]),
        (ledger(held(INFY, 5), o1=2), [held(INFY, 5)], [trade("t1", 5, "o1")], [("order o1", 0)]),
        (ledger(), [], [trade("t1", 5, "o9")], [("order o9", 0)]),
        (ledger(o1=5), [], [], [("order o1", 0)]),
        (ledger(held(INFY, 5)), [held(INFY, 5, Product.CNC)], [], [("NSE:INFY CNC", 5), ("NSE:INFY MIS", -5)]),
        (ledger(held(INFY, -5)), [held(INFY, 5)], [], [("NSE:INFY MIS", 10)]),
        (ledger(), [held(SBIN, 3), held(SBIN, 4)], [], [("NSE:SBIN MIS", 7)]),
    ],
)
def test_where_broker_and_trader_differ(
    here: LedgerCopy | None, positions: list[PositionSeen], trades: list[TradeSeen], found: list[tuple[str, int]]
) -> None:
    assert [(one.about, one.gap) for one in differences(here, positions, trades)] == found


def test_a_difference_says_both_sides() -> None:
    found = differences(ledger(held(INFY, 2), o1=2), [held(INFY, 5)], [trade("t", 5, "o1")])
    assert [one.words for one in found] == [
        "order o1: the broker traded 5, the trader booked 2",
        "NSE:INFY MIS: the broker shows 5, the trader 2",
    ]


def test_only_what_lasts_counts() -> None:
    first = differences(ledger(o1=1), [held(INFY, 5), held(SBIN, 1)], [])
    same = differences(ledger(o1=2), [held(INFY, 5), held(SBIN, 9)], [])
    # INFY by the same gap, and the order whatever the gap; SBIN moved, so it may be a fill on its way.
    assert [one.about for one in lasting(first, same)] == ["order o1", "NSE:INFY MIS"]
    assert lasting((), same) == ()
    assert lasting(same, ()) == ()


OWN = tag_of(3, parse_day("2026-11-30"), 41, StrategyId("sma-cross"))


@pytest.mark.parametrize("number", [1, 31, 32, 1_000, 32**5 - 1])
def test_own_tags_are_known(number: int) -> None:
    for leg in (0, 31):
        tag = tag_of(number % 32**3, parse_day("2026-11-30"), number, StrategyId(f"s{number}"), leg)
        assert is_own_tag(tag)
        assert read_tag(tag) is not None


@pytest.mark.parametrize("at", range(20))
def test_one_wrong_letter_is_no_tag_of_ours(at: int) -> None:
    for letter in "0Z9A":
        changed = OWN[:at] + letter + OWN[at + 1 :]
        assert is_own_tag(changed) == (changed == OWN) == (read_tag(changed) is not None)


@pytest.mark.parametrize("tag", ["", "K", OWN.lower(), OWN + "0", OWN[:-1], "KIOU" + OWN[4:], "my own order", "K" * 20])
def test_other_words_are_no_tags(tag: str) -> None:
    assert (is_own_tag(tag), read_tag(tag)) == (False, None)


def seen(broker_id: str, tag: str, status: BrokerStatus) -> OrderSeen:
    return OrderSeen(
        broker_id, tag, INFY, Side.BUY, Qty(5), OrderType.LIMIT, Product.MIS, status, Qty(0), AT, Source.BOOK
    )  # fmt: skip


def test_only_our_own_open_orders_are_cancelled() -> None:
    every = [seen(f"{n}", OWN, status) for n, status in enumerate(BrokerStatus)]
    foreign = [seen("x", "", BrokerStatus.OPEN), seen("y", "by hand", BrokerStatus.OPEN)]
    found = {one.status for one in own_open(every + foreign)}
    assert found == set(BrokerStatus) - {BrokerStatus.REJECTED, BrokerStatus.CANCELLED, BrokerStatus.COMPLETE}


@pytest.mark.parametrize(
    ("day", "clock", "exchanges", "open_now"),
    [
        ("2026-11-30", 12, [Exchange.NSE], True),
        ("2026-11-30", 20, [Exchange.NSE], False),
        ("2026-11-30", 20, [Exchange.NSE, Exchange.MCX], True),
        ("2026-11-29", 12, [Exchange.NSE], False),
        ("2036-11-30", 3, [Exchange.NSE], True),
    ],
)
def test_when_somebody_may_be_trading(day: str, clock: int, exchanges: list[Exchange], open_now: bool) -> None:
    assert is_open(shipped_rules(), exchanges, at(parse_day(day), clock * 3600 * SECOND_NS)) == open_now

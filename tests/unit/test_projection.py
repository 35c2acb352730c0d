"""Read models by hand: the corners of a fold over a journal that random runs seldom meet."""

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.charges import ChargeLines
from manjha.domain.commands import Approved, SubmitOrder
from manjha.domain.errors import DataError, JournalHalted
from manjha.domain.events import (
    ActionEffective,
    ContractExpired,
    Event,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderModified,
    OrderRejected,
    SessionOpened,
)
from manjha.domain.instrument import Asset, Instrument, InstrumentId, Right
from manjha.domain.moments import TradingDay, TsNs, parse_day
from manjha.domain.money import Px, Qty
from manjha.domain.orders import (
    AccountId,
    Fill,
    FillId,
    Order,
    OrderId,
    OrderType,
    Origin,
    Phase,
    Product,
    RunId,
    Side,
    StrategyId,
)
from manjha.domain.read_models import OrderView, PositionView
from manjha.engine.journaling import entry_of
from manjha.services.folding import Reference
from manjha.services.read_models import follow, reference_of
from tests.fakes.journals import MemoryJournal, SharedMemory
from tests.fakes.market_rules import option, share, shipped_rules
from tests.fakes.records import MemoryReadModels, MemoryWork

ACCOUNT = AccountId("AB1234")
ORIGIN = Origin(ACCOUNT, StrategyId("s"), RunId("r"))
DAY = parse_day("2026-11-02")
SHARE = share("SBIN")
CALL = option("SBIN", "800", Right.CALL, asset=Asset.EQUITY)
PUT = option("SBIN", "900", Right.PUT, asset=Asset.EQUITY)
KNOWN = {one.id: one for one in (SHARE, CALL, PUT)}
SPLIT = CorporateAction(SHARE.id, DAY, ActionKind.SPLIT, 5, 1)
Journaled = Event | Approved[SubmitOrder]


def placed(number: int, instrument: Instrument = SHARE, **changes: object) -> Approved[SubmitOrder]:
    product = Product.NRML if instrument.is_derivative else Product.CNC
    terms = (instrument.id, Side.BUY, Qty(10), OrderType.MARKET, product, TsNs(1))
    order = Order(OrderId(f"o{number}"), ORIGIN, *terms)
    return Approved(SubmitOrder(msgspec.structs.replace(order, **changes)))


def filled(number: int, qty: int = 10, px: int = 50_0000, instrument: Instrument = SHARE) -> OrderFilled:
    product = Product.NRML if instrument.is_derivative else Product.CNC
    whose = (FillId("f"), OrderId(f"o{number}"), ORIGIN, instrument.id)
    return OrderFilled(Fill(*whose, Side.BUY, Qty(qty), Px(px), Px(px), product, TsNs(7)))


def told(
    *values: Journaled,
    known: Mapping[InstrumentId, Instrument] = KNOWN,
    reference: Reference | None = None,
    batch: int = 1,
) -> MemoryReadModels:
    """Project some values, each in a transaction of its own unless it is told otherwise."""
    journal, work = MemoryJournal(SharedMemory(ACCOUNT)), MemoryWork()
    journal.begin(RunId("r"))
    journal.append([entry_of(value, TsNs(1)) for value in values])

    def instrument_of(instrument: InstrumentId, _day: TradingDay) -> Instrument | None:
        return known.get(instrument)

    follow(journal, work, reference or reference_of(shipped_rules(), instrument_of), batch=batch)
    return work.read_models


def order_of(models: MemoryReadModels) -> OrderView:
    [order] = models.orders(ACCOUNT)
    return order


def held(models: MemoryReadModels) -> dict[InstrumentId, PositionView]:
    return {one.instrument: one for one in models.positions(ACCOUNT)}


def accepted(number: int = 1) -> OrderAccepted:
    return OrderAccepted(OrderId(f"o{number}"), TsNs(2))


def cancelled(number: int = 1, reason: str = "") -> OrderCancelled:
    return OrderCancelled(OrderId(f"o{number}"), TsNs(3), reason)


def test_a_fill_after_a_cancel_counts_and_is_an_alarm() -> None:
    order = order_of(told(placed(1), accepted(), cancelled(reason="asked"), filled(1)))
    assert (order.phase, order.filled, order.alarms, order.reason) == (Phase.FILLED, 10, 1, "asked")
    assert (order.closed_ns, order.placed_seq, order.changed_seq) == (3, 1, 4)


def test_a_fill_beyond_the_order_is_an_alarm_and_counts() -> None:
    order = order_of(told(placed(1), filled(1, 12)))
    assert (order.phase, order.filled, order.alarms) == (Phase.FILLED, 12, 1)


def test_a_rejection_keeps_its_reason_and_a_wordless_end_leaves_it() -> None:
    rejected = OrderRejected(OrderId("o1"), TsNs(2), "no margin")
    order = order_of(told(placed(1), rejected, cancelled()))
    assert (order.phase, order.reason, order.alarms) == (Phase.REJECTED, "no margin", 1)


def test_new_terms_are_the_present_ones() -> None:
    order = order_of(told(placed(1), accepted(), OrderModified(OrderId("o1"), TsNs(4), Qty(6), Px(5), Px(3))))
    assert (order.qty, order.limit, order.trigger, order.order.qty) == (6, 5, 3, 10)


@pytest.mark.parametrize("right", ["CE", "PE"])
def test_an_option_pays_by_the_strike_that_a_split_left(right: str) -> None:
    contract = CALL if right == "CE" else PUT
    expired = ContractExpired(contract.id, Px(200_0000), TsNs(9))
    models = told(placed(1, contract), filled(1, instrument=contract), ActionEffective(SPLIT, TsNs(8)), expired)
    position = held(models)[contract.id]
    # Strikes 800 and 900 became 160 and 180: the call pays 40 rupees a unit, the put nothing.
    worth = 50 * (40_0000 if right == "CE" else 0)
    assert (position.qty, position.cost, position.realised) == (0, 0, worth - 10 * 50_0000)


def test_a_dividend_changes_no_position_and_a_bonus_both_share_and_contract() -> None:
    both = (placed(1), filled(1), placed(2, CALL), filled(2, instrument=CALL))
    dividend = CorporateAction(SHARE.id, DAY, ActionKind.DIVIDEND, cash=Px(10_0000))
    bonus = CorporateAction(SHARE.id, DAY, ActionKind.BONUS, 3, 2)
    after = held(told(*both, ActionEffective(dividend, TsNs(8))))
    assert after == held(told(*both))
    found = held(told(*both, ActionEffective(bonus, TsNs(8))))
    assert [(one.qty, one.cost) for one in found.values()] == [(15, 500_0000)] * 2


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((placed(1), placed(1)), "row 2 places order o1 a second time"),
        ((accepted(),), "row 1 speaks of order o1, which no row before it places"),
        ((filled(1),), "row 1 speaks of order o1"),
        ((placed(1, origin=Origin(AccountId("other"), *"sr")),), "an order of account other in the journal of AB1234"),
    ],
)
def test_rows_that_contradict_each_other_are_refused(values: Sequence[Journaled], words: str) -> None:
    with pytest.raises(JournalHalted, match=words):
        told(*values)


@pytest.mark.parametrize("event", [ContractExpired(CALL.id, Px(1), TsNs(9)), ActionEffective(SPLIT, TsNs(9))])
def test_a_contract_that_nobody_knows_is_named(event: Event) -> None:
    values = (placed(1, CALL), filled(1, instrument=CALL), event)
    with pytest.raises(DataError, match=f"row 3 of the journal needs {CALL.id}"):
        told(*values, known={SHARE.id: SHARE})
    # Without a position there is nothing to know.
    assert told(event, known={}).positions(ACCOUNT) == []


def test_charges_are_those_of_the_day_and_unknown_where_nobody_knows() -> None:
    values = (SessionOpened(DAY, TsNs(1)), placed(1), filled(1, 4), filled(1, 6))
    first, second = (trade.charges for trade in told(*values).trades(ACCOUNT))
    assert first is not None
    assert second is not None
    assert (first.brokerage, first.stt > 0, second.stt > first.stt) == (0, True, True)
    for known, day in (({}, DAY), (KNOWN, parse_day("1990-01-01"))):
        models = told(SessionOpened(day, TsNs(1)), *values[1:], known=known)
        assert [trade.charges for trade in models.trades(ACCOUNT)] == [None, None]


def test_whoever_knows_charges_is_told_what_the_order_had_traded_before() -> None:
    asked: list[tuple[int, TradingDay]] = []

    def charges_of(fill: Fill, before: int, day: TradingDay) -> ChargeLines:
        asked.append((before, day))
        return ChargeLines()

    reference = Reference(lambda _instrument, _day: None, charges_of)
    told(SessionOpened(DAY, TsNs(1)), placed(1), filled(1, 4), filled(1, 6), reference=reference)
    assert asked == [(0, DAY), (4 * 50_0000, DAY)]

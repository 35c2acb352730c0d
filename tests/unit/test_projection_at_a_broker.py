"""Read models of trading at a broker by hand: the corners that days of chance seldom meet."""

from typing import Any

import msgspec
import pytest

from manjha.domain.broker import BrokerStatus, OrderSeen, OutcomeUnknown, PositionSeen, Sent, Source, TradeSeen, Turned
from manjha.domain.commands import Approved, SubmitOrder
from manjha.domain.events import AccountTaken, BrokerRead, DifferenceAccepted, SessionOpened, SubmitAnswered
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import EXTERNAL, FillId, OrderId, OrderType, Phase, Product, RunId, Side
from manjha.engine.desk import QUARANTINE_NS
from tests.fakes.records import MemoryReadModels
from tests.unit.test_projection import ACCOUNT, DAY, SHARE, order_of, placed, told

TAKEN, OPENED = AccountTaken(RunId("r"), 1, "build", "settings", TsNs(1)), SessionOpened(DAY, TsNs(1))


def sent(number: int = 1) -> Approved[SubmitOrder]:
    return Approved(SubmitOrder(placed(number).command.order, f"K{number}"))


def answered(outcome: Any) -> SubmitAnswered:
    return SubmitAnswered(OrderId("o1"), outcome, TsNs(2))


def seen(status: BrokerStatus = BrokerStatus.OPEN, filled: int = 0, **changes: Any) -> OrderSeen:
    shown = OrderSeen(
        "N1", "K1", SHARE.id, Side.BUY, Qty(10), OrderType.MARKET, Product.CNC, status, Qty(filled), TsNs(3),
        Source.BOOK,
    )  # fmt: skip
    return msgspec.structs.replace(shown, **changes)


def trade(name: str = "t1", qty: int = 10, number: str = "N1") -> TradeSeen:
    return TradeSeen(FillId(name), number, SHARE.id, Side.BUY, Qty(qty), Px(50_0000), Product.CNC, TsNs(4))


def read(*shown: OrderSeen | TradeSeen, ts_ns: int = 5, **more: Any) -> BrokerRead:
    orders = tuple(one for one in shown if isinstance(one, OrderSeen))
    return BrokerRead(orders, tuple(one for one in shown if isinstance(one, TradeSeen)), TsNs(ts_ns), **more)


def holding(qty: int) -> dict[str, Any]:
    return {"whole": True, "positions": (PositionSeen(SHARE.id, Product.CNC, Qty(qty)),)}


def held(models: MemoryReadModels) -> dict[str, int]:
    return {one.strategy: one.qty for one in models.positions(ACCOUNT)}


def test_a_refusal_is_not_believed_of_an_order_that_was_seen() -> None:
    order = order_of(told(TAKEN, OPENED, sent(), read(seen()), answered(Turned("no margin"))))
    assert (order.phase, order.reason, order.broker_id) == (Phase.WORKING, "", "N1")
    refused = order_of(told(TAKEN, OPENED, sent(), answered(Turned("no margin"))))
    assert (refused.phase, refused.reason, refused.closed_ns) == (Phase.REJECTED, "no margin", 2)


def test_what_was_written_off_and_lands_is_open_again() -> None:
    late = [read(ts_ns=2 + QUARANTINE_NS + at, whole=True) for at in range(2)]
    rows: tuple[Any, ...] = (TAKEN, OPENED, sent(), answered(OutcomeUnknown("timeout")), *late)
    off = order_of(told(*rows))
    assert (off.phase, off.reason, off.closed_ns) == (Phase.WRITTEN_OFF, "not found at the broker", 3 + QUARANTINE_NS)
    landed = order_of(told(*rows, read(seen())))
    assert (landed.phase, landed.closed_ns, landed.alarms) == (Phase.WORKING, 0, 1)


def test_an_order_is_open_until_the_trades_that_the_broker_counts_are_there() -> None:
    rows = (TAKEN, OPENED, sent(), answered(Sent("N1")), read(seen(BrokerStatus.COMPLETE, 10), trade(qty=4)))
    short = order_of(told(*rows))
    assert (short.phase, short.filled) == (Phase.WORKING, 4)
    assert short.sent is not None
    assert short.sent.is_short
    whole = told(*rows, read(trade("t2", 6), trade("t2", 6)))
    assert (order_of(whole).phase, order_of(whole).filled, order_of(whole).turnover) == (Phase.FILLED, 10, 10 * 50_0000)
    assert [(one.fill.id, one.seq, one.number) for one in whole.trades(ACCOUNT)] == [("t1", 5, 0), ("t2", 6, 0)]
    ended = order_of(told(*rows, SessionOpened(TradingDay(DAY + 1), TsNs(9))))
    assert ended.sent is not None
    assert not ended.sent.is_short


@pytest.mark.parametrize("batch", [1, 100])
def test_names_of_trades_begin_anew_with_the_day(batch: int) -> None:
    rows = (TAKEN, OPENED, sent(), read(seen(), trade(qty=4)), read(trade(qty=4)))
    tomorrow = SessionOpened(TradingDay(DAY + 1), TsNs(9))
    assert order_of(told(*rows, batch=batch)).filled == 4
    assert order_of(told(*rows, SessionOpened(DAY, TsNs(9)), read(trade(qty=4)), batch=batch)).filled == 4
    assert order_of(told(*rows, tomorrow, read(trade(qty=4)), batch=batch)).filled == 8


def test_a_trade_before_its_order_waits_for_it() -> None:
    early = told(TAKEN, OPENED, sent(), read(trade()))
    assert not early.trades(ACCOUNT)
    assert early.reached(ACCOUNT).desk.loose == (trade(),)
    late = told(TAKEN, OPENED, sent(), read(trade()), read(seen(BrokerStatus.COMPLETE, 10)))
    assert (order_of(late).phase, held(late)) == (Phase.FILLED, {"s": 10})


def test_what_is_there_at_first_is_external_and_later_only_where_nothing_is_ours_or_somebody_says_so() -> None:
    first = (TAKEN, OPENED, read(**holding(7)), read(**holding(7)))
    assert held(told(*first)) == {EXTERNAL: 7}
    bought = (*first, sent(), read(seen(BrokerStatus.COMPLETE, 10), trade()), read(**holding(17)))
    assert held(told(*bought)) == {EXTERNAL: 7, "s": 10}
    differs = (*bought, read(**holding(20)), read(**holding(20)))
    assert held(told(*differs)) == {EXTERNAL: 7, "s": 10}
    accepted = (*differs, DifferenceAccepted(SHARE.id, "people", TsNs(8)), read(**holding(20)), read(**holding(20)))
    assert held(told(*accepted)) == {EXTERNAL: 10, "s": 10}
    # What a person has accepted is what differed then: a difference that comes later is not explained by it.
    more = read(**holding(20))
    early = (*bought, DifferenceAccepted(SHARE.id, "people", TsNs(8)), read(**holding(17)), more, more)
    assert held(told(*early)) == {EXTERNAL: 7, "s": 10}


def test_until_the_books_agreed_once_what_is_there_beside_ours_is_external() -> None:
    bought = (TAKEN, OPENED, sent(), read(seen(BrokerStatus.COMPLETE, 10), trade()))
    models = told(*bought, read(**holding(17)))
    assert (held(models), models.reached(ACCOUNT).desk.was_compared) == ({"s": 10}, False)
    assert held(told(*bought, read(**holding(17)), read(**holding(17)))) == {EXTERNAL: 7, "s": 10}


def test_the_brokers_own_trade_closes_what_is_ours_and_the_rest_is_external() -> None:
    bought = (TAKEN, OPENED, sent(), read(seen(BrokerStatus.COMPLETE, 10), trade()))
    sold = msgspec.structs.replace(trade("t9", 15, "N9"), side=Side.SELL)
    shown = seen(BrokerStatus.COMPLETE, 15, broker_id="N9", tag="", side=Side.SELL, qty=Qty(15), by_broker=True)
    models = told(*bought, read(shown, sold))
    assert held(models) == {EXTERNAL: -5, "s": 0}
    fills = [(one.fill.order_id, one.fill.qty, one.number) for one in models.trades(ACCOUNT)]
    assert fills == [("o1", 10, 0), ("external-19700101-t9-s", 10, 0), ("external-N9", 5, 1)]
    outside = next(one for one in models.orders(ACCOUNT) if one.order.id == "external-N9")
    assert (outside.phase, outside.filled, outside.order.origin.strategy) == (Phase.FILLED, 15, EXTERNAL)

"""The book of orders: a fill counts in every phase; what cannot be true is an alarm."""

import pytest

from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
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
from manjha.orders.book import OrderBook
from manjha.orders.lifecycle import OPEN_PHASES, TRANSITIONS, Happening, Verdict

ORIGIN = Origin(AccountId("a"), StrategyId("s"), RunId("r"))
SHARE = InstrumentId("NSE:ALPHA")
ORDER = Order(OrderId("1"), ORIGIN, SHARE, Side.BUY, Qty(10), OrderType.MARKET, Product.CNC, TsNs(0))


def fill(qty: int) -> Fill:
    px = Px(1_000_000)
    return Fill(FillId("f"), ORDER.id, ORIGIN, SHARE, Side.BUY, Qty(qty), px, px, Product.CNC, TsNs(5))


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("happening", list(Happening))
def test_the_book_follows_the_table_in_every_pair(phase: Phase, happening: Happening) -> None:
    book = OrderBook()
    record = book.add(ORDER)
    book._move(record, phase, TsNs(1))
    if happening in (Happening.PART_FILLED, Happening.FULLY_FILLED):
        book.fill(record, fill(4 if happening is Happening.PART_FILLED else 10))
    else:
        book.note(record, happening, TsNs(5))
    after, verdict = TRANSITIONS[phase, happening]
    assert record.phase is after
    assert bool(book.alarms) == (verdict is Verdict.ALARM)
    assert book.open_count == len(list(book.open_orders())) == (1 if after in OPEN_PHASES else 0)


def test_a_fill_after_the_cancel_counts() -> None:
    book = OrderBook()
    record = book.add(ORDER)
    book.note(record, Happening.CANCELLED, TsNs(1), "asked for")
    book.fill(record, fill(10))
    assert (record.phase, record.filled, record.turnover) == (Phase.FILLED, 10, 10_000_000)
    assert len(book.alarms) == 1

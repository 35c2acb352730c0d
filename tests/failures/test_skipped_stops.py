"""A stop that the price jumps over: its trigger is passed, and it does not fill (RELIABILITY F38)."""

import msgspec
import pytest

from manjha.domain.broker import BrokerStatus, Sent
from manjha.domain.moments import SECOND_NS
from manjha.domain.money import Px
from manjha.domain.orders import OrderType, Side
from manjha.engine import desk as desks
from tests.fakes.account import Account, Do, buy, sell
from tests.fakes.control_desk import limits_of
from tests.fakes.hand_made import Row, flat

GAP = [flat(500.0)] * 6 + [flat(450.0)] * 54


STOP_LIMIT = sell(10, trigger=490, limit=489)


def gapped(do: Do = STOP_LIMIT, rows: list[Row] | None = None, **limits: object) -> Account:
    """Return an account that holds ten, whose stop rests when the price falls to 450 at the seventh bar."""
    account = Account(rows=rows or GAP, controls=limits_of(skipped_stop_ns=10 * SECOND_NS, **limits))
    account.bar(buy(10))
    account.accept(account.sent()[-1]).trade(10)
    account.read()
    assert account.position == 10
    account.bar(do)
    account.accept(account.sent()[-1], BrokerStatus.TRIGGER_PENDING)
    account.read()
    while account.state.reached < 7:
        account.bar()
    return account


@pytest.mark.failure("F38")
def test_a_stop_limit_that_was_jumped_over_is_let_through_the_market_and_then_the_position_is_closed() -> None:
    account = gapped(collar_share=200)
    stop = account.sent()[-1]
    account.wait(9)
    assert not account.changes()
    account.wait(2)
    assert [(one.order_id, one.limit, one.trigger) for one in account.changes()] == [
        (stop.order.id, 4_410_000, 4_900_000)
    ]
    assert [what for what in account.calls() if "its limit becomes 441.00" in what]
    account.answer_change(stop.order.id, Sent("N2"), is_cancel=False)
    account.shown["N2"].be(BrokerStatus.OPEN, limit=Px(4_410_000))
    account.read()
    account.wait(10)
    account.answer_change(stop.order.id, Sent("N2"), is_cancel=False)
    account.read()
    assert not account.cancels()
    account.wait(10)
    assert account.cancels() == [stop.order.id]
    assert [what for what in account.calls() if "the position is closed" in what]
    account.answer_change(stop.order.id, Sent("N2"))
    account.shown["N2"].be(BrokerStatus.CANCELLED)
    account.read()
    closing = account.sent()[-1].order
    assert (closing.type, closing.side, closing.qty) == (OrderType.MARKET, Side.SELL, 10)
    account.accept(account.sent()[-1]).trade(10)
    account.read()
    assert account.position == 0


@pytest.mark.failure("F38")
def test_a_stop_that_has_filled_or_whose_price_came_back_is_left_alone() -> None:
    filled = gapped()
    filled.shown["N2"].trade(10, px=4_890_000)
    filled.read()
    back = gapped(rows=[flat(500.0)] * 6 + [flat(450.0)] + [flat(495.0)] * 53)
    back.bar()
    for account in (filled, back):
        account.wait(60)
        assert not account.changes()
        assert not account.cancels()


@pytest.mark.failure("F38")
def test_an_entry_that_was_jumped_over_is_no_danger() -> None:
    account = Account(rows=[flat(500.0)] * 4 + [flat(550.0)] * 56, controls=limits_of(skipped_stop_ns=10 * SECOND_NS))
    account.bar(buy(10, trigger=510, limit=511))
    account.accept(account.sent()[-1], BrokerStatus.TRIGGER_PENDING)
    for _ in range(5):
        account.bar()
    account.wait(30)
    assert not account.changes()
    assert not account.cancels()


@pytest.mark.failure("F38")
def test_a_stop_without_a_limit_that_does_not_fill_ends_in_closing_the_position() -> None:
    account = gapped(sell(10, trigger=490))
    stop = account.sent()[-1]
    assert stop.order.type is OrderType.SL_M
    account.wait(11)
    assert account.cancels() == [stop.order.id]
    assert not account.changes()


@pytest.mark.failure("F38")
def test_a_restart_does_not_forget_a_stop_that_was_jumped_over() -> None:
    account = gapped()
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(account.state.desk), type=desks.Desk)
    account.state.desk = again
    account.restart()
    account.read()
    account.wait(11)
    assert len(account.changes()) == 1

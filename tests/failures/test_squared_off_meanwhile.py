"""The broker squares a position off: nothing is sent against an exit on its way, and its order is billed once."""

from itertools import pairwise

import msgspec
import pytest

from manjha.domain.broker import BrokerStatus, Turned
from manjha.domain.commands import SubmitOrder
from manjha.domain.events import DayChargesSettled, KillSwitched
from manjha.domain.kill import EVERYTHING, KillLevel
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import RUPEE, Qty
from manjha.domain.orders import Phase, Side
from manjha.simulator.tick_market import Clearing
from tests.fakes.account import Account, buy
from tests.fakes.hand_made import FIRST_DAY

BROKERAGE = 20 * RUPEE
"""Of an intraday order of this size, whatever it trades in."""


def closing() -> tuple[Account, SubmitOrder]:
    """Return an account that holds 10, and its order to close them, which has left and has no answer."""
    account = Account()
    account.bar(buy(10))
    entry = account.sent()[0]
    account.accept(entry).trade(10)
    account.read()
    account.take(KillSwitched(KillLevel.FLATTEN, EVERYTHING, "a test", "me", TsNs(account.now_ns)))
    account.wait(2)
    exit_ = account.sent()[-1]
    assert (exit_.order.side, exit_.order.qty) == (Side.SELL, 10)
    return account, exit_


def square_off(account: Account, qty: int) -> None:
    """Let the broker sell a part, and a read show it."""
    order = msgspec.structs.replace(account.sent()[0].order, side=Side.SELL, qty=Qty(qty))
    account.put("R1", order, BrokerStatus.OPEN, by_broker=True).trade(qty)
    account.read()


@pytest.mark.failure("F74")
@pytest.mark.parametrize("qty", [10, 4])
def test_nothing_is_sent_against_an_exit_that_is_on_its_way_and_then_refused(qty: int) -> None:
    account, exit_ = closing()
    count = len(account.sent())
    square_off(account, qty)
    account.wait(60)
    assert len(account.sent()) == count
    account.answer(exit_.order.id, Turned("intraday orders are over"))
    account.read()
    account.wait(4)
    left = [(one.order.side, one.order.qty) for one in account.sent()[count:]]
    assert left == ([(Side.SELL, 6)] if qty == 4 else [])


@pytest.mark.failure("F74")
def test_an_exit_that_rests_when_the_broker_has_closed_is_cancelled() -> None:
    account, exit_ = closing()
    count = len(account.sent())
    shown = account.accept(exit_)
    square_off(account, 10)
    assert account.cancels() == [exit_.order.id]
    shown.be(BrokerStatus.CANCELLED)
    account.read()
    account.wait(10)
    assert account.phase(exit_) is Phase.CANCELLED
    assert (account.position, len(account.sent())) == (0, count)


@pytest.mark.failure("F74")
def test_what_an_exit_opens_that_trades_after_all_is_closed() -> None:
    account, exit_ = closing()
    square_off(account, 10)
    account.accept(exit_).trade(10)
    account.read()
    account.wait(4)
    last = account.sent()[-1].order
    assert (account.position, last.side, last.qty) == (-10, Side.BUY, 10)


@pytest.mark.failure("F74")
def test_the_note_bills_the_brokers_order_once_however_many_trades_it_had() -> None:
    account = Account()
    account.bar(buy(1_000))
    account.accept(account.sent()[0]).trade(1_000)
    account.read()
    order = msgspec.structs.replace(account.sent()[0].order, side=Side.SELL)
    account.put("R1", order, BrokerStatus.OPEN, by_broker=True).trade(600).trade(400)
    account.read()
    ledger = account.state.portfolio.ledger
    assert ledger.charges().brokerage == 3 * BROKERAGE
    for event in Clearing(account.state).close_day(FIRST_DAY, TsNs(account.now_ns)):
        if isinstance(event, DayChargesSettled):
            account.take(event)
    assert ledger.charges().brokerage == 2 * BROKERAGE


@pytest.mark.failure("F74")
def test_who_may_not_close_any_more_asks_less_and_less_often() -> None:
    account, _ = closing()
    count = len(account.sent())
    for _ in range(300):
        for one in account.sent()[count - 1 :]:
            if account.phase(one) not in (Phase.REJECTED, Phase.CANCELLED):
                account.answer(one.order.id, Turned("intraday orders are over"))
        account.wait(2)
    assert 10 <= len(account.sent()) - count <= 16
    decided = [one.order.decided_ns for one in account.sent()[count:]]
    assert max(later - one for one, later in pairwise(decided)) <= 62 * SECOND_NS

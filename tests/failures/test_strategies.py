"""A strategy fails while it trades: what it holds is not left to itself (RELIABILITY section 3, F)."""

import pytest

from manjha.domain.broker import BrokerStatus
from manjha.domain.events import TradingSwitched
from manjha.domain.moments import TsNs
from manjha.strategy.context import Context
from tests.fakes.account import Account, buy


def raising(ctx: Context) -> None:
    """Ask for something, then fail."""
    ctx.buy(7)
    raise ZeroDivisionError("division by zero")


@pytest.mark.failure("F70")
def test_a_strategy_that_raises_keeps_its_protection_and_loses_its_entries() -> None:
    account = Account()
    account.bar(buy(10, stop=490.0))
    entry = account.sent()[-1]
    account.accept(entry).trade(10)
    account.read()
    stop = account.sent()[-1]
    account.accept(stop, BrokerStatus.TRIGGER_PENDING)
    account.bar(buy(10, limit=480.0))
    resting = account.sent()[-1]
    account.accept(resting)
    sent = len(account.sent())

    account.bar(raising)
    assert len(account.sent()) == sent
    assert account.cancels() == [resting.order.id]
    assert any("it raised ZeroDivisionError: division by zero" in what for what in account.calls())

    account.bar(buy(3))
    assert len(account.sent()) == sent
    assert account.position == 10
    assert stop.order.id not in account.cancels()


@pytest.mark.failure("F70")
def test_it_decides_again_when_a_person_says_so() -> None:
    account = Account()
    account.bar(raising)
    account.bar(buy(3))
    assert not account.sent()
    account.strategy.todo.clear()
    account.take(TradingSwitched(on=True, ts_ns=TsNs(account.now_ns), reason="mended"))
    account.bar(buy(5))
    assert [command.order.qty for command in account.sent()] == [5]

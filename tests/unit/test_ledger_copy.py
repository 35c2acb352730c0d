"""What a trader leaves for its sentinel: an account that it knows all of agrees with the broker, today and tomorrow."""

import msgspec
import pytest

from manjha.app.trading.watcher import ledger_copy
from manjha.domain.broker import BrokerStatus
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.orders import OrderType, Product
from manjha.services.watching import differences
from tests.failures.test_overnight import Nights
from tests.fakes.account import Shown, buy


def differs(account: Nights) -> list[str]:
    ledger = ledger_copy(account.state, TsNs(account.now_ns))
    trades = [trade for one in account.shown.values() for trade in one.trades]
    return [one.words for one in differences(ledger, account.held(), trades)]


def trade(account: Nights, shown: Shown, qty: int) -> None:
    """Let an order trade now."""
    shown.trade(qty)
    shown.trades[-1] = msgspec.structs.replace(shown.trades[-1], ts_ns=TsNs(account.now_ns))


def bought(account: Nights, traded: int) -> None:
    account.bar(buy(10))
    trade(account, account.accept(account.sent()[-1]), traded)
    account.read()


def test_what_strategies_and_others_hold_agrees_with_the_broker() -> None:
    account = Nights()
    account.positions = {("NSE:OTHER", Product.CNC): 7}
    bought(account, 10)
    by_hand = msgspec.structs.replace(account.sent()[-1].order, type=OrderType.LIMIT)
    trade(account, account.put("H1", by_hand, BrokerStatus.OPEN), 3)
    assert "order H1: the broker traded 3, the trader booked 0" in differs(account)
    for _ in range(3):
        account.now_ns += SECOND_NS
        account.read()
    assert differs(account) == []
    assert ledger_copy(account.state, TsNs(0)).instruments == (account.instrument,)


def test_a_trade_that_the_trader_has_not_seen_differs() -> None:
    account = Nights()
    bought(account, 4)
    assert differs(account) == []
    trade(account, account.shown["N1"], 6)
    assert differs(account) == [
        "order N1: the broker traded 10, the trader booked 4",
        f"{account.instrument} CNC: the broker shows 10, the trader 4",
    ]


@pytest.mark.parametrize("traded", [4, 10])
def test_orders_of_the_day_before_are_no_difference_on_the_next(traded: int) -> None:
    account = Nights()
    bought(account, traded)
    account.night()
    for _ in range(2):
        account.read()
    account.morning()
    for _ in range(2):
        account.now_ns += SECOND_NS
        account.read()
    assert differs(account) == []
    assert account.position == traded

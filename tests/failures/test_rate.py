"""The rate of orders at a broker: what waits, what leaves, what a restart and a snapshot keep of it."""

import msgspec
import pytest

from manjha.domain.broker import BrokerStatus, Sent
from manjha.domain.commands import Output, RefusalReason, SetTimer
from manjha.domain.events import TimerFired
from manjha.domain.kill import KillLevel, Scope
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.orders import Phase, Purpose, StrategyId
from manjha.engine.requests import RATE_TIMER
from manjha.risk.governor import RateLimits
from tests.failures.test_risk import SLOW, account_of, come_back, refusals, throw
from tests.fakes.account import Account, buy, sell


def burst(account: Account, count: int = 3) -> list[Output]:
    return account.bar(*(buy(10 + number, limit=480) for number in range(count)))


def tags(account: Account) -> int:
    assert account.state.desk is not None
    return len(account.state.desk.tags)


def test_what_waits_has_no_tag_and_is_not_under_way() -> None:
    account = account_of(rate=SLOW)
    burst(account)
    first = account.sent()
    assert len(first) == 1
    assert tags(account) == 1
    waiting = account.state.book.open_orders()[1:]
    assert [record.at_broker for record in waiting] == [None, None]
    account.restart()
    assert account.phase(first[0]) is Phase.UNCONFIRMED
    assert not any(record.phase is Phase.UNCONFIRMED for record in waiting), "nothing of them has left"


def test_what_waited_leaves_under_a_tag_of_its_own() -> None:
    account = account_of(rate=SLOW)
    burst(account, 2)
    account.answer(account.sent()[0].order.id, Sent("N1"))
    account.wait(1.1)
    assert len(account.sent()) == 2
    assert len({command.tag for command in account.sent()} - {""}) == 2


def test_an_entry_that_waits_while_the_books_are_in_doubt_is_dropped() -> None:
    account = account_of(rate=SLOW)
    burst(account, 2)
    account.restart()
    account.wait(1.1)
    assert len(account.sent()) == 1
    assert RefusalReason.NOT_RECONCILED in refusals(account)


def test_a_restart_gives_no_new_window() -> None:
    rate = msgspec.structs.replace(SLOW, per_second=9, account_per_second=9, per_minute=4, account_per_minute=4)
    account = account_of(rate=rate)
    burst(account, 2)
    assert len(account.sent()) == 2
    come_back(account, rate=rate)
    account.restart()
    account.read()
    account.bar(buy(20, limit=480))
    assert len(account.sent()) == 2, "the minute, both ends included, has had its entries"
    account.wait(0.001)
    assert len(account.sent()) == 3


def test_a_snapshot_keeps_what_waits() -> None:
    account = account_of(rate=SLOW, entries_max=9, duplicate_ns=SECOND_NS)
    burst(account)
    throw(account, KillLevel.REDUCE_ONLY, Scope(StrategyId("another")))
    come_back(account, rate=SLOW, entries_max=9, duplicate_ns=SECOND_NS)
    account.answer(account.sent()[0].order.id, Sent("N1"))
    account.wait(1.1)
    assert [command.order.qty for command in account.sent()] == [10, 11]


def test_a_snapshot_keeps_a_switch_of_a_run_that_began_without_controls() -> None:
    account = Account()
    throw(account, KillLevel.NO_NEW)
    come_back(account)
    account.bar(buy(10))
    assert refusals(account) == [RefusalReason.KILLED]


def test_a_command_waits_for_the_outcome_of_the_one_before() -> None:
    account = account_of(rate=RateLimits())
    account.bar(buy(10, limit=480))
    order = account.sent()[0]
    account.bar(lambda ctx: ctx.market.cancel())
    assert not account.cancels(), "it would not leave, and the window must count when it does"
    account.answer(order.order.id, Sent("N1"))
    assert account.cancels() == [order.order.id]


@pytest.mark.failure("F36")
def test_a_position_whose_close_waited_in_vain_gets_its_stop_back() -> None:
    few = RateLimits(per_second=4, account_per_second=4, per_minute=5, reserve=25)
    account = account_of(rate=few)
    account.bar(buy(10, stop=490.0, target=510.0))
    account.accept(account.sent()[-1]).trade(10)
    account.read()
    account.bar(sell(5, limit=505.0))
    resting = [account.accept(one) for one in account.sent()[-3:]]
    account.read()
    # While all three rest the close counts as what could open, and the cancels have used what a minute has for that.
    account.bar(lambda ctx: ctx.market.close_position())
    assert len(account.cancels()) == 3
    for shown in resting:
        shown.be(BrokerStatus.CANCELLED)
    account.read()
    sent = len(account.sent())
    account.wait(few.age_max_ns // SECOND_NS)
    assert refusals(account) == [RefusalReason.RATE]
    account.wait(1)
    assert [one.order.purpose for one in account.sent()[sent:]] == [Purpose.STOP, Purpose.TARGET]
    assert account.position == 10


def test_who_was_held_up_sends_no_burst() -> None:
    account = account_of(rate=SLOW)
    burst(account, 2)
    account.answer(account.sent()[0].order.id, Sent("N1"))
    account.now_ns += 4 * SECOND_NS
    account.take(TimerFired(RATE_TIMER, TsNs(account.now_ns)))
    out = account.take(TimerFired(RATE_TIMER, TsNs(account.now_ns - 3 * SECOND_NS)))
    assert len(account.sent()) == 2
    assert not any(isinstance(output, SetTimer) and output.ts_ns < account.now_ns for output in out)

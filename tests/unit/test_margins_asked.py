"""An entry is asked about at the broker before it leaves: what is answered, what is not, and what happens meanwhile."""

from typing import TYPE_CHECKING, ClassVar

import msgspec
import pytest

from manjha.domain.broker import MarginSeen, Outcome, OutcomeUnknown, Sent
from manjha.domain.commands import AskMargin, MarginAssumed, RefusalReason, Refused, SubmitOrder
from manjha.domain.events import KillSwitched, LinkLost, MarginAnswered, MarginUnavailable, OrderAsked
from manjha.domain.instrument import InstrumentId
from manjha.domain.kill import EVERYTHING, KillLevel
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import RUPEE, Cash, Px, Qty
from manjha.domain.orders import OrderId, OrderType, Phase, Product, Purpose, Side
from manjha.domain.sizing import NANO, CapitalFraction
from manjha.engine.digest import digest
from manjha.engine.margins import WAIT_NS
from manjha.engine.remembered import StrategyMemory
from manjha.engine.snapshots import kept_in, put_back, snapshot_of
from manjha.risk.control_limits import NO_LIMITS
from manjha.risk.governor import RateLimits
from tests.fakes.account import Account, Told, buy, sell

if TYPE_CHECKING:
    from collections.abc import Callable

PLENTY = Cash(10_00_000 * RUPEE)


class Asking(Account):
    """An account whose broker can be asked."""

    asks_margin: ClassVar[bool] = True

    def __init__(self, strategy: Told | None = None, **terms: object) -> None:
        controls = msgspec.structs.replace(NO_LIMITS, rate=RateLimits(age_max_ns=10**15))
        super().__init__(None, strategy, controls=controls, **terms)

    @property
    def asked(self) -> list[OrderId]:
        """What was asked about, in order."""
        return [one.order.id for one in self.outputs if isinstance(one, AskMargin)]

    @property
    def checking(self) -> list[OrderId]:
        assert self.state.desk is not None
        waits = list(self.state.desk.checking)
        assert waits == [one.order.id for one in self.state.book.open_orders() if one.phase is Phase.CHECKING]
        return waits

    def told(self, order_id: OrderId, required: int, available: int = PLENTY) -> None:
        """Let the broker answer, in 1e-4 rupee."""
        margin = MarginSeen(Cash(required), Cash(available))
        self.take(MarginAnswered(order_id, margin, TsNs(self.now_ns)))

    @property
    def refusals(self) -> list[Refused]:
        return [one for one in self.outputs if isinstance(one, Refused)]

    @property
    def assumed(self) -> list[MarginAssumed]:
        return [one for one in self.outputs if isinstance(one, MarginAssumed)]

    @property
    def reserved(self) -> int:
        return int(self.state.portfolio.ledger.reserved)


def test_nothing_leaves_before_the_answer_and_the_broker_s_margin_is_held() -> None:
    account = Asking()
    account.bar(buy(10))
    (order_id,) = account.asked
    assert (account.sent(), account.checking) == ([], [order_id])
    ours = account.reserved
    account.told(order_id, ours + 7 * RUPEE)
    assert [one.order.id for one in account.sent()] == [order_id]
    assert account.checking == []
    assert account.phase(account.sent()[0]) is Phase.SENT
    assert account.reserved == ours + 7 * RUPEE
    account.accept(account.sent()[0]).trade(10)
    account.read()
    assert account.reserved == 0
    assert account.assumed == []


def test_a_smaller_margin_of_the_brokers_holds_no_less_than_ours() -> None:
    account = Asking()
    account.bar(buy(10))
    ours = account.reserved
    account.told(account.asked[0], 1)
    assert account.reserved == ours


@pytest.mark.failure("F12")
def test_what_the_account_has_no_money_for_is_refused_and_holds_nothing() -> None:
    account = Asking()
    account.bar(buy(10))
    account.told(account.asked[0], 1_001 * RUPEE, 1_000 * RUPEE)
    assert account.sent() == []
    assert account.reserved == 0
    (refused,) = account.refusals
    assert refused.reason is RefusalReason.MARGIN
    assert refused.detail == "the broker wants 1001.00, 1000.00 is free there"
    assert account.state.book.records[account.asked[0]].phase is Phase.CANCELLED
    account.told(account.asked[0], 0)
    assert account.sent() == []


def test_an_order_whose_size_the_funds_decide_is_made_smaller_and_asked_about_again() -> None:
    account = Asking(sizing=CapitalFraction(NANO // 5))
    account.bar(buy(0))
    (first,) = account.asked
    qty = account.state.book.records[first].qty
    account.told(first, qty * 100 * RUPEE, qty * 50 * RUPEE)
    second = account.asked[1]
    smaller = account.state.book.records[second].qty
    assert smaller == qty * (50 * RUPEE - 50 * RUPEE // 200) // (100 * RUPEE)
    assert f"; {smaller} ordered instead" in account.refusals[0].detail
    assert account.sent() == []
    account.told(second, smaller * 100 * RUPEE, qty * 50 * RUPEE)
    assert [(one.order.id, one.order.qty) for one in account.sent()] == [(second, smaller)]


def test_what_is_refused_a_second_time_is_not_made_smaller_again() -> None:
    account = Asking(sizing=CapitalFraction(NANO // 5))
    account.bar(buy(0))
    for _ in range(2):
        account.told(account.asked[-1], 100, 50)
    assert len(account.asked) == 2
    assert (account.sent(), account.reserved) == ([], 0)


@pytest.mark.parametrize("late", [False, True])
def test_without_an_answer_it_goes_on_our_model_and_says_so(late: bool) -> None:
    account = Asking()
    account.bar(buy(10))
    (order_id,), ours = account.asked, account.reserved
    account.wait(WAIT_NS / SECOND_NS - 0.001)
    assert account.sent() == []
    account.wait(0.001)
    (sent,) = account.sent()
    assert sent.order.id == order_id
    assert [(one.order_id, one.needed, one.reason) for one in account.assumed] == [
        (order_id, ours, "no answer within 1 s")
    ]
    before = digest(account.state)
    if late:
        account.told(order_id, PLENTY, 0)
        account.take(MarginUnavailable(order_id, "the line was cut", TsNs(account.now_ns)))
    assert digest(account.state) == before
    assert len(account.sent()) == len(account.assumed) == 1


def test_a_broker_that_cannot_say_holds_nothing_up() -> None:
    account = Asking()
    account.bar(buy(10))
    account.take(MarginUnavailable(account.asked[0], "status 503", TsNs(account.now_ns)))
    assert len(account.sent()) == 1
    assert [one.reason for one in account.assumed] == ["status 503"]
    account.wait(2)
    assert len(account.assumed) == 1


def entered(account: Asking, *, stop: float = 0.0) -> None:
    account.bar(buy(10, stop=stop) if stop else buy(10))
    account.told(account.asked[-1], RUPEE)
    account.accept(account.sent()[0]).trade(10)
    account.read()


def test_exits_are_never_asked_about() -> None:
    account = Asking()
    entered(account, stop=490.0)
    assert account.sent()[-1].order.purpose is Purpose.STOP
    account.bar(lambda ctx: ctx.close_position())
    assert len(account.sent()) == 3
    assert len(account.asked) == 1


def test_a_turn_is_not_held_up_as_half_of_it_takes_risk_away() -> None:
    account = Asking()
    entered(account)
    account.bar(sell(25))
    assert [one.order.qty for one in account.sent()] == [10, 25]
    assert len(account.asked) == 1


class Paid(Told):
    product: ClassVar[Product] = Product.CNC


def test_what_is_paid_in_full_is_not_asked_about() -> None:
    account = Asking(strategy=Paid())
    account.bar(buy(10))
    assert len(account.sent()) == 1
    assert account.asked == []


def test_a_persons_order_is_answered_at_once() -> None:
    account = Asking()
    account.take(
        OrderAsked(
            "key", "people", InstrumentId(account.instrument), Side.BUY, Qty(5), OrderType.LIMIT, Product.MIS,
            TsNs(account.now_ns), limit=Px(490 * RUPEE),
        )
    )  # fmt: skip
    assert len(account.sent()) == 1
    assert account.asked == []


def test_a_broker_that_cannot_be_asked_is_not() -> None:
    class Silent(Asking):
        asks_margin = False

    account = Silent()
    account.bar(buy(10))
    assert (len(account.sent()), account.asked, account.assumed) == (1, [], [])


# ---- what happens meanwhile


def never_leaves(account: Asking, order_id: OrderId) -> None:
    assert account.checking == []
    assert account.state.book.records[order_id].phase is Phase.CANCELLED
    assert account.reserved == 0
    account.told(order_id, 0)
    account.wait(10)
    assert account.sent() == []
    assert account.assumed == []


def test_a_kill_takes_what_is_being_checked() -> None:
    account = Asking()
    account.bar(buy(10))
    account.take(KillSwitched(KillLevel.NO_NEW, EVERYTHING, "a test", "people", TsNs(account.now_ns)))
    never_leaves(account, account.asked[0])


def test_the_strategy_takes_back_what_is_being_checked() -> None:
    account = Asking()
    account.bar(buy(10, limit=495.0))
    order_id = account.asked[0]
    account.bar(lambda ctx: ctx.cancel())
    assert account.cancels() == []
    never_leaves(account, order_id)


def test_a_link_that_is_lost_takes_what_is_being_checked() -> None:
    account = Asking()
    account.bar(buy(10))
    account.take(LinkLost("order stream", "reset", TsNs(account.now_ns)))
    never_leaves(account, account.asked[0])


def test_a_process_that_dies_while_it_asks_sends_nothing_afterwards() -> None:
    account = Asking()
    account.bar(buy(10))
    account.now_ns += SECOND_NS // 10
    account.restart()
    assert any(one.reason is RefusalReason.NOT_RECONCILED for one in account.refusals)
    never_leaves(account, account.asked[0])


def test_a_process_that_dies_after_the_answer_looks_for_what_it_sent() -> None:
    account = Asking()
    account.bar(buy(10))
    account.told(account.asked[0], RUPEE)
    account.restart()
    assert account.phase(account.sent()[0]) is Phase.UNCONFIRMED


@pytest.mark.parametrize("cut", range(5))
def test_a_process_that_dies_at_any_point_sends_nothing_twice_and_nothing_unanswered(cut: int) -> None:
    account = Asking()
    lives: list[Callable[[], object]] = [
        lambda: account.bar(buy(10, limit=495.0), buy(11, limit=495.0)),
        lambda: account.told(account.asked[0], RUPEE),
        lambda: account.wait(WAIT_NS / SECOND_NS),
        lambda: [account.land(one) for one in account.sent()],
    ]
    for life in lives[:cut]:
        life()
    before = [one.order.id for one in account.sent()]
    assert len(before) == min(max(cut - 1, 0), 2)
    account.restart()
    assert account.checking == []
    for order_id in account.asked:
        account.told(order_id, RUPEE)
    account.wait(4)
    assert [one.order.id for one in account.sent()] == before
    assert all(account.phase(one) is Phase.UNCONFIRMED for one in account.sent())
    account.read()
    assert account.reserved == sum(one.reserved for one in account.state.book.open_orders())


def test_a_snapshot_of_what_is_being_checked_goes_on_as_if_nothing_had_been() -> None:
    account = Asking()
    account.bar(buy(10), buy(11))
    fresh = Asking()
    memory = StrategyMemory(account.state)
    put_back(fresh.state, StrategyMemory(fresh.state), kept_in(snapshot_of(account.state, memory)))
    assert digest(fresh.state) == digest(account.state)
    fresh.now_ns = account.now_ns
    for one in (account, fresh):
        one.told(account.asked[0], RUPEE)
        one.told(account.asked[1], 100, 50)
    assert digest(fresh.state) == digest(account.state)
    assert [one.order.id for one in fresh.sent()] == [account.asked[0]]


def test_a_modification_waits_for_what_is_being_checked() -> None:
    account = Asking()
    account.bar(buy(10, limit=495.0))
    account.bar(lambda ctx: ctx.market.modify(ctx.market.orders()[0], limit=496.0))
    assert (account.sent(), account.changes()) == ([], [])
    account.told(account.asked[0], RUPEE)
    assert len(account.sent()) == 1
    account.accept(account.sent()[0])
    assert [one.limit for one in account.changes()] == [496 * RUPEE]


# ---- several at once


def test_of_two_answers_at_once_the_second_knows_of_the_first() -> None:
    account = Asking()
    account.bar(buy(10), buy(11))
    first, second = account.asked
    account.told(first, 60 * RUPEE, 100 * RUPEE)
    held = account.state.book.records[first].reserved
    account.told(second, 60 * RUPEE, held + 59 * RUPEE)
    assert [one.order.id for one in account.sent()] == [first]
    assert "59.00 is free there" in account.refusals[0].detail


@pytest.mark.parametrize("outcome", [None, OutcomeUnknown("a timeout"), Sent("N1")])
def test_an_order_that_is_on_its_way_counts_until_it_is_known_there(outcome: Outcome | None) -> None:
    account = Asking()
    account.bar(buy(10, limit=495.0))
    account.told(account.asked[0], RUPEE)
    sent: SubmitOrder = account.sent()[0]
    if outcome is not None:
        account.answer(sent.order.id, outcome)
    held = account.reserved
    account.bar(buy(11, limit=495.0))
    account.told(account.asked[1], 10 * RUPEE, 10 * RUPEE + held - 1)
    assert (len(account.sent()) == 2) is isinstance(outcome, Sent)


@pytest.mark.parametrize(("required", "goes"), [(0, True), (100, True), (101, False)])
def test_exactly_what_is_there_suffices(required: int, goes: bool) -> None:
    account = Asking()
    account.bar(buy(10))
    account.told(account.asked[0], required, 100)
    assert bool(account.sent()) is goes

"""A process that is away over a day's end: what the orders of that day still traded shows in positions alone."""

from typing import ClassVar

import pytest

from manjha.domain.broker import BrokerStatus, OutcomeUnknown
from manjha.domain.commands import RefusalReason, SubmitOrder
from manjha.domain.events import DifferenceAccepted, SessionClosed, SessionOpened
from manjha.domain.moments import DAY_NS, HOUR_NS, SECOND_NS, TradingDay, TsNs
from manjha.domain.orders import OrderType, Phase, Product, Purpose, Side
from manjha.engine.overnight import UNSEEN, could_explain
from tests.failures.test_updates import bracketed, resting
from tests.fakes.account import Account, Told, buy, sell
from tests.fakes.hand_made import FIRST_DAY


class Carrying(Told):
    product: ClassVar[Product] = Product.CNC


class Nights(Account):
    """An account whose process may be away for a night."""

    def __init__(self, product: Product = Product.CNC) -> None:
        self.product = product
        super().__init__(strategy=Carrying() if product is Product.CNC else Told())
        self.open_ns = self.now_ns

    @property
    def position(self) -> int:
        return self.state.held(self.instrument, self.product)

    def night(self, traded: int = 0) -> None:
        """Let the day end unseen, in which the account came to hold so much more; the new day's book is empty."""
        held = {(one.instrument, one.product): int(one.qty) for one in self.held()}
        held[self.instrument, self.product] = held.get((self.instrument, self.product), 0) + traded
        self.positions = held  # type: ignore[assignment]
        self.shown.clear()
        self.now_ns = self.open_ns + DAY_NS - HOUR_NS
        self.restart()

    def morning(self) -> None:
        """Let the new day open."""
        if self.state.ended_day < FIRST_DAY:
            self.take(SessionClosed(FIRST_DAY, TsNs(self.open_ns + 6 * HOUR_NS + HOUR_NS // 4)))
        self.now_ns = self.open_ns + DAY_NS
        self.take(SessionOpened(TradingDay(FIRST_DAY + 1), TsNs(self.now_ns)))

    def exits(self) -> list[Purpose]:
        """Return what was sent on the new day that is to close."""
        new = self.open_ns + DAY_NS
        return [one.order.purpose for one in self.sent() if one.order.decided_ns >= new]


def slept(account: Nights, traded: int) -> None:
    """Sleep over the day's end, be awake before the open and read twice, open, and read twice more."""
    account.night(traded)
    for _ in range(2):
        account.read()
    account.morning()
    for _ in range(2):
        account.now_ns += SECOND_NS
        account.read()


@pytest.mark.failure("F36")
@pytest.mark.parametrize("traded", [0, 4, 10])
def test_an_order_of_yesterday_is_over_and_what_it_traded_is_for_a_person(traded: int) -> None:
    account = Nights()
    order, _ = resting(account)
    slept(account, traded)
    assert (account.phase(order), account.record(order).reason) == (Phase.CANCELLED, UNSEEN)
    assert account.state.portfolio.ledger.reserved == 0
    assert any("the 10 left of it" in what for what in account.calls())
    assert account.is_frozen() is bool(traded)
    assert account.position == 0
    assert not account.state.desk.external  # type: ignore[union-attr]
    named = [what for what in account.calls() if order.order.id in what and "the broker shows" in what]
    if traded == 10:
        assert f"exactly what was left of order {order.order.id} (+10 at 495.00)" in named[0]
    else:
        assert bool(named) is bool(traded)


@pytest.mark.failure("F36")
def test_what_no_order_could_have_traded_is_external_as_ever() -> None:
    account = Nights()
    resting(account)
    slept(account, 11)
    assert not account.is_frozen()
    assert account.state.desk.external == {(account.instrument, Product.CNC): 11}  # type: ignore[union-attr]


@pytest.mark.failure("F36")
def test_before_the_open_a_difference_that_orders_may_explain_freezes_nothing_and_is_not_adopted() -> None:
    account = Nights()
    order, _ = resting(account)
    account.night(10)
    for _ in range(3):
        account.read()
    assert account.phase(order) is Phase.WORKING
    assert not account.is_frozen()
    assert not account.state.desk.external  # type: ignore[union-attr]


@pytest.mark.failure("F36")
def test_a_day_that_was_seen_to_its_end_leaves_nothing_to_ask() -> None:
    account = Nights()
    _, shown = resting(account)
    shown.be(BrokerStatus.CANCELLED)
    account.read()
    calls = len(account.calls())
    slept(account, 0)
    assert len(account.calls()) == calls


@pytest.mark.failure("F36")
def test_exits_that_ended_over_night_are_placed_again_once_it_is_seen_what_is_held() -> None:
    account = Nights()
    bracketed(account)
    account.night()
    account.morning()
    assert account.exits() == []
    account.now_ns += SECOND_NS
    account.read()
    assert account.exits() == [Purpose.STOP, Purpose.TARGET]
    assert [one.order.qty for one in account.sent()[-2:]] == [10, 10]
    assert not account.is_frozen()


@pytest.mark.failure("F36")
@pytest.mark.parametrize("traded", [-10, -4])
def test_an_exit_that_traded_unseen_is_not_placed_again(traded: int) -> None:
    account = Nights()
    bracketed(account)
    slept(account, traded)
    account.wait(30)
    assert account.exits() == []
    assert account.is_frozen()
    assert account.position == 10


@pytest.mark.failure("F36")
def test_what_a_person_accepts_opens_no_exit_either_until_the_account_holds_it() -> None:
    account = Nights()
    bracketed(account)
    slept(account, -10)
    account.take(DifferenceAccepted(account.instrument, "people", TsNs(account.now_ns)))
    for _ in range(3):
        account.read()
    account.wait(30)
    assert account.exits() == []
    account.positions[account.instrument, Product.CNC] = 10
    for _ in range(3):
        account.read()
    account.wait(5)
    assert account.exits() == [Purpose.STOP, Purpose.TARGET]


@pytest.mark.failure("F36")
def test_an_entry_that_traded_on_unseen_is_protected_as_far_as_it_is_known() -> None:
    account = Nights()
    account.bar(buy(10, limit=495.0, stop=490.0))
    entry = account.sent()[-1]
    account.accept(entry).trade(4)
    account.read()
    account.accept(account.sent()[-1], BrokerStatus.TRIGGER_PENDING)
    account.read()
    slept(account, 6)
    assert account.exits() == [Purpose.STOP]
    assert account.sent()[-1].order.qty == 4
    assert account.is_frozen()


@pytest.mark.failure("F36")
@pytest.mark.parametrize("squared_off", [True, False])
def test_an_intraday_position_of_yesterday_is_closed_only_where_it_is_still_there(squared_off: bool) -> None:
    account = Nights(Product.MIS)
    account.bar(buy(10))
    account.accept(account.sent()[-1]).trade(10)
    account.read()
    slept(account, -10 if squared_off else 0)
    account.wait(60)
    assert account.exits() == ([] if squared_off else [Purpose.SQUARE_OFF])
    assert account.is_frozen() is squared_off


@pytest.mark.failure("F36")
def test_a_strategy_cannot_close_what_may_not_be_held() -> None:
    account = Nights()
    bracketed(account)
    account.night(-10)
    account.morning()
    account.state.ctx.requests.clear()
    account.bar(sell(10))
    assert account.exits() == []
    assert account.state.record_refusals[-1].reason is RefusalReason.NOT_RECONCILED


@pytest.mark.failure("F36")
def test_an_unconfirmed_order_of_yesterday_may_have_traded_too() -> None:
    account = Nights()
    account.bar(buy(10, limit=495.0))
    order: SubmitOrder = account.sent()[-1]
    account.answer(order.order.id, OutcomeUnknown("timeout"))
    slept(account, 10)
    assert account.phase(order) is Phase.WRITTEN_OFF
    assert account.is_frozen()
    assert order.order.type is OrderType.LIMIT
    assert order.order.side is Side.BUY


@pytest.mark.failure("F36")
def test_an_order_that_the_new_book_shows_goes_on() -> None:
    account = Nights()
    order, shown = resting(account)
    account.night()
    account.shown[shown.seen.broker_id] = shown
    account.morning()
    for _ in range(2):
        account.now_ns += SECOND_NS
        account.read()
    assert account.phase(order) is Phase.WORKING
    assert not account.is_frozen()


@pytest.mark.parametrize(
    ("difference", "rests", "could"),
    [(5, [10], True), (10, [10], True), (11, [10], False), (-1, [10], False), (-3, [10, -3], True), (1, [], False)],
)
def test_what_orders_could_have_traded(difference: int, rests: list[int], could: bool) -> None:
    assert could_explain(difference, rests) is could


def test_two_differences_that_stand_do_not_keep_the_books_from_being_compared() -> None:
    account = Nights()
    bracketed(account)
    desk = account.state.desk
    assert desk is not None
    account.positions = {(account.instrument, Product.CNC): -3}
    account.read()
    # The second one is seen when the first one counts.
    account.positions[account.instrument, Product.MIS] = 5
    seen = []
    for _ in range(4):
        account.read()
        seen.append(desk.is_compared and not desk.suspects)
    assert seen[-2:] == [True, True]
    assert account.is_frozen()

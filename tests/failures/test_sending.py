"""Sending an order goes wrong in every way that is known (RELIABILITY section 3, A)."""

import pytest

from manjha.domain.broker import BrokerStatus, OutcomeUnknown, Turned, Unsent
from manjha.domain.commands import SubmitOrder
from manjha.domain.money import Qty
from manjha.domain.orders import Phase
from manjha.domain.outcomes import Answer, outcome_of
from manjha.orders.tags import read_tag, tag_of
from tests.fakes.account import Account, buy

UNKNOWN = OutcomeUnknown("read timed out")


def sent_one(account: Account) -> SubmitOrder:
    account.bar(buy(10))
    return account.sent()[-1]


@pytest.mark.failure("F01")
def test_a_timeout_of_an_order_that_was_accepted_binds_it_and_sends_nothing_again() -> None:
    account = Account()
    order = sent_one(account)
    account.land(order)
    account.answer(order.order.id, UNKNOWN)
    assert account.phase(order) is Phase.UNCONFIRMED
    reads = account.reads()
    account.wait(3)
    assert account.reads() > reads
    account.read()
    assert account.phase(order) is Phase.WORKING
    assert len(account.sent()) == 1


@pytest.mark.failure("F01")
def test_an_unconfirmed_order_counts_as_exposure() -> None:
    account = Account()
    order = sent_one(account)
    reserved = account.state.portfolio.ledger.reserved
    account.answer(order.order.id, UNKNOWN)
    assert account.state.book.open_count == 1
    assert account.state.portfolio.ledger.reserved == reserved > 0


@pytest.mark.failure("F02")
def test_a_request_that_never_arrived_is_written_off_after_the_quarantine() -> None:
    account = Account()
    order = sent_one(account)
    account.answer(order.order.id, UNKNOWN)
    account.wait(179)
    account.read()
    account.read()
    assert account.phase(order) is Phase.UNCONFIRMED
    account.wait(2)
    account.read()
    assert account.phase(order) is Phase.UNCONFIRMED
    account.wait(2)
    account.read()
    assert account.phase(order) is Phase.WRITTEN_OFF
    assert account.state.portfolio.ledger.reserved == 0


@pytest.mark.failure("F03")
def test_an_order_that_lands_after_its_write_off_is_adopted_cancelled_and_frozen() -> None:
    account = Account()
    order = sent_one(account)
    account.answer(order.order.id, UNKNOWN)
    account.wait(190)
    account.read()
    account.read()
    account.wait(60)
    landed = account.land(order).trade(4)
    landed.be(BrokerStatus.OPEN)
    account.read()
    assert account.phase(order) is Phase.WORKING
    assert account.position == 4
    assert order.order.id in account.cancels()
    assert account.is_frozen()
    assert any("landed late" in call for call in account.calls())
    account.bar(buy(5))
    assert len(account.sent()) == 1


@pytest.mark.failure("F04")
def test_a_400_that_speaks_of_a_timeout_is_no_refusal() -> None:
    words = "Order request timed out. Please check the order book and confirm before placing again."
    assert isinstance(outcome_of(Answer(written=9, status=400, kind="InputException", words=words)), OutcomeUnknown)


@pytest.mark.failure("F05")
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_5xx_is_an_unknown_outcome(status: int) -> None:
    assert isinstance(outcome_of(Answer(written=9, status=status, kind="NetworkException")), OutcomeUnknown)


@pytest.mark.failure("F06")
@pytest.mark.parametrize("words", ["<html>", '{"status":"succ', "", '{"data":{}}'])
def test_a_body_that_cannot_be_read_is_an_unknown_outcome(words: str) -> None:
    assert isinstance(outcome_of(Answer(written=9, status=200, words=words)), OutcomeUnknown)


@pytest.mark.failure("F07")
def test_a_429_is_definite_and_not_tried_again() -> None:
    outcome = outcome_of(Answer(written=9, status=429, kind="NetworkException", words="Too many requests"))
    assert isinstance(outcome, Turned)
    account = Account()
    order = sent_one(account)
    account.answer(order.order.id, outcome)
    account.wait(120)
    assert account.phase(order) is Phase.REJECTED
    assert len(account.sent()) == 1


@pytest.mark.failure("F08")
def test_a_lost_session_stops_what_opens_until_the_books_are_compared() -> None:
    account = Account()
    order = sent_one(account)
    expired = Answer(written=9, status=403, kind="TokenException", words="token is invalid")
    account.answer(order.order.id, outcome_of(expired))
    account.bar(buy(5))
    assert len(account.sent()) == 1
    account.read()
    account.bar(buy(5))
    assert len(account.sent()) == 2


@pytest.mark.failure("F09")
def test_an_address_that_is_not_allowed_halts_all_sending() -> None:
    blocked = Answer(written=9, status=403, kind="PermissionException", words="IP (x) is not allowed to place orders")
    outcome = outcome_of(blocked)
    assert isinstance(outcome, Turned)
    assert outcome.is_session


@pytest.mark.failure("F10")
@pytest.mark.parametrize("words", ["connection refused", "name not known", "certificate verify failed"])
def test_what_failed_before_the_first_byte_is_unsent(words: str) -> None:
    outcome = outcome_of(Answer(written=0, words=words))
    assert outcome == Unsent(words)
    account = Account()
    order = sent_one(account)
    account.answer(order.order.id, outcome)
    assert account.phase(order) is Phase.UNSENT
    assert account.state.portfolio.ledger.reserved == 0


@pytest.mark.failure("F11")
@pytest.mark.parametrize("written", [1, 2, 150, 299, 300])
def test_a_reset_after_any_byte_is_an_unknown_outcome(written: int) -> None:
    assert isinstance(outcome_of(Answer(written=written, words="connection reset")), OutcomeUnknown)


@pytest.mark.failure("F12")
def test_want_of_margin_at_the_broker_is_a_refusal_that_frees_what_was_reserved() -> None:
    account = Account()
    order = sent_one(account)
    account.answer(
        order.order.id, outcome_of(Answer(written=9, status=400, kind="MarginException", words="Insufficient funds"))
    )
    assert account.phase(order) is Phase.REJECTED
    assert account.state.portfolio.ledger.reserved == 0
    assert account.reads() < 5


@pytest.mark.failure("F13")
def test_what_is_above_the_freeze_quantity_is_cut_into_orders_with_tags_of_their_own() -> None:
    account = Account()
    share = account.state.instruments[account.instrument]
    account.state.instruments[account.instrument] = type(share)(
        **{name: getattr(share, name) for name in share.__struct_fields__} | {"freeze": Qty(4)}
    )
    account.bar(buy(10))
    orders = account.sent()
    assert [order.order.qty for order in orders] == [4, 4, 2]
    assert len({order.tag for order in orders}) == 3


@pytest.mark.failure("F19")
def test_an_answer_after_the_update_changes_nothing() -> None:
    account = Account()
    order = sent_one(account)
    landed = account.land(order).trade(10)
    account.answer(order.order.id, UNKNOWN)
    account.read()
    assert account.phase(order) is Phase.FILLED
    account.answer(order.order.id, UNKNOWN)
    assert account.phase(order) is Phase.FILLED
    assert account.position == 10
    assert landed.seen.filled == 10


@pytest.mark.failure("F56")
@pytest.mark.failure("F46")
@pytest.mark.failure("F20")
def test_a_tag_of_another_life_is_seen_and_freezes() -> None:
    account = Account()
    order = sent_one(account)
    foreign = tag_of(999, account.state.day, 1, order.order.origin.strategy)
    assert read_tag(foreign) is not None
    account.put("N9", order.order, BrokerStatus.OPEN, foreign)
    account.read()
    assert account.is_frozen()
    assert any("does not know" in call for call in account.calls())


@pytest.mark.failure("F20")
def test_no_tag_is_given_twice_over_restarts() -> None:
    account = Account()
    for _ in range(3):
        account.bar(buy(1))
        account.restart()
        account.read()
    tags = [order.tag for order in account.sent()]
    assert len(set(tags)) == len(tags) == 3


@pytest.mark.failure("F18")
def test_what_was_sent_by_a_process_that_died_is_unconfirmed_and_never_sent_again() -> None:
    account = Account()
    order = sent_one(account)
    account.restart()
    assert account.phase(order) is Phase.UNCONFIRMED
    account.land(order)
    account.read()
    assert account.phase(order) is Phase.WORKING
    assert len(account.sent()) == 1

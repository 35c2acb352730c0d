"""Updates, fills, cancels and changes come twice, late, in any order, or not at all (RELIABILITY section 3, B)."""

import random

import msgspec
import pytest

from manjha.domain.broker import BrokerStatus, OutcomeUnknown, Sent, Turned
from manjha.domain.commands import SubmitOrder
from manjha.domain.events import BrokerRead, DifferenceAccepted, LinkLost
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Phase, Product, Side
from tests.fakes.account import Account, Shown, buy, sell


def resting(account: Account, qty: int = 10, **terms: float) -> tuple[SubmitOrder, Shown]:
    """Let a limit order rest at the broker."""
    account.bar(buy(qty, **({"limit": 495.0} | terms)))
    order = account.sent()[-1]
    shown = account.accept(order)
    account.read()
    return order, shown


def bracketed(account: Account) -> tuple[SubmitOrder, SubmitOrder, SubmitOrder]:
    """Let an entry fill; return it, its stop and its target, both resting at the broker."""
    account.bar(buy(10, stop=490.0, target=510.0))
    entry = account.sent()[-1]
    account.accept(entry).trade(10)
    account.read()
    stop, target = account.sent()[-2:]
    account.accept(stop, BrokerStatus.TRIGGER_PENDING)
    account.accept(target)
    account.read()
    return entry, stop, target


def shown_of(account: Account, order: SubmitOrder) -> Shown:
    return next(one for one in account.shown.values() if one.seen.tag == order.tag)


@pytest.mark.failure("F21")
def test_the_same_update_twice_counts_once() -> None:
    account = Account()
    _, shown = resting(account)
    shown.trade(4)
    for _ in range(3):
        account.read()
    assert account.position == 4


@pytest.mark.failure("F22")
@pytest.mark.parametrize("seed", range(20))
def test_updates_in_any_order_come_to_the_same(seed: int) -> None:
    account = Account()
    order, shown = resting(account)
    sights = [shown.seen]
    for qty in (3, 5, 2):
        shown.trade(qty)
        sights.append(shown.seen)
    random.Random(seed).shuffle(sights)
    for seen in sights:
        account.take(BrokerRead((seen,), (), TsNs(account.now_ns)))
    assert account.position == 0
    account.take(BrokerRead((), tuple(reversed(shown.trades)), TsNs(account.now_ns)))
    assert account.phase(order) is Phase.FILLED
    assert account.position == 10


@pytest.mark.failure("F23")
def test_a_part_that_filled_before_a_cancel_is_booked_once_and_for_good() -> None:
    account = Account()
    order, shown = resting(account)
    shown.trade(3).be(BrokerStatus.CANCELLED)
    account.read()
    account.read()
    assert account.phase(order) is Phase.CANCELLED
    assert account.position == 3
    account.restart()
    account.read()
    assert account.position == 3


@pytest.mark.failure("F24")
def test_a_cancel_that_came_too_late_is_not_repeated() -> None:
    account = Account()
    order, shown = resting(account)
    account.bar(lambda ctx: ctx.cancel())
    assert account.cancels() == [order.order.id]
    shown.trade(10)
    account.answer_change(order.order.id, Turned("order is complete"))
    account.read()
    account.wait(60)
    account.read()
    assert account.phase(order) is Phase.FILLED
    assert account.cancels() == [order.order.id]


@pytest.mark.failure("F25")
def test_a_cancel_of_unknown_outcome_is_sent_again_a_few_times_only() -> None:
    account = Account()
    order, _ = resting(account)
    account.bar(lambda ctx: ctx.cancel())
    for _ in range(6):
        account.answer_change(order.order.id, OutcomeUnknown("read timed out"))
        account.wait(10)
        account.read()
    assert account.phase(order) is Phase.WORKING
    assert account.cancels() == [order.order.id] * 3
    assert any("cancels have not taken it out" in call for call in account.calls())


@pytest.mark.failure("F26")
def test_a_fill_after_a_cancel_is_booked_and_reported() -> None:
    account = Account()
    order, shown = resting(account)
    shown.be(BrokerStatus.CANCELLED)
    account.read()
    assert account.phase(order) is Phase.CANCELLED
    shown.trade(2).be(BrokerStatus.CANCELLED)
    account.read()
    assert account.position == 2
    assert account.state.book.alarms
    assert account.is_frozen()


@pytest.mark.failure("F27")
def test_new_terms_count_when_the_book_shows_them_and_not_before() -> None:
    account = Account()
    order, shown = resting(account)
    account.bar(lambda ctx: ctx.market.modify(ctx.market.orders()[0], limit=496.0))
    account.answer_change(order.order.id, Sent("N1"), is_cancel=False)
    assert account.record(order).limit == 4_950_000
    account.wait(1)
    account.read()
    assert account.record(order).limit == 4_950_000
    shown.be(BrokerStatus.OPEN, limit=Px(4_960_000))
    account.read()
    assert account.record(order).limit == 4_960_000
    assert account.record(order).asked is None


@pytest.mark.failure("F27")
def test_new_terms_that_the_broker_ignores_are_given_up() -> None:
    account = Account()
    order, _ = resting(account)
    account.bar(lambda ctx: ctx.market.modify(ctx.market.orders()[0], limit=496.0))
    account.answer_change(order.order.id, Sent("N1"), is_cancel=False)
    account.wait(10)
    account.read()
    assert account.record(order).asked is None
    assert account.record(order).limit == 4_950_000


@pytest.mark.failure("F27")
@pytest.mark.parametrize("status", [BrokerStatus.OPEN, BrokerStatus.CANCEL_PENDING])
def test_an_order_whose_last_trade_came_before_its_smaller_terms_ends(status: BrokerStatus) -> None:
    account = Account()
    order, shown = resting(account, 13)
    # Orders are read before trades: it fills under its new terms between the two.
    before = shown.be(status, qty=Qty(7)).seen
    done = shown.trade(7).seen
    shown.seen = before
    account.read()
    assert (account.position, account.record(order).qty) == (7, 7)
    shown.seen = done
    account.read()
    assert account.phase(order) is Phase.FILLED
    assert account.state.book.open_orders() == []
    assert account.state.book.alarms == []


@pytest.mark.failure("F29")
def test_what_replaces_a_stop_is_sized_by_what_is_left_after_a_part_of_it_filled() -> None:
    account = Account()
    _, stop, target = bracketed(account)
    shown_of(account, target).trade(4, 5_100_000)
    account.read()
    assert account.position == 6
    assert [change.qty for change in account.changes() if change.order_id == stop.order.id] == [6]


@pytest.mark.failure("F30")
def test_a_stream_that_broke_is_not_believed_until_everything_was_read() -> None:
    account = Account()
    _, shown = resting(account)
    account.take(LinkLost("order stream", "closed", TsNs(account.now_ns)))
    shown.trade(10)
    account.bar(buy(5))
    assert len(account.sent()) == 1
    account.read()
    assert account.position == 10
    account.bar(buy(5))
    assert len(account.sent()) == 2


@pytest.mark.failure("F31")
def test_each_part_is_booked_at_its_own_price() -> None:
    account = Account()
    order, shown = resting(account, 10)
    shown.trade(4, 4_950_000).trade(6, 4_930_000)
    account.read()
    assert account.record(order).turnover == 4 * 4_950_000 + 6 * 4_930_000


@pytest.mark.failure("F32")
def test_a_status_that_nobody_knows_keeps_the_order_alive_and_calls_a_person() -> None:
    account = Account()
    order, shown = resting(account)
    shown.be(BrokerStatus.UNRECOGNISED, reason="FOO")
    account.read()
    assert account.phase(order) is Phase.WORKING
    assert account.state.book.open_count == 1
    assert any("FOO" in call for call in account.calls())


@pytest.mark.failure("F33")
def test_a_book_that_lacks_known_orders_is_no_evidence_of_absence() -> None:
    account = Account()
    account.bar(buy(10))
    (order,) = account.sent()
    account.answer(order.order.id, OutcomeUnknown("read timed out"))
    account.wait(400)
    for _ in range(5):
        account.read(missing=1)
    assert account.phase(order) is Phase.UNCONFIRMED
    assert any("not trusted" in call for call in account.calls())


@pytest.mark.failure("F34")
def test_a_read_of_one_order_that_shows_nothing_kills_nothing() -> None:
    account = Account()
    order, _ = resting(account)
    account.take(BrokerRead((), (), TsNs(account.now_ns)))
    assert account.phase(order) is Phase.WORKING


@pytest.mark.failure("F36")
def test_protection_that_was_not_placed_before_a_crash_is_placed_after_it() -> None:
    account = Account()
    account.bar(buy(10, stop=490.0))
    entry = account.sent()[-1]
    account.accept(entry).trade(10)
    account.read()
    stop = account.sent()[-1]
    assert stop.order.purpose == "stop"
    account.restart()
    account.read()
    account.wait(200)
    account.read()
    account.read()
    assert account.phase(stop) is Phase.WRITTEN_OFF
    account.wait(3)
    again = account.sent()[-1]
    assert again.order.purpose == "stop"
    assert again.tag != stop.tag


@pytest.mark.failure("F36")
def test_a_position_whose_protection_is_refused_again_and_again_is_closed() -> None:
    account = Account()
    account.bar(buy(10, stop=490.0))
    account.accept(account.sent()[-1]).trade(10)
    account.read()
    for _ in range(5):
        last = account.sent()[-1]
        if last.order.purpose != "stop":
            break
        account.answer(last.order.id, Turned("trigger price is not allowed"))
        account.wait(3)
    assert account.sent()[-1].order.type == "MARKET"
    assert account.sent()[-1].order.side is Side.SELL


@pytest.mark.failure("F37")
def test_stop_and_target_that_both_fill_are_put_right_and_reported() -> None:
    account = Account()
    _, stop, target = bracketed(account)
    shown_of(account, stop).trade(10, 4_900_000)
    shown_of(account, target).trade(10, 5_100_000)
    account.read()
    assert account.position == -10
    last = account.sent()[-1]
    assert (last.order.side, last.order.qty, last.order.type) == (Side.BUY, 10, "MARKET")
    assert any("was to close" in call for call in account.calls())
    account.accept(last).trade(10)
    account.read()
    assert account.position == 0


@pytest.mark.failure("F35")
def test_an_after_market_order_is_bound_and_stays_open() -> None:
    account = Account()
    account.bar(buy(10, limit=495.0))
    (order,) = account.sent()
    account.accept(order, BrokerStatus.AMO)
    account.read()
    assert account.phase(order) is Phase.WORKING


@pytest.mark.failure("F73")
def test_a_persons_trade_is_external_and_leaves_the_strategys_book_alone() -> None:
    account = Account()
    order, shown = resting(account)
    shown.trade(10)
    account.read()
    theirs = account.put("X1", msgspec.structs.replace(order.order, side=Side.BUY, qty=Qty(3)), BrokerStatus.OPEN)
    theirs.trade(3)
    account.read()
    assert account.position == 10
    assert account.state.desk is not None
    assert account.state.desk.external[account.instrument, Product.MIS] == 3
    assert not account.is_frozen()


@pytest.mark.failure("F73")
def test_a_persons_trade_against_a_strategy_freezes_the_instrument() -> None:
    account = Account()
    order, shown = resting(account)
    shown.trade(10)
    account.read()
    account.put("X1", msgspec.structs.replace(order.order, side=Side.SELL, qty=Qty(3)), BrokerStatus.OPEN).trade(3)
    account.read()
    assert account.position == 10
    assert account.is_frozen()


@pytest.mark.failure("F74")
def test_what_the_broker_squares_off_is_the_strategys_and_its_exits_go() -> None:
    account = Account()
    entry, stop, target = bracketed(account)
    closed = msgspec.structs.replace(entry.order, side=Side.SELL)
    account.put("R1", closed, BrokerStatus.OPEN, by_broker=True).trade(10)
    account.read()
    assert account.position == 0
    assert set(account.cancels()) == {stop.order.id, target.order.id}


@pytest.mark.failure("F67")
def test_a_difference_that_nothing_explains_freezes_only_when_it_lasts() -> None:
    account = Account()
    _, shown = resting(account)
    shown.trade(10)
    account.read()
    account.positions[account.instrument, Product.MIS] = 7
    account.read()
    assert not account.is_frozen()
    account.read()
    assert account.is_frozen()
    account.bar(sell(4, limit=505.0))
    assert account.sent()[-1].order.qty == 4


@pytest.mark.failure("F67")
def test_what_a_person_has_accepted_explains_no_difference_that_comes_later() -> None:
    account = Account()
    _, shown = resting(account)
    shown.trade(10)
    account.read()
    account.positions[account.instrument, Product.MIS] = 7
    account.read()
    account.read()
    account.take(DifferenceAccepted(account.instrument, "me", TsNs(account.now_ns)))
    account.positions.clear()
    account.read()  # It has gone meanwhile: what is there is what is ours.
    account.positions[account.instrument, Product.MIS] = 4
    account.read()
    account.read()
    assert account.is_frozen()


def test_positions_of_before_are_external_and_no_alarm() -> None:
    fresh = Account()
    fresh.positions[fresh.instrument, Product.CNC] = 25
    fresh.restart()
    fresh.read()
    fresh.read()
    assert fresh.state.desk is not None
    assert fresh.state.desk.external[fresh.instrument, Product.CNC] == 25
    assert not fresh.is_frozen()

"""Orders that must not be, and the kill switch while others are under way (RELIABILITY section 3)."""

import msgspec
import pytest

from manjha.app.trading.outbox import Command, Conditions, Outbox, kill_condition, opens_condition
from manjha.domain.broker import BrokerStatus, OutcomeUnknown, Sent, Turned
from manjha.domain.commands import Approved, CancelOrder, Output, RefusalReason, Refused, SubmitOrder, Tripped
from manjha.domain.events import BandChanged, InstrumentFrozen, KillSwitched, SendVetoed
from manjha.domain.kill import EVERYTHING, KillLevel, Scope
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import OrderType, Phase, Product, Purpose, Side, StrategyId
from manjha.engine.digest import digest
from manjha.engine.remembered import StrategyMemory
from manjha.engine.snapshots import kept_in, put_back, snapshot_of
from manjha.research.backtest import prepare
from manjha.risk.control_limits import ControlLimits
from manjha.risk.governor import RateLimits
from tests.fakes.account import BARS, PRICE, Account, Told, buy, sell
from tests.fakes.control_desk import Desk, limits_of
from tests.fakes.hand_made import flat, minutes, share_named, spec_of

UNKNOWN = OutcomeUnknown("read timed out")
SLOW = RateLimits(per_second=3, account_per_second=3, per_minute=9, account_per_minute=9, reserve=34)
"""One entry a second, and five a minute; three commands a second in all."""


def account_of(**limits: object) -> Account:
    return Account(controls=limits_of(**limits))


def throw(account: Account, level: KillLevel, scope: Scope = EVERYTHING) -> list[Output]:
    return account.take(KillSwitched(level, scope, "a test", "me", TsNs(account.now_ns)))


def refusals(account: Account) -> list[RefusalReason]:
    return [output.reason for output in account.outputs if isinstance(output, Refused)]


def come_back(account: Account, **limits: object) -> None:
    """Go on with a state into which a snapshot of the present one was put back."""
    bars = minutes(share_named(), [flat(500.0)] * BARS, length=60)
    strategy = Told()
    fresh = prepare(spec_of(strategy, bars, **({"controls": limits_of(**limits)} if limits else {})))
    put_back(fresh, StrategyMemory(fresh), kept_in(snapshot_of(account.state, StrategyMemory(account.state))))
    assert digest(fresh) == digest(account.state)
    account.state, account.strategy = fresh, strategy


def hold(account: Account, qty: int = 10) -> None:
    account.bar(buy(qty))
    account.accept(account.sent()[-1]).trade(qty)
    account.read()
    assert account.position == qty


# ---- what must not be ordered


@pytest.mark.failure("F14")
def test_a_price_outside_the_band_does_not_leave() -> None:
    account = account_of()
    account.take(BandChanged(account.instrument, Px(4_900_000), Px(5_100_000), TsNs(account.now_ns)))
    account.bar(buy(10, limit=489.95))
    assert refusals(account) == [RefusalReason.PRICE_BAND]
    assert not account.sent()
    account.bar(buy(10, limit=490.0))
    assert len(account.sent()) == 1


@pytest.mark.failure("F14")
def test_a_price_off_the_tick_does_not_leave() -> None:
    desk = Desk()
    answer = desk.submit(10, type=OrderType.LIMIT, limit=Px(999_999))
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.OFF_TICK


@pytest.mark.failure("F16")
def test_a_strategy_that_buys_and_buys_is_paused_and_a_person_called() -> None:
    account = account_of(entries_max=3, entries_window_ns=600 * SECOND_NS)
    for number in range(8):
        account.bar(buy(10 + number, limit=480))
    assert len(account.sent()) == 3
    assert [output.control for output in account.outputs if isinstance(output, Tripped)] == ["repeated execution"]
    assert len([what for what in account.calls() if "repeated execution" in what]) == 1
    account.restart()
    account.read()
    account.bar(buy(20, limit=480))
    assert len(account.sent()) == 3
    throw(account, KillLevel.OFF)
    account.bar(buy(21, limit=480))
    assert len(account.sent()) == 4


@pytest.mark.failure("F17")
def test_orders_of_two_strategies_do_not_meet() -> None:
    desk = Desk()
    desk.place(10, px=99)
    other = msgspec.structs.replace(desk.state.origin, strategy=StrategyId("other"))
    answer = desk.submit(10, Side.SELL, px=99, origin=other)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.SELF_TRADE
    assert isinstance(desk.submit(10, Side.SELL, px=99.05, origin=other), Approved)


@pytest.mark.failure("F28")
def test_an_order_is_changed_so_often_and_not_more() -> None:
    account = account_of(modifications_max=2)
    account.bar(buy(10, limit=480))
    order = account.sent()[0]
    account.accept(order)
    for limit in (481, 482, 483):
        account.bar(lambda ctx, px=limit: ctx.market.modify(ctx.market.orders()[0], limit=px))  # type: ignore[misc]
    assert [change.limit for change in account.changes()] == [4_810_000, 4_820_000]
    assert refusals(account) == [RefusalReason.MODIFICATIONS]


@pytest.mark.failure("F71")
def test_a_quantity_beyond_reason_does_not_leave() -> None:
    account = account_of(order_qty_max=Qty(100), order_value_max=Cash(100 * PRICE))
    account.bar(buy(10**9))
    assert refusals(account) == [RefusalReason.ORDER_QTY]
    assert not account.sent()


# ---- what the controls learn from a broker


def test_refusals_by_answer_pause_a_strategy() -> None:
    account = account_of(rejections_max=2, reject_cooldown_ns=90 * SECOND_NS)
    account.bar(buy(10))
    account.answer(account.sent()[-1].order.id, Turned("insufficient funds"))
    account.bar(buy(10))
    assert refusals(account) == [RefusalReason.COOL_DOWN]
    account.bar(buy(10))
    account.answer(account.sent()[-1].order.id, Turned("insufficient funds"))
    assert [output.control for output in account.outputs if isinstance(output, Tripped)] == ["rejections"]


def test_a_rejection_that_a_read_shows_counts() -> None:
    account = account_of(reject_cooldown_ns=90 * SECOND_NS)
    account.bar(buy(10))
    account.land(account.sent()[-1], BrokerStatus.REJECTED)
    account.read()
    account.bar(buy(10))
    assert refusals(account) == [RefusalReason.COOL_DOWN]


def test_a_frozen_instrument_is_one_list_for_prices_people_and_the_broker() -> None:
    account = account_of()
    account.take(InstrumentFrozen(account.instrument, True, TsNs(account.now_ns), "results tonight"))
    account.bar(buy(10))
    assert refusals(account) == [RefusalReason.FROZEN]
    assert account.is_frozen()
    assert "results tonight" in account.calls()
    account.take(InstrumentFrozen(account.instrument, False, TsNs(account.now_ns), "looked"))
    account.bar(buy(10))
    assert len(account.sent()) == 1


# ---- the kill switch


@pytest.mark.failure("F76")
def test_what_is_under_way_is_cancelled_as_soon_as_it_is_known() -> None:
    account = account_of()
    account.bar(buy(10, limit=480))
    order = account.sent()[0]
    account.answer(order.order.id, UNKNOWN)
    throw(account, KillLevel.CANCEL_ALL)
    assert account.cancels() == [order.order.id]
    why = "the broker's number of the order is not known yet"
    account.take(SendVetoed(order.order.id, False, True, why, TsNs(account.now_ns)))
    account.land(order)
    account.wait(6)
    account.read()
    assert account.phase(order) is Phase.WORKING
    assert account.cancels() == [order.order.id] * 2
    account.bar(buy(10))
    assert len(account.sent()) == 1


@pytest.mark.failure("F76")
def test_an_order_that_lands_after_the_switch_is_taken_out() -> None:
    account = account_of()
    account.bar(buy(10, limit=480))
    order = account.sent()[0]
    account.answer(order.order.id, UNKNOWN)
    account.wait(182)
    account.read()
    account.wait(2)
    account.read()
    account.wait(2)
    account.read()
    assert account.phase(order) is Phase.WRITTEN_OFF
    throw(account, KillLevel.CANCEL_ALL)
    account.land(order)
    account.read()
    assert order.order.id in account.cancels()


@pytest.mark.failure("F76")
def test_flatten_waits_for_the_cancels_and_then_closes_what_is_held() -> None:
    account = account_of()
    hold(account)
    account.bar(buy(5, limit=480))
    resting = account.sent()[-1]
    shown = account.accept(resting)
    throw(account, KillLevel.FLATTEN)
    assert account.cancels() == [resting.order.id]
    assert len(account.sent()) == 2, "the position is closed when nothing rests beside it"
    account.answer_change(resting.order.id, Sent(shown.seen.broker_id))
    shown.be(BrokerStatus.CANCELLED)
    account.read()
    closing = account.sent()[-1].order
    assert (closing.side, closing.qty, closing.purpose) == (Side.SELL, 10, Purpose.SQUARE_OFF)
    assert any("kill switch" in output.about for output in account.outputs if hasattr(output, "about"))


@pytest.mark.failure("F76")
def test_the_switch_holds_after_a_restart_until_it_is_lifted() -> None:
    account = account_of()
    throw(account, KillLevel.NO_NEW)
    account.restart()
    account.read()
    account.bar(buy(10))
    assert refusals(account) == [RefusalReason.KILLED]
    throw(account, KillLevel.OFF)
    account.bar(buy(10))
    assert len(account.sent()) == 1


@pytest.mark.failure("F76")
@pytest.mark.parametrize(("level", "leaves"), [(KillLevel.REDUCE_ONLY, False), (KillLevel.OFF, True)])
def test_the_file_alone_keeps_an_approved_order_from_leaving(level: KillLevel, leaves: bool) -> None:
    account = account_of()
    account.bar(buy(10))
    approved = next(output for output in account.outputs if isinstance(output, Approved))
    file = [KillSwitched(level, EVERYTHING, "a test", "sentinel", TsNs(1))]
    kill, opens = kill_condition(account.state, lambda: file), opens_condition(account.state)
    outbox = Outbox(Conditions(owner=str, session=str, kill=kill, number=lambda _: "N1", opens=opens))
    outbox.put(approved, 0)
    leaving, vetoed = outbox.ready(0, TsNs(account.now_ns))
    assert bool(leaving) is leaves
    assert bool(vetoed) is not leaves
    if vetoed:
        assert vetoed[0].reason == "the kill switch is on, level reduce-only"


def test_the_outbox_lets_cancels_and_square_offs_go_at_every_level() -> None:
    account = account_of()
    hold(account)
    throw(account, KillLevel.FLATTEN)
    ask = kill_condition(account.state, lambda: ())
    closing: Command = next(
        output
        for output in reversed(account.outputs)
        if isinstance(output, Approved) and isinstance(output.command, SubmitOrder)
    )
    assert ask(closing) == ""
    assert ask(Approved(CancelOrder(closing.command.order.id))) == ""  # type: ignore[union-attr]


def test_protection_that_a_level_took_out_is_placed_again_when_it_is_lifted() -> None:
    account = account_of()
    account.bar(buy(10, stop=490))
    account.accept(account.sent()[0]).trade(10)
    account.read()
    stop = account.sent()[-1]
    shown = account.accept(stop, BrokerStatus.TRIGGER_PENDING)
    throw(account, KillLevel.CANCEL_ALL)
    account.answer_change(stop.order.id, Sent(shown.seen.broker_id))
    shown.be(BrokerStatus.CANCELLED)
    account.read()
    account.wait(30)
    assert len(account.sent()) == 2, "nothing is tried while it would be refused"
    throw(account, KillLevel.OFF)
    account.wait(2)
    again = account.sent()[-1].order
    assert (again.purpose, again.qty) == (Purpose.STOP, 10)
    assert again.id != stop.order.id


LOCKED = [flat(500.0)] * 2 + [(525.0, 525.0, 525.0, 525.0)] * 58


@pytest.mark.failure("F63")
def test_nothing_is_bought_beyond_the_circuit_limit_and_what_is_held_can_be_closed() -> None:
    account = Account(LOCKED, controls=ControlLimits(price_age_max_ns=0, rate=None))
    account.take(BandChanged(account.instrument, Px(4_750_000), Px(5_250_000), TsNs(account.now_ns)))
    account.bar()
    hold(account)
    account.bar(buy(10, limit=525.05))
    assert refusals(account) == [RefusalReason.PRICE_BAND]
    account.bar(sell(10))
    assert account.sent()[-1].order.side is Side.SELL
    assert account.sent()[-1].order.product is Product.MIS

"""Each control one below its limit, at it and one above; taken out, what it refuses is let through."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from manjha.domain.commands import Approved, CancelOrder, RefusalReason, Refused, SubmitOrder
from manjha.domain.events import BandChanged, InstrumentFrozen, KillSwitched
from manjha.domain.instrument import InstrumentId
from manjha.domain.kill import KillLevel, Scope
from manjha.domain.moments import TsNs
from manjha.domain.money import Cash, Px, Qty
from manjha.domain.orders import Fill, FillId, OrderId, OrderType, Product, Side
from manjha.risk.control_checks import CHECKS, FOR_ALL
from manjha.risk.control_limits import NO_LIMITS, ControlLimits
from manjha.risk.protections import Pause
from tests.fakes.control_desk import ALPHA, BETA, RUPEE, SECOND, Desk, limits_of

Answer = Approved | Refused  # type: ignore[type-arg]
OVER = (-1, 0, 1)
"""One below the limit, at it, one above."""


class Control(NamedTuple):
    """Limits, what is done before, and what is then asked for, `over` its limit; and how it is refused."""

    limits: ControlLimits
    asked: Callable[[Desk, int], Answer]
    reason: RefusalReason


def other_or_this(over: int) -> InstrumentId:
    """Return the instrument that is asked for when over the limit, else another."""
    return ALPHA.id if over > 0 else BETA.id


def kill(desk: Desk, over: int) -> Answer:
    scope = Scope(instrument=other_or_this(over))
    desk.feed(KillSwitched(KillLevel.REDUCE_ONLY, scope, "a test", "me", TsNs(desk.now)))
    return desk.submit()


def pause(desk: Desk, over: int) -> Answer:
    assert desk.state.controls is not None
    desk.state.controls.pauses.append(Pause(Scope(), desk.now + over, "a test", "rests"))
    return desk.submit()


def late(desk: Desk, over: int) -> Answer:
    desk.now += 60 * SECOND + over
    return desk.submit()


def in_band(desk: Desk, over: int) -> Answer:
    desk.feed(BandChanged(ALPHA.id, Px(98 * RUPEE), Px(102 * RUPEE), TsNs(desk.now)))
    return desk.submit(px=102 + over * 0.05)


def after_one_of(desk: Desk, over: int, instrument: InstrumentId = ALPHA.id) -> Answer:
    desk.place(10, px=100, instrument=instrument)
    return desk.submit(10 + over, px=100)


def against_a_sale(desk: Desk, over: int) -> Answer:
    desk.place(10, Side.SELL, 101)
    return desk.submit(5, px=100.95 + over * 0.05)


def again(desk: Desk, over: int) -> Answer:
    desk.place(10, px=100)
    desk.now += 2 * SECOND - over
    return desk.submit(10, px=100)


def one_more_entry(desk: Desk, over: int) -> Answer:
    for number in range(2 + over):
        desk.place(10 + number, px=99)
    return desk.submit(20, px=99)


def after_a_rejection(desk: Desk, over: int) -> Answer:
    desk.reject(desk.place(10, px=99))
    desk.now += 10 * SECOND - over
    return desk.submit(12, px=99)


def one_more_change(desk: Desk, over: int) -> Answer:
    order = desk.place(10, px=99)
    for number in range(2 + over):
        assert isinstance(desk.modify(order, 98 - number), Approved)
    return desk.modify(order, 97.5)


CONTROLS: dict[str, Control] = {
    "kill": Control(limits_of(), kill, RefusalReason.KILLED),
    "allowed": Control(
        limits_of(allowed=(BETA.id,)),
        lambda desk, over: desk.submit(instrument=other_or_this(over)),
        RefusalReason.NOT_ALLOWED,
    ),
    "paused": Control(limits_of(), pause, RefusalReason.PAUSED),
    "order_qty": Control(
        limits_of(order_qty_max=Qty(10)), lambda desk, over: desk.submit(10 + over), RefusalReason.ORDER_QTY
    ),
    "price_age": Control(limits_of(price_age_max_ns=60 * SECOND), late, RefusalReason.STALE_PRICE),
    "collar": Control(
        limits_of(collar_share=200), lambda desk, over: desk.submit(px=102 + over * 0.05), RefusalReason.COLLAR
    ),
    "circuit": Control(limits_of(), in_band, RefusalReason.PRICE_BAND),
    "order_value": Control(
        limits_of(order_value_max=Cash(1_000 * RUPEE)),
        lambda desk, over: desk.submit(10 + over),
        RefusalReason.ORDER_VALUE,
    ),
    "open_value": Control(
        limits_of(open_value_max=Cash(2_000 * RUPEE)),
        lambda desk, over: after_one_of(desk, over, instrument=BETA.id),
        RefusalReason.OPEN_VALUE,
    ),
    "instrument_value": Control(
        limits_of(instrument_value_max=Cash(2_000 * RUPEE)), after_one_of, RefusalReason.INSTRUMENT_VALUE
    ),
    "gross_value": Control(
        limits_of(gross_value_max=Cash(2_000 * RUPEE)),
        lambda desk, over: after_one_of(desk, over, instrument=BETA.id),
        RefusalReason.GROSS_VALUE,
    ),
    "net_value": Control(
        limits_of(net_value_max=Cash(2_000 * RUPEE)),
        lambda desk, over: after_one_of(desk, over, instrument=BETA.id),
        RefusalReason.NET_VALUE,
    ),
    "self_trade": Control(limits_of(), against_a_sale, RefusalReason.SELF_TRADE),
    "duplicate": Control(limits_of(duplicate_ns=2 * SECOND), again, RefusalReason.DUPLICATE),
    "repeated": Control(
        limits_of(entries_max=3, entries_window_ns=300 * SECOND), one_more_entry, RefusalReason.REPEATED
    ),
    "cool_down": Control(limits_of(reject_cooldown_ns=10 * SECOND), after_a_rejection, RefusalReason.COOL_DOWN),
    "orders_a_day": Control(limits_of(orders_day_max=3), one_more_entry, RefusalReason.ORDERS_A_DAY),
    "modifications": Control(limits_of(modifications_max=3), one_more_change, RefusalReason.MODIFICATIONS),
}


def test_every_control_has_its_case() -> None:
    assert list(CONTROLS) == list(CHECKS)


@pytest.mark.parametrize("over", OVER)
@pytest.mark.parametrize("name", list(CONTROLS))
def test_a_control_holds_from_its_limit_on(name: str, over: int) -> None:
    control = CONTROLS[name]
    answer = control.asked(Desk(control.limits), over)
    if over <= 0:
        assert isinstance(answer, Approved), answer
    else:
        assert isinstance(answer, Refused)
        assert answer.reason is control.reason
        assert answer.detail


@pytest.mark.parametrize("name", list(CONTROLS))
def test_without_a_control_what_it_refuses_goes_through(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHECKS, name, lambda _: None)
    control = CONTROLS[name]
    assert isinstance(control.asked(Desk(control.limits), 1), Approved)


@pytest.mark.parametrize("name", [name for name in CONTROLS if name not in FOR_ALL])
def test_no_limit_keeps_an_exit_back(name: str) -> None:
    desk = Desk(CONTROLS[name].limits)
    terms = (
        desk.state.origin,
        ALPHA.id,
        Side.BUY,
        Qty(5),
        Px(100 * RUPEE),
        Px(100 * RUPEE),
        Product.MIS,
        TsNs(desk.now),
    )
    desk.state.portfolio.apply(Fill(FillId("f"), OrderId("o"), *terms), ALPHA)
    CONTROLS[name].asked(desk, 1)
    assert isinstance(desk.submit(5, Side.SELL), Approved)


def test_a_refused_order_leaves_nothing_behind() -> None:
    desk = Desk(limits_of(order_qty_max=Qty(10), entries_max=1, entries_window_ns=SECOND, duplicate_ns=SECOND))
    free = desk.state.portfolio.ledger.available
    assert isinstance(desk.submit(11), Refused)
    assert not desk.state.book.records
    assert desk.state.portfolio.ledger.available == free
    assert isinstance(desk.submit(10), Approved)


# ---- worst case


@pytest.mark.parametrize("over", OVER)
def test_positions_and_open_orders_of_both_sides_make_the_worst_case(over: int) -> None:
    desk = Desk(limits_of(instrument_value_max=Cash(3_000 * RUPEE)))
    desk.hold(10)
    desk.place(5, px=99)
    desk.place(5, px=98)
    # Sales do not make room for buys: they may not trade.
    desk.place(10, Side.SELL, 105)
    answer = desk.submit(10 + over, px=97)
    assert isinstance(answer, Refused if over > 0 else Approved)


def test_an_order_that_was_not_answered_counts() -> None:
    desk = Desk(limits_of(gross_value_max=Cash(1_500 * RUPEE)))
    assert isinstance(desk.submit(10), Approved)
    answer = desk.submit(6)
    assert isinstance(answer, Refused)
    assert answer.detail == "1600.00 > 1500.00"


def test_new_terms_count_at_the_dearer_price_until_they_are_answered() -> None:
    desk = Desk(limits_of(open_value_max=Cash(2_000 * RUPEE)))
    order = desk.place(10, px=90)
    assert isinstance(desk.modify(order, 110), Approved)
    assert isinstance(desk.submit(9, px=100.05), Refused)
    assert isinstance(desk.submit(9, px=100), Approved)


def test_a_change_of_price_is_held_to_the_limits() -> None:
    desk = Desk(limits_of(collar_share=200))
    order = desk.place(10, px=99)
    answer = desk.modify(order, 95)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.COLLAR


# ---- self-trades


def test_an_exit_has_the_entry_in_its_way_cancelled_first() -> None:
    desk = Desk(limits_of())
    desk.hold(10)
    entry = desk.place(5, px=99.95)
    desk.state.ctx.market.sell(10)
    out = desk.advance(4)
    said = [output.command for output in out if isinstance(output, Approved)]
    assert said[0] == CancelOrder(entry.id)
    assert [type(command) for command in said[1:]] == [SubmitOrder]


def test_a_market_order_reaches_to_the_end_of_its_collar() -> None:
    desk = Desk(limits_of(collar_share=200))
    desk.place(10, Side.SELL, 101.95)
    answer = desk.submit(5)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.SELF_TRADE
    other = Desk(limits_of(collar_share=200))
    other.place(10, Side.SELL, 102, trigger=Px(0))
    assert isinstance(other.submit(5, px=101.95), Approved)


def test_a_stop_that_has_not_triggered_stands_in_nobodys_way() -> None:
    desk = Desk(limits_of())
    desk.place(10, Side.SELL, type=OrderType.SL_M, trigger=Px(95 * RUPEE))
    assert isinstance(desk.submit(5), Approved)


# ---- pauses


def test_one_entry_too_many_pauses_the_strategy_for_the_day() -> None:
    desk = Desk(limits_of(entries_max=2, entries_window_ns=300 * SECOND))
    desk.place(10)
    desk.place(11)
    assert isinstance(desk.submit(12), Refused)
    desk.now += 600 * SECOND
    answer = desk.submit(13, instrument=BETA.id)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAUSED
    desk.feed(KillSwitched(KillLevel.OFF, Scope(), "looked at it", "me", TsNs(desk.now)))
    assert isinstance(desk.submit(14), Approved)


def rejected(desk: Desk, qty: int) -> None:
    answer = desk.submit(qty)
    assert isinstance(answer, Approved)
    desk.reject(answer.command.order)


def test_rejections_in_a_row_pause() -> None:
    desk = Desk(limits_of(rejections_max=2))
    rejected(desk, 10)
    rejected(desk, 11)
    answer = desk.submit(12)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAUSED


def test_rejections_with_an_acceptance_between_do_not_pause() -> None:
    desk = Desk(limits_of(rejections_max=2))
    rejected(desk, 10)
    desk.place(11)
    rejected(desk, 12)
    assert isinstance(desk.submit(13), Approved)


def test_slices_of_one_entry_are_one_entry() -> None:
    desk = Desk(limits_of(duplicate_ns=2 * SECOND, entries_max=2, entries_window_ns=SECOND))
    assert desk.state.controls is not None
    desk.state.controls.expect_slices(ALPHA.id, Side.BUY, TsNs(desk.now))
    for _ in range(3):
        desk.place(10)
    assert isinstance(desk.submit(10), Approved)
    desk.now += 1
    answer = desk.submit(10)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.DUPLICATE


@pytest.mark.parametrize("limits", [None, NO_LIMITS])
def test_a_frozen_instrument_is_opened_by_nobody_until_a_person_has_looked(limits: ControlLimits | None) -> None:
    desk = Desk(limits)
    desk.hold(10)
    desk.feed(InstrumentFrozen(ALPHA.id, True, TsNs(desk.now), "a test"))
    answer = desk.submit()
    assert isinstance(answer, Refused)
    assert (answer.reason, answer.detail) == (RefusalReason.FROZEN, "a test")
    assert isinstance(desk.submit(instrument=BETA.id), Approved)
    desk.fill(desk.place(10, Side.SELL))  # what is held may be closed
    desk.feed(InstrumentFrozen(ALPHA.id, False, TsNs(desk.now), "looked"))
    assert isinstance(desk.submit(11), Approved)

"""Commands leave the engine in turn: what waits, what is withdrawn, what is dropped, and the timer that sees to it."""

from manjha.domain.commands import Approved, CancelOrder, Output, RefusalReason, Refused, SetTimer, SubmitOrder
from manjha.domain.events import KillSwitched, MarketAdvanced, SessionOpened, TimerFired
from manjha.domain.kill import EVERYTHING, KillLevel
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.orders import OrderId, Phase
from manjha.engine.digest import digest
from manjha.engine.requests import RATE_TIMER
from manjha.risk.governor import RateLimits
from tests.fakes.control_desk import SECOND, Desk, limits_of
from tests.fakes.hand_made import FIRST_DAY

RATE = RateLimits(per_second=4, account_per_second=4, reserve=25, age_max_ns=2 * SECOND)


def desk_of(rate: RateLimits = RATE) -> Desk:
    return Desk(limits_of(rate=rate))


def asked(desk: Desk, count: int) -> list[Output]:
    """Let the strategy ask for so many orders at the next close."""
    for number in range(count):
        desk.state.ctx.market.buy(10 + number, limit=99)
    at = desk.state.reached
    out = desk.feed(MarketAdvanced(at, at + 1))
    desk.now = desk.state.timeline.close_ns[desk.state.reached - 1]
    return out


def fired(desk: Desk, after_ns: int) -> list[Output]:
    desk.now += after_ns
    return desk.feed(TimerFired(RATE_TIMER, TsNs(desk.now)))


def sent(out: list[Output]) -> list[int]:
    return [o.command.order.qty for o in out if isinstance(o, Approved) and isinstance(o.command, SubmitOrder)]


def timers(desk: Desk, out: list[Output]) -> list[int]:
    return [o.ts_ns - desk.now for o in out if isinstance(o, SetTimer) and o.key == RATE_TIMER]


def test_what_exceeds_waits_for_a_timer_and_keeps_its_order() -> None:
    desk = desk_of()
    out = asked(desk, 5)
    assert sent(out) == [10, 11, 12]
    assert timers(desk, out) == [SECOND + 1]
    out = fired(desk, SECOND + 1)
    assert sent(out) == [13, 14]
    assert timers(desk, out) == []


def test_a_cancel_goes_before_entries_that_wait() -> None:
    desk = desk_of()
    out = asked(desk, 4)
    first = next(o.command.order.id for o in out if isinstance(o, Approved) and isinstance(o.command, SubmitOrder))
    desk.state.ctx.market.cancel(next(o for o in desk.state.ctx.market.orders() if o.id == first))
    desk.state.ctx.market.buy(20, limit=98)
    at = desk.state.reached
    out = desk.feed(MarketAdvanced(at, at + 1))
    kinds = [type(o.command) for o in out if isinstance(o, Approved)]
    assert kinds == [CancelOrder]
    assert [len(queue) for queue in desk.state.controls.governor.waiting] == [0, 0, 2]  # type: ignore[union-attr]


def test_a_cancel_of_what_never_left_ends_it_here() -> None:
    desk = desk_of()
    asked(desk, 4)
    waiting = [w.order_id for w in desk.state.controls.governor.all_waiting()]  # type: ignore[union-attr]
    assert len(waiting) == 1
    out = desk.feed(KillSwitched(KillLevel.CANCEL_ALL, EVERYTHING, "a test", "me", TsNs(desk.now)))
    record = desk.state.book.records[waiting[0]]
    assert (record.phase, record.reason, record.reserved) == (Phase.CANCELLED, "it had not been sent", 0)
    told = [o.command for o in out if isinstance(o, Approved)]
    assert len(told) == 1, "one of three, as the second has had three"
    assert waiting[0] not in [command.order_id for command in told if isinstance(command, CancelOrder)]


def test_an_entry_that_waited_too_long_is_refused_and_frees_its_money() -> None:
    desk = desk_of(RateLimits(per_second=4, account_per_second=4, per_minute=8, reserve=25, age_max_ns=2 * SECOND))
    before = desk.state.portfolio.ledger.reserved
    assert sent(asked(desk, 8)) == [10, 11, 12]
    assert sent(fired(desk, SECOND + 1)) == [13, 14, 15]
    out = fired(desk, SECOND - 1)
    refused = [o for o in out if isinstance(o, Refused)]
    assert [r.reason for r in refused] == [RefusalReason.RATE] * 2
    assert refused == desk.state.record_refusals
    assert {r.detail for r in refused} == {"it waited 2 s"}
    open_now = desk.state.book.open_orders()
    assert [record.order.qty for record in open_now] == [10, 11, 12, 13, 14, 15]
    assert desk.state.portfolio.ledger.reserved - before == sum(record.reserved for record in open_now)


def test_what_waits_at_a_new_session_is_refused() -> None:
    desk = desk_of()
    asked(desk, 4)
    out = desk.feed(SessionOpened(TradingDay(FIRST_DAY + 1), TsNs(desk.now + 17 * 3_600 * SECOND)))
    assert [o.detail for o in out if isinstance(o, Refused)] == ["the day it was for is over"]
    assert not any(desk.state.controls.governor.waiting)  # type: ignore[union-attr]


def test_what_waits_is_part_of_the_state() -> None:
    one, other = desk_of(), desk_of()
    asked(one, 4)
    asked(other, 4)
    assert digest(one.state) == digest(other.state)
    fired(one, SECOND + 1)
    assert digest(one.state) != digest(other.state)


def test_an_order_that_ended_meanwhile_is_not_cancelled_any_more() -> None:
    desk = desk_of()
    out = asked(desk, 3)
    orders = [o.command.order for o in out if isinstance(o, Approved) and isinstance(o.command, SubmitOrder)]
    desk.feed(KillSwitched(KillLevel.CANCEL_ALL, EVERYTHING, "a test", "me", TsNs(desk.now)))
    desk.fill(orders[1], 99)
    out = fired(desk, SECOND + 1)
    assert [o.command for o in out if isinstance(o, Approved)] == [CancelOrder(OrderId(orders[2].id))]

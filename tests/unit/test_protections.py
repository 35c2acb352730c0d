"""Pauses after trades that ended badly, and stop, target and lock-and-trail on the day's profit."""

from typing import Any

import pytest

from manjha.domain.commands import Approved, Output, RefusalReason, Refused, SubmitOrder, Tripped
from manjha.domain.events import SessionOpened
from manjha.domain.kill import EVERYTHING, KillLevel, Scope
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Cash, Px
from manjha.domain.orders import OrderType, Purpose, Side, StrategyId
from manjha.risk.profit import ProfitRule, locked_floor, verdict
from manjha.risk.protections import (
    ClosedTrade,
    CooldownPeriod,
    LowProfit,
    MaxDrawdown,
    StopLossGuard,
    pauses,
)
from tests.fakes.control_desk import ALPHA, BETA, RUPEE, SECOND, Desk, limits_of
from tests.fakes.hand_made import FIRST_DAY, Row, flat

IDLE = StrategyId("idle")
HOUR = 3_600 * SECOND


def trades(*profits: tuple[float, bool], instrument: str = ALPHA.id) -> list[ClosedTrade]:
    """Return trades a minute apart: profit in rupees, and whether a stop ended it."""
    return [
        ClosedTrade(IDLE, instrument, (at + 1) * 60 * SECOND, round(profit * RUPEE), stopped)  # type: ignore[arg-type]
        for at, (profit, stopped) in enumerate(profits)
    ]


GUARD = StopLossGuard(lookback_ns=HOUR, trades=2, stop_ns=HOUR)
LOW = LowProfit(lookback_ns=HOUR, trades=2, stop_ns=HOUR, profit=Cash(10 * RUPEE))
DRAWDOWN = MaxDrawdown(lookback_ns=HOUR, trades=2, stop_ns=HOUR, fall_ppm=10_000)
CAPITAL = 10_000 * RUPEE
"""A hundredth of it is 100 rupees."""


@pytest.mark.parametrize(
    ("rule", "history", "acts"),
    [
        (GUARD, trades((-5, True)), False),
        (GUARD, trades((-5, True), (-5, True)), True),
        (GUARD, trades((-5, True), (-5, False)), False),
        (GUARD, trades((-5, True), (5, True)), False),
        (LOW, trades((4, False), (5.99, False)), True),
        (LOW, trades((4, False), (6, False)), False),
        (LOW, trades((-40, False)), False),
        (DRAWDOWN, trades((50, False), (-99.99, False)), False),
        (DRAWDOWN, trades((50, False), (-100, False)), True),
        (DRAWDOWN, trades((-100, False), (10, False)), False),
        (DRAWDOWN, trades((-100, False)), False),
    ],
)
def test_a_protection_acts_from_its_limit_on(rule: Any, history: list[ClosedTrade], acts: bool) -> None:
    found = pauses([rule], history, CAPITAL)
    assert bool(found) == acts
    assert all(pause.until_ns == history[-1].ts_ns + HOUR for pause in found)


@pytest.mark.parametrize("rule", [GUARD, LOW, DRAWDOWN])
@pytest.mark.parametrize(("older", "acts"), [(0, True), (1, False)])
def test_a_protection_looks_back_so_far(rule: Any, older: int, acts: bool) -> None:
    first, last = trades((-60, True), (-60, True))
    last = ClosedTrade(IDLE, ALPHA.id, first.ts_ns + HOUR + older, last.profit, stopped=True)
    assert bool(pauses([rule], [first, last], CAPITAL)) == acts


def test_a_guard_may_look_at_one_instrument_and_others_strategies_never_count() -> None:
    history = [*trades((-5, True), instrument=BETA.id), *trades((0, False), (-5, True))[1:]]
    each = StopLossGuard(lookback_ns=HOUR, trades=2, stop_ns=HOUR, per_instrument=True)
    assert [pause.scope for pause in pauses([GUARD, each], history, CAPITAL)] == [Scope(strategy=IDLE)]
    foreign = ClosedTrade(StrategyId("another"), ALPHA.id, 60 * SECOND, -50_000, stopped=True)
    assert pauses([GUARD], [foreign, history[-1]], CAPITAL) == []


def lose(desk: Desk, px: float = 95) -> list[Output]:
    desk.hold(10)
    stop = desk.place(10, Side.SELL, type=OrderType.SL_M, trigger=Px(96 * RUPEE), purpose=Purpose.STOP)
    return desk.fill(stop, px)


def test_stops_pause_the_strategy_until_the_time_is_over() -> None:
    desk = Desk(limits_of(protections=(GUARD,)))
    assert [type(output) for output in lose(desk)] == []
    out = lose(desk)
    assert [(o.control, o.level, o.scope, o.until_ns - desk.now) for o in out if isinstance(o, Tripped)] == [
        ("stop-loss guard", KillLevel.OFF, Scope(strategy=IDLE), HOUR)
    ]
    desk.now += HOUR - 1
    answer = desk.submit()
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.PAUSED
    desk.now += 1
    assert isinstance(desk.submit(), Approved)


def test_the_cooldown_is_of_the_instrument_alone() -> None:
    desk = Desk(limits_of(protections=(CooldownPeriod(stop_ns=HOUR),)))
    desk.hold(10)
    desk.fill(desk.place(4, Side.SELL))
    assert isinstance(desk.submit(1), Approved), "nothing has closed yet"
    desk.fill(desk.place(6, Side.SELL))
    assert isinstance(desk.submit(), Refused)
    assert isinstance(desk.submit(instrument=BETA.id), Approved)


def test_a_turn_closes_a_trade() -> None:
    desk = Desk(limits_of(protections=(LowProfit(lookback_ns=HOUR, trades=1, stop_ns=HOUR),)))
    desk.hold(10)
    out = desk.fill(desk.place(15, Side.SELL), 99)
    assert [o.detail for o in out if isinstance(o, Tripped)] == ["1 trades made -10.00"]


# ---- profit of the day


@pytest.mark.parametrize(
    ("terms", "profit", "peak", "acts"),
    [
        ({"stop": 100}, -99, 0, False),
        ({"stop": 100}, -100, 0, True),
        ({"stop": 100}, -101, 0, True),
        ({"target": 100}, 99, 99, False),
        ({"target": 100}, 100, 100, True),
        ({"lock_at": 100, "floor": 60}, 50, 99, False),
        ({"lock_at": 100, "floor": 60}, 61, 100, False),
        ({"lock_at": 100, "floor": 60}, 60, 100, True),
        ({"lock_at": 100, "floor": 60, "trail": 30}, 71, 100, False),
        ({"lock_at": 100, "floor": 60, "trail": 30}, 70, 100, True),
        ({"lock_at": 100, "floor": 80, "trail": 30}, 80, 100, True),
        ({"lock_at": 100, "floor": 60, "trail": 30}, 170, 200, True),
        ({}, -(10**9), 10**9, False),
    ],
)
def test_a_rule_acts_from_its_limit_on(terms: dict[str, Any], profit: int, peak: int, acts: bool) -> None:
    assert bool(verdict(ProfitRule(**terms), profit, peak)) == acts


def test_a_floor_never_falls_while_the_peak_rises() -> None:
    rule = ProfitRule(lock_at=Cash(100), floor=Cash(60), trail=Cash(30))
    floors = [locked_floor(rule, peak) for peak in range(95, 200)]
    assert floors[:5] == [None] * 5
    assert floors[5:] == sorted(floors[5:], key=lambda floor: floor or 0)


FALLING: list[Row] = [flat(100)] * 5 + [flat(98), flat(97), flat(97), flat(103), flat(103)]


def orders_of(out: list[Output]) -> list[tuple[str, Side, int]]:
    submits = [o.command for o in out if isinstance(o, Approved) and isinstance(o.command, SubmitOrder)]
    return [(s.order.instrument, s.order.side, s.order.qty) for s in submits]


@pytest.mark.parametrize("strategy", ["", "idle"])
def test_a_loss_closes_everything_and_ends_the_day(strategy: str) -> None:
    rule = ProfitRule(strategy=StrategyId(strategy), stop=Cash(350 * RUPEE))
    desk = Desk(limits_of(profit=(rule,)), FALLING)
    desk.hold(100)
    assert orders_of(desk.advance(4)) == []
    out = desk.advance(5) + desk.advance(6)
    assert orders_of(out) == []
    desk = Desk(limits_of(profit=(ProfitRule(strategy=StrategyId(strategy), stop=Cash(150 * RUPEE)),)), FALLING)
    desk.hold(100)
    out = desk.advance(6)
    assert orders_of(out) == [(ALPHA.id, Side.SELL, 100)]
    desk.fill(desk.state.book.open_orders()[0].order, 97)
    assert [(o.control, o.level, o.scope) for o in out if isinstance(o, Tripped)] == [
        ("profit of the day", KillLevel.FLATTEN, rule.scope)
    ]
    assert orders_of(desk.advance(7)) == [], "once a day"
    answer = desk.submit()
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.KILLED
    desk.feed(SessionOpened(TradingDay(FIRST_DAY + 1), TsNs(desk.now + 24 * HOUR)))
    assert isinstance(desk.submit(5), Approved)


def test_a_rule_of_lower_level_closes_nothing_but_opens_nothing() -> None:
    rule = ProfitRule(stop=Cash(150 * RUPEE), level=KillLevel.REDUCE_ONLY)
    desk = Desk(limits_of(profit=(rule,)), FALLING)
    desk.hold(100)
    out = desk.advance(6)
    assert orders_of(out) == []
    assert [o.scope for o in out if isinstance(o, Tripped)] == [EVERYTHING]
    assert isinstance(desk.submit(5), Refused)
    assert isinstance(desk.submit(100, Side.SELL), Approved)


def test_a_profit_that_is_given_back_is_locked_in() -> None:
    rule = ProfitRule(lock_at=Cash(250 * RUPEE), floor=Cash(100 * RUPEE), trail=Cash(50 * RUPEE))
    rows = [flat(100)] * 5 + [flat(103), flat(104), flat(103.5), flat(103.4), flat(103)]
    desk = Desk(limits_of(profit=(rule,)), rows)
    desk.hold(100)
    assert orders_of(desk.advance(6)) == []
    assert orders_of(desk.advance(7)) == [(ALPHA.id, Side.SELL, 100)]


# ---- prices


@pytest.mark.failure("F61")
def test_a_jump_is_not_good_and_three_in_a_row_freeze_the_instrument() -> None:
    rows = [flat(100)] * 5 + [flat(121), flat(100), flat(130), flat(131), flat(132), flat(100)]
    desk = Desk(limits_of(price_jump_max=2_000, bad_prices_max=3, collar_share=200), rows)
    desk.advance(5)
    answer = desk.submit(5, px=101)
    assert isinstance(answer, Refused)
    assert answer.detail == "the newest price of NSE:ALPHA is not good"
    desk.advance(6)
    desk.now = desk.state.timeline.close_ns[6]
    assert isinstance(desk.submit(5, px=101), Approved), "it is back where it was"
    out = desk.advance(8)
    assert not [o for o in out if isinstance(o, Tripped)]
    out = desk.advance(9)
    assert {o.control for o in out if isinstance(o, Tripped)} == {"price reasonability"}
    answer = desk.submit(5)
    assert isinstance(answer, Refused)
    assert answer.reason is RefusalReason.FROZEN

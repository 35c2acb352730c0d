"""The order of time over ticks, and how a loop owns the pump: outputs out, events of the exchange in."""

from typing import ClassVar

import pytest

from manjha.domain.bars import Interval
from manjha.domain.commands import Approved, Output, SubmitOrder
from manjha.domain.errors import InvariantBroken, UsageError
from manjha.domain.events import (
    Event,
    MarketAdvanced,
    OrderAccepted,
    OrderFilled,
    SessionClosed,
    SessionOpened,
    TimerFired,
)
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, SECOND_NS, TsNs, at, parse_clock, parse_day
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Fill, FillId, Origin, Product, RunId, StrategyId
from manjha.domain.ticks import Tick
from manjha.engine.bars import empty_bars
from manjha.engine.closing import Closed, GrowingBars, hours_of
from manjha.engine.pump import Pump
from manjha.engine.step import step
from manjha.research.backtest import BACKTEST, origin_of
from manjha.research.growing_run import prepare_growing
from manjha.simulator.tick_market import Clearing
from manjha.strategy.context import Context
from manjha.strategy.growing import GrowingTimeline
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import share_named, spec_of

ALPHA = share_named()
DAY = parse_day("2024-01-01")
OPENS, CLOSES = (TsNs(at(DAY, parse_clock(clock))) for clock in ("09:15", "15:30"))


class Minder(Strategy):
    """Buys after the first bar, and sets a timer for the end of the third."""

    product: ClassVar[Product] = Product.CNC

    def on_bar(self, ctx: Context) -> None:
        if ctx.position_index == 0:
            ctx.buy(5)
            ctx.set_timer("third", OPENS + 3 * MINUTE_NS)


class Owner:
    """Owns a pump as a loop does: writes down events and outputs, sends nothing by itself."""

    def __init__(self) -> None:
        spec = spec_of(Minder(), empty_bars(ALPHA.id, Interval(60)))
        self.state, _ = prepare_growing(spec, Origin(BACKTEST, StrategyId(spec.strategy.name), RunId("run")))
        self.events: list[Event] = []
        self.outputs: list[Output] = []
        self.closed: list[tuple[int, Closed]] = []
        timeline = self.state.timeline
        assert isinstance(timeline, GrowingTimeline)
        bars = GrowingBars(
            self.state, timeline, hours_of(spec.rules, spec.instruments),
            watch=lambda ts_ns, closed, _fetched: self.closed.append((ts_ns, closed)),
        )  # fmt: skip
        self.pump = Pump(self.state, bars, Clearing(self.state), [DAY], self.keep, self.take)

    def keep(self, output: Output, now_ns: TsNs) -> tuple[Event, ...]:
        del now_ns
        self.outputs.append(output)
        return ()

    def take(self, event: Event) -> list[Output]:
        self.events.append(event)
        return step(self.state, event)

    def tick(self, after: float, px: int = 1_000_000) -> None:
        self.pump.on_tick(Tick(ALPHA.id, TsNs(OPENS + round(after * SECOND_NS)), Px(px), Qty(10)))

    @property
    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]


def test_at_one_moment_bars_close_then_days_and_timers_come_due_then_the_tick_counts() -> None:
    owner = Owner()
    owner.tick(0)
    assert owner.kinds == [SessionOpened]
    owner.tick(60, px=1_010_000)
    assert owner.kinds == [SessionOpened, MarketAdvanced]
    owner.tick(130)
    owner.tick(180)
    assert owner.kinds == [SessionOpened, *[MarketAdvanced] * 3, TimerFired]
    assert [(closed[0][1].close, closed[0][1].volume) for _, closed in owner.closed] == [
        (1_000_000, 10), (1_010_000, 10), (1_000_000, 10),
    ]  # fmt: skip
    assert owner.pump.next_ns == OPENS + 4 * MINUTE_NS
    owner.pump.finish()
    assert owner.kinds[-2:] == [MarketAdvanced, SessionClosed]
    assert owner.pump.now_ns == CLOSES


def test_the_exchange_answers_later_from_outside() -> None:
    owner = Owner()
    owner.tick(0)
    owner.pump.advance_to(TsNs(OPENS + MINUTE_NS))
    (approved,) = owner.outputs
    assert isinstance(approved, Approved)
    assert isinstance(approved.command, SubmitOrder)
    order = approved.command.order
    owner.pump.apply(OrderAccepted(order.id, owner.pump.now_ns))
    fill = Fill(
        FillId("f1"), order.id, order.origin, ALPHA.id, order.side, order.qty, Px(1_000_500), Px(1_000_500),
        order.product, TsNs(OPENS + 61 * SECOND_NS),
    )  # fmt: skip
    owner.pump.apply(OrderFilled(fill))
    assert owner.state.held(ALPHA.id, Product.CNC) == 5
    assert owner.kinds == [SessionOpened, MarketAdvanced, OrderAccepted, OrderFilled]


@pytest.mark.failure("F50")
def test_time_alone_closes_a_bar_and_opens_and_ends_a_day() -> None:
    owner = Owner()
    owner.pump.advance_to(TsNs(OPENS - 1))
    assert owner.kinds == []
    owner.pump.advance_to(OPENS)
    assert owner.kinds == [SessionOpened]
    owner.pump.advance_to(CLOSES)
    assert owner.kinds == [SessionOpened, SessionClosed]
    assert owner.closed == []


def test_a_tick_of_earlier_is_no_tick_for_the_pump() -> None:
    owner = Owner()
    owner.tick(10)
    owner.tick(10)
    with pytest.raises(InvariantBroken, match="screen ticks first"):
        owner.tick(9.9)
    owner.pump.advance_to(TsNs(OPENS + 30 * SECOND_NS))
    with pytest.raises(InvariantBroken, match="screen ticks first"):
        owner.tick(29)


def test_a_tick_of_an_instrument_beside_the_run_makes_no_bar() -> None:
    owner = Owner()
    owner.pump.on_tick(Tick(InstrumentId("NSE:OTHER"), OPENS, Px(1), Qty(1)))
    assert owner.pump.next_ns == CLOSES


def test_timers_that_stand_are_told_and_can_be_set_again() -> None:
    owner = Owner()
    owner.pump.set_timer("own", TsNs(OPENS + 90 * SECOND_NS))
    owner.tick(0)
    owner.tick(60)
    assert owner.pump.timers() == [(OPENS + 90 * SECOND_NS, "own"), (OPENS + 3 * MINUTE_NS, "third")]
    owner.tick(100)
    assert owner.events[-1] == TimerFired("own", TsNs(OPENS + 90 * SECOND_NS))
    assert owner.pump.timers() == [(OPENS + 3 * MINUTE_NS, "third")]


def test_time_does_not_go_back_for_a_bar_that_closed_while_nobody_ran() -> None:
    owner = Owner()
    owner.tick(1)
    later = TsNs(OPENS + 200 * SECOND_NS)
    owner.pump.go_on([], later)
    owner.pump.advance_to(later)
    assert [type(event) for event in owner.events[-2:]] == [MarketAdvanced, TimerFired]
    assert owner.events[-1] == TimerFired("third", later)


def test_sessions_of_data_that_has_not_come_are_refused() -> None:
    spec = spec_of(Minder(), empty_bars(ALPHA.id, Interval(60)), sessions_from_data=True)
    with pytest.raises(UsageError, match="exchange's calendar"):
        prepare_growing(spec, origin_of(spec))

"""Every order of a random run lives by the table: one happening after the other, from sent to its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.commands import Output
from manjha.domain.events import Event, OrderAccepted, OrderCancelled, OrderFilled, OrderModified, OrderRejected
from manjha.domain.orders import OrderId, Phase, Side, Validity
from manjha.engine.state import EngineState
from manjha.engine.step import step
from manjha.orders.lifecycle import Happening
from manjha.research import drive
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.simulator.fills import FillRules, MarketFill
from manjha.strategy.context import Context
from tests.fakes.hand_made import minutes, spec_of
from tests.property.test_core_laws import ALPHA, RandomOrders, random_market

LEGAL = {
    (Phase.SENT, Happening.ACCEPTED): Phase.WORKING,
    (Phase.SENT, Happening.REJECTED): Phase.REJECTED,
    (Phase.SENT, Happening.FULLY_FILLED): Phase.FILLED,
    (Phase.WORKING, Happening.MODIFIED): Phase.WORKING,
    (Phase.WORKING, Happening.PART_FILLED): Phase.WORKING,
    (Phase.WORKING, Happening.FULLY_FILLED): Phase.FILLED,
    (Phase.WORKING, Happening.CANCELLED): Phase.CANCELLED,
}
"""All that may happen to an order at an exchange that answers at once, with the phase after it. Written by hand."""
HAPPENINGS: dict[type, Happening] = {
    OrderAccepted: Happening.ACCEPTED,
    OrderRejected: Happening.REJECTED,
    OrderCancelled: Happening.CANCELLED,
    OrderModified: Happening.MODIFIED,
}


class Moment(NamedTuple):
    """What happened to an order, and its phases before and after."""

    before: Phase
    happening: Happening
    after: Phase


Lives = dict[OrderId, list[Moment]]


class MoreRandomOrders(RandomOrders):
    """Ask also for new terms, for orders that end at once, and for prices far away."""

    def on_bar(self, ctx: Context) -> None:
        """Ask for something now and then, from the draw of this bar."""
        super().on_bar(ctx)
        draw, market, close = self.draws[ctx.position_index], ctx.market, ctx.close[-1]
        if 240 <= draw < 300:
            ctx.order(market, Side.BUY, 4, limit=close, validity=Validity.IOC)
        elif 300 <= draw < 340:
            ctx.order(market, Side.SELL, 3, limit=close * 1.2)
        elif draw >= 600:
            for order in market.orders()[:1]:
                market.modify(order, limit=order.limit and close - 0.5, trigger=order.trigger and close - 2.0)


@contextmanager
def written_down(lives: Lives) -> Iterator[None]:
    """Write down what each event does to the order that it speaks of, while a run goes on."""

    def watched(state: EngineState, event: Event) -> list[Output]:
        order_id = event.fill.order_id if isinstance(event, OrderFilled) else getattr(event, "order_id", None)
        happening = HAPPENINGS.get(type(event))
        if isinstance(event, OrderFilled):
            record = state.book.records[event.fill.order_id]
            full = record.left == event.fill.qty
            happening = Happening.FULLY_FILLED if full else Happening.PART_FILLED
        if order_id is None or happening is None:
            return step(state, event)
        before = state.book.records[order_id].phase
        outputs = step(state, event)
        lives.setdefault(order_id, []).append(Moment(before, happening, state.book.records[order_id].phase))
        return outputs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drive, "step", watched)
        yield


def play(seed: int, fills: FillRules) -> tuple[BacktestResult, Lives]:
    """Run random orders where bars are thin and the day's band is narrow."""
    strategy = type("Seeded", (MoreRandomOrders,), {"__doc__": "Seeded.", "seed": seed})()
    bars = minutes(ALPHA, random_market(seed), volume=3)
    lives: Lives = {}
    with written_down(lives):
        result = run_backtest(spec_of(strategy, bars, fills=fills, bands={ALPHA.id: 100_000_000}))
    return result, lives


rules = st.builds(
    FillRules,
    market=st.sampled_from(MarketFill),
    participation_ppm=st.sampled_from((0, 500_000, 1_000_000)),
    orders_end_with_day=st.booleans(),
)


@settings(max_examples=30)
@given(st.integers(0, 10_000), rules)
def test_every_order_lives_by_the_table(seed: int, fills: FillRules) -> None:
    result, lives = play(seed, fills)
    assert set(lives) == {record.order.id for record in result.orders}
    for record in result.orders:
        phase = Phase.SENT
        for moment in lives[record.order.id]:
            assert moment.before is phase
            phase = LEGAL[moment.before, moment.happening]
            assert moment.after is phase
        assert record.phase is phase


@settings(max_examples=30)
@given(st.integers(0, 10_000), rules)
def test_an_order_is_filled_by_its_fills_and_raises_no_alarm(seed: int, fills: FillRules) -> None:
    result, _ = play(seed, fills)
    traded: dict[OrderId, int] = {}
    for fill in result.fills:
        traded[fill.order_id] = traded.get(fill.order_id, 0) + fill.qty
    assert {r.order.id: r.filled for r in result.orders if r.filled} == traded
    assert not [warning for warning in result.warnings if "in phase" in warning]


def test_the_random_runs_meet_every_line_of_the_table() -> None:
    thin, at_close = FillRules(participation_ppm=500_000), FillRules(market=MarketFill.DECIDING_CLOSE)
    met = {
        (moment.before, moment.happening)
        for seed in range(4)
        for fills in (thin, at_close)
        for life in play(seed, fills)[1].values()
        for moment in life
    }
    assert met == set(LEGAL)

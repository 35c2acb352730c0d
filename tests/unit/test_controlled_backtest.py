"""Controls in a backtest: they work there, cost the plain run nothing that shows, and the compiled one refuses them."""

import msgspec
import pytest

from manjha.domain.commands import RefusalReason
from manjha.domain.kill import KillLevel
from manjha.domain.moments import TradingDay
from manjha.domain.money import Cash
from manjha.domain.orders import Phase, Product, Purpose
from manjha.research.backtest import BacktestSpec, prepare, run_backtest
from manjha.research.kernel.refusal import kernel_refusal
from manjha.research.result import BacktestResult
from manjha.risk.control_limits import ControlLimits
from manjha.risk.controlled_gate import ControlledGate
from manjha.risk.gate import Gate
from manjha.risk.governor import RateLimits
from manjha.risk.profit import ProfitRule
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.control_desk import RUPEE, limits_of
from tests.fakes.hand_made import Row, days, flat, minutes, share_named, spec_of

ALPHA = share_named()
FALLING: list[Row] = [flat(100)] * 4 + [flat(100 - step) for step in range(1, 6)] + [flat(95)] * 20


class Greedy(Strategy):
    """Buy at every bar."""

    product = Product.MIS

    def on_bar(self, ctx: Context) -> None:
        """Buy one more each time, so that no two entries are the same."""
        ctx.buy(10 + ctx.position_index)


def ran(controls: ControlLimits | None, rows: list[Row] | None = None) -> BacktestResult:
    return run_backtest(spec(controls, rows))


def spec(controls: ControlLimits | None, rows: list[Row] | None = None) -> BacktestSpec:
    return spec_of(Greedy(), minutes(ALPHA, rows if rows is not None else [flat(100)] * 30), controls=controls)


def test_a_plain_run_has_the_plain_gate() -> None:
    state = prepare(spec(None))
    assert type(state.gate) is Gate
    assert (state.controls, state.every_close) == (None, False)
    assert type(prepare(spec(limits_of())).gate) is ControlledGate


def test_controls_that_hold_nothing_back_change_no_trade() -> None:
    plain, controlled = ran(None), ran(limits_of())
    fills = [[(f.ts_ns, f.side, f.qty, f.px) for f in result.fills] for result in (plain, controlled)]
    assert fills[0] == fills[1] != []
    assert plain.run != controlled.run, "the limits are part of what decides a run"


def test_default_controls_stop_a_strategy_that_buys_and_buys() -> None:
    body = {
        "__doc__": "Buy and buy.",
        "product": Product.MIS,
        "on_bar": lambda _, ctx: [ctx.buy(n + 1) for n in range(7)],
    }
    made = msgspec.structs.replace(spec(ControlLimits()), strategy=type("Runaway", (Strategy,), body)())
    result = run_backtest(made)
    entries = [record for record in result.orders if record.order.purpose is Purpose.SIGNAL]
    assert [record.order.qty for record in entries] == [1, 2, 3, 4, 5]
    assert [refusal.reason for refusal in result.refusals][:2] == [RefusalReason.REPEATED, RefusalReason.PAUSED]


def test_a_loss_ends_the_day_flat() -> None:
    result = ran(limits_of(profit=(ProfitRule(stop=Cash(100 * RUPEE)),)), FALLING)
    assert sum(int(fill.side) * fill.qty for fill in result.fills) == 0
    flattened = [record for record in result.orders if record.order.purpose is Purpose.SQUARE_OFF]
    assert [record.phase for record in flattened] == [Phase.FILLED]
    last = max(record.order.decided_ns for record in result.orders if record.order.purpose is Purpose.SIGNAL)
    assert last < flattened[0].order.decided_ns
    assert RefusalReason.KILLED in {refusal.reason for refusal in result.refusals}


class Mornings(Strategy):
    """Buy when each session opens, and again at each close."""

    def on_session(self, ctx: Context, day: TradingDay) -> None:
        """Buy once there is a price."""
        del day
        if ctx.position_index >= 0:
            ctx.buy(10)

    def on_bar(self, ctx: Context) -> None:
        """Buy more."""
        ctx.buy(11)


def test_what_is_placed_when_a_session_opens_counts_for_that_session() -> None:
    made = spec_of(Mornings(), days(ALPHA, [flat(100)] * 4), controls=limits_of(orders_day_max=1))
    result = run_backtest(made)
    assert [record.order.qty for record in result.orders] == [11, 10, 10, 10]
    assert [refusal.reason for refusal in result.refusals] == [RefusalReason.ORDERS_A_DAY] * 3


def test_what_ended_one_day_does_not_hold_in_the_next_morning() -> None:
    rows = [flat(100)] * 3 + [(100, 100, 90, 90), flat(90), flat(90)]
    rule = ProfitRule(stop=Cash(50 * RUPEE), level=KillLevel.REDUCE_ONLY)
    made = spec_of(Mornings(), days(ALPHA, rows), controls=limits_of(profit=(rule,)))
    result = run_backtest(made)
    killed = {refusal.ts_ns for refusal in result.refusals if refusal.reason is RefusalReason.KILLED}
    assert len(killed) == 1
    assert next(record.order.qty for record in result.orders if record.order.decided_ns > max(killed)) == 10


@pytest.mark.parametrize("stride", [0, 1, 7])
def test_the_length_of_events_changes_nothing(stride: int) -> None:
    limits = limits_of(profit=(ProfitRule(stop=Cash(100 * RUPEE)),), rate=RateLimits(), price_jump_max=2_000)
    one = run_backtest(spec(limits, FALLING))
    other = run_backtest(msgspec.structs.replace(spec(limits, FALLING), stride=stride))
    assert one.state_digest == other.state_digest


def test_the_compiled_backtest_refuses_controls_by_name() -> None:
    assert kernel_refusal(spec(limits_of())) == "the run has controls"

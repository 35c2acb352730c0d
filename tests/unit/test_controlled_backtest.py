"""Controls in a backtest: they work there, cost the plain run nothing that shows, and the compiled one refuses them."""

import msgspec
import pytest

from manjha.domain.commands import RefusalReason
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
from tests.fakes.hand_made import Row, flat, minutes, share_named, spec_of

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


@pytest.mark.parametrize("stride", [0, 1, 7])
def test_the_length_of_events_changes_nothing(stride: int) -> None:
    limits = limits_of(profit=(ProfitRule(stop=Cash(100 * RUPEE)),), rate=RateLimits(), price_jump_max=2_000)
    one = run_backtest(spec(limits, FALLING))
    other = run_backtest(msgspec.structs.replace(spec(limits, FALLING), stride=stride))
    assert one.state_digest == other.state_digest


def test_the_compiled_backtest_refuses_controls_by_name() -> None:
    assert kernel_refusal(spec(limits_of())) == "the run has controls"

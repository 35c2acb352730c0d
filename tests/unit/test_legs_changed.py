"""Groups of legs over what is not traded: an expiry that came before the close, splits, orders over a split."""

from collections.abc import Callable

import msgspec
import pytest

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.moments import TradingDay
from manjha.domain.money import RUPEE
from manjha.domain.orders import GroupPhase, LegGroup, Product, Side
from manjha.engine.state import EngineState
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.simulator.fills import FillRules
from manjha.strategy.context import Context
from tests.fakes.hand_made import FIRST_DAY, Row, days, flat, share_named, spec_of
from tests.fakes.legs import HEDGE, LOT, SOLD, Scripted, contract, spec_for, spread

KEPT = FillRules(orders_end_with_day=False)


def test_a_leg_that_expires_before_it_is_closed_is_settled_and_the_rest_ends() -> None:
    near, far = contract("21900", expiry="2024-02-26"), contract("22200", expiry="2024-02-29")

    def ask(ctx: Context) -> None:
        ctx.legs(LegGroup((ctx[near.symbol].leg(Side.SELL), ctx[far.symbol].leg(Side.BUY))))

    # The near one does not trade any more when its square-off time comes; the index stands at 22,000.
    spec = spec_for({1: ask}, {near: [130.0] * 60, far: [150.0] * 80})
    states: list[EngineState] = []
    result = run_backtest(spec, watch=states.append)
    assert [fill.side.name for fill in result.fills] == ["BUY", "SELL", "SELL"]
    (settled,) = result.adjustments
    assert (settled.instrument, settled.qty_before, settled.cash) == (near.id, -LOT, -LOT * 100 * RUPEE)
    (saga,) = states[0].groups.values()
    assert (saga.phase, saga.reason) == (GroupPhase.CLOSED, "a leg expires today")
    assert saga.profit({}) == 30 * LOT * RUPEE
    assert result.fills[2].ts_ns > result.bars[0].ts_close_ns[74]


def over_a_split(script: dict[int, Callable[[Context], None]], kind: ActionKind) -> tuple[BacktestResult, EngineState]:
    """Play five days of a share of which one becomes two before the third."""
    share = share_named()
    rows: list[Row] = [flat(100), flat(100), flat(50), flat(50), flat(50)]
    action = CorporateAction(share.id, TradingDay(FIRST_DAY + 2), kind, 2, 1)
    strategy = type("Played", (Scripted,), {"__doc__": "Played.", "script": script, "product": Product.CNC})()
    states: list[EngineState] = []
    spec = spec_of(strategy, days(share, rows), actions=(action,), contract_notes=False, fills=KEPT)
    return run_backtest(spec, watch=states.append), states[0]


@pytest.mark.parametrize("kind", [ActionKind.SPLIT, ActionKind.BONUS])
def test_a_split_scales_what_a_group_holds(kind: ActionKind) -> None:
    def ask(ctx: Context) -> None:
        leg = msgspec.structs.replace(ctx.market.leg(Side.BUY, stop=80.0), ratio=7)
        ctx.legs(LegGroup((leg,), reentries=5))

    result, state = over_a_split({0: ask, 3: lambda ctx: ctx.close_legs()}, kind)
    assert [(fill.side.name, fill.qty) for fill in result.fills] == [("BUY", 7), ("SELL", 14)]
    (saga,) = state.groups.values()
    assert (saga.phase, saga.legs[0].target, saga.legs[0].held) == (GroupPhase.CLOSED, 14, 0)
    assert saga.legs[0].reentered == 5


def test_a_leg_that_waits_over_a_split_is_cancelled_and_not_placed_again() -> None:
    def ask(ctx: Context) -> None:
        ctx.legs(LegGroup((ctx.market.leg(Side.BUY, 7, limit=90.0),), patience_ns=10**18))

    result, state = over_a_split({0: ask}, ActionKind.SPLIT)
    assert len(result.orders) == 1
    assert not result.fills
    (saga,) = state.groups.values()
    assert saga.phase is GroupPhase.UNWOUND
    assert "was cancelled at 0 of 7" in saga.reason


@pytest.mark.parametrize("combined", [{"stop": 1_000}, {"target": 300}, {"trail": 500}])
def test_bar_by_bar_and_in_long_stretches_the_state_is_the_same(combined: dict[str, float]) -> None:
    prices = {SOLD: [100.0, 100, 100, 104, 108, 112, 116, 112, 95, 90, 90, 90], HEDGE: [20.0] * 12}
    asked = spread(combined=combined, sold={"stop": 130})
    one, other = (run_backtest(spec_for({1: asked}, prices, stride=stride)) for stride in (0, 1))
    assert one.state_digest == other.state_digest
    assert len(one.fills) == 4

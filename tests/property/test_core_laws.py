"""Laws of the core on random markets and random orders."""

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.commands import RefusalReason
from manjha.domain.instrument import Kind
from manjha.domain.money import Cash
from manjha.domain.orders import LegGroup, Product
from manjha.research.backtest import BacktestSpec, prepare, run_backtest
from manjha.research.result import BacktestResult
from manjha.research.round_trips import round_trips
from manjha.risk.limits import RiskLimits
from manjha.simulator.fills import FillRules, Path
from manjha.simulator.slippage import FixedTicks
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import Row, days, flat, minutes, share_named, spec_of

ALPHA = share_named()


class RandomOrders(Strategy):
    """Ask for seeded orders of every kind."""

    seed: ClassVar[int] = 0
    product: ClassVar[Product] = Product.MIS

    def init(self, ctx: Context) -> None:
        """Start the seeded sequence."""
        del ctx
        self.draws = np.random.default_rng(self.seed).integers(0, 1000, 4000).tolist()

    def on_bar(self, ctx: Context) -> None:
        """Ask for something now and then, from the draw of this bar."""
        draw, market, close = self.draws[ctx.position_index], ctx.market, ctx.close[-1]
        side: Callable[..., None] = market.buy if draw % 2 else market.sell
        sign = 1 if draw % 2 else -1
        if draw < 60:
            side(1 + draw % 7)
        elif draw < 120:
            side(5, stop=close - 2 * sign, target=close + 3 * sign)
        elif draw < 160:
            side(4, limit=close - sign, stop=close - 3 * sign, trail=1.0 + draw % 3)
        elif draw < 190:
            side(3, trigger=close + sign)
        elif draw < 220:
            market.close_position()
        elif draw < 240:
            market.cancel()


def random_market(seed: int, count: int = 150) -> list[Row]:
    rng = np.random.default_rng(seed)
    closes = np.maximum(20.0, 100 + np.cumsum(np.round(rng.normal(0, 1, count) * 20) / 20))
    opens = np.append(100.0, closes[:-1]) + np.round(rng.normal(0, 0.3, count) * 20) / 20
    highs = np.maximum(opens, closes) + np.round(np.abs(rng.normal(0, 1, count)) * 20) / 20
    lows = np.maximum(1.0, np.minimum(opens, closes) - np.round(np.abs(rng.normal(0, 1, count)) * 20) / 20)
    return list(zip(opens.tolist(), highs.tolist(), lows.tolist(), closes.tolist(), strict=True))


def random_spec(seed: int, **changes: Any) -> BacktestSpec:
    strategy = type("Seeded", (RandomOrders,), {"__doc__": "Seeded.", "seed": seed})()
    return spec_of(strategy, minutes(ALPHA, random_market(seed)), **changes)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 2, 7]))
def test_a_run_of_bars_equals_the_fold_over_its_bars(seed: int, stride: int) -> None:
    whole, stepped = run_backtest(random_spec(seed)), run_backtest(random_spec(seed, stride=stride))
    assert whole.state_digest == stepped.state_digest
    assert whole.fills == stepped.fills
    assert np.array_equal(whole.curve.equity, stepped.curve.equity)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_the_account_adds_up_to_the_last_unit(seed: int, notes: bool) -> None:
    result = run_backtest(random_spec(seed, contract_notes=notes, slippage=FixedTicks(1)))
    booked = int(result.fill_charges.sum()) + sum(row.adjustment.total for row in result.day_charges)
    held = sum(int(fill.side) * fill.qty for fill in result.fills)
    paid = sum(int(fill.side) * fill.qty * fill.px for fill in result.fills)
    assert result.final == result.initial - paid - booked + held * int(result.marks[0][1])
    assert round_trips(result).net == result.final - result.initial


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_nothing_stays_reserved_and_no_stop_outlives_its_position(seed: int) -> None:
    result = run_backtest(random_spec(seed))
    held = 0
    for fill in result.fills:
        held += int(fill.side) * fill.qty
    assert all(record.phase.value not in ("sent", "working") for record in result.orders)
    if not any(int(f.side) * f.qty for f in result.fills[-1:]):
        assert held == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_worst_case_of_one_bracket_is_not_better_than_the_best(seed: int) -> None:
    class Once(Strategy):
        """One bracket."""

        def on_bar(self, ctx: Context) -> None:
            """Buy at the third bar."""
            if ctx.position_index == 2:
                ctx.buy(10, stop=ctx.close[-1] - 1.5, target=ctx.close[-1] + 1.5)

    def final(path: Path) -> int:
        return run_backtest(spec_of(Once(), days(ALPHA, random_market(seed, 40)), fills=FillRules(path=path))).final

    assert final(Path.WORST) <= final(Path.BEST)


def refused(script: Callable[[Context], None], **changes: Any) -> BacktestResult:
    body = {"__doc__": "Refused.", "on_bar": lambda self, ctx: script(ctx) if ctx.position_index == 1 else None}
    body |= {"product": changes.pop("product", Product.CNC)}
    strategy = type("Refused", (Strategy,), body)()
    return run_backtest(spec_of(strategy, days(ALPHA, [flat(100.0)] * 5), **changes))


NO_LEGS = LegGroup(())
REFUSALS: dict[RefusalReason, tuple[Callable[[Context], None], dict[str, Any]]] = {
    RefusalReason.SHORT_DELIVERY: (lambda ctx: ctx.sell(10), {}),
    RefusalReason.MARGIN: (lambda ctx: ctx.buy(10**6), {}),
    RefusalReason.QUANTITY: (lambda ctx: ctx.buy(-5), {}),
    RefusalReason.STOP_SIDE: (lambda ctx: ctx.buy(10, stop=101.0), {}),
    RefusalReason.PRODUCT: (lambda ctx: ctx.buy(10), {"product": Product.NRML}),
    RefusalReason.ORDER_VALUE: (lambda ctx: ctx.buy(10), {"limits": RiskLimits(order_value_max=Cash(9_999_999))}),
    RefusalReason.POSITION_VALUE: (lambda ctx: ctx.buy(10), {"limits": RiskLimits(position_value_max=Cash(9_999_999))}),
    RefusalReason.OPEN_ORDERS: (lambda ctx: ctx.buy(10), {"limits": RiskLimits(open_orders_max=0)}),
    RefusalReason.LEG_GROUP: (lambda ctx: ctx.legs(NO_LEGS), {}),
}


@pytest.mark.parametrize("reason", list(REFUSALS))
def test_risk_refuses_by_name_and_figures(reason: RefusalReason) -> None:
    script, changes = REFUSALS[reason]
    result = refused(script, **changes)
    assert [refusal.reason for refusal in result.refusals] == [reason]
    assert not result.fills


def test_a_limit_at_the_bound_passes() -> None:
    limits = RiskLimits(order_value_max=Cash(10_000_000), position_value_max=Cash(10_000_000))
    assert len(refused(lambda ctx: ctx.buy(10), limits=limits).fills) == 1


def test_an_index_is_never_traded() -> None:
    spec = spec_of(RandomOrders(), minutes(ALPHA, random_market(1)))
    index = msgspec.structs.replace(spec.instruments[0], kind=Kind.INDEX)
    result = run_backtest(msgspec.structs.replace(spec, instruments=(index,)))
    assert {refusal.reason for refusal in result.refusals} == {RefusalReason.NOT_TRADABLE}


def test_a_strategy_cannot_look_ahead() -> None:
    state = prepare(spec_of(RandomOrders(), minutes(ALPHA, random_market(2))))
    state.cursor.at = 5
    with pytest.raises(Exception, match="has not closed"):
        state.ctx.close[0]

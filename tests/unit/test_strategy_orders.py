"""A strategy sees its resting orders, gives them new terms and takes them back."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest

from manjha.domain.commands import RefusalReason
from manjha.domain.errors import UsageError
from manjha.domain.money import RUPEE
from manjha.domain.orders import Phase, Product, Purpose
from manjha.domain.sizing import TargetUnit
from manjha.research.backtest import run_backtest
from manjha.research.metrics.analysis import analyse, document
from manjha.research.result import BacktestResult
from manjha.simulator.fills import FillRules
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import Row, days, flat, share_named, spec_of

ALPHA = share_named()
HOUR_NS = 3_600_000_000_000
KEPT = FillRules(orders_end_with_day=False)


def play(rows: list[Row], script: Mapping[int, Callable[[Context], None]]) -> BacktestResult:
    def on_bar(self: Strategy, ctx: Context) -> None:
        del self
        if ctx.position_index in script:
            script[ctx.position_index](ctx)

    strategy = type("Played", (Strategy,), {"__doc__": "Played.", "on_bar": on_bar})()
    return run_backtest(spec_of(strategy, days(ALPHA, rows), fills=KEPT))


def trades(result: BacktestResult) -> list[tuple[int, float]]:
    return [(int(fill.side) * fill.qty, fill.px / RUPEE) for fill in result.fills]


def test_resting_orders_are_shown_oldest_first_with_what_protects() -> None:
    seen: list[tuple[str, int, float, float]] = []

    def look(ctx: Context) -> None:
        seen.extend((o.purpose, o.left, o.limit / RUPEE, o.trigger / RUPEE) for o in ctx.market.orders())

    first = {0: lambda ctx: ctx.buy(10, stop=90, target=120), 1: lambda ctx: ctx.buy(5, limit=80), 2: look}
    play([flat(100)] * 4, first)
    assert seen == [(Purpose.STOP, 10, 0, 90), (Purpose.TARGET, 10, 120, 0), (Purpose.SIGNAL, 5, 80, 0)]


def test_a_modified_limit_trades_at_its_new_price_and_quantity() -> None:
    def raise_it(ctx: Context) -> None:
        (order,) = ctx.market.orders()
        ctx.market.modify(order, qty=4, limit=97)

    result = play([flat(100), flat(100), (100, 100, 96, 98)], {0: lambda ctx: ctx.buy(10, limit=90), 1: raise_it})
    assert trades(result) == [(4, 97)]


def test_one_order_is_cancelled_and_the_other_stays() -> None:
    def drop_first(ctx: Context) -> None:
        ctx.market.cancel(ctx.market.orders()[0])

    def both(ctx: Context) -> None:
        ctx.buy(10, limit=95)
        ctx.buy(5, limit=94)

    result = play([flat(100), flat(100), (100, 100, 90, 98)], {0: both, 1: drop_first})
    assert trades(result) == [(5, 94)]
    assert [record.phase for record in result.orders] == [Phase.CANCELLED, Phase.FILLED]


def test_an_order_that_has_traded_is_refused_by_name() -> None:
    kept: list[object] = []

    def late(ctx: Context) -> None:
        ctx.buy(1, limit=80)  # so that something rests
        ctx.market.modify(kept[0], limit=99)  # type: ignore[arg-type]

    script = {0: lambda ctx: ctx.buy(10, limit=99), 1: lambda ctx: kept.extend(ctx.market.orders()), 3: late}
    result = play([flat(100), flat(100), (100, 100, 98, 99), flat(99), flat(99)], script)
    assert [refusal.reason.name for refusal in result.refusals] == ["UNKNOWN_ORDER"]


@pytest.mark.parametrize("qty", [10, 10.0, np.int64(10), np.float64(10)])
def test_a_quantity_is_an_integer_whatever_computed_it(qty: Any) -> None:
    def less(ctx: Context) -> None:
        (order,) = ctx.market.orders()
        ctx.market.modify(order, qty=type(qty)(4))

    result = play([flat(100)] * 4, {0: lambda ctx: ctx.buy(qty), 1: lambda ctx: ctx.buy(qty, limit=90), 2: less})
    assert [(record.order.qty, type(record.order.qty)) for record in result.orders] == [(10, int)] * 2
    assert trades(result) == [(10, 100)]
    assert not result.refusals
    assert json.loads(msgspec.json.encode(document(analyse(result))))["fills"][0]["qty"] == 10


@pytest.mark.failure("F71")
@pytest.mark.parametrize("qty", [10.5, float("nan"), "ten", None])
def test_a_quantity_that_is_none_is_named(qty: Any) -> None:
    with pytest.raises(UsageError, match=f"whole number, was {qty}"):
        play([flat(100)] * 3, {0: lambda ctx: ctx.buy(qty)})


def test_words_are_taken_for_what_they_name() -> None:
    """A position bought as "MIS" is squared off like one bought as Product.MIS."""
    result = play([flat(100)] * 4, {0: lambda ctx: ctx.buy(10, product="MIS", validity="DAY")})
    assert trades(result) == [(10, 100), (-10, 100)]
    assert {fill.product for fill in result.fills} == {Product.MIS}
    assert all(type(fill.product) is Product for fill in result.fills)
    worded: Any = type("Worded", (Strategy,), {"__doc__": "Worded.", "product": "NRML", "unit": "lots"})
    assert worded.product is Product.NRML
    assert worded.unit is TargetUnit.LOTS


def test_words_that_name_nothing_are_told_what_was_expected() -> None:
    with pytest.raises(UsageError, match="product expects one of CNC, MIS, NRML, MTF, was 'MISS'"):
        play([flat(100)] * 3, {0: lambda ctx: ctx.buy(10, product="MISS")})
    with pytest.raises(UsageError, match="product of wrong expects one of CNC"):
        type("Wrong", (Strategy,), {"__doc__": "Wrong.", "product": "intraday"})


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"limit": 0}, "limit of an order expects a price above zero, was 0"),
        ({"stop": -5}, "stop of an order expects a price above zero, was -5"),
        ({"target": "95"}, "target of an order expects a price in rupees, was '95'"),
        ({"trail": 0.0}, "trail of an order expects a price above zero"),
    ],
)
def test_a_price_that_is_none_is_an_error_and_not_another_order(terms: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        play([flat(100)] * 3, {0: lambda ctx: ctx.buy(10, **terms)})


def test_a_term_of_none_is_as_if_it_were_not_given() -> None:
    given = {"limit": None, "trigger": None, "stop": None, "target": None, "trail": None, "exit_ns": None}
    assert trades(play([flat(100)] * 3, {0: lambda ctx: ctx.buy(10, **given)})) == [(10, 100)]


@pytest.mark.parametrize(("side", "limit", "trigger"), [("buy", 101, 102), ("sell", 99, 98)])
def test_a_stop_whose_limit_lies_before_its_trigger_is_refused(side: str, limit: float, trigger: float) -> None:
    def ask(ctx: Context) -> None:
        getattr(ctx, side)(10, limit=limit, trigger=trigger, product=Product.MIS)

    result = play([flat(100)] * 3, {0: ask})
    assert [(r.reason, r.detail[:5]) for r in result.refusals] == [(RefusalReason.STOP_SIDE, "limit")]


def test_a_timer_fires_at_its_moment_and_one_that_is_not_to_come_is_an_error() -> None:
    rung: list[str] = []

    class Ringing(Strategy):
        """Set a timer, and another one for the same moment when it rings."""

        again: ClassVar[bool] = False

        def on_bar(self, ctx: Context) -> None:
            if ctx.position_index == 0:
                ctx.set_timer("morning", ctx.now_ns + HOUR_NS)

        def on_timer(self, ctx: Context, key: str) -> None:
            rung.append(key)
            if self.again:
                ctx.set_timer(key, ctx.now_ns + HOUR_NS)

    run_backtest(spec_of(Ringing(), days(ALPHA, [flat(100)] * 3)))
    assert rung == ["morning"]
    with pytest.raises(UsageError, match=r"timer .morning. was set for .* not after now"):
        run_backtest(
            spec_of(type("Again", (Ringing,), {"__doc__": "Again.", "again": True})(), days(ALPHA, [flat(100)] * 3))
        )

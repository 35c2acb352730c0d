"""A strategy sees its resting orders, gives them new terms and takes them back."""

from collections.abc import Callable, Mapping

from manjha.domain.money import RUPEE
from manjha.domain.orders import Phase, Purpose
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.simulator.fills import FillRules
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import Row, days, flat, share_named, spec_of

ALPHA = share_named()
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

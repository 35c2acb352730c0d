"""What ends a position can neither be refused nor end more than there is."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.moments import day_of
from manjha.domain.money import RUPEE, Px, Qty
from manjha.domain.orders import Product, Purpose
from manjha.research.backtest import run_backtest
from manjha.research.result import BacktestResult
from manjha.research.round_trips import round_trips
from manjha.risk.limits import RiskLimits
from manjha.simulator.fills import FillRules
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import Row, days, flat, minutes, share_named, spec_of

ALPHA = share_named()
Script = Mapping[int, Callable[[Context], None]]


def play(
    rows: list[Row], script: Script, *, intraday: bool = False, freeze: int = 0, volume: int = 10**6, **changes: Any
) -> BacktestResult:
    def on_bar(self: Strategy, ctx: Context) -> None:
        del self
        if ctx.position_index in script:
            script[ctx.position_index](ctx)

    strategy = type("Played", (Strategy,), {"__doc__": "Played.", "on_bar": on_bar})()
    bars = minutes(ALPHA, rows, volume=volume) if intraday else days(ALPHA, rows, volume=volume)
    spec = spec_of(strategy, bars, contract_notes=False, **changes)
    traded = msgspec.structs.replace(spec.instruments[0], freeze=Qty(freeze))
    return run_backtest(msgspec.structs.replace(spec, instruments=(traded,)))


def held(result: BacktestResult) -> list[int]:
    position, path = 0, []
    for fill in result.fills:
        position += int(fill.side) * fill.qty
        path.append(position)
    return path


def test_a_sale_beside_a_stop_never_sells_delivery_shares_twice() -> None:
    rows = [flat(100), flat(100), (100, 106, 94, 100), flat(100)]
    kept = FillRules(orders_end_with_day=False)
    script = {0: lambda ctx: ctx.buy(10, stop=95), 1: lambda ctx: ctx.sell(10, limit=105)}
    assert held(play(rows, script, fills=kept)) == [10, 0]


def test_a_sale_beside_a_time_exit_under_way_never_sells_twice() -> None:
    close_2 = days(ALPHA, [flat(100)] * 3).ts_close_ns[2]
    few = FillRules(participation_ppm=100_000, orders_end_with_day=False)
    script = {0: lambda ctx: ctx.buy(10, exit_ns=close_2), 3: lambda ctx: ctx.sell(5)}
    result = play([flat(100)] * 8, script, volume=50, fills=few)
    assert min(held(result)) == 0


def test_a_closing_sale_passes_a_full_count_of_open_orders() -> None:
    limits = RiskLimits(open_orders_max=1)
    kept = FillRules(orders_end_with_day=False)
    script = {0: lambda ctx: ctx.buy(10, stop=50), 2: lambda ctx: ctx.sell(10)}
    assert held(play([flat(100)] * 5, script, limits=limits, fills=kept)) == [10, 0]


def test_an_intraday_order_of_a_delivery_strategy_is_squared_off_each_day() -> None:
    script = {0: lambda ctx: ctx.buy(10, product=Product.MIS), 80: lambda ctx: ctx.buy(5, product=Product.MIS)}
    result = play([flat(100)] * 150, script, intraday=True)
    assert [record.order.purpose for record in result.orders] == [Purpose.SIGNAL, Purpose.SQUARE_OFF] * 2
    assert held(result) == [10, 0, 5, 0]


def test_a_time_exit_above_all_slices_still_closes() -> None:
    close_5 = days(ALPHA, [flat(100)] * 7).ts_close_ns[5]
    buy: Callable[[Context], None] = lambda ctx: ctx.buy(20, exit_ns=close_5)  # noqa: E731
    result = play([flat(100)] * 9, {0: buy, 1: buy, 2: buy}, freeze=10, limits=RiskLimits(slices_max=3))
    assert result.refusals == ()
    assert held(result)[-1] == 0


def test_an_excursion_ends_where_the_stop_traded() -> None:
    # The bar of the stop went on to 80: that was after the exit, or may have been.
    rows = [flat(100), flat(100), (100, 102, 97, 100), (100, 101, 80, 85)]
    (trip,) = round_trips(play(rows, {0: lambda ctx: ctx.buy(10, stop=95)})).closed
    assert (trip.exit_px, trip.mae, trip.mfe) == (95 * RUPEE, -50 * RUPEE, 20 * RUPEE)


def test_an_excursion_counts_the_whole_bar_before_a_gap_through_the_stop() -> None:
    rows = [flat(100), flat(100), (100, 102, 96, 100), (90, 91, 80, 85)]
    (trip,) = round_trips(play(rows, {0: lambda ctx: ctx.buy(10, stop=95)}, intraday=True)).closed
    assert (trip.exit_px, trip.mae, trip.mfe) == (90 * RUPEE, -100 * RUPEE, 20 * RUPEE)


def test_buy_and_hold_keeps_the_worth_of_a_share_over_a_bonus() -> None:
    rows = [flat(100), flat(100), flat(50), flat(50)]
    ex_day = day_of(days(ALPHA, rows).ts_open_ns[2])
    bonus = CorporateAction(ALPHA.id, ex_day, ActionKind.BONUS, 2, 1)
    result = play(rows, {}, actions=(bonus,))
    assert list(result.curve.benchmark) == [int(result.initial)] * 4
    dividend = CorporateAction(ALPHA.id, ex_day, ActionKind.DIVIDEND, cash=Px(50 * RUPEE))
    assert list(play(rows, {}, actions=(dividend,)).curve.benchmark) == [int(result.initial)] * 4

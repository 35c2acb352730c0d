"""What ends a position can neither be refused nor end more than there is."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.moments import day_of
from manjha.domain.money import RUPEE, Px, Qty
from manjha.domain.orders import Phase, Product, Purpose
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


def closes_at(row: int) -> int:
    return days(ALPHA, [flat(100)] * (row + 1)).ts_close_ns[row]


def sold(result: BacktestResult) -> list[tuple[int, Purpose]]:
    purposes = {record.order.id: record.order.purpose for record in result.orders}
    return [(fill.qty, purposes[fill.order_id]) for fill in result.fills if fill.side < 0]


def test_a_time_exit_leaves_an_unprotected_entry_alone() -> None:
    script = {0: lambda ctx: ctx.buy(10, exit_ns=closes_at(2)), 1: lambda ctx: ctx.buy(4)}
    assert held(play([flat(100)] * 6, script)) == [10, 14, 4]


def test_a_time_exit_closes_what_a_stop_left_of_its_entry() -> None:
    few = FillRules(participation_ppm=100_000, orders_end_with_day=False)
    rows = [flat(100), flat(100), flat(100), (100, 100, 94, 97), flat(98), flat(98), flat(98), flat(98)]
    script = {0: lambda ctx: ctx.buy(10, stop=95, exit_ns=closes_at(3))}
    result = play(rows, script, volume=50, fills=few)
    assert sold(result) == [(5, Purpose.STOP), (5, Purpose.TIME_EXIT)]
    assert held(result)[-1] == 0


def test_a_time_exit_in_parts_sells_no_more_than_its_entry_bought() -> None:
    few = FillRules(participation_ppm=60_000)
    rows = [flat(100)] * 14
    script = {0: lambda ctx: ctx.buy(3, exit_ns=closes_at(4)), 1: lambda ctx: ctx.buy(3, stop=50, exit_ns=closes_at(4))}
    result = play(rows, script, volume=20, fills=few)
    assert held(result)[-1] == 0
    assert min(held(result)) == 0


def test_what_is_left_of_an_entry_goes_with_its_time_exit() -> None:
    few = FillRules(participation_ppm=100_000, orders_end_with_day=False)
    script = {0: lambda ctx: ctx.buy(10, exit_ns=closes_at(1))}
    result = play([flat(100)] * 6, script, volume=40, fills=few)
    assert held(result) == [4, 0]
    assert [record.phase for record in result.orders] == [Phase.CANCELLED, Phase.FILLED]


def test_a_resting_sale_does_not_open_a_short_after_a_time_exit() -> None:
    def entry(ctx: Context) -> None:
        ctx.buy(10, product=Product.MIS, exit_ns=ctx.now_ns + 900 * 10**9)

    script = {0: entry, 1: lambda ctx: ctx.sell(10, limit=110, product=Product.MIS)}
    rows = [flat(100)] * 6 + [(111, 112, 110, 111)] * 60
    assert held(play(rows, script, intraday=True)) == [10, 0]


def test_a_time_exit_in_slices_under_way_shrinks_with_a_sale() -> None:
    kept = FillRules(participation_ppm=100_000, orders_end_with_day=False)
    script = {
        0: lambda ctx: ctx.buy(12, stop=50, exit_ns=closes_at(5)),
        1: lambda ctx: ctx.sell(5, limit=101),
    }
    rows = [flat(100)] * 6 + [(100, 102, 99, 100)] * 4
    result = play(rows, script, freeze=5, volume=60, fills=kept)
    assert held(result)[-1] == 0
    assert min(held(result)) == 0
    assert result.refusals == ()

"""The bug museum: bugs that other platforms really had, each shown not to be ours. The name says where it was seen."""

from typing import Any

import numpy as np
import pytest

from manjha.domain.bars import Interval
from manjha.domain.broker import BrokerStatus, OutcomeUnknown, Turned
from manjha.domain.errors import UsageError
from manjha.domain.events import BrokerRead, LinkLost, TradingSwitched
from manjha.domain.instrument import Right, option_id
from manjha.domain.moments import TsNs, parse_day
from manjha.domain.money import Px
from manjha.domain.orders import Phase, Product, Side
from manjha.domain.ticks import TickColumns
from manjha.engine.bars import bars_from_ticks
from manjha.orders.planning import slices
from manjha.research.backtest import run_backtest
from manjha.research.metrics.growth import cagr
from manjha.simulator.fills import FillRules
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy
from tests.fakes.account import Account, buy, sell
from tests.fakes.hand_made import Row, days, flat, minutes, share_named, spec_of


def played(rows: list[Row], at: int, do: Any, *, intraday: bool = False, volume: int = 10**6, **terms: Any) -> Any:
    """Run a backtest in which one thing is done at the close of one bar."""

    class Played(Strategy):
        """Does one thing."""

        product = Product.MIS if intraday else Product.CNC

        def on_bar(self, ctx: Context) -> None:
            if ctx.position_index == at:
                do(ctx)

    bars = (minutes if intraday else days)(share_named(), rows, volume=volume)
    return run_backtest(spec_of(Played(), bars, contract_notes=False, **terms))


def test_b01_response_lost_after_the_exchange_accepted_hummingbot_8457() -> None:
    account = Account()
    account.bar(buy(10))
    (order,) = account.sent()
    account.land(order).trade(10)
    account.answer(order.order.id, OutcomeUnknown("read timed out"))
    account.read()
    assert account.position == 10
    assert len(account.sent()) == 1


def test_b02_fast_fill_leaves_the_open_orders_before_the_first_poll_nautilus_3870() -> None:
    account = Account()
    account.bar(buy(10))
    (order,) = account.sent()
    account.accept(order).trade(10)
    account.read()
    assert account.phase(order) is Phase.FILLED
    assert account.position == 10


def test_b03_warm_restart_inserts_an_equal_and_opposite_fill_nautilus_4736() -> None:
    account = Account()
    account.bar(buy(10))
    account.accept(account.sent()[0]).trade(10)
    account.read()
    fills = len(account.state.record_fills)
    for _ in range(3):
        account.restart()
        account.read()
        account.read()
    assert account.position == 10
    assert len(account.state.record_fills) == fills


def test_b04_working_orders_dropped_when_fills_do_not_rebuild_the_position_nautilus_5000() -> None:
    account = Account()
    account.bar(buy(10, limit=495.0))
    (order,) = account.sent()
    account.accept(order)
    account.read()
    account.positions[account.instrument, Product.MIS] = 99
    account.restart()
    account.read()
    account.read()
    assert account.phase(order) is Phase.WORKING


def test_b05_duplicate_trade_id_replayed_nautilus_3046() -> None:
    account = Account()
    account.bar(buy(10))
    shown = account.accept(account.sent()[0]).trade(4)
    for _ in range(3):
        account.take(BrokerRead((shown.seen,), tuple(shown.trades * 2), TsNs(account.now_ns)))
    assert account.position == 4


def test_b06_immediate_fill_and_a_bar_at_once_executes_twice_openalgo_932() -> None:
    account = Account()
    account.bar(buy(10, limit=501.0))
    (order,) = account.sent()
    shown = account.accept(order)
    account.bar()
    shown.trade(10)
    account.read()
    account.bar()
    account.read()
    assert account.position == 10
    assert len(account.sent()) == 1


def test_b10_average_price_rounded_to_the_tick_openalgo_1987() -> None:
    account = Account()
    account.bar(buy(3, limit=500.0))
    shown = account.accept(account.sent()[0])
    shown.trade(1, 4_999_500).trade(2, 5_000_000)
    account.read()
    record = account.record(account.sent()[0])
    assert record.turnover == 4_999_500 + 2 * 5_000_000


def test_b11_decimal_strike_truncated_openalgo_908() -> None:
    day = parse_day("2024-01-25")
    whole, half = (option_id("NFO", "IDEA", day, Right.CALL, Px(px)) for px in (120_000, 125_000))
    assert whole != half


def test_b12_freeze_limit_of_one_by_default_openalgo_1539() -> None:
    assert slices(1_800, share_named().freeze, 15, 10) == (1_800,)


@pytest.mark.parametrize("qty", ["{{strategy.order.contracts}}", None, float("nan"), 1.5])
def test_b13_an_unresolved_template_becomes_an_order_of_one_openalgo_2_0_2_1(qty: Any) -> None:
    with pytest.raises(UsageError):
        played([flat(100)] * 4, 1, lambda ctx: ctx.buy(qty))


def test_b14_modify_sends_defaults_and_flips_the_side_openalgo_2_0_2_1() -> None:
    account = Account()
    account.bar(sell(10, limit=505.0, stop=510.0))
    account.accept(account.sent()[0])
    account.read()
    account.bar(lambda ctx: ctx.market.modify(ctx.market.orders()[0], limit=504.0))
    (change,) = account.changes()
    assert (change.qty, change.limit, change.trigger) == (10, 5_040_000, 0)
    assert account.record(account.sent()[0]).order.side is Side.SELL


def test_b15_a_stop_fills_at_its_price_though_the_bar_gapped_freqtrade_backtesting_521() -> None:
    rows = [flat(100), flat(100), (90.0, 91.0, 89.0, 90.0), flat(90)]
    result = played(rows, 0, lambda ctx: ctx.buy(10, stop=95.0))
    assert [fill.px for fill in result.fills] == [1_000_000, 900_000]


def test_b16_an_order_fills_in_the_bar_that_it_was_computed_from_nautilus_1537() -> None:
    rows = [flat(100), (101.0, 102.0, 95.0, 96.0), (97.0, 98.0, 96.0, 97.0)]
    result = played(rows, 1, lambda ctx: ctx.buy(10, limit=96.0))
    assert [fill.px for fill in result.fills] == [960_000]
    assert result.fills[0].ts_ns > result.bars[0].ts_close_ns[1]


def test_b17_two_orders_consume_the_same_liquidity_nautilus_2564() -> None:
    def both(ctx: Context) -> None:
        ctx.buy(60)
        ctx.buy(60)

    tenth = FillRules(participation_ppm=100_000, orders_end_with_day=False)
    result = played([flat(100)] * 3, 0, both, volume=1_000, fills=tenth)
    first = min(fill.ts_ns for fill in result.fills)
    assert sum(fill.qty for fill in result.fills if fill.ts_ns == first) == 100


def test_b18_a_delayed_order_fills_at_midnight_on_an_old_price_nautilus_5054() -> None:
    rows = [flat(100)] * 75 + [(120.0, 121.0, 119.0, 120.0)] * 10
    result = played(rows, 74, lambda ctx: ctx.buy(10), intraday=True)
    assert all(fill.px != 1_000_000 for fill in result.fills)


def test_b19_a_gap_filled_with_artificial_candles_jesse_3_0_6() -> None:
    bars = minutes(share_named(), [flat(100)] * 10, length=60)
    opens = np.asarray(bars.ts_open_ns)
    stamps = np.ascontiguousarray(opens[[0, 1, 7]])
    ones = np.ones(3, np.int64)
    ticks = TickColumns(bars.instrument, stamps.data, (ones * 1_000_000).data, ones.data)
    assert len(bars_from_ticks(ticks, Interval(60))) == 3


def test_b20_a_pause_is_lost_on_restart_freqtrade() -> None:
    account = Account()
    account.take(TradingSwitched(on=False, ts_ns=TsNs(account.now_ns), reason="paused"))
    account.restart()
    account.read()
    account.bar(buy(10))
    assert account.sent() == []


def test_b22_a_return_of_eighteen_days_annualised_to_5e28_percent_freqtrade_8248() -> None:
    assert np.isnan(cagr(100, 400, 18))


def test_b25_a_refused_cancel_after_a_fill_overwrites_filled_hftbacktest_239() -> None:
    account = Account()
    account.bar(buy(10, limit=495.0))
    (order,) = account.sent()
    shown = account.accept(order)
    account.read()
    account.bar(lambda ctx: ctx.cancel())
    shown.trade(10)
    account.read()
    account.answer_change(order.order.id, Turned("cancel rejected"))
    account.read()
    assert account.phase(order) is Phase.FILLED
    assert account.position == 10


def test_b26_fills_while_disconnected_are_dropped_lean_ib_249() -> None:
    account = Account()
    account.bar(buy(10, limit=495.0))
    (order,) = account.sent()
    shown = account.accept(order)
    account.read()
    account.take(LinkLost("order stream", "closed", TsNs(account.now_ns)))
    shown.trade(6).be(BrokerStatus.OPEN)
    account.take(BrokerRead((shown.seen,), tuple(shown.trades), TsNs(account.now_ns)))
    assert account.position == 6

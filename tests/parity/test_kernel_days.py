"""What days bring in the compiled backtest: bands, corporate actions, the closing auction; as the event engine."""

from typing import ClassVar

import msgspec
import numpy as np
import pytest

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.errors import DataError
from manjha.domain.instrument import Asset
from manjha.domain.moments import DAY_NS, IST_OFFSET_NS, day_of, parse_day
from manjha.domain.money import RUPEE, Px
from manjha.domain.orders import Phase, Product
from manjha.domain.sizing import NANO, TargetUnit
from manjha.market.sessions import session
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.kernel.convert import divergence, result_of
from manjha.research.kernel.run import KernelMarket, run_kernel
from manjha.research.result import BacktestResult
from manjha.simulator.fills import FillRules, MarketFill
from manjha.simulator.slippage import FixedTicks
from manjha.strategy.context import Context
from manjha.strategy.interface import Entries, History, Strategy
from tests.fakes.hand_made import Row, days, flat, minutes, share_named, spec_of
from tests.fakes.market_rules import future, shipped_rules
from tests.fakes.random_runs import Stated, StatedEntries, random_run

SHARE = share_named()
TENTH = {SHARE.id: NANO // 10}
NO = np.nan


def both(spec: BacktestSpec) -> BacktestResult:
    """Return the kernel's result, which must be the engine's."""
    market = KernelMarket(spec)
    made = result_of(spec, market, run_kernel(spec, market))
    assert divergence(run_backtest(spec), made) == ""
    return made


def wanting(*wanted: float) -> Strategy:
    return Stated(np.array(wanted), TargetUnit.QTY, Product.CNC)


def entering(bar: int, **columns: float) -> Strategy:
    """Return a strategy that buys once, at the close of a bar, with these prices."""

    def make(history: History) -> Entries:
        shape = history.column("close").shape
        side = np.zeros(shape)
        side[bar] = 1
        return Entries(side=side, **{name: np.full(shape, px) for name, px in columns.items()})

    return StatedEntries(make, Product.CNC)


# ---- price bands


def at_once(px: float) -> Row:
    """Return a bar that sits on one price."""
    return (px, px, px, px)


@pytest.mark.failure("F63")
def test_nobody_sells_on_the_upper_circuit_and_nobody_buys_on_the_lower() -> None:
    rows = [flat(100.0), at_once(110.0), flat(115.0), at_once(103.5), flat(104.0), flat(104.0)]
    at_open, at_close = (FillRules(market=market, orders_end_with_day=False) for market in MarketFill)
    for fills, expected in ((at_open, [(1, 115.0), (-1, 104.0)]), (at_close, [(1, 100.0), (-1, 115.0)])):
        spec = spec_of(wanting(10, NO, 0, NO, NO, NO), days(SHARE, rows), bands=TENTH, fills=fills)
        assert [(int(fill.side), fill.px / RUPEE) for fill in both(spec).fills] == expected


def test_an_order_outside_the_circuit_limits_is_rejected_in_the_same_words() -> None:
    rows = [flat(100.0), flat(100.0), flat(101.0), flat(101.0)]
    made = both(spec_of(entering(1, limit=89.0), days(SHARE, rows), bands=TENTH))
    (order,) = made.orders
    assert (order.phase, order.reason) == (Phase.REJECTED, "89.00 is outside the circuit limits 90.00 to 110.00")
    kept = both(spec_of(entering(1, stop=85.0, target=104.0), days(SHARE, rows), bands=TENTH))
    protective = [order.phase for order in kept.orders if order.order.parent]
    assert protective == [Phase.REJECTED, Phase.CANCELLED] * 2


def test_slippage_does_not_leave_the_band() -> None:
    rows = [flat(100.0), (109.9, 109.95, 109.8, 109.9), flat(110.0)]
    made = both(spec_of(wanting(10, NO, NO), days(SHARE, rows), bands=TENTH, slippage=FixedTicks(9)))
    assert [fill.px for fill in made.fills] == [110 * RUPEE]


# ---- corporate actions


def acting(kind: ActionKind, bar: int, new: int = 1, old: int = 1, rupees: float = 0) -> CorporateAction:
    """Return an action of the share that is effective on the day of a daily bar."""
    day = day_of(days(SHARE, [flat(1.0)] * 9).ts_open_ns[bar])
    return CorporateAction(SHARE.id, day, kind, new, old, Px(int(rupees * RUPEE)))


def test_a_split_changes_what_is_held_and_what_protects_it() -> None:
    rows = [flat(1000.0), flat(1000.0), flat(1000.0), flat(200.0), flat(200.0), (200.0, 200.0, 180.0, 181.0)]
    split = acting(ActionKind.SPLIT, 3, 5, 1)
    made = both(spec_of(entering(0, stop=950.0, target=1500.0), days(SHARE, rows), actions=(split,)))
    assert [int(fill.side) * fill.qty for fill in made.fills] == [10, -50]
    assert made.fills[1].px == 190 * RUPEE
    (change,) = made.adjustments
    assert (change.qty_before, change.qty_after, change.reason) == (10, 50, "split")


def test_an_order_over_a_bonus_is_placed_in_its_new_terms() -> None:
    rows = [flat(300.0), flat(300.0), flat(200.0), (200.0, 200.0, 180.0, 181.0)]
    bonus = acting(ActionKind.BONUS, 2, 3, 2)
    made = both(spec_of(entering(1, limit=285.0, stop=150.0), days(SHARE, rows), actions=(bonus,)))
    placed = [order.order for order in made.orders if order.order.parent is None]
    assert [(order.qty, order.limit, order.exits.stop if order.exits else 0) for order in placed] == [
        (10, 285 * RUPEE, 150 * RUPEE),
        (15, 190 * RUPEE, 100 * RUPEE),
    ]


class TwoTagged(Strategy):
    """Asks for ten with a word, and later without one."""

    def init(self, ctx: Context) -> None:
        self.bars = 0

    def on_bar(self, ctx: Context) -> None:
        self.bars += 1
        if self.bars == 2:
            ctx.buy(10, tag="first")
        elif self.bars == 3:
            ctx.buy(10)


def test_an_order_over_a_bonus_keeps_its_tag() -> None:
    rows = [flat(300.0), flat(300.0), flat(200.0), flat(200.0)]
    made = both(spec_of(TwoTagged(), days(SHARE, rows), actions=(acting(ActionKind.BONUS, 2, 3, 2),)))
    assert [(record.order.qty, record.order.tag) for record in made.orders] == [(10, "first"), (15, "first"), (10, "")]


@pytest.mark.parametrize(
    ("action", "qty", "cash"),
    [
        (acting(ActionKind.DIVIDEND, 2, rupees=3), 11, 330_000),
        (acting(ActionKind.DEMERGER, 2, rupees=20), 11, 2_200_000),
        (acting(ActionKind.BONUS, 2, 3, 2), 16, 333_333),
        (acting(ActionKind.RIGHTS, 2, 6, 5, 40), 11, 1_100_000),
    ],
)
def test_what_a_holder_receives(action: CorporateAction, qty: int, cash: int) -> None:
    made = both(spec_of(wanting(11, NO, NO, NO), days(SHARE, [flat(100.0)] * 4), actions=(action,)))
    (change,) = made.adjustments
    assert (change.qty_after, change.cash) == (qty, cash)


def test_a_split_changes_the_lot_of_a_future_on_the_share() -> None:
    held = future("ALPHA", "2024-01-25", asset=Asset.EQUITY, lot=100)
    bars = [days(one, [flat(100.0), flat(100.0), flat(50.0), flat(50.0)]) for one in (SHARE, held)]
    wanted = np.array([[NO, 1], [NO, NO], [NO, 2], [NO, NO]])
    spec = spec_of(Stated(wanted, TargetUnit.LOTS, Product.NRML), *bars, actions=(acting(ActionKind.SPLIT, 2, 2, 1),))
    made = both(msgspec.structs.replace(spec, instruments=(SHARE, held)))
    assert [fill.qty for fill in made.fills] == [100, 200]
    assert [(change.qty_before, change.qty_after) for change in made.adjustments] == [(100, 200)]


class OneLot(Strategy):
    """Buys a lot of the contract at each close."""

    product = Product.NRML
    instruments_max: ClassVar[int] = 0

    def on_bar(self, ctx: Context) -> None:
        for market in ctx.markets.values():
            if market.instrument.lot > 1:
                market.buy(market.instrument.lot)


def test_a_strategy_sees_the_lot_of_the_day() -> None:
    held = future("ALPHA", "2024-01-25", asset=Asset.EQUITY, lot=100)
    bars = [days(one, [flat(100.0), flat(100.0), flat(50.0), flat(50.0)]) for one in (SHARE, held)]
    spec = spec_of(OneLot(), *bars, actions=(acting(ActionKind.SPLIT, 2, 2, 1),))
    made = both(msgspec.structs.replace(spec, instruments=(SHARE, held)))
    assert [fill.qty for fill in made.fills] == [100, 100, 200]
    assert not made.refusals


def test_two_actions_of_a_day_and_a_fill_at_the_close_are_in_order() -> None:
    rows = [flat(300.0), flat(300.0), flat(100.0), flat(100.0), flat(100.0)]
    pair = (acting(ActionKind.SPLIT, 2, 2, 1), acting(ActionKind.BONUS, 2, 3, 2))
    at_close = FillRules(market=MarketFill.DECIDING_CLOSE, participation_ppm=10**6)
    strategy = wanting(10, 30, NO, NO, NO)
    bars = days(SHARE, rows, volume=[100, 15, 100, 100, 100])
    for fills in (FillRules(), at_close):
        made = both(spec_of(strategy, bars, actions=pair, fills=fills))
        assert [change.qty_after for change in made.adjustments][-1] % 3 == 0
        assert sum(int(fill.side) * fill.qty for fill in made.fills) >= 30


def test_an_action_that_pays_out_more_than_the_price_is_left_to_the_event_engine() -> None:
    spec = spec_of(wanting(10, NO, NO), days(SHARE, [flat(100.0)] * 3), bands={})
    spec = msgspec.structs.replace(spec, actions=(acting(ActionKind.DEMERGER, 1, rupees=100),))
    for run in (run_kernel, run_backtest):
        with pytest.raises(DataError, match="above what was paid out"):
            run(spec)


def test_random_runs_meet_corporate_actions() -> None:
    changes = [change.reason for spec in map(random_run, range(250)) for change in run_backtest(spec).adjustments]
    assert len(set(changes)) > 3


def test_random_runs_meet_circuits() -> None:
    results = [run_backtest(spec) for spec in map(random_run, range(120)) if spec.bands]
    rejected = [order for result in results for order in result.orders if order.phase is Phase.REJECTED]
    assert len(rejected) > 20
    free = [run_backtest(msgspec.structs.replace(spec, bands={})) for spec in map(random_run, range(120)) if spec.bands]
    assert [len(result.fills) for result in results] != [len(result.fills) for result in free]


# ---- the closing auction


def test_what_rests_trades_at_the_one_price_of_the_auction() -> None:
    fno = msgspec.structs.replace(SHARE, has_derivatives=True)
    rows = [*[flat(100.0)] * 24, (103.0, 104.0, 98.0, 99.0), flat(99.0)]
    bars = minutes(fno, rows, day=parse_day("2026-08-03"), length=900, auction=True)
    close_ns = session(shipped_rules(), fno, parse_day("2026-08-03")).close_ns
    closing = int(np.flatnonzero(np.asarray(bars.ts_open_ns) >= close_ns)[0])
    spec = spec_of(entering(2, limit=99.4), bars)
    made = both(msgspec.structs.replace(spec, instruments=(fno,)))
    assert [(fill.px, fill.ts_ns) for fill in made.fills] == [(int(bars.close[closing]), bars.ts_close_ns[closing])]
    without = both(spec)
    assert [fill.px for fill in without.fills] != [fill.px for fill in made.fills]


def test_random_runs_meet_auctions() -> None:
    met = 0
    for spec in map(random_run, range(420)):
        hours = [session(spec.rules, one, day_of(spec.bars[0].ts_open_ns[0])) for one in spec.instruments]
        if not spec.sessions_from_data and any(held.day_close_ns > held.close_ns for held in hours):
            clock = (hours[0].close_ns + IST_OFFSET_NS) % DAY_NS
            met += sum((fill.ts_ns + IST_OFFSET_NS) % DAY_NS > clock for fill in run_backtest(spec).fills)
    assert met > 5

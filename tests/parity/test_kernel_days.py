"""What days bring in the compiled backtest: bands, corporate actions, the closing auction; as the event engine."""

import msgspec
import numpy as np

from manjha.domain.money import RUPEE
from manjha.domain.orders import Phase, Product
from manjha.domain.sizing import NANO, TargetUnit
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.kernel.convert import divergence, result_of
from manjha.research.kernel.run import KernelMarket, run_kernel
from manjha.research.result import BacktestResult
from manjha.simulator.fills import FillRules, MarketFill
from manjha.simulator.slippage import FixedTicks
from manjha.strategy.interface import Entries, History, Strategy
from tests.fakes.hand_made import Row, days, flat, share_named, spec_of
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


def test_random_runs_meet_circuits() -> None:
    results = [run_backtest(spec) for spec in map(random_run, range(120)) if spec.bands]
    rejected = [order for result in results for order in result.orders if order.phase is Phase.REJECTED]
    assert len(rejected) > 20
    free = [run_backtest(msgspec.structs.replace(spec, bands={})) for spec in map(random_run, range(120)) if spec.bands]
    assert [len(result.fills) for result in results] != [len(result.fills) for result in free]

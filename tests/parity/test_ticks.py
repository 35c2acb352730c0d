"""One path over ticks: a timeline that grows tick by tick, and one that is known before, give the same run."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from manjha.app.strategies import StrategyFiles
from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.commands import Approved, SubmitOrder
from manjha.domain.moments import MINUTE_NS, TradingDay, TsNs, day_of
from manjha.domain.money import Px
from manjha.domain.orders import Product, Purpose
from manjha.domain.sizing import TargetUnit
from manjha.domain.ticks import Tick
from manjha.engine.bars import first_bars
from manjha.engine.digest import digest
from manjha.engine.pump import Pump
from manjha.research.backtest import run_backtest
from manjha.research.tick_drive import run_tick_backtest
from manjha.simulator.fills import FillRules
from manjha.simulator.slippage import BasisPoints, FixedTicks
from manjha.simulator.synthetic_ticks import ticks_within
from manjha.strategy import growing
from manjha.strategy.interface import Strategy
from tests.fakes.hand_made import minutes, share_named, spec_of
from tests.fakes.random_runs import Generator, Stated, pick, random_entries, random_rows, random_targets
from tests.fakes.tick_runs import Chance, Gone, TickRun, pumped, random_tick_run

LIBRARY = {found.name: found for found in StrategyFiles(Path("nowhere")).all()}
SHORT = {"sma-cross": {"fast": 2, "slow": 5}, "ema-cross": {"fast": 2, "slow": 5}, "pairs-spread": {"length": 10}}


def both(run: TickRun) -> Gone:
    """Go both ways and compare all that came of it; return the one that grew."""
    spec = run.fresh()
    known = run_tick_backtest(spec, run.ticks)
    gone = pumped(run)
    if isinstance(spec.strategy, Chance):
        assert isinstance(gone.state.strategy, Chance)
        assert gone.state.strategy.seen == spec.strategy.seen
    assert tuple(gone.state.record_fills) == known.fills
    assert tuple(gone.state.record_refusals) == known.refusals
    submitted = [
        o.command.order for _, o in gone.outputs if isinstance(o, Approved) and isinstance(o.command, SubmitOrder)
    ]
    assert submitted == [record.order for record in known.orders]
    assert digest(gone.state) == known.state_digest
    return gone


@pytest.mark.parametrize("seed", range(24))
def test_a_growing_timeline_gives_the_run_of_a_known_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "ROOM", 1 + seed % 5)
    both(random_tick_run(seed))


def test_random_runs_trade_in_every_way() -> None:
    purposes: set[Purpose] = set()
    for seed in range(12):
        gone = pumped(random_tick_run(seed))
        orders = gone.state.book.records
        purposes |= {orders[fill.order_id].order.purpose for fill in gone.state.record_fills}
    # Groups of legs end otherwise: tests/unit/test_legs_*.
    assert purposes == set(Purpose) - {Purpose.LEGS_END}


@pytest.mark.parametrize("seed", range(10))
def test_over_splits_and_bonuses(seed: int) -> None:
    run = random_tick_run(seed)
    rng = np.random.default_rng(seed)
    days = sorted({day_of(ts) for columns in run.ticks for ts in columns.ts_ns.tolist()})
    kinds = ((ActionKind.SPLIT, 5, 1, 0), (ActionKind.BONUS, 3, 2, 0), (ActionKind.DIVIDEND, 1, 1, 3_000))
    actions = tuple(
        CorporateAction(one.id, TradingDay(pick(rng, days)), kind, new, old, Px(cash))
        for one, (kind, new, old, cash) in zip(run.spec.instruments, kinds, strict=False)
    )
    both(run._replace(spec=msgspec.structs.replace(run.spec, actions=actions)))


def stated(rng: Generator, product: Product) -> Callable[[], Strategy]:
    """Return a strategy that states random targets, or entries with exits, for more bars than any run has."""
    share = pick(rng, [0.1, 0.4])
    if rng.random() < 0.5:
        made = random_targets(rng, (2_000, 1), share, product)
        return lambda: made
    return lambda: random_entries(np.random.default_rng(7), share, product)


@pytest.mark.parametrize("seed", range(100, 112))
def test_strategies_of_columns(seed: int) -> None:
    run = random_tick_run(seed, stated, many=1)
    known = run.fresh()
    run_tick_backtest(known, run.ticks)
    # Entries are made by chance of a whole history, so they are made once and shown piece by piece.
    both(run._replace(make=lambda: known.strategy))


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_strategies_of_the_library(name: str) -> None:
    found = LIBRARY[name]

    def make(rng: Generator, product: Product) -> Callable[[], Strategy]:
        del rng, product
        return lambda: found(**SHORT.get(name, {}))

    both(random_tick_run(5, make, many=max(1, found.instruments_min)))


@pytest.mark.parametrize("seed", range(6))
def test_a_clock_that_runs_ahead_of_the_ticks_changes_nothing(seed: int) -> None:
    run = random_tick_run(seed)

    def clock(pump: Pump, tick: Tick) -> None:
        now = pump.now_ns
        while now + MINUTE_NS < tick.ts_ns and now:
            now = TsNs(now + MINUTE_NS)
            pump.advance_to(now)

    # Time that is told a minute at a time, between ticks, closes the same bars and fires the same timers.
    assert pumped(run, clock).outcome == pumped(run).outcome


@pytest.mark.parametrize("seed", range(8))
def test_orders_at_the_market_trade_over_synthetic_ticks_as_over_the_bars_that_they_are_inside(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bars = minutes(share_named(), random_rows(rng, 150, 100.0))
    wanted = np.where(rng.random((150, 1)) < 0.3, rng.integers(0, 400, (150, 1)).astype(float), np.nan)
    terms: dict[str, object] = {
        "fills": FillRules(participation_ppm=0),
        "slippage": pick(rng, [FixedTicks(1), BasisPoints(5)]),
    }
    over_bars = run_backtest(spec_of(Stated(wanted, TargetUnit.QTY, Product.CNC), bars, **terms))
    none = msgspec.structs.replace(
        spec_of(Stated(wanted, TargetUnit.QTY, Product.CNC), bars, **terms), bars=(first_bars(bars, 0),)
    )
    over_ticks = run_tick_backtest(none, [ticks_within(bars, seed, 8)])
    # The first tick of a bar is its open, so an order decided at a close meets the same price.
    assert over_ticks.fills
    assert [(f.ts_ns, f.side, f.qty, f.px) for f in over_ticks.fills] == [
        (f.ts_ns, f.side, f.qty, f.px) for f in over_bars.fills
    ]
    assert np.array_equal(over_ticks.curve.equity, over_bars.curve.equity)
    assert over_ticks.fill_charges.tolist() == over_bars.fill_charges.tolist()
    assert dict(over_ticks.assumptions)["market orders"] == "at the next tick"

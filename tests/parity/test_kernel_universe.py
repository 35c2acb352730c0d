"""A strategy that chooses a universe: asked beforehand for a compiled run, and told what the event engine tells it."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manjha.domain.actions import ActionKind, CorporateAction
from manjha.domain.commands import RefusalReason
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Asset, Instrument
from manjha.domain.moments import TradingDay, day_of, parse_day
from manjha.domain.money import RUPEE, Cash
from manjha.domain.orders import Product
from manjha.domain.sizing import TargetUnit
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.fast import fast_backtest
from manjha.research.kernel.convert import divergence
from manjha.research.kernel.records import REFUSED_UNIVERSE
from manjha.research.kernel.refusal import kernel_refusal
from manjha.research.kernel.run import KernelMarket, KernelRefused, run_kernel
from manjha.research.kernel.steps import KernelSteps
from manjha.simulator.fills import FillRules, MarketFill
from manjha.strategy.context import Context
from manjha.strategy.indicators import sma
from manjha.strategy.interface import Floats, History, Strategy, overrides
from tests.fakes.both_ways import compiled, parted
from tests.fakes.hand_made import Row, days, flat, minutes, share_named, spec_of
from tests.fakes.market_rules import future, index, share
from tests.fakes.random_runs import choose, random_contracts, random_run

ALPHA, BETA = share_named("ALPHA"), share_named("BETA")
ROWS: list[Row] = [flat(100 + at % 4) for at in range(9)]


def choosing_run(seed: int) -> BacktestSpec:
    """Return a random run, of contracts at times, whose strategy chooses."""
    spec = (random_contracts if seed % 3 == 0 else random_run)(seed)
    if not overrides(spec.strategy, "universe"):
        choose(spec.strategy, seed)
    return spec


def part(seed: int) -> str:
    said = parted(choosing_run(seed), choosing_run(seed))
    return "" if "more than 64 open orders" in said else said  # the one thing that a random run may meet


@settings(max_examples=60, deadline=None)
@example(seed=0)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_runs_agree(seed: int) -> None:
    assert part(seed) == ""


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_many_random_runs_agree(seed: int) -> None:
    assert part(seed) == ""


def test_random_runs_are_refused_and_turn_outside_of_their_universe() -> None:
    results = [run_backtest(choosing_run(seed)) for seed in range(60)]
    refused = [[each for each in result.refusals if each.reason is RefusalReason.UNIVERSE] for result in results]
    assert sum(1 for each in refused if each) > 20
    assert sum(map(len, refused)) > 300


class Watched(Strategy):
    """Buys what its universe has on each day; takes the listed with an even number of days behind them."""

    name: ClassVar[str] = "watched"
    instruments_max: ClassVar[int] = 0
    unit: ClassVar[TargetUnit] = TargetUnit.LOTS
    wanted: ClassVar[float] = 1.0

    def init(self, ctx: Context) -> None:
        self.average = ctx.indicator(sma, "close", length=2)
        self.told: list[tuple[int, list[tuple[str, int]], str]] = []

    def universe(self, day: TradingDay, listed: Sequence[Instrument]) -> Sequence[Instrument]:
        self.told.append((day, [(one.id, one.lot) for one in listed], repr(self.average[-1])))
        return [one for one in listed if (len(self.told) + len(one.symbol)) % 2]

    def targets(self, history: History) -> Floats:
        self.told.append((0, [], "targets"))
        return np.full((len(history.ts_ns), len(history.instruments)), self.wanted)


def both(*bars: Any, **changes: Any) -> tuple[Watched, Watched]:
    """Run one of each engine, see that they agree, and return their strategies."""
    one, two = (spec_of(Watched(), *bars, **changes) for _ in range(2))
    assert divergence(run_backtest(one), compiled(two)) == ""
    assert isinstance(one.strategy, Watched)
    assert isinstance(two.strategy, Watched)
    return one.strategy, two.strategy


def test_it_is_asked_the_same_days_in_the_same_order_and_its_indicators_stand_where_they_would() -> None:
    late = days(BETA, ROWS[:5], first=day_of(days(ALPHA, ROWS).ts_open_ns[3]))
    engine, kernel = both(days(ALPHA, ROWS), late)
    assert kernel.told == engine.told
    assert [len(listed) for day, listed, _ in kernel.told if day] == [1, 1, 1, 2, 2, 2, 2, 2, 2]
    assert [said for day, _, said in kernel.told if not day] == ["targets"]
    assert kernel.told[2][2] == "nan"
    assert kernel.told[3][2] == "100.5"
    assert both(minutes(ALPHA, [flat(100 + at) for at in range(200)], length=900))[1].told != []


def test_contracts_are_shown_with_the_lot_that_they_have_that_day() -> None:
    on = [share(), future("SBIN", "2024-01-25", asset=Asset.EQUITY, lot=150)]
    bars = [days(one, ROWS) for one in on]
    ex_day = day_of(bars[0].ts_open_ns[4])
    told = []
    for run in (run_backtest, compiled):
        spec = spec_of(Watched(), *bars, actions=(CorporateAction(on[0].id, ex_day, ActionKind.SPLIT, 2, 1),))
        vars(spec.strategy)["product"] = Product.NRML
        run(msgspec.structs.replace(spec, instruments=tuple(on)))
        assert isinstance(spec.strategy, Watched)
        told.append(spec.strategy.told)
    assert told[0] == told[1]
    assert [dict(listed)[on[1].id] for day, listed, _ in told[1] if day] == [150] * 4 + [300] * 5


def test_a_run_in_which_nothing_trades_asks_once() -> None:
    told = []
    for run in (run_backtest, compiled):
        spec = spec_of(Watched(), days(index(), ROWS))
        run(msgspec.structs.replace(spec, instruments=(index(),)))
        assert isinstance(spec.strategy, Watched)
        told.append(spec.strategy.told)
    assert told[0] == told[1] == [(parse_day("2024-01-01"), [], "nan"), (0, [], "targets")]


def test_an_instrument_that_is_not_listed_is_the_same_error() -> None:
    class Wrong(Watched):
        def universe(self, day: TradingDay, listed: Sequence[Instrument]) -> Sequence[Instrument]:
            return [BETA] if day > parse_day("2024-01-03") else listed

    said = []
    for run in (run_backtest, compiled, fast_backtest):
        with pytest.raises(UsageError) as raised:
            run(spec_of(Wrong(), days(ALPHA, ROWS)))
        said.append((raised.value.message, raised.value.hint))
    assert said[0] == said[1] == said[2]
    assert "wrong.universe gave NSE:BETA for 2024-01-04" in said[0][0]


def test_orders_in_one_piece_ask_for_the_universe_too() -> None:
    terms = {"fills": FillRules(market=MarketFill.DECIDING_CLOSE, participation_ppm=0), "initial": Cash(10**7 * RUPEE)}
    spec = spec_of(Watched(), days(ALPHA, ROWS), days(BETA, ROWS), **terms)
    outcome = run_kernel(spec)
    assert outcome.account["plain"] == 0
    assert outcome.refusals["reason"].tolist() == [REFUSED_UNIVERSE] * 2
    assert both(days(ALPHA, ROWS), days(BETA, ROWS), **terms)[1].told == spec.strategy.told  # type: ignore[attr-defined]


def test_memory_that_is_used_again_has_the_universe_of_the_run() -> None:
    spec, other = (spec_of(Watched(), days(ALPHA, ROWS), days(BETA, ROWS)) for _ in range(2))
    market = KernelMarket(spec)
    first = run_kernel(spec, market)
    alone = first.orders["instrument"].tolist()

    class Second(Watched):
        def universe(self, day: TradingDay, listed: Sequence[Instrument]) -> Sequence[Instrument]:
            return listed[1:]

    again = run_kernel(msgspec.structs.replace(spec, strategy=Second()), market, over=first)
    assert again.orders["instrument"].tolist() == [1]
    third = run_kernel(other, market, over=again)
    assert third.orders["instrument"].tolist() == alone == [1, 0]


# ---- what it cannot be asked beforehand


def test_a_strategy_that_may_choose_by_what_it_holds_is_done_by_the_event_engine() -> None:
    class Keeps(Watched):
        def init(self, ctx: Context) -> None:
            super().init(ctx)
            self.markets = {"first": (ctx.market,)}

        def universe(self, day: TradingDay, listed: Sequence[Instrument]) -> Sequence[Instrument]:
            return [one for one in listed if not self.markets["first"][0].position]

    with pytest.raises(KernelRefused, match="keeps its context"):
        run_kernel(spec_of(Keeps(), days(ALPHA, ROWS)))
    result = fast_backtest(spec_of(Keeps(), days(ALPHA, ROWS)))
    assert result.state_digest == run_backtest(spec_of(Keeps(), days(ALPHA, ROWS))).state_digest != ""


class ByAnotherObject(Watched):
    """Keeps its context where nobody looks for it, in what a function remembers."""

    def init(self, ctx: Context) -> None:
        super().init(ctx)
        self.look = self.looks[self.way](ctx)

    way: ClassVar[int] = 0
    looks: ClassVar[Sequence[Callable[[Context], Callable[[], float]]]] = (
        lambda ctx: lambda: ctx.equity - 10**6,
        lambda ctx: lambda: ctx.position,
        lambda ctx: lambda: ctx.market.cost_e4,
        lambda ctx: lambda: ctx.market.working,
        lambda ctx: lambda: len(ctx.market.orders()),
        lambda ctx: lambda: len(ctx.universe) - 2,
        lambda ctx: lambda: sum(1 for _ in ctx.working_orders(ALPHA.id)),
    )

    def universe(self, day: TradingDay, listed: Sequence[Instrument]) -> Sequence[Instrument]:
        return listed[bool(self.look()) :]


@pytest.mark.parametrize("way", range(len(ByAnotherObject.looks)))
def test_one_that_looks_at_what_it_holds_by_a_way_of_its_own_is_done_by_the_event_engine(way: int) -> None:
    class One(ByAnotherObject):
        pass

    One.way = way
    bars = days(ALPHA, ROWS), days(BETA, ROWS)
    with pytest.raises(KernelRefused, match="keeps its context"):
        run_kernel(spec_of(One(), *bars))
    assert fast_backtest(spec_of(One(), *bars)).state_digest == run_backtest(spec_of(One(), *bars)).state_digest != ""


def test_in_on_bar_it_is_refused_by_name_and_steps_choose_none() -> None:
    class Acts(Strategy):
        def universe(self, day: TradingDay, listed: Sequence[Instrument]) -> Sequence[Instrument]:
            return listed

        def on_bar(self, ctx: Context) -> None:
            ctx.buy()

    said = kernel_refusal(spec_of(Acts(), days(ALPHA, ROWS)))
    assert said == "the strategy chooses a universe and acts in on_bar"
    with pytest.raises(KernelRefused, match="chooses no universe"):
        KernelSteps(spec_of(Watched(), days(ALPHA, ROWS)))

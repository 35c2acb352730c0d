"""Searches give the same rows whoever runs them, and look up once what all of their runs share."""

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.adapters.system.processes import InlineRunner
from manjha.domain.sizing import NANO, TargetUnit, VolatilityTarget
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.kernel import cache
from manjha.research.kernel.refusal import REASONS
from manjha.research.kernel.run import KernelMarket
from manjha.research.metrics.registry import METRICS
from manjha.research.metrics.sample import sample
from manjha.research.search import compiled, ground
from manjha.research.search.ground import PARTS, Ground, is_compilable, prepare
from manjha.research.search.objective import parse_objective
from manjha.research.search.summary import Asked, evaluate, summarise
from manjha.research.search.variants import first_part, vary
from manjha.research.walk_forward import cut_before, days_of, part_of
from manjha.services.optimise import Tuning, optimise
from manjha.services.sweeps import Sampling, sweep
from manjha.services.walk_forward import Walk, walk
from manjha.strategy.context import Context
from manjha.strategy.interface import Floats, History, Strategy
from manjha.strategy.library.sma_cross import SmaCross
from tests.fakes.random_runs import random_run
from tests.fakes.searches import Waves, load_waves, plan_of, services_of
from tests.unit.test_sweeps import Interrupted

SHARPE = Asked((parse_objective("sharpe"),), with_returns=True)


@pytest.fixture
def event_by_event(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Give a patch in which nothing is compiled; undo it to let the kernel run."""
    with monkeypatch.context() as patch:
        patch.setattr(ground, "is_compilable", lambda _spec: False)
        patch.setattr(compiled, "KernelMarket", None)
        yield patch


def counted(patch: pytest.MonkeyPatch) -> list[BacktestSpec]:
    """Return a list that grows with each market that is looked up."""
    made: list[BacktestSpec] = []

    def look(spec: BacktestSpec) -> KernelMarket:
        made.append(spec)
        return KernelMarket(spec)

    patch.setattr(compiled, "KernelMarket", look)
    return made


def test_a_sweep_has_the_same_rows_from_the_kernel_and_from_the_event_engine(
    event_by_event: pytest.MonkeyPatch,
) -> None:
    plan = plan_of("length=2:13", "lots=1,3", objectives=("sharpe", "win_rate", "charges"))
    slow, slowly = services_of(InlineRunner())
    engine = sweep(slow, plan, Sampling())
    event_by_event.undo()
    made = counted(event_by_event)
    fast, quickly = services_of(InlineRunner())
    kernel = sweep(fast, plan, Sampling())
    assert len(made) == 1
    assert len(kernel.failed) == 2
    assert repr(kernel) == repr(engine)
    assert repr(quickly.rows) == repr(slowly.rows)


def test_a_study_that_prunes_takes_the_same_course(event_by_event: pytest.MonkeyPatch, tmp_path: Any) -> None:
    plan = plan_of("length=1:12", "lots=0:5:0.5", objectives=("sharpe",))

    def searched(name: str) -> str:
        tuning = Tuning(sampler="tpe", storage=str(tmp_path / name), trials=24, prune=True)  # type: ignore[arg-type]
        return repr(optimise(services_of(InlineRunner())[0], plan, tuning))

    engine = searched("engine")
    event_by_event.undo()
    made = counted(event_by_event)
    assert searched("kernel") == engine
    assert len(made) == 3


def test_a_walk_has_the_same_verdict(event_by_event: pytest.MonkeyPatch) -> None:
    plan, how = plan_of("length=2:9", objectives=("sharpe",)), Walk(windows=4, ratio=3)
    engine = walk(services_of(InlineRunner())[0], plan, how)
    event_by_event.undo()
    made = counted(event_by_event)
    assert repr(walk(services_of(InlineRunner())[0], plan, how)) == repr(engine)
    assert len([spec for spec in made if not spec.trade_from_ns]) == 4


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_metric_is_the_same(seed: int) -> None:
    spec = random_run(seed)
    whole, kernel = run_backtest(spec), Ground(spec).run(spec)
    engine = sample(cut_before(whole, spec.trade_from_ns) if spec.trade_from_ns else whole)
    assert isinstance(kernel, compiled.CompiledSample)
    assert repr(summarise(kernel, SHARPE)) == repr(summarise(engine, SHARPE))
    for metric in METRICS:
        mine, theirs = metric.of(kernel), metric.of(engine)
        assert mine == theirs or (math.isnan(mine) and math.isnan(theirs)), metric.name


def test_a_row_needs_no_whole_result(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = load_waves()
    whole = repr(summarise(sample(run_backtest(load_waves())), SHARPE))
    monkeypatch.setattr(compiled, "result_of", None)
    assert repr(evaluate(spec, SHARPE)) == whole


def test_what_cannot_run_is_refused_in_the_same_words() -> None:
    spec = msgspec.structs.replace(load_waves(), strategy=SmaCross(fast=10, slow=200))
    assert is_compilable(spec)
    words = []
    for run in (run_backtest, Ground(spec).run):
        with pytest.raises(Exception, match="not enough history") as raised:
            run(vary(spec, spec.strategy.values))
        words.append(str(raised.value))
    assert words[0] == words[1]


class Turns(Strategy):
    """Decides bar by bar: in after a rise, out after a fall."""

    def on_bar(self, ctx: Context) -> None:
        """Buy or leave."""
        if ctx.close[-1] > ctx.close[-2]:
            if not ctx.position:
                ctx.buy(7)
        elif ctx.position:
            ctx.close_position()


def test_what_acts_in_on_bar_is_compiled_ahead_and_gives_the_same_row() -> None:
    spec = msgspec.structs.replace(load_waves(), strategy=Turns())
    said: list[str] = []
    prepare(spec, said.append)
    kernel = Ground(spec).run(spec)
    assert isinstance(kernel, compiled.CompiledSample)
    assert kernel.trades > 3
    prepare(spec, said.append)
    assert len([words for words in said if Turns.name in words]) <= 1
    assert repr(summarise(kernel, SHARPE)) == repr(
        summarise(sample(run_backtest(msgspec.structs.replace(spec, strategy=Turns()))), SHARPE)
    )


class Heavy(Waves):
    """States weights that the kernel refuses once it has seen them."""

    unit = TargetUnit.WEIGHT

    def targets(self, history: History) -> Floats:
        """State a weight of 50 at each turn."""
        return np.where(super().targets(history) > 0, 50.0, 0.0)


def test_what_the_kernel_refuses_in_the_run_is_done_event_by_event() -> None:
    spec = msgspec.structs.replace(load_waves(), strategy=Heavy())
    assert is_compilable(spec)
    found = Ground(spec).run(spec)
    assert not isinstance(found, compiled.CompiledSample)
    assert repr(summarise(found, SHARPE)) == repr(summarise(sample(run_backtest(vary(spec, {}))), SHARPE))


class Late(Waves):
    """Says nothing on the first twenty days."""

    def targets(self, history: History) -> Floats:
        """State a quantity at each turn."""
        held = super().targets(history)
        held[:20] = np.nan
        return held


def test_a_row_of_a_test_window_leaves_its_history_out(monkeypatch: pytest.MonkeyPatch) -> None:
    # The strategy keeps still before the moment by itself, so this holds whether or not the kernel can be told to.
    monkeypatch.delitem(REASONS, "trading held back to a moment", raising=False)
    days = days_of(load_waves())
    part = part_of(load_waves(), int(days[0]), int(days[-1]), int(days[20]))
    spec = msgspec.structs.replace(part, strategy=Late(length=4))
    kernel = Ground(spec).run(vary(spec, {"length": 4}))
    assert isinstance(kernel, compiled.CompiledSample)
    engine = sample(cut_before(run_backtest(vary(spec, {"length": 4})), spec.trade_from_ns))
    assert len(kernel.returns) == len(days) - 20
    assert kernel.trades > 3
    assert repr(summarise(kernel, SHARPE)) == repr(summarise(engine, SHARPE))
    for metric in METRICS:
        mine, theirs = metric.of(kernel), metric.of(engine)
        assert mine == theirs or (math.isnan(mine) and math.isnan(theirs)), metric.name


def test_parts_are_cut_once_and_few_are_kept() -> None:
    kept = Ground(load_waves())
    cuts: list[int] = []

    def part(number: int) -> BacktestSpec:
        def cut(spec: BacktestSpec) -> BacktestSpec:
            cuts.append(number)
            return first_part(spec, (number, 12))

        return kept.part(number, cut)

    for number in (*range(2, 9), 8, 8, 7, 2):
        evaluate(vary(part(number), {"length": 1}), SHARPE, kept)
    assert cuts == [*range(2, 9), 2]
    assert len(vars(kept)["_parts"]) == len(vars(kept)["_markets"]) == PARTS


def test_code_is_compiled_before_workers_start_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    seen: list[int] = []

    class Hiring(Interrupted):
        def hire(self, work: Any) -> Interrupted:
            seen.append(len(said))
            return super().hire(work)

    monkeypatch.setattr(cache, "is_compiled", lambda _name: False)
    services = msgspec.structs.replace(services_of(Hiring(after=99))[0], say=said.append)
    sweep(services, plan_of("length=2:4"), Sampling())
    assert (seen, said) == ([1], [cache.COMPILES])


def test_nothing_is_compiled_for_a_run_that_the_kernel_does_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(cache, "is_compiled", lambda _name: False)
    prepare(msgspec.structs.replace(load_waves(), sizing=VolatilityTarget(NANO, lookback=0)), said.append)
    assert said == []

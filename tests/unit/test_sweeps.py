"""Sweeps: the same for any workers, honest about failures, light on memory, kept when interrupted."""

import gc
import math
import weakref
from collections.abc import Generator, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from manjha.adapters.system.processes import InlineRunner
from manjha.domain.errors import UsageError
from manjha.domain.money import RUPEE, Cash
from manjha.domain.trials import TrialStatus
from manjha.research.backtest import BacktestSpec, run_backtest
from manjha.research.metrics.sample import Sample
from manjha.research.search import ground, summary
from manjha.research.search.objective import parse_objective
from manjha.research.search.variants import vary
from manjha.services import searches, trial_records
from manjha.services.searches import SearchReport
from manjha.services.sweeps import Sampling, sweep
from manjha.services.trial_records import record_run, trial_of
from tests.fakes.searches import DAYS, FAILING, load_waves, plan_of, services_of
from tests.fakes.trials import MemoryTrialLedger

if TYPE_CHECKING:
    from manjha.ports.tasks import Work

ALL = Sampling()
GAIN = (parse_objective("total_return"),)


def swept(*ranges: str, **given: tuple[str, ...]) -> SearchReport:
    return sweep(services_of(InlineRunner())[0], plan_of(*ranges, **given), ALL)  # type: ignore[arg-type]  # words only


def test_every_combination_is_evaluated_in_order() -> None:
    report = swept("length=2:4", "lots=1,2")
    assert [tuple(row.point.values()) for row in report.rows] == [(2, 1), (2, 2), (3, 1), (3, 2), (4, 1), (4, 2)]
    assert (report.planned, report.left_out, report.trials, report.new_trials) == (6, 0, 6, 6)


def test_the_best_come_first() -> None:
    report = swept("length=2:12")
    values = [row.values[0] for row in report.best(5)]
    assert values == sorted((row.values[0] for row in report.rows), reverse=True)[:5]


def test_what_raises_is_recorded_and_the_others_go_on() -> None:
    services, ledger = services_of(InlineRunner())
    report = sweep(services, plan_of("length=12:14"), ALL)
    assert [row.outcome.error for row in report.failed] == ["ZeroDivisionError: unlucky"]
    assert [row.point["length"] for row in report.failed] == [FAILING]
    assert [one.outcome.status for one in ledger.rows.values()] == ["ok", "failed", "ok"]
    assert report.trials == 2


def test_a_second_sweep_counts_only_what_is_new() -> None:
    services, ledger = services_of(InlineRunner())
    sweep(services, plan_of("length=2:4"), ALL)
    report = sweep(services, plan_of("length=3:6"), ALL)
    assert (report.new_trials, report.trials) == (2, 5)
    assert len(ledger.trials("waves", report.data_set)) == 5


def test_rows_are_written_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_records, "BATCH", 4)
    services, ledger = services_of(InlineRunner())
    sweep(services, plan_of("length=1:10"), ALL)
    assert ledger.batches == [4, 4, 2]


def test_returns_are_kept_in_the_ledger_only() -> None:
    services, ledger = services_of(InlineRunner())
    report = sweep(services, plan_of("length=2:4"), ALL)
    assert not any(row.outcome.returns for row in report.rows)
    assert all(len(summary.unpack_returns(one.outcome.returns)) == DAYS for one in ledger.rows.values())


def test_no_curve_outlives_its_combination(monkeypatch: pytest.MonkeyPatch) -> None:
    curves: list[weakref.ref[object]] = []
    alive: list[int] = []

    class Watched(ground.Ground):
        def carry_out(self, ready: ground.Ready) -> Sample:
            gc.collect()
            alive.append(sum(curve() is not None for curve in curves))
            found = super().carry_out(ready)
            curves.append(weakref.ref(found.result.curve.equity))
            return found

    monkeypatch.setattr(searches, "Ground", Watched)
    report = swept("length=1:8")
    gc.collect()
    assert len(report.rows) == len(alive) == 8
    assert max(alive) <= 1
    assert not any(curve() is not None for curve in curves)


class Interrupted:
    """A runner, and its crew, that is interrupted after some results."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.is_gone = False

    def hire(self, work: "Work[Any, Any, Any]") -> "Interrupted":
        self.crew = InlineRunner().hire(work)
        return self

    def __enter__(self) -> "Interrupted":
        return self

    def __exit__(self, *of_error: object) -> None:
        self.is_gone = True

    def run(self, tasks: Iterable[Any]) -> Generator[Any, None, None]:
        for number, result in self.crew.run(tasks):
            if number == self.after:
                raise KeyboardInterrupt
            yield number, result


def test_an_interrupt_keeps_what_is_done() -> None:
    runner = Interrupted(after=4)
    services, ledger = services_of(runner, handful=1)
    report = sweep(services, plan_of("length=2:12"), ALL)
    assert report.is_interrupted
    assert runner.is_gone
    assert len(report.rows) == len(ledger.rows) == report.trials == 4
    assert report.planned == 11


def test_an_interrupt_while_progress_is_told_stops_the_workers() -> None:
    runner = Interrupted(after=99)
    services, ledger = services_of(runner)

    def tell(done: int, planned: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    assert sweep(services, plan_of("length=2:12"), ALL, tell).is_interrupted
    assert runner.is_gone
    assert len(ledger.rows) == 3


def test_progress_names_the_whole() -> None:
    told: list[tuple[int, int]] = []
    services, _ = services_of(InlineRunner())
    sweep(services, plan_of("length=2:4"), ALL, lambda done, planned: told.append((done, planned)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("ranges", "given", "message"),
    [
        (("length=2:9",), {"constraints": ("length > 20",)}, "all 8 are ruled out, the last by: length > 20"),
        (("length=31:40",), {}, "the last by: waves: length must be at most 30"),
        (("length=13",), {}, "all 1 combinations failed; the first with ZeroDivisionError: unlucky"),
        (
            ("length=2:9", "mode=flat"),
            {"objectives": ("sharpe",)},
            "sharpe is not defined for any of 8 combinations (8 made no trade, 0 failed)",
        ),
    ],
)
def test_a_search_that_finds_nothing_says_why(
    ranges: tuple[str, ...], given: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(UsageError) as raised:
        swept(*ranges, **given)
    assert message in raised.value.message
    assert raised.value.hint


def load_with(rupees: int) -> BacktestSpec:
    return msgspec.structs.replace(load_waves(), initial=Cash(rupees * RUPEE))


@pytest.mark.parametrize("lots", ["1", "0,1"], ids=["all", "some"])
def test_refused_orders_are_told_where_nothing_traded(lots: str) -> None:
    plan = plan_of("length=4:5", f"lots={lots}", objectives=("win_rate",), load=partial(load_with, 100))
    refused = [len(run_backtest(vary(load_with(100), {"length": length})).refusals) for length in (4, 5)]
    with pytest.raises(UsageError) as raised:
        sweep(services_of(InlineRunner())[0], plan, ALL)
    assert f"{sum(refused)} orders were refused by risk, the first: not enough funds" in raised.value.message
    quiet = sweep(services_of(InlineRunner())[0], msgspec.structs.replace(plan, objectives=GAIN), ALL)
    assert quiet.why_quiet in raised.value.message
    assert sum(row.refused.count for row in quiet.rows) == sum(refused) > 2


def test_of_refused_orders_nothing_is_said_where_one_traded() -> None:
    plan = plan_of("length=4:5", "lots=0.1,1", load=partial(load_with, 600))
    report = sweep(services_of(InlineRunner())[0], plan, ALL)
    assert any(row.refused.count for row in report.rows)
    assert any(row.outcome.trades for row in report.rows)
    assert report.why_quiet == ""


def test_trials_without_a_value_are_recorded_all_the_same() -> None:
    services, ledger = services_of(InlineRunner())
    with pytest.raises(UsageError, match="not defined"):
        sweep(services, plan_of("length=2:4", "mode=flat", objectives=("sharpe",)), ALL)
    assert len(ledger.rows) == 3


def test_a_value_that_is_not_defined_is_never_best() -> None:
    report = swept("mode=flat,long", "length=2:4", objectives=("sharpe",))
    assert sum(math.isnan(row.values[0]) for row in report.rows) == 3
    assert {row.point["mode"] for row in report.best(10)} == {"long"}


def test_a_pareto_front_has_what_nothing_beats() -> None:
    report = swept("length=1:12", "lots=1,3", objectives=("total_return", "volatility"))
    front = report.pareto()
    points = [tuple(row.point.values()) for row in front]
    assert len(set(points)) == len(points) >= 2
    gains, risks = zip(*(row.values for row in front), strict=True)
    assert list(gains) == sorted(gains, reverse=True)
    assert list(risks) == sorted(risks, reverse=True)


def test_a_single_run_is_counted_once() -> None:
    ledger, spec = MemoryTrialLedger(), load_waves()
    result = run_backtest(spec)
    assert record_run(ledger, trial_of(spec, result)).words == "1 variant of waves tried on NSE:ALPHA so far"
    assert record_run(ledger, trial_of(spec, result)).trials == 1
    services = services_of(InlineRunner())[0]
    report = sweep(type(services)(services.runner, ledger), plan_of("length=4:6", load=partial(load_waves, DAYS)), ALL)
    assert (report.new_trials, report.trials) == (2, 3)
    assert {one.outcome.status for one in ledger.rows.values()} == {TrialStatus.OK}

"""Evolutions: the same for any workers, counted, blind to what is held out, and honest about what did not work."""

import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from manjha.adapters.system.processes import InlineRunner, ProcessRunner
from manjha.domain.errors import DataError, UsageError
from manjha.domain.orders import Product
from manjha.domain.trials import TrialStatus
from manjha.research.backtest import run_backtest
from manjha.research.evolve.parts import part_spec
from manjha.research.evolve.source import class_of
from manjha.research.search.variants import first_part
from manjha.services.evolution import EvolutionReport, begin_anew, evolve, grammar_of
from manjha.services.searches import SearchServices
from tests.fakes.evolved import (
    HOLDOUT,
    MemoryJournal,
    evolved,
    evolved_in,
    evolving_of,
    ledger_in,
    load_part,
    plan_of_evolution,
    spec_that_returns,
)
from tests.fakes.trials import MemoryTrialLedger
from tests.unit.test_optimise import InterruptedOnce

ROOT = Path(__file__).parents[2]


@cache
def whole_evolution() -> tuple[EvolutionReport, MemoryTrialLedger]:
    return evolved(InlineRunner())


def texts_of(report: EvolutionReport) -> list[str]:
    return [one.row.text for one in report.survivors]


@pytest.mark.slow
def test_workers_do_not_change_the_result() -> None:
    one, rows = whole_evolution()
    two, others = evolved(ProcessRunner(2))
    assert repr(one) == repr(two)  # NaN is not equal to itself
    assert rows.rows == others.rows
    assert len(rows.rows) == len(one.rows) == one.new_trials
    assert one.trials == len(one.rows) - len(one.failed)
    assert one.repeated == 36 - len(one.rows)
    other, _ = evolved(InlineRunner(), seed=8)
    assert texts_of(other) != texts_of(one)


@pytest.mark.slow
def test_a_planted_edge_is_found_and_holds() -> None:
    report, ledger = evolved(InlineRunner(), generations=4, population=24)
    best = report.survivors[0]
    assert best.later is not None
    assert best.row.value > 3.0
    assert best.later.values[0] > 2.0
    assert {trial.subject.strategy for trial in ledger.rows.values()} == {"evolved"}
    assert {trial.parameters for trial in ledger.rows.values()} == {f'{{"rule":"{row.text}"}}' for row in report.rows}
    finals = [one.row.outcome.final for one in report.survivors]
    assert len(set(finals)) == len(finals)


@pytest.mark.slow
def test_parsimony_makes_rules_smaller() -> None:
    free, _ = evolved(InlineRunner(), generations=6, parsimony=0.0)
    held, _ = evolved(InlineRunner(), generations=6, parsimony=0.5)
    assert free.sizes[0] == held.sizes[0]
    assert held.sizes[-1] < free.sizes[-1]


def test_the_hold_out_is_no_part_of_what_is_searched() -> None:
    inside, later, whole = load_part(later=False).bars[0], load_part(later=True).bars[0], spec_that_returns().bars[0]
    assert len(inside) + len(later) == len(whole)
    assert inside.ts_close_ns[len(inside) - 1] < later.ts_open_ns[0]
    assert len(later) == pytest.approx(HOLDOUT * len(whole), rel=0.05)
    _, ledger = evolved(InlineRunner(), generations=1, population=4)
    assert {trial.subject.last_ns for trial in ledger.rows.values()} == {inside.ts_close_ns[len(inside) - 1]}


def test_a_rule_does_not_see_what_comes() -> None:
    plan = plan_of_evolution()
    rule = "long_only(above(sma(close, 5), close), crosses_above(close, ago(highest(high, 5), 1)), 2.0, no_target)"
    strategy = class_of(rule, grammar_of(plan.grammar), Product.CNC)
    whole = run_backtest(msgspec.structs.replace(spec_that_returns(), strategy=strategy()))
    inside = run_backtest(msgspec.structs.replace(plan.spec, strategy=strategy()))
    assert inside.fills
    seen, all_of_them = ([(fill.ts_ns, fill.side, fill.qty, fill.px) for fill in run.fills] for run in (inside, whole))
    assert all_of_them[: len(seen)] == seen


def test_an_interrupt_keeps_what_is_done() -> None:
    report, ledger = evolved(InterruptedOnce(at=9))
    assert report.is_interrupted
    assert len(report.rows) == len(ledger.rows) == 9
    assert report.survivors


@pytest.mark.slow
@pytest.mark.parametrize("at", [0, 3, 12, 18])
def test_what_was_interrupted_ends_as_if_it_had_not_been(at: int) -> None:
    whole, counted = whole_evolution()
    journal, ledger = MemoryJournal(), MemoryTrialLedger()
    first, _ = evolved(InterruptedOnce(at), journal=journal, ledger=ledger)
    assert first.is_interrupted
    rest, _ = evolved(ProcessRunner(2) if at == 12 else InlineRunner(), journal=journal, ledger=ledger)
    assert repr(rest) == repr(whole)
    assert ledger.rows == counted.rows
    assert sum(ledger.batches) == len(whole.rows)


@pytest.mark.slow
@pytest.mark.parametrize("at", [5, 17])
def test_a_killed_process_goes_on(at: int, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    report = evolved_in(whole, InlineRunner())
    done = subprocess.run([sys.executable, "-m", "tests.fakes.evolved", killed, str(at)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    with (killed / "bred.journal").open("ab") as file:
        file.write(b'{"type":"tried","gene')  # as a kill within a write leaves it
    assert repr(evolved_in(killed, InlineRunner())) == repr(report)
    kept = [ledger_in(folder).trials("evolved", report.data_set) for folder in (killed, whole)]
    assert sorted(map(repr, kept[0])) == sorted(map(repr, kept[1]))
    assert len(kept[0]) == report.new_trials


@pytest.mark.slow
def test_what_is_finished_is_shown_again() -> None:
    journal, said = MemoryJournal(), list[str]()
    first, ledger = evolved(InlineRunner(), journal=journal)
    lines = journal.lines()
    services = SearchServices(InterruptedOnce(0), ledger, said.append)
    again = evolve(services, plan_of_evolution(), evolving_of(), journal)
    assert repr(again) == repr(first)
    assert journal.lines() == lines
    assert said == ["The study bred was finished before: nothing is evaluated, this is its result."]


@pytest.mark.slow
def test_more_generations_go_on_and_fewer_look_back() -> None:
    journal, ledger = MemoryJournal(), MemoryTrialLedger()
    two, _ = evolved(InlineRunner(), journal=journal, ledger=ledger, generations=2)
    three, _ = evolved(InlineRunner(), journal=journal, ledger=ledger)
    whole, _ = whole_evolution()
    assert repr(three) == repr(whole)
    back, _ = evolved(InterruptedOnce(0), journal=journal, ledger=ledger, generations=2)
    assert repr(msgspec.structs.replace(back, trials=two.trials)) == repr(two)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seed": 8}, "was begun with --seed 7, now it is 8"),
        ({"population": 13}, "was begun with --population 12, now it is 13"),
        ({"max_size": 20}, "was begun with --max-size 25, now it is 20"),
        ({"parsimony": 0.1}, "was begun with --parsimony 0.01, now it is 0.1"),
        ({"objective": "total_return"}, "was begun with --objective maximize:sharpe, now it is maximize:total_return"),
    ],
)
def test_other_terms_are_refused(given: dict[str, Any], message: str) -> None:
    journal = MemoryJournal()
    evolved(InterruptedOnce(0), journal=journal)
    lines = journal.lines()
    with pytest.raises(UsageError) as raised:
        evolved(InlineRunner(), journal=journal, **given)
    assert message in raised.value.message
    assert "--fresh" in raised.value.hint
    assert journal.lines() == lines


def test_other_days_are_refused() -> None:
    journal, plan = MemoryJournal(), plan_of_evolution()
    evolved(InterruptedOnce(0), journal=journal)
    shorter = msgspec.structs.replace(plan, spec=first_part(plan.spec, (1, 2)))
    with pytest.raises(UsageError, match=r"was begun with days 2020-01-01 to .*, now it is 2020-01-01 to"):
        evolve(SearchServices(InlineRunner(), MemoryTrialLedger()), shorter, evolving_of(), journal)


@pytest.mark.parametrize(
    "lines",
    [
        [b"{}"],
        [b'{"op_code": 0, "worker_id": "1", "study_name": "mine"}'],
        [b'{"type":"began","terms":{},"format":99}'],
        [b'{"type":"began","terms":{},"format":1}', b"nonsense"],
        [b'{"type":"began","terms":{},"format":1}', b'{"type":"tried","generation":2,"rows":[],"new":0}'],
    ],
)
def test_what_is_no_journal_of_rules_is_refused(lines: list[bytes]) -> None:
    journal = MemoryJournal()
    journal.held = lines
    with pytest.raises(UsageError, match=r"the study bred (cannot be read|is none of bred rules)"):
        evolved(InlineRunner(), journal=journal)


@pytest.mark.slow
def test_a_study_is_begun_anew() -> None:
    journal, plan = MemoryJournal(), plan_of_evolution()
    evolved(InterruptedOnce(9), journal=journal)
    begin_anew(plan, evolving_of(seed=8), journal)
    other, _ = evolved(InlineRunner(), journal=journal, seed=8)
    assert repr(other) == repr(evolved(InlineRunner(), seed=8)[0])
    journal.held = [b'{"op_code": 0}']
    with pytest.raises(UsageError, match="is none of bred rules"):
        begin_anew(plan, evolving_of(), journal)


def test_what_fails_is_recorded_and_the_evolution_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from manjha.services import evolution

    def fails_sometimes(text: str, *given: Any) -> Any:
        if "no_stop" in text:
            raise ZeroDivisionError("unlucky")
        return class_of(text, *given)

    monkeypatch.setattr(evolution, "class_of", fails_sometimes)
    report, ledger = evolved(InlineRunner(), generations=1, population=20)
    assert report.failed
    assert all("no_stop" in row.text for row in report.failed)
    recorded = [trial for trial in ledger.rows.values() if trial.outcome.status is TrialStatus.FAILED]
    assert {trial.outcome.error for trial in recorded} == {"ZeroDivisionError: unlucky"}
    assert len(recorded) == len(report.failed)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"population": 3}, "--population must be at least 4, was 3"),
        ({"generations": 0}, "--generations must be at least 1, was 0"),
        ({"max_size": 8}, "--max-size must be at least 9, was 8"),
        ({"top": 0}, "--top must be at least 1, was 0"),
        ({"parsimony": -0.1}, "--parsimony must be zero or more, was -0.1"),
        ({"parsimony": np.nan}, "--parsimony must be zero or more, was nan"),
    ],
)
def test_terms_without_sense_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        evolved(InlineRunner(), **given)
    assert message in raised.value.message


@pytest.mark.parametrize("share", [0.0, 0.99, -1.0, float("nan")])
def test_a_hold_out_without_sense_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="--holdout must be from"):
        part_spec(spec_that_returns(), share, later=True)


def test_too_little_data_is_refused() -> None:
    with pytest.raises(DataError, match=r"too little data: 3\d\d bars to search on and 2\d to hold out"):
        part_spec(spec_that_returns(), 0.06, later=False)


def test_without_deap_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deap", None)
    monkeypatch.delitem(sys.modules, "manjha.research.evolve.breeding", raising=False)
    with pytest.raises(UsageError) as raised:
        evolved(InlineRunner())
    assert "manjha[research]" in raised.value.hint

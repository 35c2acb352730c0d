"""Optimisations: the same for any workers and any stops, recorded, and honest about what did not work."""

import hashlib
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manjha.adapters.system.processes import InlineRunner, ProcessRunner
from manjha.domain.errors import UsageError
from manjha.domain.trials import Trial, TrialStatus, TrialSubject
from manjha.ports.tasks import TaskRunner, Work
from manjha.research.search.study import Sampler
from manjha.research.search.variants import subject_of
from manjha.services.handfuls import MOST
from manjha.services.optimise import Tuning, _anchor, optimise
from manjha.services.searches import SearchReport
from tests.fakes.searches import FAILING, plan_of, services_of
from tests.fakes.trials import MemoryTrialLedger

SPACE = ("length=2:25", "lots=0.5:3")


def tuning_in(folder: Path, **given: object) -> Tuning:
    terms: dict[str, object] = {"sampler": Sampler.TPE, "storage": str(folder / "a.journal"), "trials": 12, "batch": 4}
    return Tuning(**(terms | given))  # type: ignore[arg-type]  # words of the test


def searched(
    folder: Path,
    *ranges: str,
    runner: TaskRunner | None = None,
    objectives: tuple[str, ...] = ("total_return",),
    handful: int = MOST,
    **given: object,
) -> tuple[SearchReport, MemoryTrialLedger]:
    folder.mkdir(exist_ok=True)
    services, ledger = services_of(runner or InlineRunner(), handful)
    return optimise(services, plan_of(*ranges, objectives=objectives), tuning_in(folder, **given)), ledger


def same(one: SearchReport, other: SearchReport) -> bool:
    return msgspec.structs.replace(one, new_trials=0) == msgspec.structs.replace(other, new_trials=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "given",
    [
        {"sampler": Sampler.TPE, "prune": True, "trials": 16},
        {"sampler": Sampler.NSGA2, "objectives": ("total_return", "volatility")},
    ],
    ids=["tpe", "nsga2"],
)
def test_workers_do_not_change_the_result(tmp_path: Path, given: dict[str, Any]) -> None:
    one, rows = searched(tmp_path / "one", *SPACE, **given)
    two, others = searched(tmp_path / "two", *SPACE, runner=ProcessRunner(2), **given)
    assert one == two
    assert rows.rows == others.rows


def test_a_study_of_before_origins_were_known_is_the_same_study(tmp_path: Path) -> None:
    plan, tuning = plan_of(*SPACE), tuning_in(tmp_path)
    subject = subject_of(plan.spec)
    names = [name for name in TrialSubject.__struct_fields__ if name != "chosen_from"]
    before: object = msgspec.defstruct("TrialSubject", names)(*(getattr(subject, name) for name in names))
    dimensions, objectives = plan.candidates.dimensions, plan.objectives
    decisive: tuple[object, ...] = (
        before,
        dimensions,
        [],
        objectives,
        tuning.sampler,
        tuning.seed,
        tuning.batch,
        tuning.prune,
    )
    assert _anchor(plan, tuning, subject) == hashlib.sha256(repr(decisive).encode()).hexdigest()
    assert _anchor(plan, tuning, msgspec.structs.replace(subject, strategy="other")) != _anchor(plan, tuning, subject)


def test_a_search_that_was_stopped_goes_on(tmp_path: Path) -> None:
    whole, _ = searched(tmp_path / "whole", *SPACE)
    searched(tmp_path / "parts", *SPACE, trials=4)
    rest, ledger = searched(tmp_path / "parts", *SPACE)
    assert same(msgspec.structs.replace(rest, sharpes=whole.sharpes), whole)
    assert len(ledger.rows) == 8


def test_a_search_that_is_done_says_what_it_found(tmp_path: Path) -> None:
    first, _ = searched(tmp_path, *SPACE)
    again, ledger = searched(tmp_path, *SPACE)
    assert again.rows == first.rows
    assert not ledger.rows
    fewer, _ = searched(tmp_path, *SPACE, trials=3)
    assert fewer.planned == first.planned


def test_what_is_proposed_twice_is_evaluated_once(tmp_path: Path) -> None:
    report, ledger = searched(tmp_path, "length=2:4", trials=12)
    assert len(report.rows) == len(ledger.rows) <= 3
    assert report.repeated == 12 - len(report.rows)


class InterruptedOnce:
    """A crew that is interrupted at its n-th result."""

    def __init__(self, at: int) -> None:
        self.left = at

    def hire(self, work: Work[Any, Any, Any]) -> "InterruptedOnce":
        self.crew = InlineRunner().hire(work)
        return self

    def __enter__(self) -> "InterruptedOnce":
        return self

    def __exit__(self, *of_error: object) -> None:
        return None

    def run(self, tasks: Iterable[Any]) -> Generator[Any, None, None]:
        for result in self.crew.run(tasks):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            yield result


def test_an_interrupt_within_a_batch_keeps_what_is_done(tmp_path: Path) -> None:
    report, ledger = searched(tmp_path, *SPACE, runner=InterruptedOnce(at=6), handful=1)
    assert report.is_interrupted
    assert len(report.rows) == len(ledger.rows) == 6
    rest, ledger = searched(tmp_path, *SPACE)
    assert not rest.is_interrupted
    assert len(rest.rows) == 12
    assert len(ledger.rows) == 6
    assert set(map(str, report.rows)) < set(map(str, rest.rows))


@pytest.mark.parametrize(
    "given",
    [
        {"sampler": Sampler.TPE, "prune": True, "trials": 16},
        {"sampler": Sampler.CMA_ES, "trials": 20},
        {"sampler": Sampler.NSGA2, "objectives": ("total_return", "volatility"), "trials": 28},
    ],
    ids=["tpe", "cma-es", "nsga2"],
)
def test_a_search_that_was_stopped_within_batches_goes_on_as_if_it_had_not_been(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    whole, rows = searched(tmp_path / "whole", *SPACE, **given)
    ledgers = []
    for at in (0, 1, 6, 3, 5):
        stopped, ledger = searched(tmp_path / "parts", *SPACE, runner=InterruptedOnce(at), handful=1, **given)
        ledgers.append(ledger)
        assert stopped.is_interrupted
        assert stopped.repeated == 0
        assert set(map(repr, stopped.rows)) <= set(map(repr, whole.rows))
    rest, ledger = searched(tmp_path / "parts", *SPACE, **given)
    assert repr(rest.rows) == repr(whole.rows)
    assert {key: one for each in (*ledgers, ledger) for key, one in each.rows.items()} == rows.rows


def test_a_search_that_was_killed_within_a_batch_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    class Killing(InterruptedOnce):
        def run(self, tasks: Iterable[Any]) -> Generator[Any, None, None]:
            try:
                yield from super().run(tasks)
            except KeyboardInterrupt:
                raise Killed from None

    whole, _ = searched(tmp_path / "whole", *SPACE)
    with pytest.raises(Killed):
        searched(tmp_path / "parts", *SPACE, runner=Killing(6), handful=1)
    rest, ledger = searched(tmp_path / "parts", *SPACE)
    assert repr(rest.rows) == repr(whole.rows)
    assert len(ledger.rows) == 8


@pytest.mark.parametrize("at", [5, 6, 9])
def test_what_a_killed_search_has_told_its_study_is_in_the_ledger(tmp_path: Path, at: int) -> None:
    """It is never evaluated again, so nobody else would count it."""
    services, ledger = services_of(InterruptedOnce(at), 1)

    class Killed(BaseException):
        pass

    def dead(study: str, trials: Sequence[Trial]) -> int:
        raise Killed

    def told(done: int, _count: int) -> None:
        if done == at // 4 * 4:
            vars(ledger)["record"] = dead

    with pytest.raises(Killed):
        optimise(services, plan_of(*SPACE, objectives=("total_return",)), tuning_in(tmp_path), told)
    assert len(ledger.rows) == at // 4 * 4


def test_in_a_shared_database_an_interrupt_gives_the_rest_of_a_batch_back(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'shared.db'}"
    stopped, _ = searched(tmp_path, *SPACE, runner=InterruptedOnce(at=6), handful=1, storage=storage)
    assert len(stopped.rows) == 6
    rest, ledger = searched(tmp_path, *SPACE, storage=storage)
    assert (len(rest.rows) + rest.repeated, len(ledger.rows)) == (12, len(rest.rows) - 6)


def test_a_batch_that_is_open_is_left_where_no_more_trials_are_asked_for(tmp_path: Path) -> None:
    searched(tmp_path, *SPACE, runner=InterruptedOnce(at=6), handful=1)
    again, ledger = searched(tmp_path, *SPACE, trials=4)
    assert (len(again.rows), again.repeated, len(ledger.rows)) == (6, 0, 0)


def test_what_fails_is_recorded_and_the_search_goes_on(tmp_path: Path) -> None:
    report, ledger = searched(tmp_path, f"length={FAILING - 1}:{FAILING + 1}", trials=16)
    assert [row.point["length"] for row in report.failed] == [FAILING]
    assert sorted(one.outcome.status for one in ledger.rows.values()) == ["failed", "ok", "ok"]
    again, _ = searched(tmp_path, f"length={FAILING - 1}:{FAILING + 1}", trials=16)
    assert [row.outcome.error for row in again.failed] == ["ZeroDivisionError: unlucky"]


def test_what_is_poor_at_first_is_given_up(tmp_path: Path) -> None:
    report, ledger = searched(tmp_path, *SPACE, trials=24, prune=True)
    pruned = [one for one in ledger.rows.values() if one.outcome.status is TrialStatus.PRUNED]
    assert report.pruned == len(pruned) > 0
    whole = {one.subject.data_hash for one in ledger.rows.values() if one.outcome.status is TrialStatus.OK}
    assert len(whole) == 1
    assert not whole & {one.subject.data_hash for one in pruned}
    assert report.trials == 24
    assert all(row.outcome.status is TrialStatus.OK for row in report.best(24))


def test_several_objectives_give_a_front(tmp_path: Path) -> None:
    report, _ = searched(
        tmp_path, *SPACE, sampler=Sampler.NSGA2, objectives=("total_return", "volatility"), trials=16, batch=8
    )
    front = report.pareto()
    assert 1 <= len(front) <= 16
    assert front[0] == report.best(1)[0]


@pytest.mark.parametrize(
    ("ranges", "given", "message"),
    [
        (("length=31:40",), {}, "all 10 are ruled out, the last by: waves: length must be at most 30"),
        (("length=13",), {}, "all 1 combinations failed; the first with ZeroDivisionError: unlucky"),
        (("length=2:9", "mode=flat"), {"objectives": ("sharpe",)}, "the objective sharpe is not defined for any of"),
    ],
)
def test_a_search_that_finds_nothing_says_why(
    tmp_path: Path, ranges: tuple[str, ...], given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as raised:
        searched(tmp_path, *ranges, trials=4, **given)
    assert message in raised.value.message


def test_another_plan_under_the_same_name_is_refused(tmp_path: Path) -> None:
    searched(tmp_path, *SPACE, trials=4)
    with pytest.raises(UsageError, match="searches something else"):
        searched(tmp_path, "length=2:20", "lots=0.5:3", trials=8)
    with pytest.raises(UsageError, match="searches something else"):
        searched(tmp_path, *SPACE, trials=8, seed=5)

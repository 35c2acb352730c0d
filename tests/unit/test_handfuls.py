"""Several evaluations at once for a worker: the same results whatever the number, one by one where something dies."""

import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.adapters.system.processes import InlineRunner, ProcessRunner
from manjha.domain.trials import TrialOutcome, TrialStatus
from manjha.ports.tasks import TaskFailed, TaskRunner, Work
from manjha.research.backtest import BacktestSpec
from manjha.research.search.ground import Ground, Ready
from manjha.research.search.objective import parse_objective
from manjha.research.search.summary import Asked, Summary, evaluate
from manjha.research.search.variants import vary
from manjha.services import handfuls
from manjha.services.handfuls import LONG_NS, MOST, Handful, Handfuls, do_handful
from manjha.services.optimise import optimise
from manjha.services.searches import Attempt, SearchReport, variant_of, work_of
from manjha.services.sweeps import Sampling, sweep
from manjha.services.walk_forward import Walk, walk
from tests.fakes.ray_cluster import cluster
from tests.fakes.searches import FAILING, load_waves, plan_of, services_of
from tests.unit.test_optimise import SPACE, tuning_in

ASKED = Asked((parse_objective("sharpe"),), with_returns=True)


def row(number: int) -> Summary:
    return Summary((float(number),), TrialOutcome(status=TrialStatus.OK))


class Worker:
    """A crew of one. `lost` are tasks that kill it; each handful takes `each_ns` a task."""

    def __init__(self, lost: Iterable[int] = (), each_ns: int = 1) -> None:
        self.lost, self.each_ns = set(lost), each_ns
        self.given: list[tuple[int, ...]] = []

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *of_error: object) -> None:
        return None

    def run(self, tasks: Iterable[tuple[int, ...]]) -> Generator[tuple[int, Handful | TaskFailed], None, None]:
        for number, members in enumerate(tasks):
            self.given.append(members)
            if self.lost.intersection(members):
                yield number, TaskFailed("the worker died over it", lost=True)
            else:
                yield number, Handful(tuple(map(row, members)), self.each_ns * len(members))


class Hasty(Worker):
    """A crew that takes some handfuls ahead, as one of several workers does, and is interrupted at its n-th."""

    def __init__(self, lost: Iterable[int] = (), ahead: int = 1, interrupted_at: int = 10**9) -> None:
        super().__init__(lost)
        self.ahead, self.interrupted_at = ahead, interrupted_at

    def run(self, tasks: Iterable[tuple[int, ...]]) -> Generator[tuple[int, Handful | TaskFailed], None, None]:
        waiting: list[tuple[int, Handful | TaskFailed]] = []
        for one in super().run(tasks):
            waiting.append(one)
            if one[0] == self.interrupted_at:
                # The first is not done yet, and the others come beyond the gap.
                yield from waiting[1:]
                raise KeyboardInterrupt
            if len(waiting) > self.ahead:
                yield waiting.pop(0)
        yield from waiting


def came_of(crew: Worker, count: int, most: int = MOST) -> list[tuple[int, Summary | TaskFailed]]:
    return list(Handfuls(crew, most).run(range(count)))


def test_one_at_first_and_then_as_many_as_are_quick() -> None:
    quick, slow, middling = Worker(), Worker(each_ns=LONG_NS), Worker(each_ns=LONG_NS // 3)
    for crew in (quick, slow, middling):
        assert came_of(crew, 45) == [(number, row(number)) for number in range(45)]
    assert list(map(len, quick.given)) == [1, MOST, MOST, 4]
    assert list(map(len, slow.given)) == [1] * 45
    assert set(map(len, middling.given[1:])) <= {3, 2}


@settings(max_examples=60)
@given(
    count=st.integers(0, 70),
    most=st.integers(1, 25),
    ahead=st.integers(0, 5),
    lost=st.sets(st.integers(0, 69), max_size=6),
)
def test_who_is_to_blame_fails_alone_and_each_has_one_result_in_order(
    count: int, most: int, ahead: int, lost: set[int]
) -> None:
    crew = Hasty(lost, ahead)
    came = came_of(crew, count, most)
    assert [number for number, _ in came] == list(range(count))
    for number, result in came:
        assert result == (TaskFailed("the worker died over it", lost=True) if number in lost else row(number))
    # Nothing that had a result was done again.
    done = [number for members in crew.given if not lost.intersection(members) for number in members]
    assert sorted(done) == sorted(set(range(count)) - lost)


def test_an_interrupt_keeps_what_is_done_beyond_a_gap() -> None:
    kept: list[tuple[int, Summary | TaskFailed]] = []

    def until_interrupted() -> None:
        kept.extend(Handfuls(Hasty(ahead=9, interrupted_at=3), most=1).run(range(100)))

    with pytest.raises(KeyboardInterrupt):
        until_interrupted()
    assert kept == [(number, row(number)) for number in (1, 2, 3)]


def handful_of(points: Iterable[dict[str, Any]], ground: Ground) -> tuple[Summary | TaskFailed, ...]:
    return do_handful(partial(variant_of, ASKED), ground, tuple(map(Attempt, points))).results


def test_one_that_raises_fails_alone() -> None:
    spec = load_waves()
    points = [{"length": length} for length in (4, FAILING, 31, 6)]
    good, raised, refused, last = handful_of(points, Ground(spec))
    assert raised == TaskFailed("ZeroDivisionError: unlucky")
    assert refused == TaskFailed("UsageError: waves: length must be at most 30")
    assert [good, last] == [evaluate(vary(spec, point), ASKED) for point in (points[0], points[3])]


def test_an_interrupt_within_a_handful_keeps_what_is_done() -> None:
    class Stopped(Ground):
        def carry_out(self, ready: Ready) -> Any:
            if ready.spec.strategy.values["length"] == 8:
                raise KeyboardInterrupt
            return super().carry_out(ready)

    kept: list[int] = []
    attempts = [Attempt({"length": length}) for length in range(2, 12)]
    work = Work(lambda: Stopped(load_waves()), partial(do_handful, partial(variant_of, ASKED)))

    def until_interrupted() -> None:
        with InlineRunner().hire(work) as crew:
            kept.extend(number for number, _ in Handfuls(crew).run(attempts))

    with pytest.raises(KeyboardInterrupt):
        until_interrupted()
    assert kept == [0, 1, 2, 3, 4, 5]


def test_targets_are_stated_ahead_as_far_as_memory_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Watched(Ground):
        def ready(self, spec: BacktestSpec) -> Ready:
            done.append("state")
            return super().ready(spec)

        def carry_out(self, ready: Ready) -> Any:
            done.append("run")
            return super().carry_out(ready)

    points = [{"length": length} for length in (2, 3, 4, 5)]
    together = handful_of(points, Watched(load_waves()))
    assert done == ["state"] * 4 + ["run"] * 4
    done.clear()
    monkeypatch.setattr(handfuls, "AHEAD", 0)
    assert handful_of(points, Watched(load_waves())) == together
    assert done == ["state", "run"] * 4


SEARCHES: dict[str, Callable[[TaskRunner, int, Path], Any]] = {}


def search(find: Callable[[TaskRunner, int, Path], Any]) -> Callable[[TaskRunner, int, Path], Any]:
    SEARCHES[find.__name__] = find
    return find


@search
def swept(runner: TaskRunner, most: int, folder: Path) -> tuple[SearchReport, Any]:
    services, ledger = services_of(runner, most)
    return sweep(services, plan_of("length=2:15", "lots=1,2"), Sampling()), ledger.rows


@search
def optimised(runner: TaskRunner, most: int, folder: Path) -> tuple[SearchReport, Any]:
    services, ledger = services_of(runner, most)
    return optimise(services, plan_of(*SPACE), tuning_in(folder, trials=16, prune=True)), ledger.rows


@search
def walked(runner: TaskRunner, most: int, folder: Path) -> tuple[str, Any]:
    services, ledger = services_of(runner, most)
    return repr(walk(services, plan_of("length=2:15"), Walk(windows=3, ratio=2))), ledger.rows


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    made = (tmp_path / str(number) for number in range(10))

    def fresh() -> Iterator[Path]:
        for folder in made:
            folder.mkdir()
            yield folder

    return fresh()


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_is_the_same_in_any_handfuls(name: str, folders: Iterator[Path]) -> None:
    find = SEARCHES[name]
    wanted = find(InlineRunner(), 1, next(folders))
    for most in (2, 7, 20):
        assert find(InlineRunner(), most, next(folders)) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("kind", ["processes", "ray"])
def test_a_search_is_the_same_on_every_runner_in_any_handfuls(name: str, kind: str, folders: Iterator[Path]) -> None:
    find = SEARCHES[name]
    wanted = find(InlineRunner(), 1, next(folders))
    if kind == "ray":
        with cluster() as runner:
            assert find(runner, 7, next(folders)) == wanted
        return
    for jobs, most in ((1, 20), (2, 1), (2, 7), (3, 20)):
        assert find(ProcessRunner(jobs), most, next(folders)) == wanted


def deadly(asked: Asked, folder: Path, ground: Ground, task: Attempt) -> tuple[BacktestSpec, Asked]:
    """Die over one point; another one is killed from outside once."""
    length = task.point["length"]
    times = len(list(folder.glob(f"{length}.*")))
    (folder / f"{length}.{times}").touch()
    if length == 9 or (length == 17 and not times):
        os.kill(os.getpid(), signal.SIGKILL)
    return variant_of(asked, ground, task)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["processes", "ray"])
def test_a_worker_that_dies_over_a_handful_costs_the_one_that_is_to_blame(kind: str, tmp_path: Path) -> None:
    points = [Attempt({"length": length}) for length in range(1, 30)]
    work = work_of(load_waves, partial(deadly, ASKED, tmp_path))

    def done_by(runner: TaskRunner) -> dict[int, Summary | TaskFailed]:
        with runner.hire(work) as crew:
            return {int(points[at].point["length"]): came for at, came in Handfuls(crew).run(points)}

    if kind == "ray":
        with cluster() as runner:
            found = done_by(runner)
    else:
        found = done_by(ProcessRunner(2))
    assert list(found) == list(range(1, 30))
    failed = {length: came for length, came in found.items() if isinstance(came, TaskFailed)}
    assert list(failed) == [9, FAILING]
    assert failed[9].lost
    assert not failed[FAILING].lost
    spec = load_waves()
    for length in set(found) - set(failed):
        assert found[length] == evaluate(vary(spec, {"length": length}), ASKED)

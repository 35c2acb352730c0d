"""What every task runner does, whatever it runs on."""

import multiprocessing
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from manjha.adapters.system.processes import InlineRunner, ProcessRunner, _serve
from manjha.domain.errors import UsageError
from manjha.ports.tally import AHEAD
from manjha.ports.tasks import TaskFailed, TaskRunner, Work
from manjha.services.sweeps import Sampling, sweep
from tests.fakes.ray_cluster import cluster
from tests.fakes.searches import plan_of, services_of
from tests.fakes.tasks import Order, done_by, load_nothing, work_in
from tests.fakes.tasks import do as do_order

JOBS = 2


@pytest.fixture(scope="module")
def ray_runner() -> Iterator[TaskRunner]:
    with cluster() as runner:
        yield runner


@pytest.fixture(params=["inline", "processes", pytest.param("ray", marks=pytest.mark.slow)])
def runner(request: pytest.FixtureRequest) -> TaskRunner:
    if request.param == "ray":
        found: TaskRunner = request.getfixturevalue("ray_runner")
        return found
    return InlineRunner() if request.param == "inline" else ProcessRunner(JOBS)


@pytest.fixture(params=["processes", pytest.param("ray", marks=pytest.mark.slow)])
def outside(request: pytest.FixtureRequest) -> TaskRunner:
    """A runner whose workers may die without us."""
    if request.param == "ray":
        found: TaskRunner = request.getfixturevalue("ray_runner")
        return found
    return ProcessRunner(JOBS)


def loads(folder: Path) -> int:
    return len(list(folder.glob("loaded.*")))


def test_results_come_in_the_order_of_the_tasks(runner: TaskRunner, tmp_path: Path) -> None:
    orders = [Order(number) for number in range(40)]
    assert list(done_by(runner, work_in(tmp_path), orders)) == [number**2 for number in range(40)]


def test_a_worker_loads_once(runner: TaskRunner, tmp_path: Path) -> None:
    list(done_by(runner, work_in(tmp_path), [Order(number) for number in range(20)]))
    assert 1 <= loads(tmp_path) <= JOBS


def test_no_task_has_no_result(runner: TaskRunner, tmp_path: Path) -> None:
    assert list(done_by(runner, work_in(tmp_path), [])) == []


def test_a_failure_is_a_value_and_the_others_go_on(runner: TaskRunner, tmp_path: Path) -> None:
    orders = [Order(1), Order(2, fail="usage"), Order(3, fail="bug"), Order(4), Order(5, fail="exit"), Order(6)]
    assert list(done_by(runner, work_in(tmp_path), orders)) == [
        1,
        TaskFailed("UsageError: fast must be below slow", "Swap them."),
        TaskFailed("ZeroDivisionError: division by zero"),
        16,
        TaskFailed("SystemExit: 3"),
        36,
    ]


def test_tasks_are_taken_as_results_are(runner: TaskRunner, tmp_path: Path) -> None:
    taken: list[int] = []

    def endless() -> Iterator[Order]:
        for number in range(10**9):
            taken.append(number)
            yield Order(number)

    results = done_by(runner, work_in(tmp_path), endless())
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    results.close()
    assert len(taken) <= 3 + JOBS * AHEAD


def test_what_loading_raises_is_raised(runner: TaskRunner, tmp_path: Path) -> None:
    work = Work(partial(load_nothing, tmp_path), do_order)
    with pytest.raises(UsageError, match="nothing is stored") as raised:
        list(done_by(runner, work, [Order(1), Order(2)]))
    assert raised.value.hint == "Import something."


def test_a_crew_can_be_asked_again_and_has_loaded(runner: TaskRunner, tmp_path: Path) -> None:
    with runner.hire(work_in(tmp_path)) as crew:
        first = crew.run([Order(1), Order(2)])
        assert next(first) == (0, 1)
        first.close()
        assert [list(crew.run([Order(number)])) for number in (3, 4, 5)] == [[(0, 9)], [(0, 16)], [(0, 25)]]
    assert loads(tmp_path) <= 2 * JOBS


def test_a_task_whose_worker_dies_is_done_again(outside: TaskRunner, tmp_path: Path) -> None:
    orders = [Order(number, die=1 if number in (0, 5) else 0) for number in range(12)]
    assert list(done_by(outside, work_in(tmp_path), orders)) == [number**2 for number in range(12)]
    assert [len(list(tmp_path.glob(f"did-{number}.*"))) for number in (0, 1, 5)] == [2, 1, 2]


def test_a_task_that_always_kills_fails_and_the_others_go_on(outside: TaskRunner, tmp_path: Path) -> None:
    first, second, third = done_by(outside, work_in(tmp_path), [Order(1), Order(2, die=9), Order(3)])
    assert (first, third) == (1, 9)
    assert isinstance(second, TaskFailed)
    assert second.lost
    assert second.error.startswith("the worker died over it 2 times (")
    assert len(list(tmp_path.glob("did-2.*"))) == 2


@pytest.mark.slow
def test_a_sweep_is_the_same_on_every_runner(outside: TaskRunner) -> None:
    plan = plan_of("length=2:15", "lots=1,2")
    services, ledger = services_of(InlineRunner())
    wanted = sweep(services, plan, Sampling(10, 3))
    others, other_ledger = services_of(outside)
    assert sweep(others, plan, Sampling(10, 3)) == wanted
    assert other_ledger.rows == ledger.rows


def test_a_worker_whose_parent_is_gone_ends_in_silence(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work_in(tmp_path), None))
    ours.close()
    process.start()
    theirs.close()
    process.join()
    assert process.exitcode == 0

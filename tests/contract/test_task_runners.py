"""What every task runner does, whatever it runs on."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from manjha.adapters.system.processes import AHEAD, InlineRunner, ProcessRunner
from manjha.domain.errors import UsageError
from manjha.ports.tasks import TaskFailed, TaskRunner, Work
from tests.fakes.tasks import Order, done_by, load_nothing, work_in
from tests.fakes.tasks import do as do_order

JOBS = 2


@pytest.fixture(params=["inline", "processes"])
def runner(request: pytest.FixtureRequest) -> TaskRunner:
    return InlineRunner() if request.param == "inline" else ProcessRunner(JOBS)


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
    orders = [Order(1), Order(2, fail="usage"), Order(3, fail="bug"), Order(4)]
    assert list(done_by(runner, work_in(tmp_path), orders)) == [
        1,
        TaskFailed("UsageError: fast must be below slow", "Swap them."),
        TaskFailed("ZeroDivisionError: division by zero"),
        16,
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
        assert next(first) == 1
        first.close()
        assert [list(crew.run([Order(number)])) for number in (3, 4, 5)] == [[9], [16], [25]]
    assert loads(tmp_path) <= 2 * JOBS

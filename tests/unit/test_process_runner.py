"""Processes as workers: interrupts, cores, results that cannot travel."""

import multiprocessing
import os
from pathlib import Path

import pytest

from manjha.adapters.system.processes import ProcessRunner
from manjha.domain.errors import UsageError
from manjha.ports.tasks import TaskFailed, Work
from tests.fakes.tasks import Order, cores_of, do, done_by, load_and_die, nothing, work_in


def test_a_result_that_cannot_travel_is_a_failure(tmp_path: Path) -> None:
    odd, plain = done_by(ProcessRunner(1), work_in(tmp_path), [Order(1, fail="odd"), Order(2)])
    assert isinstance(odd, TaskFailed)
    assert plain == 4


def test_an_interrupt_stops_the_workers_and_gives_what_is_done(tmp_path: Path) -> None:
    kept: dict[int, object] = {}
    (tmp_path / "parent").write_text(str(os.getpid()))

    def until_interrupted() -> None:
        orders = (Order(number, wait=number == 1) for number in range(10**9))
        with ProcessRunner(2).hire(work_in(tmp_path)) as crew:
            kept.update(crew.run(orders))

    # The worker with the second task waits until the other one has interrupted us, and never answers.
    with pytest.raises(KeyboardInterrupt):
        until_interrupted()
    assert 1 not in kept
    assert kept == {number: number**2 for number in kept}
    assert {0, 2, 3, 4, 5, 6, 7, 8} <= set(kept)
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="one core")
def test_workers_are_pinned_to_cores_of_their_own() -> None:
    cores = list(done_by(ProcessRunner(2), Work(nothing, cores_of), range(40)))
    assert {len(one) for one in cores if isinstance(one, list)} == {1}
    assert len({tuple(one) for one in cores if isinstance(one, list)}) == 2


def test_fewer_than_one_worker_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one worker"):
        ProcessRunner(0)


def test_workers_that_die_while_loading_end_the_run() -> None:
    with pytest.raises(UsageError, match="die while they load"):
        list(done_by(ProcessRunner(2), Work(load_and_die, do), [Order(1)]))

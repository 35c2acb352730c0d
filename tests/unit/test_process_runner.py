"""Processes as workers: interrupts, cores, results that cannot travel."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from manjha.adapters.system.processes import ProcessRunner
from manjha.domain.errors import UsageError
from manjha.ports.tasks import TaskFailed, Work
from tests.fakes.tasks import Order, cores_of, done_by, nothing, work_in


def test_a_result_that_cannot_travel_is_a_failure(tmp_path: Path) -> None:
    odd, plain = done_by(ProcessRunner(1), work_in(tmp_path), [Order(1, fail="odd"), Order(2)])
    assert isinstance(odd, TaskFailed)
    assert plain == 4


def test_an_interrupt_stops_the_workers_and_keeps_what_came(tmp_path: Path) -> None:
    kept: list[int | TaskFailed] = []

    def until_interrupted() -> None:
        for result in done_by(ProcessRunner(2), work_in(tmp_path), (Order(number) for number in range(10**9))):
            kept.append(result)
            if len(kept) == 5:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        until_interrupted()
    assert kept[:5] == [0, 1, 4, 9, 16]
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="one core")
def test_workers_are_pinned_to_cores_of_their_own() -> None:
    cores = list(done_by(ProcessRunner(2), Work(nothing, cores_of), range(40)))
    assert {len(one) for one in cores if isinstance(one, list)} == {1}
    assert len({tuple(one) for one in cores if isinstance(one, list)}) == 2


def test_fewer_than_one_worker_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one worker"):
        ProcessRunner(0)

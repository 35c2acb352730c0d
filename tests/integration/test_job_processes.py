"""Processes of workers: who lives, how they ended, and that a dispatcher that was started again still knows them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from manjha.adapters.system.job_processes import LOG, WorkerProcesses
from manjha.domain.jobs import JobId

JOB = JobId("ab" * 12)
IDLE = (
    "import sys, threading; from pathlib import Path; from manjha.adapters.system.job_processes import being_worker\n"
    "lease = sys.stdin.readline().strip(); print(lease, flush=True)\n"
    "with being_worker(Path(sys.argv[1])): threading.Event().wait(60)"
)
BOUND = (
    "from manjha.adapters.system.job_processes import bound_process; import os; bound_process(256, 7)\n"
    "print(os.nice(0))\n"
    "try: bytearray(1 << 30)\n"
    "except MemoryError: print('refused')"
)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[WorkerProcesses]:
    (tmp_path / JOB).mkdir()
    made = processes_in(tmp_path)
    yield made
    made.stop(JOB, by_force=True)


def processes_in(folder: Path) -> WorkerProcesses:
    return WorkerProcesses((sys.executable, "-c", IDLE, str(folder / JOB)), lambda job: folder / job)


def until(is_so: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        with suppress(ChildProcessError):
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)


def test_a_worker_is_known_by_its_lock_whoever_started_it(processes: WorkerProcesses, tmp_path: Path) -> None:
    stranger = processes_in(tmp_path)
    assert (stranger.is_alive(JOB), stranger.ended(JOB)) == (False, "")
    processes.start(JOB, "the lease")
    until(lambda: stranger.is_alive(JOB) and (tmp_path / JOB / "worker.lock").read_text())
    assert (tmp_path / JOB / LOG).read_text() == "the lease\n"
    stranger.stop(JOB, by_force=True)
    until(lambda: not processes.is_alive(JOB))
    assert (processes.ended(JOB), stranger.is_alive(JOB)) == ("signal 9, SIGKILL", False)
    stranger.stop(JOB, by_force=True)


def test_a_worker_that_is_told_to_end_ends(processes: WorkerProcesses) -> None:
    processes.start(JOB, "lease")
    processes.stop(JOB, by_force=False)
    until(lambda: not processes.is_alive(JOB))
    assert processes.ended(JOB) == f"signal {int(signal.SIGTERM)}, SIGTERM"


def test_a_process_is_bounded_in_memory_and_gives_way() -> None:
    run = subprocess.run([sys.executable, "-c", BOUND], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [str(os.nice(0) + 7), "refused"]

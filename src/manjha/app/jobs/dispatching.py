"""The dispatcher: a process beside the API that gives jobs to workers. One at a time in a home; it may die at any time.

It ends when whoever started it is gone; its workers go on, and the next dispatcher finds them.
"""

import fcntl
import os
import select
import subprocess  # nosec B404 - it starts our own program
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from manjha.app.bootstrap import job_folders, system_clock, unit_of_work
from manjha.app.cli.errors import say
from manjha.app.jobs.kinds import kinds_of
from manjha.app.settings import Settings, load_settings
from manjha.app.worker import COMMAND
from manjha.domain.errors import SettingsError
from manjha.domain.moments import SECOND_NS
from manjha.services.jobs.dispatch import Dispatcher, Upkeep

if TYPE_CHECKING:
    from manjha.services.jobs.desk import JobDesk

STEP_S = 0.5
SWEEP_NS = 3_600 * SECOND_NS
RESTART_S = 1.0
ENDS_WITHIN_S = 5.0
_DISPATCHER = (sys.executable, "-c", "from manjha.app.jobs.dispatching import main; main()")

Ended = Callable[[float], bool]
"""Waits so many seconds, and tells whether to end."""


def job_desk(settings: Settings) -> "JobDesk":
    """Return where jobs are asked for."""
    from manjha.services.jobs.desk import JobDesk, QueueBounds

    bounds = QueueBounds(settings.jobs.queue, settings.jobs.queue_per_caller, settings.jobs.upload_mb << 20)
    return JobDesk(kinds_of(settings), unit_of_work(settings), job_folders(settings), system_clock(), bounds)


def main() -> None:
    """Dispatch until standard input ends, which is when whoever holds its other end does."""

    def ended(seconds: float) -> bool:
        ready, _, _ = select.select([sys.stdin], [], [], seconds)
        return bool(ready) and not os.read(sys.stdin.fileno(), 4096)

    dispatch(load_settings(), ended, say)


def dispatch(settings: Settings, ended: Ended, tell: Callable[[str], None]) -> None:
    """Give out jobs and look after their workers, step by step, while no other dispatcher of this home does."""
    from manjha.adapters.system.job_processes import WorkerProcesses

    with _alone(settings.home / "jobs" / "dispatcher.lock", ended) as is_ours:
        if not is_ours:
            return
        folders, clock = job_folders(settings), system_clock()
        processes = WorkerProcesses(COMMAND, folders.folder, {"MANJHA_HOME": str(settings.home)})
        dispatcher = Dispatcher(kinds_of(settings), unit_of_work(settings), folders, processes, clock)
        upkeep, swept = Upkeep(settings.jobs.workers, settings.jobs.keep_days), 0
        while not ended(STEP_S):
            try:
                said = dispatcher.step(upkeep)
                if clock.now_ns() - swept > SWEEP_NS:
                    said += dispatcher.sweep(upkeep)
                    swept = clock.now_ns()
            except SettingsError as error:
                said = [str(error)]
            for words in said:
                # Whoever reads what it says may be gone before it is.
                with suppress(BrokenPipeError):
                    tell(words)


@contextmanager
def _alone(path: Path, ended: Ended) -> Iterator[bool]:
    """Hold the lock of a home's dispatcher, waiting while another one has it; False where it is time to end first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if ended(STEP_S):
                    yield False
                    return
                continue
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield True
            return
    finally:
        os.close(descriptor)


@contextmanager
def dispatcher_beside(settings: Settings) -> Iterator[None]:
    """Keep a dispatcher running in a process of its own: one that dies is started again.

    At the end it is let go; jobs at work go on without it.
    """
    over = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def keep() -> None:
        while not over.is_set():
            process = subprocess.Popen(  # noqa: S603  # nosec B603 - our own program, fixed words
                _DISPATCHER,
                stdin=subprocess.PIPE,
                env=os.environ | {"MANJHA_HOME": str(settings.home)},
                start_new_session=True,
            )
            running[:] = [process]
            if over.is_set():
                _let_go(process)
            code = process.wait()
            if not over.wait(RESTART_S):
                say(f"The dispatcher of jobs ended with code {code} and is started again; jobs at work went on.")

    thread = threading.Thread(target=keep, name="dispatcher", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        for process in running:
            _let_go(process)
        thread.join(ENDS_WITHIN_S)


def _let_go(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()

"""Implements `ports.tasks.TaskRunner` on this machine: in this process, or over processes of its own.

A worker has a pipe of its own, so that the death of one says exactly which task it took along; a pool of the standard
library only says that something in it broke.
"""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Generator, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Generic

from manjha.domain.errors import UsageError
from manjha.ports.tally import TRIES, Tally, attempted, in_words, loading_failed, unloadable
from manjha.ports.tasks import Loaded, Result, Task, TaskFailed, Work

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

JOIN_S = 5.0
"""How long a worker may take to end by itself."""


class InlineRunner:
    """Does the tasks in this process, one when its result is asked for."""

    def hire(self, work: Work[Loaded, Task, Result]) -> "InlineCrew[Loaded, Task, Result]":
        """Return this process as a crew. See the port."""
        return InlineCrew(work)


class InlineCrew(Generic[Loaded, Task, Result]):
    """Implements `ports.tasks.Crew` without workers."""

    def __init__(self, work: Work[Loaded, Task, Result]) -> None:
        self._work = work
        self._loaded: list[Loaded] = []

    def __enter__(self) -> "InlineCrew[Loaded, Task, Result]":
        return self

    def __exit__(self, *of_error: object) -> None:
        self._loaded.clear()

    def run(self, tasks: Iterable[Task]) -> Generator[tuple[int, Result | TaskFailed], None, None]:
        """Yield results in order. See the port."""
        for number, task in enumerate(tasks):
            if not self._loaded:
                self._loaded.append(self._work.load())
            yield number, attempted(self._work, self._loaded[0], task)


class ProcessRunner:
    """Does the tasks in `jobs` processes, each pinned to a core where there are several."""

    def __init__(self, jobs: int) -> None:
        if jobs < 1:
            raise UsageError(f"expected at least one worker, was {jobs}", hint="Give -j 1 or more.")
        self._jobs = jobs

    def hire(self, work: Work[Loaded, Task, Result]) -> "ProcessCrew[Loaded, Task, Result]":
        """Return processes that start when there are tasks for them. See the port."""
        return ProcessCrew(work, self._jobs)


def cores() -> list[int]:
    """Return the cores that this process may use; empty where it cannot be said, or where there is one."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    found = sorted(os.sched_getaffinity(0))
    return found if len(found) > 1 else []


class _Worker:
    """One process and our end of its pipe. `held` is the number of the task that it works on, None while it is idle."""

    def __init__(self, work: Work[Any, Any, Any], core: int | None) -> None:
        context = multiprocessing.get_context("forkserver")
        self.link, theirs = context.Pipe()
        self.process: ForkServerProcess = context.Process(target=_serve, args=(theirs, work, core), daemon=True)
        self.process.start()
        theirs.close()
        self.core = core
        self.held: int | None = None
        self.is_ready = False

    def give(self, number: int, task: Any) -> None:
        """Hand over a task; that the worker is dead is found out by who waits for the result."""
        self.held = number
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.link.send(task)


class ProcessCrew(Generic[Loaded, Task, Result]):
    """Implements `ports.tasks.Crew`: the processes, and who does what."""

    def __init__(self, work: Work[Loaded, Task, Result], jobs: int) -> None:
        self._work = work
        self._cores = cores() if jobs > 1 else []
        self._workers: list[_Worker] = []
        self._jobs = jobs
        self._stillborn = 0
        self._tally: Tally[Task, Result] = Tally((), jobs)

    def __enter__(self) -> "ProcessCrew[Loaded, Task, Result]":
        return self

    def __exit__(self, *of_error: object) -> None:
        self._let_go(self._workers)

    def run(self, tasks: Iterable[Task]) -> Generator[tuple[int, Result | TaskFailed], None, None]:
        """Yield results in order, keeping every worker busy. See the port."""
        self._tally = Tally(tasks, self._jobs)
        try:
            yield from self._results()
        except KeyboardInterrupt:
            yield from self._tally.rest()
            raise
        finally:
            self._let_go([worker for worker in self._workers if worker.held is not None])

    def _results(self) -> Iterator[tuple[int, Result | TaskFailed]]:
        tally = self._tally
        while True:
            while tally.has_tasks and (worker := self._idle()):
                given = tally.take()
                if given is None:
                    break
                worker.give(*given)
            yield from tally.told()
            if tally.is_over:
                return
            if tally.is_out:
                self._collect()

    def _let_go(self, leaving: list[_Worker]) -> None:
        """End workers: those that wait by closing their pipe, those that work by force."""
        self._workers = [worker for worker in self._workers if worker not in leaving]
        for worker in leaving:
            worker.link.close()
            if worker.held is not None:
                worker.process.terminate()
        for worker in leaving:
            worker.process.join(JOIN_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.process.close()

    def _idle(self) -> _Worker | None:
        """Return a worker that waits, hired if need be; None where all are busy."""
        for worker in self._workers:
            if worker.held is None:
                return worker
        if len(self._workers) == self._jobs:
            return None
        used = {worker.core for worker in self._workers}
        free = [core for core in self._cores if core not in used] or self._cores
        self._workers.append(_Worker(self._work, free[0] if free else None))
        return self._workers[-1]

    def _collect(self) -> None:
        """Wait until a worker says something or dies, and hear all that did."""
        speaking = wait([worker.link for worker in self._workers])
        for worker in [worker for worker in self._workers if worker.link in speaking]:
            try:
                said = worker.link.recv()
            except (EOFError, ConnectionResetError):
                self._replace(worker)
                continue
            if not worker.is_ready:
                if isinstance(said, Exception):
                    raise said
                worker.is_ready, self._stillborn = True, 0
            elif worker.held is not None:
                self._tally.finish(worker.held, said)
                worker.held = None

    def _replace(self, dead: _Worker) -> None:
        """Let a dead worker go, and give its task out again unless it died over it before."""
        self._workers.remove(dead)
        dead.link.close()
        dead.process.join()
        how = f"exit code {dead.process.exitcode}"
        dead.process.close()
        if not dead.is_ready:
            self._stillborn += 1
            if self._stillborn >= TRIES * self._jobs:
                raise unloadable(how)
        if dead.held is not None:
            self._tally.lose(dead.held, how, is_blamed=dead.is_ready)


def _serve(link: Connection, work: Work[Any, Any, Any], core: int | None) -> None:
    """Be a worker: load, then answer each task until the pipe closes. An interrupt is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if core is not None:
        os.sched_setaffinity(0, {core})
    # A parent that is done, or gone, closes its end at any moment, also while we load.
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            loaded = work.load()
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
            link.send(loading_failed(error))
            return
        link.send(None)
        while True:
            result = attempted(work, loaded, link.recv())
            try:
                link.send(result)
            except (TypeError, AttributeError, ValueError) as error:
                link.send(TaskFailed(f"its result cannot be sent: {in_words(error)}"))

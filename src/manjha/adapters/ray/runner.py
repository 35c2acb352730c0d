"""Implements `ports.tasks.TaskRunner` on Ray: a worker is an actor, which holds what it loaded.

Every machine of the cluster needs the same Manjha and strategies, and finds the same MANJHA_HOME under the same path.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from operator import itemgetter
from typing import Any, Generic, cast

import ray
from ray.exceptions import RayActorError, RayError

from manjha.domain.errors import ManjhaError, SettingsError, UsageError
from manjha.ports.tasks import Loaded, Result, Task, TaskFailed, Work

AHEAD = 16
"""Tasks a worker that may be taken before the oldest unfinished one is done."""
TRIES = 2
"""Times that a task is given out; a second death over it is taken for its own fault."""
LOCAL = "local"
"""The address that means: start a cluster on this machine."""


class RayRunner:
    """Does the tasks in `jobs` actors of a cluster; 0 is one a processor of it."""

    def __init__(self, address: str, jobs: int) -> None:
        self._address = address
        self._jobs = jobs

    def hire(self, work: Work[Loaded, Task, Result]) -> "RayCrew[Loaded, Task, Result]":
        """Return actors that start when there are tasks for them. See the port."""
        if not ray.is_initialized():
            self._join()
        return RayCrew(work, self._jobs or max(1, int(cast("Any", ray).cluster_resources().get("CPU", 1))))

    def _join(self) -> None:
        given: dict[str, Any] = {"log_to_driver": False, "include_dashboard": None}
        if self._address == LOCAL:
            given = {"num_cpus": self._jobs or None, "include_dashboard": False, "log_to_driver": False}
        try:
            ray.init(address=None if self._address == LOCAL else self._address, configure_logging=False, **given)
        except (ConnectionError, RuntimeError, ValueError, RayError) as error:
            raise SettingsError(
                f"the Ray cluster {self._address} does not answer: {' '.join(str(error).split())[:300]}",
                hint="Check tasks.ray_address, or leave it out to use the processes of this machine.",
            ) from error


class _Desk:
    """What runs in an actor."""

    def __init__(self, work: Work[Any, Any, Any]) -> None:
        self._work = work
        self._loaded: list[Any] = []

    def load(self) -> Exception | None:
        """Load once; return what went wrong."""
        try:
            self._loaded.append(self._work.load())
        except Exception as error:  # noqa: BLE001 - whatever it is, the driver raises it
            return error if isinstance(error, ManjhaError) else RuntimeError(_words(error))
        return None

    def do(self, task: Any) -> Any:
        """Do a task; a failure is a value."""
        try:
            return self._work.do(self._loaded[0], task)
        except Exception as error:  # noqa: BLE001 - a task may raise anything; it becomes a value, and is told
            return TaskFailed(_words(error), error.hint if isinstance(error, ManjhaError) else "")


class _Worker:
    """An actor. `held` is the number of the task that it works on, -1 while it loads, None while it is idle."""

    def __init__(self, work: Work[Any, Any, Any]) -> None:
        self.actor = cast("Any", ray.remote(num_cpus=1, max_restarts=0)(_Desk)).remote(work)
        self.held: int | None = -1
        self.answer: Any = self.actor.load.remote()

    def give(self, number: int, task: Any) -> None:
        """Hand over a task."""
        self.held = number
        self.answer = self.actor.do.remote(task)


class RayCrew(Generic[Loaded, Task, Result]):
    """Implements `ports.tasks.Crew`: the actors, and who does what."""

    def __init__(self, work: Work[Loaded, Task, Result], jobs: int) -> None:
        self._work = work
        self._jobs = jobs
        self._workers: list[_Worker] = []
        self._stillborn = 0
        self._start_over()

    def __enter__(self) -> "RayCrew[Loaded, Task, Result]":
        return self

    def __exit__(self, *of_error: object) -> None:
        self._let_go(self._workers)

    def run(self, tasks: Iterable[Task]) -> Generator[tuple[int, Result | TaskFailed], None, None]:
        """Yield results in order, keeping every actor busy. See the port."""
        self._start_over()
        try:
            yield from self._results(iter(tasks))
        except KeyboardInterrupt:
            yield from sorted(self._done.items(), key=itemgetter(0))
            raise
        finally:
            self._let_go([worker for worker in self._workers if worker.held is not None])

    def _start_over(self) -> None:
        self._open: dict[int, tuple[Task, int]] = {}
        self._again: deque[int] = deque()
        self._done: dict[int, Result | TaskFailed] = {}

    def _results(self, tasks: Iterator[Task]) -> Iterator[tuple[int, Result | TaskFailed]]:
        due = taken = 0
        is_more = True
        while True:
            for worker in [worker for worker in self._workers if worker.held is None]:
                if self._again:
                    worker.give(self._again[0], self._open[self._again.popleft()][0])
                elif is_more and taken < due + self._jobs * AHEAD:
                    try:
                        task = next(tasks)
                    except StopIteration:
                        is_more = False
                        break
                    self._open[taken] = (task, 1)
                    worker.give(taken, task)
                    taken += 1
            while due in self._done:
                yield due, self._done.pop(due)
                due += 1
            if due == taken and not is_more:
                return
            if is_more or self._again:
                self._hire_one()
            self._collect()

    def _hire_one(self) -> None:
        if len(self._workers) < self._jobs and not any(worker.held is None for worker in self._workers):
            self._workers.append(_Worker(self._work))

    def _collect(self) -> None:
        """Wait until an actor answers or dies."""
        busy = {worker.answer: worker for worker in self._workers if worker.held is not None}
        if not busy:
            return
        ready, _ = ray.wait(list(busy), num_returns=1)
        for answer in ready:
            worker = busy[answer]
            try:
                said = ray.get(answer)
            except RayActorError as error:
                self._replace(worker, type(error).__name__)
                continue
            except RayError as error:
                said = TaskFailed(f"its result cannot be sent: {_words(error)}")
            self._hear(worker, said)

    def _hear(self, worker: _Worker, said: Any) -> None:
        if worker.held == -1:
            if isinstance(said, Exception):
                raise said
            self._stillborn = 0
        elif worker.held is not None:
            del self._open[worker.held]
            self._done[worker.held] = said
        worker.held = None

    def _replace(self, dead: _Worker, how: str) -> None:
        """Let a dead actor go, and give its task out again unless it died over it before."""
        self._workers.remove(dead)
        if dead.held == -1:
            self._stillborn += 1
            if self._stillborn >= TRIES * self._jobs:
                raise UsageError(
                    f"workers die while they load the data ({how})",
                    hint="Fewer of them need less memory: try -j 1, or a shorter span.",
                )
        if dead.held is None or dead.held == -1:
            return
        task, tries = self._open[dead.held]
        if tries >= TRIES:
            del self._open[dead.held]
            self._done[dead.held] = TaskFailed(f"the worker died over it {TRIES} times ({how})", lost=True)
            return
        self._open[dead.held] = (task, tries + 1)
        self._again.append(dead.held)

    def _let_go(self, leaving: list[_Worker]) -> None:
        self._workers = [worker for worker in self._workers if worker not in leaving]
        for worker in leaving:
            ray.kill(worker.actor)


def _words(error: Exception) -> str:
    words = error.message if isinstance(error, ManjhaError) else " ".join(str(error).split())
    return f"{type(error).__name__}: {words}"

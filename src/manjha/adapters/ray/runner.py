"""Implements `ports.tasks.TaskRunner` on Ray: a worker is an actor, which holds what it loaded.

Every machine of the cluster needs the same Manjha and strategies, and finds the same MANJHA_HOME under the same path.
"""

from collections.abc import Generator, Iterable, Iterator
from typing import Any, Generic, cast

import ray
from ray.exceptions import RayActorError, RayError

from manjha.domain.errors import SettingsError
from manjha.ports.tally import TRIES, Tally, attempted, in_words, loading_failed, unloadable
from manjha.ports.tasks import Loaded, Result, Task, TaskFailed, Work

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
            return loading_failed(error)
        return None

    def do(self, task: Any) -> Any:
        """Do a task; a failure is a value."""
        return attempted(self._work, self._loaded[0], task)


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
        self._tally: Tally[Task, Result] = Tally((), jobs)

    def __enter__(self) -> "RayCrew[Loaded, Task, Result]":
        return self

    def __exit__(self, *of_error: object) -> None:
        self._let_go(self._workers)

    def run(self, tasks: Iterable[Task]) -> Generator[tuple[int, Result | TaskFailed], None, None]:
        """Yield results in order, keeping every actor busy. See the port."""
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
            for worker in [worker for worker in self._workers if worker.held is None]:
                given = tally.take() if tally.has_tasks else None
                if given is None:
                    break
                worker.give(*given)
            yield from tally.told()
            if tally.is_over:
                return
            if tally.has_tasks:
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
                said = TaskFailed(f"its result cannot be sent: {in_words(error)}")
            self._hear(worker, said)

    def _hear(self, worker: _Worker, said: Any) -> None:
        if worker.held == -1:
            if isinstance(said, Exception):
                raise said
            self._stillborn = 0
        elif worker.held is not None:
            self._tally.finish(worker.held, said)
        worker.held = None

    def _replace(self, dead: _Worker, how: str) -> None:
        """Let a dead actor go, and give its task out again unless it died over it before."""
        self._workers.remove(dead)
        if dead.held == -1:
            self._stillborn += 1
            if self._stillborn >= TRIES * self._jobs:
                raise unloadable(how)
        elif dead.held is not None:
            self._tally.lose(dead.held, how)

    def _let_go(self, leaving: list[_Worker]) -> None:
        self._workers = [worker for worker in self._workers if worker not in leaving]
        for worker in leaving:
            ray.kill(worker.actor)

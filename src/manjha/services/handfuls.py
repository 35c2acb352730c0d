"""A handful of evaluations at once for a worker: what strategies state is stated for all, then all are run.

A run's tables and the lines that a strategy looks at do not fit into a core's own cache together, so that one after the
other pushes out what the next one needs. And a short evaluation is worth no message of its own between processes.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from itertools import islice
from time import perf_counter_ns
from typing import Generic

import msgspec

from manjha.ports.tally import failed
from manjha.ports.tasks import Crew, Loaded, Result, Task, TaskFailed
from manjha.research.backtest import BacktestSpec, rare_collection
from manjha.research.search.ground import Ground, Ready
from manjha.research.search.summary import Asked, Summary, summarise

MOST = 20
"""Evaluations in a handful."""
LONG_NS = 20_000_000
"""How long a handful should take at most: progress comes so often, an interrupt loses no more, no worker waits longer
for another at the end. It decides how many are in a handful, and so nothing about their results."""
AHEAD = 2**22
"""Bytes of targets that are stated before they are run; more would fit into no cache, and take memory."""

Plan = Callable[[Ground, Task], tuple[BacktestSpec, Asked]]
"""What a task means: which run, and what is wanted of it. It may raise, as a strategy may refuse its parameters."""


class Handful(msgspec.Struct, frozen=True):
    """What came of each task of a handful, and how long all of it took; of the first ones where it was interrupted."""

    results: tuple[Summary | TaskFailed, ...]
    took_ns: int
    is_interrupted: bool = False


def do_handful(plan: Plan[Task], ground: Ground, tasks: tuple[Task, ...]) -> Handful:
    """Do a worker's task: several evaluations. One that raises fails alone; an interrupt keeps what is done."""
    began_ns, results, is_interrupted = perf_counter_ns(), [], False
    try:
        with rare_collection():
            for result in _done(plan, ground, tasks):
                results.append(result)  # noqa: PERF402 - the interrupt comes between two of them
    except KeyboardInterrupt:
        is_interrupted = True
    return Handful(tuple(results), perf_counter_ns() - began_ns, is_interrupted)


def _done(plan: Plan[Task], ground: Ground, tasks: tuple[Task, ...]) -> Iterator[Summary | TaskFailed]:
    ahead: list[tuple[Ready, Asked] | TaskFailed] = []
    size = 0
    for task in tasks:
        one = _tried(partial(_ready, plan, ground), task)
        ahead.append(one)
        size += 0 if isinstance(one, TaskFailed) else one[0].size
        if size > AHEAD:
            yield from _run(ground, ahead)
            size = 0
    yield from _run(ground, ahead)


def _ready(plan: Plan[Task], ground: Ground, task: Task) -> tuple[Ready, Asked]:
    spec, asked = plan(ground, task)
    return ground.ready(spec), asked


def _run(ground: Ground, ahead: list[tuple[Ready, Asked] | TaskFailed]) -> Iterator[Summary | TaskFailed]:
    """Run what is ready, in order, and forget it."""
    ahead.reverse()
    while ahead:
        one = ahead.pop()
        yield one if isinstance(one, TaskFailed) else _tried(lambda ready: row_of_run(*ready, ground), one)


def row_of_run(ready: Ready, asked: Asked, ground: Ground) -> Summary:
    """Run what is ready and return its row."""
    return summarise(ground.carry_out(ready), asked)


def _tried(do: Callable[[Loaded], Result], given: Loaded) -> Result | TaskFailed:
    try:
        return do(given)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a strategy may raise anything; it becomes a value, and is told
        return failed(error)


class Handfuls(Generic[Task]):
    """Asks a crew in handfuls: one at first, then as many as are quick enough, at most `most`."""

    def __init__(self, crew: Crew[tuple[Task, ...], Handful], most: int = MOST) -> None:
        self._crew = crew
        self._most = most
        self._size = 1

    def run(self, tasks: Iterable[Task]) -> Generator[tuple[int, Summary | TaskFailed], None, None]:
        """Yield the position and the result of each task, as `ports.tasks.Crew.run` does and with all that it promises.

        A handful that a worker died over, twice, is done again one by one: only the task that is to blame fails.
        """
        turns = _Turns(tasks)
        try:
            while turns.is_more:
                for number, came in self._crew.run(turns.handfuls(lambda: self._size)):
                    turns.take(number, came)
                    self._heed(came)
                    yield from turns.told()
        except KeyboardInterrupt:
            yield from turns.rest()
            raise

    def _heed(self, came: Handful | TaskFailed) -> None:
        if isinstance(came, TaskFailed):
            return
        if came.is_interrupted:
            raise KeyboardInterrupt
        each_ns = max(1, came.took_ns // len(came.results))
        self._size = min(max(LONG_NS // each_ns, 1), self._most)


class _Turns(Generic[Task]):
    """Which tasks are in which handful, which are to be done again alone, and results that wait for their turn."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._left = enumerate(tasks)
        self._again: deque[tuple[int, Task]] = deque()
        self._given: dict[int, list[tuple[int, Task]]] = {}
        self._done: dict[int, Summary | TaskFailed] = {}
        self._due = 0
        self.is_more = True

    def handfuls(self, size: Callable[[], int]) -> Iterator[tuple[Task, ...]]:
        """Yield what is to be done; tasks of a handful that was lost come first, each alone."""
        self._given.clear()
        number = 0
        while given := [self._again.popleft()] if self._again else list(islice(self._left, size())):
            self._given[number] = given
            number += 1
            yield tuple(task for _, task in given)
        # One that is lost from now on is found when the crew is done.
        self.is_more = False

    def take(self, number: int, came: Handful | TaskFailed) -> None:
        """Take what came of a handful."""
        given = self._given.pop(number)
        if isinstance(came, Handful):
            self._done.update(zip((at for at, _ in given), came.results, strict=not came.is_interrupted))
        elif len(given) == 1:
            self._done[given[0][0]] = came
        else:
            self._again.extend(given)
            self.is_more = True

    def told(self) -> Iterator[tuple[int, Summary | TaskFailed]]:
        """Yield the results whose turn it is."""
        while self._due in self._done:
            yield self._due, self._done.pop(self._due)
            self._due += 1

    def rest(self) -> list[tuple[int, Summary | TaskFailed]]:
        """Return what is done beyond a gap, or was not taken."""
        return sorted(self._done.items())

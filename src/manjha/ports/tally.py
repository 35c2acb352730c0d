"""What task runners have in common beside their workers: which task is where, and in which order results are told."""

from collections import deque
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Generic

from manjha.domain.errors import ManjhaError, UsageError
from manjha.ports.tasks import Loaded, Result, Task, TaskFailed, Work

AHEAD = 16
"""Tasks a worker that may be taken before the oldest unfinished one is done: bounds what waits to be yielded."""
TRIES = 2
"""Times that a task is given out; a second death over it is taken for its own fault."""


class Tally(Generic[Task, Result]):
    """The tasks of one run: those that are out, those to be done again, and results that wait for their turn."""

    def __init__(self, tasks: Iterable[Task], workers: int) -> None:
        self._tasks = iter(tasks)
        self._ahead = workers * AHEAD
        self._due = self._taken = 0
        self._is_more = True
        self._open: dict[int, tuple[Task, int]] = {}
        self._again: deque[int] = deque()
        self._done: dict[int, Result | TaskFailed] = {}

    @property
    def has_tasks(self) -> bool:
        """Whether one may be given out now, as far as that can be said before it is taken."""
        return bool(self._again) or (self._is_more and self._taken < self._due + self._ahead)

    @property
    def is_out(self) -> bool:
        """Whether a result is waited for."""
        return bool(self._open)

    @property
    def is_over(self) -> bool:
        """Whether every task has had its result told."""
        return self._due == self._taken and not self._is_more

    def take(self) -> tuple[int, Task] | None:
        """Return a task to give out and its number, one that was lost first; None where there is no more."""
        if self._again:
            number = self._again.popleft()
            return number, self._open[number][0]
        try:
            task = next(self._tasks)
        except StopIteration:
            self._is_more = False
            return None
        number = self._taken
        self._open[number] = (task, 1)
        self._taken += 1
        return number, task

    def finish(self, number: int, result: Result | TaskFailed) -> None:
        """Take a result."""
        del self._open[number]
        self._done[number] = result

    def lose(self, number: int, how: str, *, is_blamed: bool = True) -> None:
        """Note that a worker died with a task: to be done again, unless one died over it before.

        A worker that died before it could begin does not speak against the task.
        """
        task, tries = self._open[number]
        if is_blamed and tries >= TRIES:
            self.finish(number, TaskFailed(f"the worker died over it {TRIES} times ({how})", lost=True))
            return
        self._open[number] = (task, tries + is_blamed)
        self._again.append(number)

    def told(self) -> Iterator[tuple[int, Result | TaskFailed]]:
        """Yield the results whose turn it is."""
        while self._due in self._done:
            yield self._due, self._done.pop(self._due)
            self._due += 1

    def rest(self) -> list[tuple[int, Result | TaskFailed]]:
        """Return what is finished beyond a gap."""
        return sorted(self._done.items(), key=itemgetter(0))


def attempted(work: Work[Loaded, Task, Result], loaded: Loaded, task: Task) -> Result | TaskFailed:
    """Do a task; a failure is a value."""
    try:
        return work.do(loaded, task)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a task may raise anything; it becomes a value, and is told
        return failed(error)


def failed(error: BaseException) -> TaskFailed:
    """Return the result of a task that raised."""
    return TaskFailed(in_words(error), error.hint if isinstance(error, ManjhaError) else "")


def loading_failed(error: Exception) -> Exception:
    """Return what a worker sends home where loading raised: something that any process can read."""
    return error if isinstance(error, ManjhaError) else RuntimeError(in_words(error))


def unloadable(how: str) -> UsageError:
    """Return the error of workers that die before they have loaded."""
    return UsageError(
        f"workers die while they load the data ({how})",
        hint="Fewer of them need less memory: try -j 1, or a shorter span.",
    )


def in_words(error: BaseException) -> str:
    """Return an exception's type and words, in one line."""
    words = error.message if isinstance(error, ManjhaError) else " ".join(str(error).split())
    return f"{type(error).__name__}: {words}"

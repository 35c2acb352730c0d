"""Work spread over workers: processes of this machine, or a cluster."""

from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Generic, Protocol, TypeVar

import msgspec

Loaded = TypeVar("Loaded")
Task = TypeVar("Task")
Given = TypeVar("Given", contravariant=True)  # noqa: PLC0105 - as the next one
Result = TypeVar("Result", covariant=True)  # noqa: PLC0105 - read where it is used, not where it varies


class Work(msgspec.Struct, Generic[Loaded, Task, Result], frozen=True):
    """What workers do. `load` is called once in each worker, `do` with what it returned and one task at a time.

    Both, each task and each result must be picklable: functions of a module, or `functools.partial` of one.
    """

    load: Callable[[], Loaded]
    do: Callable[[Loaded, Task], Result]


class TaskFailed(msgspec.Struct, frozen=True):
    """The result of a task that has none.

    `error` is the exception's type and words. `hint` is its next step, where it names one. `lost` says that the worker
    died over it, twice.
    """

    error: str
    hint: str = ""
    lost: bool = False


class Crew(Protocol[Given, Result]):
    """Workers that have loaded what they need, or will when the first task comes. Leaving it lets them go."""

    def __enter__(self) -> "Crew[Given, Result]":
        """Return itself."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the workers."""
        ...

    def run(self, tasks: Iterable[Given]) -> Generator[tuple[int, Result | TaskFailed], None, None]:
        """Yield the position and the result of each task, in the order of the tasks, as soon as it is there.

        Tasks are taken when workers are free, a bounded number ahead of the results that were taken. A task that
        raises gives `TaskFailed` and the others go on. A worker that dies is replaced and its task done again once, so
        that each task has one result. Closing the generator drops the tasks that are being done; the crew can be asked
        again. After an interrupt what is finished beyond a gap still comes, with its position, and then the interrupt.

        Raises
        ------
        ManjhaError
            What `load` raised, in whichever worker came first; or workers die while they load.
        """
        ...


class TaskRunner(Protocol):
    """Has independent tasks done, in parallel where it can."""

    def hire(self, work: Work[Loaded, Task, Result]) -> Crew[Task, Result]:
        """Return workers for some work, to be used in a `with`."""
        ...

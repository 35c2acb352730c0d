"""Work for task runners: functions that workers find by name, and files that say what happened in them."""

import os
import signal
from collections.abc import Generator, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from manjha.domain.errors import UsageError
from manjha.ports.tasks import Loaded, Result, Task, TaskFailed, TaskRunner, Work


class Order(msgspec.Struct, frozen=True):
    """A task: what to do with a number. `die` kills the worker as many times.

    One with `wait` holds its worker until the end; the ninth task interrupts the process that the folder names.
    """

    number: int
    fail: str = ""
    die: int = 0
    wait: bool = False


def done_by(
    runner: TaskRunner, work: Work[Loaded, Task, Result], tasks: Iterable[Task]
) -> Generator[Result | TaskFailed, None, None]:
    with runner.hire(work) as crew:
        yield from (result for _, result in crew.run(tasks))


def work_in(folder: Path) -> Work[Path, Order, int]:
    """Return work that notes each loading and each doing as a file in a folder."""
    return Work(partial(load, folder), do)


def load(folder: Path) -> Path:
    note(folder, "loaded")
    return folder


def load_nothing(folder: Path) -> Path:
    raise UsageError(f"nothing is stored in {folder.name}", hint="Import something.")


def load_and_die() -> Path:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def do(folder: Path, order: Order) -> int:
    note(folder, f"did-{order.number}")
    if order.wait:
        signal.pause()
    parent = folder / "parent"
    if order.number == 9 and parent.exists():
        os.kill(int(parent.read_text()), signal.SIGINT)
    if order.fail == "usage":
        raise UsageError("fast must be below slow", hint="Swap them.")
    if order.fail == "bug":
        raise ZeroDivisionError("division by\nzero")
    if order.fail == "exit":
        raise SystemExit(3)
    if order.fail == "odd":
        return lambda: 0  # type: ignore[return-value]  # one that cannot be pickled is the point
    if len(list(folder.glob(f"did-{order.number}.*"))) <= order.die:
        os.kill(os.getpid(), signal.SIGKILL)
    return order.number**2


def note(folder: Path, what: str) -> None:
    (folder / f"{what}.{len(list(folder.glob(f'{what}.*')))}.{os.getpid()}").touch()


def cores_of(loaded: Any, task: int) -> list[int]:
    return sorted(os.sched_getaffinity(0))


def nothing() -> None:
    return None

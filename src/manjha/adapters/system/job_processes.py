"""Implements `ports.jobs.JobProcesses`: workers as processes of this machine, known by the lock that each holds.

The kernel lets go of a lock when its holder dies, however it dies; a process number alone may long be another's.
"""

import contextlib
import fcntl
import os
import resource
import signal
import subprocess  # nosec B404 - it starts our own program
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from manjha.domain.jobs import JobId

LOCK = "worker.lock"
LOG = "worker.log"


class WorkerProcesses:
    """Starts `command` with a job's id for each job, in a session of its own: it outlives whoever started it.

    The lease comes over standard input: arguments and environment of a process are there for others to see.
    """

    def __init__(
        self, command: Sequence[str], folder: Callable[[JobId], Path], environment: Mapping[str, str] | None = None
    ) -> None:
        self._command, self._folder = tuple(command), folder
        self._environment = dict(environment or {})
        self._started: dict[JobId, subprocess.Popen[bytes]] = {}

    def start(self, job_id: JobId, lease: str) -> None:
        """Start a worker. See the port."""
        with (self._folder(job_id) / LOG).open("ab") as log:
            process = subprocess.Popen(  # noqa: S603  # nosec B603 - our own program, fixed words
                [*self._command, job_id],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=os.environ | self._environment,
                start_new_session=True,
            )
        self._started[job_id] = process
        # One that has died already is found out by who looks after it.
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), process.stdin as told:
                told.write(f"{lease}\n".encode())

    def is_alive(self, job_id: JobId) -> bool:
        """Tell whether a worker lives: it is our child that has not ended, or somebody holds its lock."""
        process = self._started.get(job_id)
        if process is not None and process.poll() is None:
            return True
        return self._holder(job_id) is not None

    def stop(self, job_id: JobId, *, by_force: bool) -> None:
        """Tell a worker to end, or kill it with all it started. See the port."""
        process = self._started.get(job_id)
        pid = process.pid if process is not None and process.poll() is None else self._holder(job_id)
        if not pid:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if by_force:
                os.killpg(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGTERM)

    def ended(self, job_id: JobId) -> str:
        """Return how a worker that we started ended. See the port."""
        process = self._started.get(job_id)
        code = process.poll() if process is not None else None
        if code is None:
            return ""
        return f"signal {-code}, {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def _holder(self, job_id: JobId) -> int | None:
        """Return the process that holds a job's lock; 0 where it has not said its number, None where nobody does."""
        try:
            descriptor = os.open(self._folder(job_id) / LOCK, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            said = os.pread(descriptor, 32, 0)
            return int(said) if said.isdigit() else 0
        finally:
            os.close(descriptor)
        return None


@contextlib.contextmanager
def being_worker(folder: Path) -> Iterator[None]:
    """Hold the lock of a job, waiting until the worker before is gone, and say who does."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def bound_process(memory_mb: int, niceness: int) -> None:
    """Bound the data that this process, and each that it starts, may hold, and give way to others on the processor."""
    wanted = memory_mb << 20
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    least = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (least, hard))
    with contextlib.suppress(OSError):
        os.nice(niceness)

"""A desk of jobs over a database, with a clock that jumps and workers that do what a test says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from manjha.adapters.files.job_folders import JobFolders
from manjha.adapters.sql.database import Database
from manjha.adapters.sql.unit_of_work import SqlUnitOfWork
from manjha.domain.errors import UsageError
from manjha.domain.jobs import Job, JobId
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.services.jobs.asked import Asked
from manjha.services.jobs.attempt import Attempt
from manjha.services.jobs.desk import JobDesk, QueueBounds, Wish
from manjha.services.jobs.dispatch import Dispatcher, Upkeep
from manjha.services.jobs.kinds import JobKind

AT = 1_720_000_000_000_000_000


class StoneAsked(Asked, frozen=True, kw_only=True):
    """A kind of job that only tests know."""

    strategy: str = "stone"
    weight: int = 1
    notes: tuple[str, ...] = ()


def check_stone(asked: StoneAsked) -> None:
    """Refuse stones that nobody lifts."""
    if asked.weight > 100:
        raise UsageError(f"a stone of {asked.weight} kg is too heavy", hint="Ask for less.")


KINDS = {
    "stone": JobKind("stone", StoneAsked, check_stone),
    "pebble": JobKind("pebble", StoneAsked, check_stone, goes_on=True),
}


class HandClock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.ns = AT

    def now_ns(self) -> TsNs:
        """Return the time. See the port."""
        return TsNs(self.ns)

    def wait_until(self, ts_ns: TsNs) -> None:
        """Go on to a moment. See the port."""
        self.ns = max(self.ns, ts_ns)

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        self.ns += int(seconds * SECOND_NS)


class TestProcesses:
    """Implements `ports.jobs.JobProcesses` without processes: the test says who lives."""

    __test__ = False

    def __init__(self) -> None:
        self.leases: dict[JobId, str] = {}
        self.alive: set[JobId] = set()
        self.stopped: list[tuple[JobId, bool]] = []
        self.refuses = False
        self.obeys_term = True

    def start(self, job_id: JobId, lease: str) -> None:
        """Start a worker. See the port."""
        if self.refuses:
            raise OSError(11, "Resource temporarily unavailable")
        self.leases[job_id] = lease
        self.alive.add(job_id)

    def is_alive(self, job_id: JobId) -> bool:
        """Tell whether it lives. See the port."""
        return job_id in self.alive

    def stop(self, job_id: JobId, *, by_force: bool) -> None:
        """End a worker. See the port."""
        self.stopped.append((job_id, by_force))
        if by_force or self.obeys_term:
            self.alive.discard(job_id)

    def ended(self, job_id: JobId) -> str:
        """Return how it ended. See the port."""
        return "" if job_id in self.alive or job_id not in self.leases else "signal 9, SIGKILL"


class Yard:
    """All of it together; a new dispatcher stands for one that was started again."""

    def __init__(self, folder: Path, url: str = "", bounds: QueueBounds = QueueBounds()) -> None:  # noqa: B008
        self.clock, self.processes = HandClock(), TestProcesses()
        self.work = SqlUnitOfWork(Database(url or f"sqlite:///{folder / 'records.db'}"))
        self.folders = JobFolders(folder / "jobs")
        self.desk = JobDesk(KINDS, self.work, self.folders, self.clock, bounds)
        self.dispatcher = self.new_dispatcher()
        self.upkeep = Upkeep(workers=2, keep_days=30)

    def new_dispatcher(self) -> Dispatcher:
        """Return a dispatcher that remembers nothing."""
        return Dispatcher(KINDS, self.work, self.folders, self.processes, self.clock)

    def step(self, seconds: float = 0.5) -> list[str]:
        """Let time pass and have the dispatcher do what is to be done."""
        self.clock.go_on(seconds)
        return self.dispatcher.step(self.upkeep)

    def ask(self, kind: str = "stone", *, by: str = "asha", key: str = "", **content: object) -> Job:
        """Ask for a job."""
        return self.desk.submit(Wish(kind=kind, content=content, by=by, key=key))

    def attempt(self, job: Job) -> Attempt:
        """Return the attempt that the dispatcher has given the job to."""
        return Attempt(self.work, self.clock, job.id, self.processes.leases[job.id])

    def at_work(self, **content: object) -> tuple[Job, Attempt]:
        """Return a job whose worker has said that it is there."""
        job = self.ask(**content)  # type: ignore[arg-type]
        self.step()
        attempt = self.attempt(job)
        return attempt.begin(4711), attempt

    def now(self, job: Job) -> Job:
        """Return the job as it is now."""
        return self.desk.find(job.id)


@contextmanager
def yard_in(folder: Path, url: str = "", **bounds: int) -> Iterator[Yard]:
    """Give a yard over a database that is closed afterwards."""
    made = Yard(folder, url, msgspec.structs.replace(QueueBounds(), **bounds))
    try:
        yield made
    finally:
        made.work.close()

"""Gives queued jobs to workers, and finds those whose workers went away: whoever dispatches may die at any moment.

All that is remembered stands in the book and in the folders: a dispatcher that is started again knows what the one
before it knew. A job is at work under a lease; an attempt whose lease was taken away writes nothing more.
"""

import secrets
from collections.abc import Callable

import msgspec

from manjha.domain.jobs import AT_WORK, Job, JobProblem, JobState
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.ports.clock import Clock
from manjha.ports.jobs import JobFolders, JobProcesses
from manjha.ports.unit_of_work import UnitOfWork
from manjha.services.jobs.desk import queued_again
from manjha.services.jobs.kinds import TRIES, Kinds

LEASE_BYTES = 16
START_NS = 60 * SECOND_NS
"""How long a worker may take to say that it is there."""
SILENT_NS = 120 * SECOND_NS
"""How long a worker that lives may say nothing before it counts as stuck and is killed."""
TERM_NS = 15 * SECOND_NS
"""How long a worker may take to stop when it is asked, before it is told to end."""
KILL_NS = 30 * SECOND_NS
"""How long in all, before it is killed."""
DAY_NS = 86_400 * SECOND_NS


class Upkeep(msgspec.Struct, frozen=True):
    """How many jobs are at work at once, and for how many days what has ended is kept."""

    workers: int = 2
    keep_days: int = 30


class Dispatcher:
    """One step after another: look at who works, then give out what waits."""

    def __init__(
        self, kinds: Kinds, work: UnitOfWork, folders: JobFolders, processes: JobProcesses, clock: Clock
    ) -> None:
        self._kinds, self._work, self._folders = kinds, work, folders
        self._processes, self._clock = processes, clock
        self._told: set[str] = set()

    def step(self, upkeep: Upkeep) -> list[str]:
        """Do what is to be done now, and return what a log should have of it."""
        place = self._folders.place()
        with self._work.begin() as records:
            found = records.jobs.open_jobs(place)
        said: list[str] = []
        for job in found:
            if job.state in AT_WORK:
                said += self._looked_after(job)
        busy = {job.id for job in found if job.state in AT_WORK}
        waiting = [job for job in found if job.state is JobState.QUEUED and job.kind in self._kinds]
        for job in waiting[: max(0, upkeep.workers - len(busy))]:
            said += self._given_out(job)
        return said

    def sweep(self, upkeep: Upkeep) -> list[str]:
        """Forget jobs that ended long ago with their files, and folders that belong to no job of this book."""
        place, now = self._folders.place(), self._clock.now_ns()
        before = TsNs(now - upkeep.keep_days * DAY_NS)
        with self._work.begin() as records:
            records.jobs.lock()
            old = records.jobs.ended_before(place, before)
            for job in old:
                records.jobs.remove(job.id)
        for job in old:
            self._folders.remove(job.id)
        return [f"{len(old)} jobs that ended more than {upkeep.keep_days} days ago were deleted"] if old else []

    def _given_out(self, job: Job) -> list[str]:
        """Give a job that waits to a worker of its own."""
        lease, now = secrets.token_hex(LEASE_BYTES), self._clock.now_ns()
        taken = self._changed(
            job,
            lambda now_it_is: msgspec.structs.replace(
                now_it_is,
                state=JobState.RUNNING,
                lease=lease,
                pid=0,
                beat_ns=now,
                started_ns=now_it_is.started_ns or now,
                attempt=now_it_is.attempt + 1,
            ),
        )
        if not taken:
            return []
        try:
            self._processes.start(job.id, lease)
        except OSError as error:
            why = f"no worker could be started: {error.strerror or error}"
            self._changed(taken, lambda held: _gone(held, why, now))
            return [f"job {job.id}: {why}"]
        return [f"job {job.id} ({job.kind}), attempt {taken.attempt}, was given to a worker"]

    def _looked_after(self, job: Job) -> list[str]:
        """See whether the worker of a job lives, does what it is told, and says something."""
        now = self._clock.now_ns()
        silent = now - (job.beat_ns or 0)
        if not self._processes.is_alive(job.id):
            if not job.pid and silent < START_NS and not self._processes.ended(job.id):
                return []
            return self._buried(job, self._processes.ended(job.id) or "its process was gone")
        if silent > SILENT_NS:
            self._processes.stop(job.id, by_force=True)
            return [f"job {job.id}: its worker said nothing for {silent // SECOND_NS} s and is killed"]
        asked = now - (job.cancel_ns or now) if job.state is JobState.CANCELLING else 0
        if asked > KILL_NS:
            self._processes.stop(job.id, by_force=True)
        elif asked > TERM_NS and job.lease not in self._told:
            self._told.add(job.lease)
            self._processes.stop(job.id, by_force=False)
        return []

    def _buried(self, job: Job, how: str) -> list[str]:
        """A worker went without a word: its job is cancelled where that was asked, waits again, or is lost."""
        now = self._clock.now_ns()
        changed = self._changed(job, lambda held: _gone(held, f"the worker died ({how})", now))
        self._told.discard(job.lease)
        return [f"job {job.id}: its worker died ({how}); it is {changed.state}"] if changed else []

    def _changed(self, seen: Job, change: Callable[[Job], Job]) -> Job | None:
        """Change a job unless it is no longer as it was seen: another state, or another attempt."""
        with self._work.begin() as records:
            records.jobs.lock()
            job = records.jobs.find(seen.id)
            if job is None or (job.lease, job.state in AT_WORK) != (seen.lease, seen.state in AT_WORK):
                return None
            if seen.state is JobState.QUEUED and job.state is not JobState.QUEUED:
                return None
            return records.jobs.put(change(job))


def _gone(job: Job, why: str, now: TsNs) -> Job:
    """Return a job whose worker is no more."""
    deaths = job.deaths + 1
    if job.state is JobState.CANCELLING:
        problem = JobProblem(f"{why} before it had stopped by itself", "What it had recorded before that is kept.")
        state = JobState.CANCELLED
    elif deaths >= TRIES:
        problem = JobProblem(
            f"{why}; that was {deaths} times in a row",
            "The worker.log in its folder may say why; where memory ran out, ask for less at once. Then resume it.",
        )
        state = JobState.LOST
    else:
        words = msgspec.structs.replace(job.progress, words=f"{why}; waits to go on", left_s=None)
        return msgspec.structs.replace(queued_again(job), deaths=deaths, progress=words)
    return msgspec.structs.replace(job, state=state, ended_ns=now, deaths=deaths, problem=problem, lease="", pid=0)

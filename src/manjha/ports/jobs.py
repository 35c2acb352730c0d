"""What jobs need of the outside: a book of them, a folder for each, processes that do them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from manjha.domain.jobs import Artefact, Job, JobId, JobState
from manjha.domain.moments import TsNs


class JobBook(Protocol):
    """Jobs, within one transaction."""

    def lock(self) -> None:
        """Let nobody else write jobs until the transaction ends. Call it before reading what is to be changed."""
        ...

    def add(self, job: Job) -> Job:
        """Record a new job and return it with its numbers. Raises `UsageError` where its id, or its key, is there."""
        ...

    def put(self, job: Job) -> Job:
        """Write a job as it is now and return it with its new `changed`. Raises `UsageError` if there is none."""
        ...

    def find(self, job_id: JobId) -> Job | None:
        """Return a job; None if there is none."""
        ...

    def keyed(self, by: str, key: str) -> Job | None:
        """Return the job that a caller asked for under a key; None if there is none."""
        ...

    def open_jobs(self, place: str) -> Sequence[Job]:
        """Return the jobs of a home that are queued or at work, oldest first."""
        ...

    def jobs(
        self,
        *,
        kind: str = "",
        by: str = "",
        states: Sequence[JobState] = (),
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[Job]:
        """Return jobs of a lower number than `before`, newest first; empty stands for all kinds, callers or states."""
        ...

    def changes(self, after: int, limit: int = 100) -> Sequence[Job]:
        """Return the jobs that changed after that change, as they are now, by their last change."""
        ...

    def last_change(self) -> int:
        """Return the number of the last change; 0 where there was none."""
        ...

    def ended_before(self, place: str, before_ns: TsNs, limit: int = 100) -> Sequence[Job]:
        """Return jobs of a home that ended before a moment, oldest first."""
        ...

    def remove(self, job_id: JobId) -> None:
        """Forget a job. Nothing happens where there is none."""
        ...


class JobWatch(Protocol):
    """Changes of jobs for a stream: each job as it is now, by a number that only grows."""

    def changes(self, after: int, limit: int = 100) -> Sequence[Job]:
        """Return the jobs that changed after that change, by their last change; several of one are told once."""
        ...

    def last_change(self) -> int:
        """Return the number of the last change, from which on to watch; 0 where there was none."""
        ...


class JobFolders(Protocol):
    """The files of jobs: what was uploaded for one, and what it made. All names are ours."""

    def place(self) -> str:
        """Return the name of this home, made once: jobs of another home that share a database are not ours."""
        ...

    def make(self, job_id: JobId) -> None:
        """Make the folder of a job."""
        ...

    def take_upload(self, job_id: JobId, name: str, pieces: Iterable[bytes], limit: int) -> str:
        """Store a file that somebody sent and return its safe name; `name` is a mere wish, of which no path is used.

        Raises
        ------
        UsageError
            It is longer than `limit` bytes; nothing of it is kept.
        """
        ...

    def uploads(self, job_id: JobId) -> Sequence[Path]:
        """Return what was uploaded, in that order."""
        ...

    def begin(self, job_id: JobId) -> None:
        """Take away what an earlier attempt made."""
        ...

    def keep(self, job_id: JobId, name: str, media: str, data: bytes) -> Artefact:
        """Store what a job made, whole or not at all, and return what to list."""
        ...

    def artefact(self, job_id: JobId, name: str) -> Path:
        """Return where a file lies that a job made. Raises `UsageError` where there is none of that name."""
        ...

    def remove(self, job_id: JobId) -> None:
        """Delete a job's folder."""
        ...

    def strays(self) -> Sequence[JobId]:
        """Return the jobs that have a folder."""
        ...


class JobProcesses(Protocol):
    """Workers: one process a job."""

    def start(self, job_id: JobId, lease: str) -> None:
        """Start a worker for an attempt. Raises `OSError` where the machine refuses."""
        ...

    def is_alive(self, job_id: JobId) -> bool:
        """Tell whether a worker of that job lives, whoever started it."""
        ...

    def stop(self, job_id: JobId, *, by_force: bool) -> None:
        """Tell the worker of a job to end; by force, kill it and what it started. Nothing happens where none lives."""
        ...

    def ended(self, job_id: JobId) -> str:
        """Return how the worker of a job that does not live any more ended, in words; empty where that is not known."""
        ...

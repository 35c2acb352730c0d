"""Jobs: work that somebody asked for and that processes of its own do, as values that outlive every process."""

from enum import StrEnum
from typing import NewType

import msgspec

from manjha.domain.moments import TsNs

JobId = NewType("JobId", str)


class JobState(StrEnum):
    """Where a job stands.

    QUEUED waits for a worker. RUNNING has one. CANCELLING has one that was asked to stop. CANCELLED stopped because
    somebody asked. FAILED ended with an error, whose words it has. LOST went with its workers more often than it may.
    DONE has its result.
    """

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    FAILED = "failed"
    LOST = "lost"
    DONE = "done"


OPEN = (JobState.QUEUED, JobState.RUNNING, JobState.CANCELLING)
"""States that a job leaves by itself."""
AT_WORK = (JobState.RUNNING, JobState.CANCELLING)
"""States in which a worker has the job."""
ENDED = (JobState.CANCELLED, JobState.FAILED, JobState.LOST, JobState.DONE)
"""States that only a person changes."""


class JobProgress(msgspec.Struct, frozen=True, gc=False):
    """How far a job is: `done` of `total`, 0 of 0 where that is not known; `left_s` seconds may be left, or None."""

    done: int = 0
    total: int = 0
    words: str = ""
    left_s: int | None = None


class JobProblem(msgspec.Struct, frozen=True, gc=False):
    """Why a job has no result, or not the whole of it, and what to do next."""

    message: str
    hint: str = ""


class Artefact(msgspec.Struct, frozen=True, gc=False):
    """A file that a job made: its name (ours, never a user's), its media type, its length in bytes and its SHA-256."""

    name: str
    media: str
    size: int
    sha256: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job. `asked` are its parameters and `summary` the gist of its result, both as JSON.

    `number` counts jobs in the order in which they were made, `changed` counts changes of all jobs: both are the
    book's. `place` is the home whose data it works on. `key` names a request that may be sent twice.
    `lease` is the token of the attempt that has it, empty where none has; `beat_ns` is when that attempt was last heard
    of, and `pid` its process, 0 until it says so. `attempt` counts starts, `deaths` those since it was asked for that
    ended without a word. `cancel_ns` is when somebody asked it to stop. Moments are UTC ns.
    """

    id: JobId
    kind: str
    asked: str
    by: str
    place: str
    made_ns: TsNs
    key: str = ""
    state: JobState = JobState.QUEUED
    progress: JobProgress = JobProgress()
    started_ns: TsNs | None = None
    ended_ns: TsNs | None = None
    summary: str = ""
    artefacts: tuple[Artefact, ...] = ()
    problem: JobProblem | None = None
    attempt: int = 0
    deaths: int = 0
    lease: str = ""
    pid: int = 0
    beat_ns: TsNs | None = None
    cancel_ns: TsNs | None = None
    number: int = 0
    changed: int = 0

    @property
    def is_ended(self) -> bool:
        """Tell whether it stays as it is until a person changes that."""
        return self.state in ENDED

"""Implements `ports.jobs.JobBook` over SQL."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from manjha.adapters.sql.job_tables import JOB_CHANGES, JOBS
from manjha.adapters.sql.rows import columns_of
from manjha.domain.errors import UsageError
from manjha.domain.jobs import ENDED, OPEN, Artefact, Job, JobId, JobProblem, JobProgress, JobState
from manjha.domain.moments import TsNs

_COUNTER = JOB_CHANGES.c.id == 1
_ARTEFACTS = msgspec.json.Decoder(tuple[Artefact, ...])
_PROGRESS = msgspec.json.Decoder(JobProgress)
_PROBLEM = msgspec.json.Decoder(JobProblem | None)


class SqlJobBook:
    """Jobs, within one transaction.

    All who write hold the row that counts changes until they commit, so that a change that is seen has every change of
    a lower number before it: whoever watches by number misses none.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lock(self) -> None:
        """Let nobody else write. See the port."""
        # SQLite's transactions are alone from their beginning, and it is not told of the lock.
        self._connection.execute(select(JOB_CHANGES.c.last).where(_COUNTER).with_for_update())

    def add(self, job: Job) -> Job:
        """Record a new job. See the port."""
        changed = self._next_change()
        try:
            made = self._connection.execute(insert(JOBS).values(**_values(job), changed=changed))
        except IntegrityError as error:
            raise UsageError(
                f"there is a job of id {job.id} already, or one that {job.by} asked for under the key {job.key!r}",
                hint="Look at that one, or give another key.",
            ) from error
        number = made.inserted_primary_key[0] if made.inserted_primary_key else 0
        return msgspec.structs.replace(job, number=number, changed=changed)

    def put(self, job: Job) -> Job:
        """Write a job as it is now. See the port."""
        changed = self._next_change()
        written = update(JOBS).where(JOBS.c.id == job.id).values(**_values(job), changed=changed)
        if self._connection.execute(written).rowcount != 1:
            raise UsageError(f"there is no job {job.id}", hint="The list of jobs has their ids.")
        return msgspec.structs.replace(job, changed=changed)

    def find(self, job_id: JobId) -> Job | None:
        """Return a job. See the port."""
        return next(iter(self._of(select(JOBS).where(JOBS.c.id == job_id))), None)

    def keyed(self, by: str, key: str) -> Job | None:
        """Return the job of a key. See the port."""
        return next(iter(self._of(select(JOBS).where(JOBS.c.by == by, JOBS.c.key == key, JOBS.c.key != ""))), None)

    def open_jobs(self, place: str) -> list[Job]:
        """Return what is queued or at work. See the port."""
        table = JOBS.c
        return self._of(select(JOBS).where(table.place == place, table.state.in_(OPEN)).order_by(table.number))

    def jobs(
        self,
        *,
        kind: str = "",
        by: str = "",
        states: Sequence[JobState] = (),
        before: int | None = None,
        limit: int = 100,
    ) -> list[Job]:
        """Return jobs, newest first. See the port."""
        table, asked = JOBS.c, select(JOBS)
        if kind:
            asked = asked.where(table.kind == kind)
        if by:
            asked = asked.where(table.by == by)
        if states:
            asked = asked.where(table.state.in_(states))
        if before is not None:
            asked = asked.where(table.number < before)
        return self._of(asked.order_by(table.number.desc()).limit(limit))

    def changes(self, after: int, limit: int = 100) -> list[Job]:
        """Return jobs by their last change. See the port."""
        table = JOBS.c
        return self._of(select(JOBS).where(table.changed > after).order_by(table.changed).limit(limit))

    def last_change(self) -> int:
        """Return the number of the last change. See the port."""
        return int(self._connection.scalar(select(JOB_CHANGES.c.last).where(_COUNTER)) or 0)

    def ended_before(self, place: str, before_ns: TsNs, limit: int = 100) -> list[Job]:
        """Return jobs that ended before a moment. See the port."""
        table = JOBS.c
        old = select(JOBS).where(table.place == place, table.state.in_(ENDED), table.ended_ns < before_ns)
        return self._of(old.order_by(table.number).limit(limit))

    def remove(self, job_id: JobId) -> None:
        """Forget a job. See the port."""
        self.lock()
        self._connection.execute(delete(JOBS).where(JOBS.c.id == job_id))

    def _next_change(self) -> int:
        self._connection.execute(update(JOB_CHANGES).where(_COUNTER).values(last=JOB_CHANGES.c.last + 1))
        return self.last_change()

    def _of(self, asked: Select[Any]) -> list[Job]:
        return [_job(row) for row in self._connection.execute(asked)]


def _values(job: Job) -> dict[str, Any]:
    """Return the columns of a job; its numbers are the book's."""
    held = {name: value for name, value in msgspec.structs.asdict(job).items() if name not in ("number", "changed")}
    texts = {name: msgspec.json.encode(held[name]).decode() for name in ("progress", "artefacts", "problem")}
    return held | texts


def _job(row: Row[Any]) -> Job:
    held = columns_of(row)
    return Job(
        **{
            **held,
            "state": JobState(held["state"]),
            "progress": _PROGRESS.decode(held["progress"]),
            "artefacts": _ARTEFACTS.decode(held["artefacts"]),
            "problem": _PROBLEM.decode(held["problem"]),
        }
    )

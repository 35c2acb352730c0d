"""The desk where jobs are asked for, looked at, stopped, asked for again and thrown away."""

import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from manjha.domain.errors import NoSuchJob, QueueFull, UsageError
from manjha.domain.jobs import AT_WORK, ENDED, Artefact, Job, JobId, JobProgress, JobState
from manjha.ports.clock import Clock
from manjha.ports.jobs import JobFolders
from manjha.ports.unit_of_work import Records, UnitOfWork
from manjha.services.jobs.asked import Asked
from manjha.services.jobs.kinds import Kinds, kind_of, read_asked

ID_BYTES = 12
KEY_MAX = 200
"""Letters of a key."""
UPLOADS_MAX = 50
"""Files of one job."""


class QueueBounds(msgspec.Struct, frozen=True):
    """How many jobs may wait in all, and of one caller; `upload_bytes` may be sent with one job."""

    waiting: int = 100
    per_caller: int = 20
    upload_bytes: int = 512 << 20


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for what. Under the same `key` a caller gets the same job, however often the request is sent."""

    kind: str
    content: object
    by: str
    key: str = ""


Upload = tuple[str, Iterable[bytes]]
"""A file as it comes in: the name that its sender gives it, and its content in pieces."""


class JobDesk:
    """Takes jobs in and says how they stand. Nothing here does any of the work."""

    def __init__(self, kinds: Kinds, work: UnitOfWork, folders: JobFolders, clock: Clock, bounds: QueueBounds) -> None:
        self._kinds, self._work, self._folders, self._clock, self._bounds = kinds, work, folders, clock, bounds

    @property
    def upload_bytes(self) -> int:
        """How many bytes may be sent with one job."""
        return self._bounds.upload_bytes

    def submit(self, wish: Wish, uploads: Iterable[Upload] = ()) -> Job:
        """Check what is asked, queue it and return the job.

        Raises
        ------
        QueueFull
            As much waits as may wait.
        UsageError
            What is asked cannot be, in the words of the command of the same name; or the key was used for another job.
        """
        kind = kind_of(self._kinds, wish.kind)
        asked = read_asked(kind, wish.content)
        if len(wish.key) > KEY_MAX:
            raise UsageError(f"a key has at most {KEY_MAX} letters, this one has {len(wish.key)}")
        with self._work.begin() as records:
            before = self._same(records, wish, asked)
            if before is not None:
                return before
            self._require_room(records, wish.by)
        try:
            kind.check(asked)
        except (ArithmeticError, ValueError) as error:
            raise UsageError(f"a value is out of its range: {error}", hint="Look for the largest one.") from None
        return self._queued(wish, asked, uploads)

    def find(self, job_id: JobId) -> Job:
        """Return a job. Raises `NoSuchJob`."""
        with self._work.begin() as records:
            return _known(records, job_id)

    def jobs(
        self,
        *,
        kind: str = "",
        by: str = "",
        states: Sequence[JobState] = (),
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[Job]:
        """Return jobs, newest first, of a lower number than `before`."""
        with self._work.begin() as records:
            return records.jobs.jobs(kind=kind, by=by, states=states, before=before, limit=limit)

    def cancel(self, job_id: JobId) -> Job:
        """Ask a job to stop. One that waits is cancelled at once; one that has ended stays as it is. `NoSuchJob`."""
        now = self._clock.now_ns()
        with self._work.begin() as records:
            records.jobs.lock()
            job = _known(records, job_id)
            if job.state is JobState.QUEUED:
                return records.jobs.put(
                    msgspec.structs.replace(job, state=JobState.CANCELLED, ended_ns=now, cancel_ns=now)
                )
            if job.state is JobState.RUNNING:
                return records.jobs.put(msgspec.structs.replace(job, state=JobState.CANCELLING, cancel_ns=now))
            return job

    def resume(self, job_id: JobId) -> Job:
        """Queue a job again that was cancelled, failed or lost: it goes on, or begins again, as its kind does.

        Raises
        ------
        QueueFull
            As much waits as may wait.
        UsageError
            There is none (`NoSuchJob`), it is done, or it has not ended yet.
        """
        with self._work.begin() as records:
            records.jobs.lock()
            job = _known(records, job_id)
            if job.state not in ENDED or job.state is JobState.DONE:
                raise UsageError(
                    f"the job {job.id} is {job.state}: only one that was cancelled, failed or lost is resumed",
                    hint="Ask for a new job of the same parameters." if job.is_ended else "Wait for it, or cancel it.",
                )
            self._require_room(records, job.by)
            return records.jobs.put(queued_again(msgspec.structs.replace(job, deaths=0)))

    def remove(self, job_id: JobId) -> None:
        """Forget a job that has ended, and delete its files. Raises `UsageError` while it waits or works."""
        with self._work.begin() as records:
            records.jobs.lock()
            job = _known(records, job_id)
            if not job.is_ended:
                raise UsageError(f"the job {job.id} is {job.state}", hint="Cancel it first.")
            records.jobs.remove(job.id)
        self._folders.remove(job.id)

    def artefact(self, job_id: JobId, name: str) -> tuple[Artefact, Path]:
        """Return a file that a job made, and where it lies. Raises `NoSuchJob` where there is none of that name."""
        job = self.find(job_id)
        listed = next((one for one in job.artefacts if one.name == name), None)
        if listed is None:
            known = ", ".join(one.name for one in job.artefacts) or "none"
            raise NoSuchJob(f"the job {job.id} has no artefact of that name", hint=f"It has: {known}.")
        return listed, self._folders.artefact(job.id, listed.name)

    def _same(self, records: Records, wish: Wish, asked: Asked) -> Job | None:
        """Return the job of a key, where it was used; it must have asked for the same."""
        before = records.jobs.keyed(wish.by, wish.key) if wish.key else None
        if before is not None and (before.kind, before.asked) != (wish.kind, as_json(asked)):
            raise UsageError(
                f"the key was used for another job, {before.id}, of kind {before.kind}",
                hint="Give another Idempotency-Key, or repeat the first request unchanged.",
            )
        return before

    def _require_room(self, records: Records, by: str) -> None:
        """Refuse what would wait behind too many. Raises `QueueFull`."""
        waiting = records.jobs.jobs(states=[JobState.QUEUED], limit=self._bounds.waiting)
        own = sum(job.by == by for job in waiting)
        if len(waiting) >= self._bounds.waiting:
            raise QueueFull(f"{len(waiting)} jobs are waiting, no more are taken", hint="Ask again when some are done.")
        if own >= self._bounds.per_caller:
            raise QueueFull(
                f"{own} of your jobs are waiting, no more are taken", hint="Wait until some are done, or cancel them."
            )

    def _queued(self, wish: Wish, asked: Asked, uploads: Iterable[Upload]) -> Job:
        job = Job(
            id=JobId(secrets.token_hex(ID_BYTES)),
            kind=wish.kind,
            asked=as_json(asked),
            by=wish.by,
            place=self._folders.place(),
            key=wish.key,
            made_ns=self._clock.now_ns(),
        )
        self._folders.make(job.id)
        try:
            self._take(job.id, uploads)
            with self._work.begin() as records:
                records.jobs.lock()
                # Somebody may have sent the same request, or filled the queue, since we looked.
                made = self._same(records, wish, asked)
                if made is None:
                    self._require_room(records, wish.by)
                    made = records.jobs.add(job)
        except BaseException:
            self._folders.remove(job.id)
            raise
        if made.id != job.id:
            self._folders.remove(job.id)
        return made

    def _take(self, job_id: JobId, uploads: Iterable[Upload]) -> None:
        left = self._bounds.upload_bytes
        for count, (name, pieces) in enumerate(uploads):
            if count >= UPLOADS_MAX:
                raise UsageError(f"at most {UPLOADS_MAX} files are taken at once", hint="Send an archive, or less.")
            self._folders.take_upload(job_id, name, pieces, left)
            left = self._bounds.upload_bytes - sum(path.stat().st_size for path in self._folders.uploads(job_id))


def as_json(asked: Asked) -> str:
    """Return parameters as the book keeps them."""
    return msgspec.json.encode(asked).decode()


def queued_again(job: Job) -> Job:
    """Return a job that waits for its next attempt; what it is known to have done stays to be seen."""
    return msgspec.structs.replace(
        job,
        state=JobState.QUEUED,
        progress=JobProgress(words="waits to go on"),
        ended_ns=None,
        cancel_ns=None,
        problem=None,
        lease="",
        pid=0,
        beat_ns=None,
    )


def is_held(job: Job, lease: str) -> bool:
    """Tell whether an attempt still has its job: nobody else was given it, and nobody ended it."""
    return job.state in AT_WORK and bool(lease) and job.lease == lease


def _known(records: Records, job_id: JobId) -> Job:
    found = records.jobs.find(job_id)
    if found is None:
        raise NoSuchJob(f"there is no job {job_id[:80]}", hint="The list of jobs has their ids.")
    return found


class BookWatch:
    """Implements `ports.jobs.JobWatch` over the book."""

    def __init__(self, work: UnitOfWork) -> None:
        self._work = work

    def changes(self, after: int, limit: int = 100) -> Sequence[Job]:
        """Return what changed. See the port."""
        with self._work.begin() as records:
            return records.jobs.changes(after, limit)

    def last_change(self) -> int:
        """Return the number of the last change. See the port."""
        with self._work.begin() as records:
            return records.jobs.last_change()

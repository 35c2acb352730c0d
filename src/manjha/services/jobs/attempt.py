"""One attempt at a job, seen from its worker: it says how far it is, hears whether to stop, and ends the job."""

from collections.abc import Callable
from typing import Any

import msgspec

from manjha.domain.errors import ManjhaError
from manjha.domain.jobs import Artefact, Job, JobId, JobProblem, JobProgress, JobState
from manjha.domain.moments import SECOND_NS
from manjha.ports.clock import Clock
from manjha.ports.unit_of_work import Records, UnitOfWork
from manjha.services.jobs.desk import is_held, queued_again


class Outcome(msgspec.Struct, frozen=True):
    """What an attempt came to. `summary` is the gist of the result; `is_whole` is False where it was interrupted.

    With a `problem` it failed, and what it made is kept all the same.
    """

    summary: dict[str, Any]
    artefacts: tuple[Artefact, ...]
    is_whole: bool = True
    problem: JobProblem | None = None


class LeaseLost(ManjhaError):  # noqa: N818 - a word of jobs, as the others of the tree
    """The attempt no longer has its job: another one does, or somebody ended it. It must write nothing more."""


class Attempt:
    """A job under a lease. Every word to the book is said under it, so that two attempts never both speak."""

    def __init__(self, work: UnitOfWork, clock: Clock, job_id: JobId, lease: str) -> None:
        self._work, self._clock, self._job_id, self._lease = work, clock, job_id, lease

    def begin(self, pid: int) -> Job:
        """Say that the worker is there, and return the job. Raises `LeaseLost`."""
        now = self._clock.now_ns()
        return self._say(lambda job: msgspec.structs.replace(job, pid=pid, beat_ns=now))

    def beat(self, progress: JobProgress | None) -> bool:
        """Say that the worker lives, and how far it is; tell whether it is asked to stop. Raises `LeaseLost`."""
        now = self._clock.now_ns()

        def told(job: Job) -> Job:
            return msgspec.structs.replace(job, beat_ns=now, progress=progress or job.progress)

        return self._say(told).state is JobState.CANCELLING

    def look(self) -> bool:
        """Tell whether it is asked to stop, and write nothing. Raises `LeaseLost`."""
        with self._work.begin() as records:
            return self._own(records).state is JobState.CANCELLING

    def end(self, outcome: Outcome) -> Job:
        """Write what came of it. Raises `LeaseLost`.

        What was interrupted is cancelled where somebody asked for that, and else waits to go on: its machine is being
        stopped. What was whole before the wish to cancel came is done.
        """
        return self._say(lambda job: self._ended(job, outcome))

    def fail(self, problem: JobProblem, artefacts: tuple[Artefact, ...] = ()) -> Job:
        """Write that it cannot be done, and why. Raises `LeaseLost`."""
        now = self._clock.now_ns()
        return self._say(
            lambda job: msgspec.structs.replace(
                job, state=JobState.FAILED, problem=problem, artefacts=artefacts, ended_ns=now, beat_ns=now, lease=""
            )
        )

    def _ended(self, job: Job, outcome: Outcome) -> Job:
        now = self._clock.now_ns()
        if not outcome.is_whole and job.state is not JobState.CANCELLING:
            return queued_again(job)
        state = JobState.DONE if outcome.is_whole else JobState.CANCELLED
        if outcome.is_whole and outcome.problem is not None:
            state = JobState.FAILED
        progress = msgspec.structs.replace(job.progress, words=str(state), left_s=None)
        return msgspec.structs.replace(
            job,
            state=state,
            progress=progress,
            summary=msgspec.json.encode(outcome.summary).decode(),
            artefacts=outcome.artefacts,
            problem=outcome.problem,
            ended_ns=now,
            beat_ns=now,
            lease="",
        )

    def _say(self, change: Callable[[Job], Job]) -> Job:
        with self._work.begin() as records:
            records.jobs.lock()
            job = self._own(records)
            return records.jobs.put(change(job))

    def _own(self, records: Records) -> Job:
        job = records.jobs.find(self._job_id)
        if job is None or not is_held(job, self._lease):
            raise LeaseLost(f"the job {self._job_id} was given to another attempt or ended", hint="This one ends.")
        return job


class Pace:
    """Makes progress of what a job tells: at most what is new, with the time that is left as it went so far."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._words, self._done, self._total = "", 0, 0
        self._began_ns, self._began_done = clock.now_ns(), 0

    def tell(self, words: str, done: int, total: int) -> None:
        """Hear how far the job is; a new stage is measured from its own beginning."""
        if words != self._words or done < self._done:
            self._began_ns, self._began_done = self._clock.now_ns(), done
        self._words, self._done, self._total = words, done, total

    def progress(self) -> JobProgress:
        """Return how far it is."""
        done, total, moved = self._done, self._total, self._done - self._began_done
        left = None
        if moved > 0 and total >= done:
            passed = self._clock.now_ns() - self._began_ns
            left = passed * (total - done) // moved // SECOND_NS
        return JobProgress(done, total, self._words[-200:], left)

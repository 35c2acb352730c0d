"""Whatever dies and in whatever order: a job has one attempt at a time, one end, and ends."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from manjha.domain.jobs import AT_WORK, ENDED, Job, JobId, JobProgress, JobState
from manjha.services.jobs.attempt import Attempt, LeaseLost, Outcome
from manjha.services.jobs.dispatch import Upkeep
from manjha.services.jobs.kinds import TRIES
from tests.fakes.jobs import yard_in

WORKERS = 2
WAYS: dict[JobState, set[JobState]] = {
    JobState.QUEUED: {JobState.RUNNING, JobState.CANCELLED},
    JobState.RUNNING: {JobState.QUEUED, JobState.CANCELLING, JobState.FAILED, JobState.LOST, JobState.DONE},
    JobState.CANCELLING: {JobState.CANCELLED, JobState.FAILED, JobState.DONE},
    JobState.CANCELLED: {JobState.QUEUED},
    JobState.FAILED: {JobState.QUEUED},
    JobState.LOST: {JobState.QUEUED},
    JobState.DONE: set(),
}
"""What may follow each state; several steps may lie between two looks."""


class Lives(RuleBasedStateMachine):
    """People, a dispatcher that is started again, workers that die, and old workers that still speak."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.context = yard_in(Path(self.folder.name))
        self.yard = self.context.__enter__()
        self.yard.upkeep = Upkeep(workers=WORKERS)
        self.jobs: list[JobId] = []
        self.attempts: list[tuple[JobId, str]] = []
        self.ended_by: dict[tuple[JobId, int], list[str]] = {}
        self.seen: dict[JobId, JobState] = {}

    def teardown(self) -> None:
        """Let everything come to its end, then look that it has."""
        try:
            for _ in range(4 * TRIES * (len(self.jobs) + 1)):
                self.dispatch(1)
                for job in self.all():
                    if job.state in AT_WORK and job.id in self.yard.processes.alive:
                        self.speaker(job.id, job.lease).end(Outcome({}, ()))
            assert all(job.state in ENDED for job in self.all())
            assert all(len(ends) == 1 for ends in self.ended_by.values())
        finally:
            self.context.__exit__(None, None, None)
            self.folder.cleanup()

    def all(self) -> list[Job]:
        return [self.yard.desk.find(job) for job in self.jobs]

    def speaker(self, job: JobId, lease: str) -> Attempt:
        return Attempt(self.yard.work, self.yard.clock, job, lease)

    @precondition(lambda self: len(self.jobs) < 4)
    @rule(kind=st.sampled_from(["stone", "pebble"]))
    def ask(self, kind: str) -> None:
        """Ask for a job."""
        self.jobs.append(self.yard.ask(kind).id)

    @rule(seconds=st.sampled_from([1, 20, 61, 121]))
    def dispatch(self, seconds: int) -> None:
        """Have the dispatcher look, some time later."""
        self.yard.step(seconds)
        for job in self.all():
            if job.lease and (job.id, job.lease) not in self.attempts:
                self.attempts.append((job.id, job.lease))

    @rule()
    def new_dispatcher(self) -> None:
        """The dispatcher dies and is started again."""
        self.yard.dispatcher = self.yard.new_dispatcher()

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), whole=st.booleans(), how=st.sampled_from(["begin", "beat", "end"]))
    def speak(self, data: st.DataObject, whole: bool, how: str) -> None:
        """A worker speaks, or one of an attempt that was given up long ago."""
        job_id, lease = data.draw(st.sampled_from(self.attempts))
        before = self.yard.desk.find(job_id)
        speaker = self.speaker(job_id, lease)
        try:
            if how == "begin":
                speaker.begin(7)
            elif how == "beat":
                speaker.beat(JobProgress(1, 2, "lifting"))
            elif speaker.end(Outcome({}, (), is_whole=whole)).state in ENDED:
                self.ended_by.setdefault((job_id, before.attempt), []).append(lease)
        except LeaseLost:
            assert before.lease != lease
            return
        assert before.lease == lease

    @precondition(lambda self: self.yard.processes.alive)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """A worker is killed."""
        self.yard.processes.alive.discard(data.draw(st.sampled_from(sorted(self.yard.processes.alive))))

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Somebody asks a job to stop."""
        self.yard.desk.cancel(data.draw(st.sampled_from(self.jobs)))

    @precondition(lambda self: any(job.is_ended and job.state is not JobState.DONE for job in self.all()))
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        """Somebody goes on with a job."""
        ready = [job.id for job in self.all() if job.is_ended and job.state is not JobState.DONE]
        self.yard.desk.resume(data.draw(st.sampled_from(ready)))

    @invariant()
    def states_follow_each_other(self) -> None:
        """Each state is one that may come of the one before, and has what belongs to it."""
        for job in self.all():
            before = self.seen.get(job.id, JobState.QUEUED)
            ways, reach = {before}, {before}
            for _ in WAYS:
                reach = {after for state in reach for after in WAYS[state]}
                ways |= reach
            assert job.state in ways
            assert (before is JobState.DONE) <= (job.state is JobState.DONE)
            assert bool(job.lease) == (job.state in AT_WORK)
            assert (job.ended_ns is not None) == job.is_ended
            assert job.deaths <= TRIES
            self.seen[job.id] = job.state

    @invariant()
    def no_more_work_than_may(self) -> None:
        """As many jobs have a lease as there may be workers, and no two share one."""
        leases = [job.lease for job in self.all() if job.lease]
        assert len(leases) == len(set(leases)) <= WORKERS


Lives.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
test_lives_of_jobs = Lives.TestCase

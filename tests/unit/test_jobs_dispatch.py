"""Workers die, hang, come too late; dispatchers are started again: every job ends in a true state."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from manjha.domain.jobs import JobProblem, JobProgress, JobState
from manjha.services.jobs.attempt import LeaseLost, Outcome, Pace
from manjha.services.jobs.dispatch import KILL_NS, SILENT_NS, START_NS, TERM_NS
from tests.fakes.jobs import HandClock, Yard, yard_in

S = 1_000_000_000


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with yard_in(tmp_path) as made:
        yield made


def test_as_many_jobs_are_at_work_as_may_be_the_oldest_first(yard: Yard) -> None:
    jobs = [yard.ask(), yard.ask(), yard.ask()]
    yard.step()
    assert [yard.now(job).state for job in jobs] == [JobState.RUNNING, JobState.RUNNING, JobState.QUEUED]
    attempt = yard.attempt(jobs[0])
    attempt.begin(1)
    attempt.end(Outcome({"lifted": 1}, ()))
    yard.step()
    assert [yard.now(job).state for job in jobs] == [JobState.DONE, JobState.RUNNING, JobState.RUNNING]


def test_jobs_of_another_home_are_left_alone(yard: Yard, tmp_path: Path) -> None:
    job = yard.ask()
    with yard_in(tmp_path / "other", url=f"sqlite:///{tmp_path / 'records.db'}") as other:
        assert other.step() == []
        assert other.now(job).state is JobState.QUEUED


def test_a_job_whose_worker_died_is_done_again_and_lost_after_three_deaths(yard: Yard) -> None:
    job, _ = yard.at_work()
    for death in (1, 2):
        yard.processes.alive.clear()
        yard.upkeep = yard.upkeep.__class__(workers=0)
        yard.step()
        waiting = yard.now(job)
        assert (waiting.state, waiting.deaths, waiting.lease) == (JobState.QUEUED, death, "")
        assert "SIGKILL" in waiting.progress.words
        yard.upkeep = yard.upkeep.__class__(workers=2)
        yard.step()
        yard.attempt(job).begin(death)
        assert yard.now(job).attempt == death + 1
    yard.processes.alive.clear()
    yard.step()
    lost = yard.now(job)
    assert lost.state is JobState.LOST
    assert lost.problem is not None
    assert "3 times in a row" in lost.problem.message
    assert lost.ended_ns == yard.clock.ns
    assert yard.desk.resume(job.id).deaths == 0


def test_a_dispatcher_that_is_started_again_finds_who_works_and_who_died(yard: Yard) -> None:
    living, attempt = yard.at_work()
    dead, _ = yard.at_work()
    yard.dispatcher = yard.new_dispatcher()
    yard.processes.alive.discard(dead.id)
    yard.upkeep = yard.upkeep.__class__(workers=0)
    yard.step()
    assert [yard.now(living).state, yard.now(dead).state] == [JobState.RUNNING, JobState.QUEUED]
    assert attempt.end(Outcome({}, ())).state is JobState.DONE


def test_a_dispatcher_that_died_between_lease_and_start_costs_a_minute_and_no_job(yard: Yard) -> None:
    job = yard.ask()
    yard.step()
    yard.processes = yard.processes.__class__()
    yard.dispatcher = yard.new_dispatcher()
    yard.step(START_NS // S - 2)
    assert yard.now(job).state is JobState.RUNNING
    yard.step(4)
    assert yard.now(job).attempt == 1 + (yard.now(job).state is JobState.RUNNING)


def test_an_attempt_that_was_given_up_writes_nothing_more(yard: Yard) -> None:
    job, stale = yard.at_work()
    yard.processes.alive.clear()
    yard.step()
    yard.step()
    fresh = yard.attempt(job)
    fresh.begin(2)
    for say in (
        lambda: stale.begin(1),
        lambda: stale.beat(JobProgress(9, 9)),
        stale.look,
        lambda: stale.end(Outcome({"stale": 1}, ())),
        lambda: stale.fail(JobProblem("stale")),
    ):
        with pytest.raises(LeaseLost):
            say()
    assert fresh.end(Outcome({"fresh": 1}, ())).summary == '{"fresh":1}'
    with pytest.raises(LeaseLost):
        fresh.end(Outcome({"twice": 1}, ()))


def test_a_worker_that_says_nothing_for_long_is_killed_and_its_job_done_again(yard: Yard) -> None:
    job, attempt = yard.at_work()
    yard.step(SILENT_NS // S - 1)
    attempt.beat(None)
    yard.step(2)
    assert yard.processes.stopped == []
    yard.step(SILENT_NS // S + 1)
    assert yard.processes.stopped == [(job.id, True)]
    yard.upkeep = yard.upkeep.__class__(workers=0)
    yard.step()
    assert yard.now(job).state is JobState.QUEUED


def test_who_does_not_stop_is_told_and_then_killed_and_the_job_is_cancelled(yard: Yard) -> None:
    job, attempt = yard.at_work()
    yard.processes.obeys_term = False
    yard.desk.cancel(job.id)
    yard.step(1)
    attempt.beat(None)
    assert yard.processes.stopped == []
    for _ in range(3):
        yard.step(TERM_NS // S / 2)
    assert yard.processes.stopped == [(job.id, False)]
    yard.step((KILL_NS - TERM_NS) // S)
    assert yard.processes.stopped[-1] == (job.id, True)
    yard.step()
    ended = yard.now(job)
    assert (ended.state, ended.deaths) == (JobState.CANCELLED, 1)
    assert ended.problem is not None


def test_what_was_whole_before_the_wish_to_cancel_came_is_done(yard: Yard) -> None:
    job, attempt = yard.at_work()
    yard.desk.cancel(job.id)
    assert attempt.end(Outcome({"lifted": 9}, ())).state is JobState.DONE


def test_a_worker_whose_machine_stops_gives_its_job_back(yard: Yard) -> None:
    job, attempt = yard.at_work()
    attempt.beat(JobProgress(3, 9, "lifting", 6))
    given_back = attempt.end(Outcome({}, (), is_whole=False))
    assert (given_back.state, given_back.deaths, given_back.lease) == (JobState.QUEUED, 0, "")
    yard.processes.alive.clear()
    yard.step()
    assert (yard.now(job).state, yard.now(job).attempt) == (JobState.RUNNING, 2)


def test_a_failure_keeps_its_words_and_what_was_made(yard: Yard) -> None:
    job, attempt = yard.at_work()
    made = yard.folders.keep(job.id, "result.json", "application/json", b"{}")
    failed = attempt.end(Outcome({"files": 1}, (made,), problem=JobProblem("1 of 3 files", "Mend it.")))
    assert (failed.state, failed.artefacts, failed.problem) == (
        JobState.FAILED,
        (made,),
        JobProblem("1 of 3 files", "Mend it."),
    )


def test_a_machine_that_starts_no_process_is_told_and_the_job_waits(yard: Yard) -> None:
    job = yard.ask()
    yard.processes.refuses = True
    (words,) = yard.step()
    assert "no worker could be started: Resource temporarily unavailable" in words
    assert yard.now(job).state is JobState.QUEUED


def test_what_ended_long_ago_goes_and_what_is_open_stays(yard: Yard) -> None:
    old, fresh, waiting = yard.ask(), yard.ask(), yard.ask()
    yard.desk.cancel(old.id)
    yard.clock.go_on(31 * 86_400)
    yard.desk.cancel(fresh.id)
    assert yard.dispatcher.sweep(yard.upkeep) == ["1 jobs that ended more than 30 days ago were deleted"]
    assert {job.id for job in yard.desk.jobs()} == set(yard.folders.strays()) == {fresh.id, waiting.id}
    assert yard.dispatcher.sweep(yard.upkeep) == []


def test_the_time_that_is_left_is_of_the_stage_and_of_its_own_pace() -> None:
    clock = HandClock()
    pace = Pace(clock)
    pace.tell("loading", 0, 0)
    assert pace.progress() == JobProgress(0, 0, "loading", None)
    clock.go_on(100)
    pace.tell("sweep", 10, 100)
    assert pace.progress().left_s is None
    clock.go_on(20)
    pace.tell("sweep", 30, 100)
    assert pace.progress() == JobProgress(30, 100, "sweep", 70)

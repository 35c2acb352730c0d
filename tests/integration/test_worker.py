"""A worker in this process: what it writes of the end of its job, and how it hears that it is to stop."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manjha.app import worker
from manjha.app.bootstrap import job_folders, system_clock, unit_of_work
from manjha.app.settings import load_settings
from manjha.domain.errors import InvariantBroken, SettingsError, UsageError
from manjha.domain.jobs import Job, JobId, JobProgress, JobState
from manjha.services.jobs.attempt import Attempt, Outcome, Pace

JOB = JobId("ab" * 12)
Work = Callable[[Any, Any], Outcome]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANJHA_HOME", str(tmp_path))
    monkeypatch.setattr("signal.signal", lambda *_changed: None)
    return tmp_path


def worked(patch: pytest.MonkeyPatch, work: Work, state: JobState = JobState.RUNNING) -> Job:
    """Have a worker do a job whose work is a function of the test; return the job as it is afterwards."""
    settings = load_settings()
    patch.setattr(worker, "work_of", lambda _kind: work)
    folders = job_folders(settings)
    folders.make(JOB)
    records = unit_of_work(settings)
    asked = '{"source":"nse","instruments":["NSE:ALPHA"],"start":"2024-01-01","end":"2024-01-02"}'
    made = Job(
        id=JOB, kind="data-fetch", asked=asked, by="asha", place=folders.place(), made_ns=system_clock().now_ns(),
        state=state, lease="ours", attempt=1,
    )  # fmt: skip
    with records.begin() as books:
        books.jobs.add(made)
    worker.work_on(settings, Attempt(records, system_clock(), JOB, "ours"))
    with records.begin() as books:
        found = books.jobs.find(JOB)
    records.close()
    assert found is not None
    return found


def raising(error: BaseException) -> Work:
    def work(_place: Any, _asked: Any) -> Outcome:
        raise error

    return work


def test_what_it_made_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(place: Any, asked: Any) -> Outcome:
        place.tell("lifting", 2, 3)
        place.keep_rows("rows.csv", ("a", "b"), [(1, float("nan")), (asked.source, None)])
        outcome: Outcome = place.came_to({"whole": True}, {"gist": 1})
        return outcome

    job = worked(monkeypatch, work)
    assert (job.state, job.summary) == (JobState.DONE, '{"gist":1}')
    assert [one.name for one in job.artefacts] == ["rows.csv", "result.json"]
    assert job_folders(load_settings()).artefact(JOB, "rows.csv").read_text() == "a,b\n1,\nnse,\n"


@pytest.mark.parametrize(
    ("error", "words", "hint"),
    [
        (UsageError("no file in HOME/jobs/x", hint="Look in HOME/bars."), "no file in jobs/x", "Look in bars."),
        (MemoryError(), "more memory than the 4,096 MB", "raise jobs.memory_mb"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero", "This is a bug in Manjha"),
        (InvariantBroken("a rule", hint="tell us"), "InvariantBroken: a rule", "This is a bug in Manjha"),
    ],
)
def test_what_cannot_be_done_is_said_in_words_without_paths(
    monkeypatch: pytest.MonkeyPatch, home: Path, error: Exception, words: str, hint: str
) -> None:
    if isinstance(error, UsageError):
        error = UsageError(error.message.replace("HOME", str(home)), hint=error.hint.replace("HOME", str(home)))
    job = worked(monkeypatch, raising(error))
    assert (job.state, job.lease) == (JobState.FAILED, "")
    assert job.problem is not None
    assert (words in job.problem.message, hint in job.problem.hint) == (True, True)
    assert str(home) not in str(job.problem)


def test_what_is_interrupted_waits_to_go_on_or_is_cancelled_where_that_was_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert worked(monkeypatch, raising(KeyboardInterrupt())).state is JobState.QUEUED
    monkeypatch.setenv("MANJHA_HOME", str(tmp_path / "other"))
    job = worked(monkeypatch, raising(KeyboardInterrupt()), JobState.CANCELLING)
    assert (job.state, job.problem) == (JobState.CANCELLED, None)


def test_a_wait_is_broken_off_when_the_job_is_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "BEAT_S", 0.01)

    def work(place: Any, _asked: Any) -> Outcome:
        place.tell("waiting", 1, 2)
        assert not threading.Event().wait(60)
        raise AssertionError("nobody stopped it")

    job = worked(monkeypatch, work, JobState.CANCELLING)
    assert (job.state, job.artefacts) == (JobState.CANCELLED, ())


def test_a_worker_without_the_lease_does_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = worked(monkeypatch, lambda _place, _asked: Outcome({}, ()))
    settings = load_settings()
    records = unit_of_work(settings)
    monkeypatch.setattr(worker, "work_of", lambda _kind: raising(AssertionError("it must not be done")))
    worker.work_on(settings, Attempt(records, system_clock(), JOB, "older"))
    with records.begin() as books:
        assert books.jobs.find(JOB) == job
    records.close()
    assert "was given to another attempt or ended" in capsys.readouterr().err


def test_a_database_that_is_away_for_a_while_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "BEAT_S", 0.01)
    beats: list[JobProgress] = []
    enough = threading.Event()

    class Shaky(Attempt):
        def beat(self, progress: JobProgress | None) -> bool:
            beats.append(progress or JobProgress())
            if len(beats) > 3:
                enough.set()
            if len(beats) < 3:
                raise SettingsError("the database does not answer")
            return False

        def look(self) -> bool:
            return self.beat(None)

    pace = Pace(system_clock())
    shaky = Shaky(unit_of_work(load_settings()), system_clock(), JOB, "ours")
    with worker.Heart(shaky, lambda: msgspec.structs.replace(pace.progress(), done=len(beats))):
        assert enough.wait(60)

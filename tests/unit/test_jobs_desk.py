"""Asking for jobs, stopping them, asking again, throwing them away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from manjha.domain.errors import NoSuchJob, QueueFull, UsageError
from manjha.domain.jobs import JobId, JobState
from manjha.services.jobs.attempt import Outcome
from manjha.services.jobs.desk import BookWatch, Wish
from tests.fakes.jobs import Yard, yard_in


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    with yard_in(tmp_path) as made:
        yield made


def test_a_job_waits_with_what_was_asked_defaults_included(yard: Yard) -> None:
    job = yard.ask(weight=7)
    assert (job.state, job.asked, job.by) == (JobState.QUEUED, '{"strategy":"stone","weight":7,"notes":[]}', "asha")
    assert yard.now(job) == job


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"weight": 101}, "too heavy"),
        ({"weight": "7"}, "Expected `int`"),
        ({"wait": 7}, "unknown field `wait`"),
        ({"strategy": "../../etc/passwd.py"}, "expects a name"),
        ({"strategy": "file.py:Class"}, "expects a name"),
        ({"notes": ["x"] * 501}, "at most 500"),
        ({"notes": ["x" * 1001]}, "more than 1000 letters"),
    ],
)
def test_what_cannot_be_is_refused_before_it_waits(yard: Yard, content: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        yard.ask(**content)  # type: ignore[arg-type]
    assert yard.desk.jobs() == []
    assert yard.folders.strays() == []


def test_an_unknown_kind_is_refused_with_those_that_there_are(yard: Yard) -> None:
    with pytest.raises(UsageError, match="no kind of job 'brick'") as refused:
        yard.ask("brick")
    assert "stone, pebble" in refused.value.hint


def test_under_the_same_key_a_caller_gets_the_same_job(yard: Yard) -> None:
    first = yard.ask(key="k", weight=7)
    assert yard.ask(key="k", weight=7) == first
    assert yard.ask(key="k", weight=7, by="bina").id != first.id
    with pytest.raises(UsageError, match=f"used for another job, {first.id}"):
        yard.ask(key="k", weight=8)
    assert len(yard.desk.jobs()) == 2
    assert len(yard.folders.strays()) == 2


def test_the_queue_is_bounded_for_a_caller_and_for_all(tmp_path: Path) -> None:
    with yard_in(tmp_path, waiting=3, per_caller=2) as yard:
        yard.ask()
        first = yard.ask()
        with pytest.raises(QueueFull, match="2 of your jobs are waiting"):
            yard.ask()
        yard.ask(by="bina")
        with pytest.raises(QueueFull, match="3 jobs are waiting"):
            yard.ask(by="chand")
        yard.desk.cancel(first.id)
        assert yard.ask(by="chand").state is JobState.QUEUED


def test_a_request_that_was_taken_is_not_refused_when_it_comes_again_to_a_full_queue(tmp_path: Path) -> None:
    with yard_in(tmp_path, waiting=1) as yard:
        job = yard.ask(key="k")
        assert yard.ask(key="k") == job


def test_a_job_that_waits_is_cancelled_at_once_and_one_at_work_is_asked_to_stop(yard: Yard) -> None:
    waiting = yard.ask()
    assert yard.desk.cancel(waiting.id).state is JobState.CANCELLED
    job, attempt = yard.at_work()
    assert yard.desk.cancel(job.id).state is JobState.CANCELLING
    assert attempt.look() is True
    attempt.end(Outcome({"lifted": 3}, (), is_whole=False))
    ended = yard.now(job)
    assert (ended.state, ended.summary) == (JobState.CANCELLED, '{"lifted":3}')
    assert yard.desk.cancel(job.id) == ended


def test_only_what_ended_without_its_result_is_resumed(yard: Yard) -> None:
    job, attempt = yard.at_work()
    with pytest.raises(UsageError, match="is running"):
        yard.desk.resume(job.id)
    yard.desk.cancel(job.id)
    attempt.end(Outcome({}, (), is_whole=False))
    again = yard.desk.resume(job.id)
    assert (again.state, again.attempt, again.ended_ns, again.cancel_ns) == (JobState.QUEUED, 1, None, None)
    yard.step()
    second = yard.attempt(job)
    second.begin(1)
    second.end(Outcome({}, ()))
    with pytest.raises(UsageError, match="is done"):
        yard.desk.resume(job.id)


def test_a_job_that_has_ended_is_removed_with_its_files(yard: Yard) -> None:
    job = yard.ask()
    with pytest.raises(UsageError, match="is queued"):
        yard.desk.remove(job.id)
    yard.desk.cancel(job.id)
    yard.desk.remove(job.id)
    assert yard.folders.strays() == []
    with pytest.raises(NoSuchJob, match="there is no job"):
        yard.desk.find(job.id)


def test_artefacts_are_those_that_the_job_lists_and_nothing_else(yard: Yard) -> None:
    job, attempt = yard.at_work()
    listed = yard.folders.keep(job.id, "result.json", "application/json", b"{}")
    yard.folders.keep(job.id, "half.csv", "text/csv", b"")
    attempt.end(Outcome({}, (listed,)))
    found, path = yard.desk.artefact(job.id, "result.json")
    assert (found, path.read_bytes()) == (listed, b"{}")
    assert (found.size, found.sha256[:8]) == (2, "44136fa3")
    for name in ("half.csv", "../worker.log", "", "/etc/passwd", "worker.lock"):
        with pytest.raises(NoSuchJob):
            yard.desk.artefact(job.id, name)


@pytest.mark.parametrize("job_id", ["..", "../../x", "", "A" * 24, "0" * 7])
def test_no_id_leads_out_of_the_folder(yard: Yard, job_id: str) -> None:
    with pytest.raises(NoSuchJob):
        yard.folders.folder(JobId(job_id))


def test_uploads_are_kept_in_order_under_safe_names_and_bounded_in_all(tmp_path: Path) -> None:
    with yard_in(tmp_path, upload_bytes=10) as yard:
        sent = [("../../etc/RELIANCE eq.csv", [b"ab", b"c"]), ("C:\\days\\.hidden", [b"def"]), ("", [b"gh"])]
        job = yard.desk.submit(Wish(kind="stone", content={}, by="asha"), sent)
        paths = yard.folders.uploads(job.id)
        assert [(path.name, path.read_bytes()) for path in paths] == [
            ("RELIANCE_eq.csv", b"abc"),
            ("hidden", b"def"),
            ("file", b"gh"),
        ]
        assert all(path.is_relative_to(yard.folders.folder(job.id)) for path in paths)
        with pytest.raises(UsageError, match="larger than what is taken"):
            yard.desk.submit(Wish(kind="stone", content={}, by="asha"), [*sent, ("more", [b"xyz"])])
        assert yard.folders.strays() == [job.id]


def test_whoever_watches_sees_each_change_once(yard: Yard) -> None:
    watch = BookWatch(yard.work)
    job = yard.ask()
    seen = watch.changes(0)
    assert seen == [job]
    assert (watch.changes(seen[-1].changed), watch.last_change()) == ([], job.changed)
    yard.step()
    assert [one.state for one in watch.changes(job.changed)] == [JobState.RUNNING]

"""What a book of jobs does, whatever database is under it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from manjha.adapters.sql.database import Database
from manjha.adapters.sql.unit_of_work import SqlUnitOfWork
from manjha.domain.errors import UsageError
from manjha.domain.jobs import Artefact, Job, JobId, JobProblem, JobProgress, JobState
from manjha.domain.moments import TsNs
from manjha.ports.unit_of_work import UnitOfWork
from tests.fakes.databases import forgetful_postgres, url

__all__ = ["forgetful_postgres", "url"]

AT = 1_720_000_000_000_000_000
WORDS = "मांझा – ₹ 10,00,000 'quoted' \\ \"twice\"\n"


@pytest.fixture
def work(url: str) -> Iterator[UnitOfWork]:
    made = SqlUnitOfWork(Database(url))
    yield made
    made.close()


def job(number: int = 1, **changes: object) -> Job:
    made = Job(id=JobId(f"{number:024x}"), kind="sweep", asked="{}", by="asha", place="here", made_ns=TsNs(AT + number))
    return msgspec.structs.replace(made, **changes)


def added(work: UnitOfWork, *jobs: Job) -> list[Job]:
    with work.begin() as records:
        return [records.jobs.add(one) for one in jobs]


def test_a_new_book_is_empty(work: UnitOfWork) -> None:
    with work.begin() as records:
        book = records.jobs
        assert [*book.jobs(), *book.changes(0), *book.open_jobs("here"), *book.ended_before("here", TsNs(AT * 2))] == []
        assert (book.last_change(), book.find(JobId("x")), book.keyed("asha", "")) == (0, None, None)


def test_a_job_comes_back_as_it_was_put(work: UnitOfWork) -> None:
    (made,) = added(work, job(key="k", asked=WORDS))
    full = msgspec.structs.replace(
        made,
        state=JobState.CANCELLED,
        progress=JobProgress(3, 9, WORDS, 17),
        started_ns=TsNs(AT),
        ended_ns=TsNs(AT + 9),
        summary=WORDS,
        artefacts=(Artefact("result.json", "application/json", 2**40, "f" * 64),),
        problem=JobProblem(WORDS, WORDS),
        attempt=3,
        deaths=2,
        lease="a" * 32,
        pid=4711,
        beat_ns=TsNs(AT + 5),
        cancel_ns=TsNs(AT + 6),
    )
    with work.begin() as records:
        put = records.jobs.put(full)
    with work.begin() as records:
        assert records.jobs.find(made.id) == put == msgspec.structs.replace(full, changed=2)
        assert records.jobs.keyed("asha", "k") == put


def test_an_id_and_a_callers_key_are_taken_once(work: UnitOfWork) -> None:
    added(work, job(1, key="k"), job(2), job(3))
    for twin in (job(1), job(4, key="k")):
        with pytest.raises(UsageError, match="there is a job of id"), work.begin() as records:
            records.jobs.add(twin)
    assert added(work, job(4, key="k", by="bina"))[0].key == "k"


def test_what_is_not_there_cannot_be_put(work: UnitOfWork) -> None:
    with pytest.raises(UsageError, match="there is no job"), work.begin() as records:
        records.jobs.put(job())


def test_lists_are_newest_first_in_pages_and_filtered(work: UnitOfWork) -> None:
    jobs = added(work, job(1), job(2, kind="backtest"), job(3, by="bina"), job(4, state=JobState.DONE))
    with work.begin() as records:
        book = records.jobs
        assert book.jobs() == jobs[::-1]
        assert book.jobs(limit=2) == [jobs[3], jobs[2]]
        assert book.jobs(before=jobs[2].number) == [jobs[1], jobs[0]]
        assert book.jobs(kind="backtest") == [jobs[1]]
        assert book.jobs(by="bina") == [jobs[2]]
        assert book.jobs(states=[JobState.DONE, JobState.LOST]) == [jobs[3]]


def test_open_jobs_are_those_of_one_home_oldest_first(work: UnitOfWork) -> None:
    states = [JobState.RUNNING, JobState.DONE, JobState.QUEUED, JobState.CANCELLING, JobState.LOST]
    jobs = added(work, *(job(number, state=state) for number, state in enumerate(states)), job(9, place="elsewhere"))
    with work.begin() as records:
        assert records.jobs.open_jobs("here") == [jobs[0], jobs[2], jobs[3]]


def test_changes_are_told_in_order_each_job_once_and_never_twice_a_number(work: UnitOfWork) -> None:
    first, second, third = added(work, job(1), job(2), job(3))
    with work.begin() as records:
        first = records.jobs.put(msgspec.structs.replace(first, summary="changed"))
        assert records.jobs.changes(0) == [second, third, first]
        assert records.jobs.changes(third.changed) == [first]
        assert records.jobs.changes(0, limit=1) == [second]
        records.jobs.remove(first.id)
        assert records.jobs.last_change() == first.changed
        assert records.jobs.put(second).changed == first.changed + 1


def test_a_transaction_that_fails_leaves_no_change(work: UnitOfWork) -> None:
    (made,) = added(work, job())
    half = msgspec.structs.replace(made, summary="half")
    with pytest.raises(UsageError), work.begin() as records:
        records.jobs.add(records.jobs.put(half))
    with work.begin() as records:
        assert (records.jobs.find(made.id), records.jobs.last_change()) == (made, made.changed)


def test_what_ended_long_ago_is_found_oldest_first(work: UnitOfWork) -> None:
    ended = [job(n, state=JobState.DONE, ended_ns=TsNs(AT + n)) for n in range(1, 5)]
    jobs = added(work, *ended, job(5), job(6, place="elsewhere", state=JobState.DONE, ended_ns=TsNs(AT)))
    with work.begin() as records:
        assert records.jobs.ended_before("here", TsNs(AT + 3)) == jobs[:2]
        assert records.jobs.ended_before("here", TsNs(AT + 9), limit=1) == jobs[:1]


def test_changes_of_many_writers_become_visible_in_the_order_of_their_numbers(work: UnitOfWork) -> None:
    jobs = added(work, *(job(number) for number in range(4)))
    seen: list[int] = []

    def write(one: Job) -> None:
        for _ in range(15):
            with work.begin() as records:
                records.jobs.lock()
                found = records.jobs.find(one.id)
                assert found is not None
                records.jobs.put(msgspec.structs.replace(found, attempt=found.attempt + 1))

    def watch() -> None:
        after = len(jobs)
        while after < len(jobs) + 60:
            with work.begin() as records:
                found = records.jobs.changes(after)
                last = records.jobs.last_change()
            assert not found or found[-1].changed <= last
            seen.extend(one.changed for one in found)
            after = max([after, *(one.changed for one in found)])

    with ThreadPoolExecutor(5) as pool:
        for future in [*(pool.submit(write, one) for one in jobs), pool.submit(watch)]:
            future.result(timeout=60)
    assert seen == sorted(set(seen))
    assert seen[-1] == len(jobs) + 60
    with work.begin() as records:
        assert [one.attempt for one in records.jobs.jobs()] == [15] * 4

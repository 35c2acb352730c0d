"""A home with days of one share in it, jobs asked over HTTP, and a worker that does them in this process."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from starlette.testclient import TestClient

from manjha.app.bootstrap import job_folders, system_clock, unit_of_work
from manjha.app.jobs.dispatching import job_desk
from manjha.app.jobs.kinds import TABLE, work_of
from manjha.app.jobs.workplace import Workplace
from manjha.app.settings import Settings, load_settings
from manjha.domain.jobs import JobId, JobState
from manjha.services.jobs.attempt import Attempt, Outcome
from manjha.services.jobs.kinds import JobKind, read_asked
from tests.fakes.api import ROOT, api_of, by

SEARCH = {
    "strategy": "sma-cross",
    "instruments": ["NSE:ALPHA"],
    "ranges": ["fast=2:5:1", "slow=8:16:4"],
    "terms": {"cash": "5 lakh"},
}
"""A small search, as it is asked for over HTTP."""


@contextmanager
def api_here() -> Iterator[TestClient]:
    """Give a client of the API over the home that the environment names, with every scope."""
    with api_of() as client:
        client.headers.update(by("all"))
        yield client


def begun(client: TestClient, resource: str, body: dict[str, Any]) -> JobId:
    """Ask for a job and return its id."""
    answer = client.post(f"{ROOT}/{resource}", json=body)
    assert answer.status_code == 202, answer.text
    return JobId(answer.json()["id"])


def done_here(job_id: JobId) -> tuple[Outcome, dict[str, Any]]:
    """Do a job's work in this process; return what it came to, and its whole result."""
    settings: Settings = load_settings()
    job, folders = job_desk(settings).find(job_id), job_folders(settings)
    kind = JobKind(job.kind, TABLE[job.kind].asked, lambda _asked: None)
    place = Workplace(settings, job.id, folders, 1, lambda *_told: None, lambda _what: None)
    outcome: Outcome = work_of(job.kind)(place, read_asked(kind, job.asked))
    result: dict[str, Any] = json.loads(folders.artefact(job.id, "result.json").read_text())
    return outcome, result


def artefact_text(job_id: JobId, name: str) -> str:
    """Return a file that a job made."""
    return job_folders(load_settings()).artefact(job_id, name).read_text()


def desk_ends(job_id: JobId, outcome: Outcome) -> None:
    """Write what a job came to, as its worker would."""
    settings = load_settings()
    work, clock = unit_of_work(settings), system_clock()
    with work.begin() as records:
        job = records.jobs.find(job_id)
        assert job is not None
        records.jobs.put(msgspec.structs.replace(job, state=JobState.RUNNING, lease="ours"))
    Attempt(work, clock, job_id, "ours").end(outcome)
    work.close()

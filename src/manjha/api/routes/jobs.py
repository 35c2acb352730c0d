"""Jobs: how they stand, what they made; to stop them, to go on with them, to throw them away."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from manjha.api.auth import Reader, Trading
from manjha.api.job_views import JobView, job_told
from manjha.api.paging import Cursor, Limit, Page, cursor_of, place_of
from manjha.api.parts import Parts
from manjha.domain.jobs import Job, JobId, JobState

router = APIRouter(prefix="/jobs", tags=["jobs"])
JobName = Annotated[str, Path(max_length=64, examples=["5f2c9d1e7a3b4c6d8e0f1a2b"], description="The `id` of the job.")]
ArtefactName = Annotated[str, Path(max_length=80, examples=["result.json"], description="A name that the job lists.")]
_HARMLESS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
"""A report has scripts: opened from here, it may do nothing with the session of whoever looks at it."""


class AskedJobs(BaseModel, extra="forbid"):
    """Which jobs, newest first."""

    state: list[JobState] = Field(default=[], max_length=7)
    limit: Limit = 100
    cursor: Cursor = ""


class AskedAllJobs(AskedJobs):
    """Which jobs, of one kind or of all."""

    kind: str = Field(default="", max_length=64, examples=["sweep"])
    mine: bool = Field(default=False, description="Only those of whoever asks.")


@router.get("", summary="Jobs of all kinds")
def all_(caller: Reader, parts: Parts, asked: Annotated[AskedAllJobs, Query()]) -> Page[JobView]:
    """List jobs, newest first."""
    return page_of(parts, asked, kind=asked.kind, by=caller.name if asked.mine else "")


@router.get("/{job}", summary="One job")
def one(caller: Reader, parts: Parts, job: JobName) -> JobView:
    """Return how a job stands. The stream tells of changes, so that nobody has to ask again and again."""
    del caller
    return job_told(parts.jobs.find(JobId(job)))


@router.post("/{job}/cancel", summary="Stop a job")
def cancel(caller: Trading, parts: Parts, job: JobName) -> JobView:
    """Ask a job to stop: first kindly, after half a minute by force. What it has recorded is kept."""
    del caller
    return job_told(parts.jobs.cancel(JobId(job)))


@router.post("/{job}/resume", summary="Go on with a job", status_code=HTTPStatus.ACCEPTED)
def resume(caller: Trading, parts: Parts, job: JobName) -> JobView:
    """Queue a job again that was cancelled, failed or lost; an optimisation goes on where it was."""
    del caller
    return job_told(parts.jobs.resume(JobId(job)))


@router.delete("/{job}", summary="Forget a job", status_code=HTTPStatus.NO_CONTENT)
def remove(caller: Trading, parts: Parts, job: JobName) -> None:
    """Delete a job that has ended, and its files. What it recorded in the ledger of trials stays."""
    del caller
    parts.jobs.remove(JobId(job))


@router.get(
    "/{job}/artefacts/{name}",
    summary="A file that a job made",
    response_class=FileResponse,
    responses={200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
)
def artefact(caller: Reader, parts: Parts, job: JobName, name: ArtefactName) -> FileResponse:
    """Download one of the artefacts that the job lists. The `ETag` is its SHA-256."""
    del caller
    listed, path = parts.jobs.artefact(JobId(job), name)
    headers = _HARMLESS | {"ETag": f'"{listed.sha256}"'}
    return FileResponse(path, media_type=listed.media, filename=listed.name, headers=headers)


def page_of(parts: Parts, asked: AskedJobs, *, kind: str, by: str = "") -> Page[JobView]:
    """Return a page of jobs."""
    before = place_of(asked.cursor, int)
    found = parts.jobs.jobs(kind=kind, by=by, states=asked.state, before=before, limit=asked.limit + 1)
    shown = found[: asked.limit]
    more = cursor_of(shown[-1].number) if len(found) > asked.limit else None
    return Page(items=[job_told(job) for job in shown], next=more)


def accepted(response: Response, job: Job) -> JobView:
    """Return a job that was taken in, with its address in the header Location."""
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return job_told(job)

"""What is told of a job."""

from typing import Any

import msgspec
from pydantic import BaseModel, Field

from manjha.api.words import Moment
from manjha.domain.jobs import Job, JobState
from manjha.domain.moments import format_ts


class ProgressView(BaseModel):
    """How far a job is; 0 of 0 where that is not known."""

    done: int = Field(examples=[120])
    total: int = Field(examples=[480])
    words: str = Field(examples=["sweep"])
    left_s: int | None = Field(examples=[41], description="Seconds that may be left.")


class ArtefactView(BaseModel):
    """A file that a job made."""

    name: str = Field(examples=["report.html"])
    media: str = Field(examples=["text/html"])
    size: int = Field(examples=[18_204], description="Bytes.")
    sha256: str = Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])


class ProblemView(BaseModel):
    """Why a job has no result, or not the whole of it."""

    message: str = Field(examples=["no bars of NSE:RELIANCE at 1m"])
    hint: str = Field(examples=["`manjha data import PATH` reads files."])


class JobView(BaseModel):
    """A job. `result` is the gist of what came of it; the whole is its artefact result.json."""

    id: str = Field(examples=["5f2c9d1e7a3b4c6d8e0f1a2b"])
    kind: str = Field(examples=["sweep"])
    state: JobState
    by: str = Field(examples=["dashboard"])
    asked: dict[str, Any] = Field(examples=[{"strategy": "sma-cross", "instruments": ["NSE:RELIANCE"]}])
    progress: ProgressView
    made: Moment
    started: Moment | None
    ended: Moment | None
    attempt: int = Field(examples=[1], description="How often it was begun.")
    result: dict[str, Any] | None = Field(examples=[{"evaluated": 480, "new_trials": 480}])
    artefacts: list[ArtefactView]
    problem: ProblemView | None
    change: int = Field(examples=[1024], description="Grows with every change of any job.")


def job_told(job: Job) -> JobView:
    """Return what is told of a job."""
    return JobView(
        id=job.id,
        kind=job.kind,
        state=job.state,
        by=job.by,
        asked=msgspec.json.decode(job.asked),
        progress=ProgressView(**msgspec.structs.asdict(job.progress)),
        made=format_ts(job.made_ns),
        started=None if job.started_ns is None else format_ts(job.started_ns),
        ended=None if job.ended_ns is None else format_ts(job.ended_ns),
        attempt=job.attempt,
        result=msgspec.json.decode(job.summary) if job.summary else None,
        artefacts=[ArtefactView(**msgspec.structs.asdict(one)) for one in job.artefacts],
        problem=None if job.problem is None else ProblemView(**msgspec.structs.asdict(job.problem)),
        change=job.changed,
    )

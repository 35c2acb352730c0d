"""Is it alive, can it serve: for whoever watches the process. Public, and it tells nothing else."""

from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from manjha.api.auth import PUBLIC, Reader
from manjha.api.parts import Parts

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Whether it can serve. What is wrong is in the log, and for administrators."""

    status: Literal["ok", "not-ready"]


class Version(BaseModel):
    """What runs here."""

    version: str = Field(examples=["0.1.0"])


@router.get("/health/live", dependencies=[PUBLIC], summary="Is the process alive?")
async def live() -> Health:
    """Answer as long as the process answers anything."""
    return Health(status="ok")


@router.get(
    "/health/ready", dependencies=[PUBLIC], summary="Can it serve?",
    responses={503: {"model": Health, "description": "Something that it stands on does not answer."}},
)  # fmt: skip
def ready(parts: Parts, response: Response) -> Health:
    """Look at what it stands on: its database, its folder."""
    if parts.ready():
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        return Health(status="not-ready")
    return Health(status="ok")


@router.get("/version", summary="Which version is this?")
async def version(caller: Reader, parts: Parts) -> Version:
    """Return the version of Manjha that answers."""
    del caller
    return Version(version=parts.version)

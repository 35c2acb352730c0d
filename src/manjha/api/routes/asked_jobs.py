"""What jobs can be asked for: a POST to the resource makes one, a GET lists those that there are."""

import tempfile
from collections.abc import Iterator
from http import HTTPStatus
from typing import IO, Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from manjha.api.auth import Admin, Reader, Trading
from manjha.api.job_bodies import (
    AskedBacktest,
    AskedBiasCheck,
    AskedFetch,
    AskedImport,
    AskedOptimisation,
    AskedSweep,
    AskedValidation,
    AskedWalkForward,
)
from manjha.api.job_views import JobView
from manjha.api.paging import Page
from manjha.api.parts import Parts
from manjha.api.routes.jobs import AskedJobs, accepted, page_of
from manjha.domain.errors import UsageError
from manjha.services.jobs.desk import Wish

router = APIRouter(tags=["jobs"])
IMPORTS = "/data/imports"
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        pattern=r"^[!-~]*$",
        examples=["3a1f0c52-9d9e-4c55-8e6e-0d5d1c1b7a11"],
        description="Sent again with the same key and body, a request gives the job that it gave before.",
    ),
]
Asked = Annotated[AskedJobs, Query()]
_IN_MEMORY, _PIECE = 1 << 20, 1 << 16
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_UPLOAD = {"requestBody": {"required": True, "content": {"application/octet-stream": _BINARY}}}


def _offer(path: str, kind: str, body: type[BaseModel], words: str) -> None:
    """Make the two operations of a kind that is asked with a JSON body."""
    name = kind.replace("-", "_")

    def begin(
        caller: Trading,
        parts: Parts,
        response: Response,
        asked: body,  # type: ignore[valid-type]
        key: Key = "",
    ) -> JobView:
        wish = Wish(kind=kind, content=asked.model_dump(), by=caller.name, key=key)  # type: ignore[attr-defined]
        return accepted(response, parts.jobs.submit(wish))

    router.post(path, summary=f"Begin a job: {kind}", description=words, status_code=HTTPStatus.ACCEPTED,
                name=f"begin_{name}")(begin)  # fmt: skip
    _list(path, kind)


def _list(path: str, kind: str) -> None:
    def begun(caller: Reader, parts: Parts, asked: Asked) -> Page[JobView]:
        del caller
        return page_of(parts, asked, kind=kind)

    router.get(path, summary=f"Jobs of kind {kind}", description="List them, newest first.",
               name=f"list_{kind.replace('-', '_')}")(begun)  # fmt: skip


_offer("/backtests", "backtest", AskedBacktest, "Run a strategy on stored bars with every rupee of charges.")
_offer("/sweeps", "sweep", AskedSweep, "Evaluate every combination of parameters, or a sample, and count them all.")
_offer("/optimisations", "optimisation", AskedOptimisation, "Let a study propose combinations and learn from them.")
_offer("/walk-forwards", "walk-forward", AskedWalkForward, "Choose on the past, run on what came after.")
_offer("/validations", "validation", AskedValidation, "Judge the best of all trials by how many there were.")
_offer("/bias-checks", "bias-check", AskedBiasCheck, "Does a strategy or an indicator look ahead?")


@router.post("/data/fetches", summary="Begin a job: data-fetch", status_code=HTTPStatus.ACCEPTED)
def begin_data_fetch(caller: Admin, parts: Parts, response: Response, asked: AskedFetch, key: Key = "") -> JobView:
    """Download what is missing between two days, piece by piece; resumed, it goes on."""
    wish = Wish(kind="data-fetch", content=asked.model_dump(), by=caller.name, key=key)
    return accepted(response, parts.jobs.submit(wish))


_list("/data/fetches", "data-fetch")


@router.post(IMPORTS, summary="Begin a job: data-import", status_code=HTTPStatus.ACCEPTED, openapi_extra=_UPLOAD)
async def begin_data_import(
    caller: Admin,
    parts: Parts,
    request: Request,
    response: Response,
    asked: Annotated[AskedImport, Query()],
    key: Key = "",
) -> JobView:
    """Read a file, or an archive of files, into the store: it is the body as it stands. The format is found by content.

    Rows that cannot be are quarantined, each with its reason; a second import of the same file changes nothing.
    """
    content = asked.model_dump()
    name = content.pop("name")
    wish = Wish(kind="data-import", content=content, by=caller.name, key=key)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as held:
        size = 0
        async for piece in request.stream():
            size += len(piece)
            await run_in_threadpool(held.write, piece)
        if not size:
            raise UsageError("the body is empty", hint="Send the file as the body of the request.")
        held.seek(0)
        job = await run_in_threadpool(parts.jobs.submit, wish, [(name, _pieces(held))])
    return accepted(response, job)


_list(IMPORTS, "data-import")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece

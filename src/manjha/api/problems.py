"""Errors as problem documents (RFC 9457): a stable code, what was expected and found, what to do next; no internals."""

import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from manjha.domain.errors import (
    AccountHeld,
    DataError,
    JournalHalted,
    ManjhaError,
    NoSuchJob,
    OutsideTable,
    QueueFull,
    SettingsError,
    SourceError,
    UsageError,
)
from manjha.services.identity.caller import TooManyAttemptsError, UnknownCallerError

JSON = "application/problem+json"
TYPE = "urn:manjha:problem:"
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
NOT_FOUND, CONFLICT, REFUSED = "not-found", "conflict", "refused"


class InvalidField(BaseModel):
    """One field that cannot be used: where it stands, as a JSON pointer into the part, and why."""

    part: str = Field(examples=["body"])
    pointer: str = Field(examples=["/interval"])
    detail: str = Field(examples=["Field required"])


class ProblemDocument(BaseModel):
    """What every error answers."""

    type: str = Field(examples=["urn:manjha:problem:not-found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    code: str = Field(examples=["not-found"], description="Stable: programs may branch on it.")
    detail: str = Field(examples=["there is no job 7f3a"])
    hint: str = Field(default="", examples=["GET /api/v1/jobs lists them."])
    reference: str = Field(default="", description="Finds the error in the log, where there is more to know.")
    invalid: list[InvalidField] = Field(default=[])


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer that is no success. `code` is stable; `headers` go with it."""

    def __init__(
        self, status: int, code: str, detail: str, *, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.hint = status, code, detail, hint
        self.headers = dict(headers or {})


def not_found(detail: str, hint: str = "") -> Problem:
    """Return the problem of a thing that is not there."""
    return Problem(HTTPStatus.NOT_FOUND, NOT_FOUND, detail, hint=hint)


_OF_ERRORS: tuple[tuple[type[ManjhaError], int, str], ...] = (
    (OutsideTable, HTTPStatus.UNPROCESSABLE_ENTITY, "outside-table"),
    (DataError, HTTPStatus.UNPROCESSABLE_ENTITY, "bad-data"),
    (NoSuchJob, HTTPStatus.NOT_FOUND, NOT_FOUND),
    (QueueFull, HTTPStatus.TOO_MANY_REQUESTS, "queue-full"),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY, "cannot-be"),
    (AccountHeld, HTTPStatus.CONFLICT, "account-held"),
)
"""Errors whose words are for whoever asked."""
_APART: tuple[tuple[type[ManjhaError], int, str, str], ...] = (
    (SourceError, HTTPStatus.BAD_GATEWAY, "source-failed", "Something outside did not answer as it should."),
    (SettingsError, HTTPStatus.SERVICE_UNAVAILABLE, "misconfigured", "The server is not set up for this."),
    (JournalHalted, HTTPStatus.SERVICE_UNAVAILABLE, "journal-halted", "The journal cannot be written or trusted."),
)
"""Errors whose words name files, addresses and settings: those are for the log."""


Logged = Callable[[str, Exception], None]
"""Writes down what is not said to the caller: the reference that the caller was given, and the error."""


def forget(reference: str, error: Exception) -> None:
    """Write nothing down."""
    del reference, error


def install(app: FastAPI, log: Logged) -> None:
    """Have every error of the application answered by a problem document."""

    def answered(request: Request, error: Exception) -> Response:
        return _answer(request, error, log)

    for kind in (Problem, ManjhaError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answered)


def _answer(request: Request, error: Exception, log: Logged) -> Response:
    if isinstance(error, Problem):
        return document(error)
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        return document(_of_http(request, error))
    known = _known(error)
    if known is not None:
        return document(known)
    reference = secrets.token_hex(8)
    log(reference, error)
    for kind, status, code, words in _APART:
        if isinstance(error, kind):
            return document(Problem(status, code, words, hint="The log of the server says more."), reference)
    broken = Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "Something unexpected happened.",
        hint="This is a bug in Manjha: please report it with the lines of the log that have this reference.",
    )  # fmt: skip
    return document(broken, reference)


def _known(error: Exception) -> Problem | None:
    """Return the problem of an error whose words are for whoever asked; None for another."""
    if isinstance(error, UnknownCallerError):
        return Problem(HTTPStatus.UNAUTHORIZED, "not-authenticated", error.message, hint=error.hint)
    if isinstance(error, TooManyAttemptsError):
        waits = {"Retry-After": str(error.wait_s)}
        return Problem(
            HTTPStatus.TOO_MANY_REQUESTS, "too-many-attempts", error.message, hint=error.hint, headers=waits
        )  # fmt: skip
    for kind, status, code in _OF_ERRORS:
        if isinstance(error, kind):
            return Problem(status, code, error.message, hint=error.hint)
    return None


def document(problem: Problem, reference: str = "", invalid: list[dict[str, str]] | None = None) -> Response:
    """Return the answer that a problem is."""
    body: dict[str, Any] = {
        "type": f"{TYPE}{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "hint": problem.hint,
    }
    if reference:
        body["reference"] = reference
    if invalid is not None:
        body["invalid"] = invalid
    return Response(msgspec.json.encode(body), problem.status, headers=problem.headers, media_type=JSON)


def _invalid(error: RequestValidationError) -> Response:
    """Say which fields cannot be used. What was sent is not repeated: it may be a secret."""
    found = []
    for each in error.errors():
        part, *path = (str(step) for step in each["loc"])
        pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in path)
        found.append({"part": part, "pointer": pointer, "detail": str(each["msg"])})
    words = "; ".join(f"{each['part']}{each['pointer']}: {each['detail']}" for each in found[:3])
    problem = Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", f"the request cannot be read: {words}",
        hint="GET /api/v1/openapi.json describes what is expected.",
    )  # fmt: skip
    return document(problem, invalid=found)


_HTTP = {
    400: ("unreadable", "the request cannot be read", "The body must be JSON in UTF-8."),
    404: (NOT_FOUND, "there is nothing at this address", "GET /api/v1/openapi.json lists what there is."),
    405: ("method-not-allowed", "this address does not know the method", "The header Allow lists what it knows."),
}


def _of_http(request: Request, error: HTTPException) -> Problem:
    status, headers = error.status_code, error.headers
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(_methods_at(request))}
    code, detail, hint = _HTTP.get(status, (HTTPStatus(status).phrase.lower().replace(" ", "-"), str(error.detail), ""))
    return Problem(status, code, detail, hint=hint, headers=headers)


def _methods_at(request: Request) -> list[str]:
    """Return the methods of all routes of an address; the router itself names those of the first."""
    ways = [(method, {**request.scope, "method": method}) for method in _METHODS]
    return [method for method, way in ways if any(each.matches(way)[0] is Match.FULL for each in request.app.routes)]


RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem document.",
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }
}
"""What every operation may answer besides its success."""

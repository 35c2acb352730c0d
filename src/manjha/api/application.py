"""Puts the application together: routes, marks, problems, limits, and the document that describes it all."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from manjha.api.auth import Needs, Reader, mark_of, require_marks
from manjha.api.examples import add_examples
from manjha.api.headers import SafeHeaders
from manjha.api.limits import BodyLimit
from manjha.api.parts import ApiParts
from manjha.api.problems import RESPONSES, Logged, ProblemDocument, forget, install
from manjha.api.routes import (
    accounts,
    asked_jobs,
    audit_log,
    bars,
    health,
    holdings,
    hooks,
    instruments,
    jobs,
    journal,
    kill_switch,
    limits,
    orders,
    session,
    sessions,
    settings,
    strategies,
    stream,
    tokens,
)

PREFIX = "/api/v1"
ROUTERS: tuple[APIRouter, ...] = tuple(
    each.router
    for each in (
        health, instruments, bars, strategies, asked_jobs, jobs,
        accounts, sessions, orders, holdings, limits, journal, kill_switch, settings, stream, hooks,
        session, tokens, audit_log,
    )
)  # fmt: skip
"""All resources, in the order in which the document lists them."""
_ABOUT = """Everything the bot does. Money is decimal strings in rupees, times are ISO 8601 with an offset, lists come
in pages with a cursor, every error is a problem document (RFC 9457) with a stable `code` and a `hint`. What can make an
order wants the header `Idempotency-Key`."""

router = APIRouter(tags=["health"])


@router.get("/openapi.json", summary="The description of this API", response_model=dict[str, Any])
async def described(caller: Reader, request: Request) -> JSONResponse:
    """Return the OpenAPI document."""
    del caller
    return JSONResponse(request.app.openapi())


def create_api(parts: ApiParts, log: Logged = forget) -> FastAPI:
    """Return the application.

    Raises
    ------
    InvariantBroken
        A route does not say who may call it.
    """
    app = FastAPI(
        title="Manjha", version=parts.version, description=_ABOUT, openapi_url=None, docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    app.state.parts = parts
    for each in (*ROUTERS, router):
        require_marks(each)
        app.include_router(each, prefix=PREFIX, responses=RESPONSES)
    install(app, log)
    app.add_middleware(BodyLimit, larger={PREFIX + asked_jobs.IMPORTS: parts.jobs.upload_bytes})
    app.add_middleware(SafeHeaders)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, made once. `x-needs` of an operation is who may call it."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        made["components"]["schemas"]["ProblemDocument"] = _problem_schema(made)
        for route in (one for each in (*ROUTERS, router) for one in each.routes if isinstance(one, APIRoute)):
            mark = mark_of(route)
            for method in route.methods or ():
                operation = made["paths"][PREFIX + route.path_format][method.lower()]
                operation["x-needs"] = mark.scope if isinstance(mark, Needs) else "public"
                operation["x-step-up"] = isinstance(mark, Needs) and mark.step_up
        add_examples(made)
        app.openapi_schema = made
    return app.openapi_schema


def _problem_schema(made: dict[str, Any]) -> dict[str, Any]:
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    made["components"]["schemas"].update(schema.pop("$defs", {}))
    return schema

"""Who may ask what. A route without one of these marks does not come into being: `create_api` refuses it."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from manjha.api.parts import ApiParts, Parts
from manjha.api.problems import Problem
from manjha.domain.errors import InvariantBroken
from manjha.services.identity.addresses import client_address
from manjha.services.identity.caller import Caller, Scope, UnknownCallerError

BEARER = HTTPBearer(
    auto_error=False, scheme_name="token", description="A personal access token: `manjha token create`."
)
_UNKNOWN = Problem(
    HTTPStatus.UNAUTHORIZED, "not-authenticated", "a valid token is expected in the header Authorization",
    hint="`manjha token create` makes one; send it as `Authorization: Bearer TOKEN`.",
    headers={"WWW-Authenticate": 'Bearer realm="manjha"'},
)  # fmt: skip


class Needs:
    """A mark: the caller must be known and have this scope; with `step_up`, must have proved lately who they are."""

    def __init__(self, scope: Scope, *, step_up: bool = False) -> None:
        self.scope, self.step_up = scope, step_up

    async def __call__(
        self, request: Request, parts: Parts, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
    ) -> Caller:
        """Return who asks. Raises the problem of a caller who is not known, or may not."""
        return self.known(parts, "" if sent is None else sent.credentials, address_of(request))

    def known(self, parts: ApiParts, bearer: str, address: str) -> Caller:
        """Return who has this token. Raises the problem of a caller who is not known, or may not."""
        if not bearer:
            raise _UNKNOWN
        try:
            caller = parts.identity.authenticate(bearer, address)
        except UnknownCallerError:
            raise _UNKNOWN from None
        self.check(caller, parts.clock.now_ns())
        return caller

    def check(self, caller: Caller, now_ns: int) -> None:
        """Raise the problem of a caller who is known but may not."""
        if self.scope not in caller.scopes:
            raise Problem(
                HTTPStatus.FORBIDDEN, "scope-missing", f"this needs the scope {self.scope}",
                hint=f"Make a token that has it: `manjha token create NAME --scope {self.scope}`.",
            )  # fmt: skip
        if self.step_up and caller.stepped_up_until_ns <= now_ns:
            raise Problem(
                HTTPStatus.FORBIDDEN, "step-up-needed", "this needs a proof, made minutes ago, of who you are",
                hint="POST /api/v1/session/step-up with the password or the code of the second factor, then ask again.",
            )  # fmt: skip


def address_of(asked: HTTPConnection) -> str:
    """Return the address of whoever asks: what a header says counts as far as a proxy of ours has written it."""
    parts: ApiParts = asked.app.state.parts
    peer = asked.client.host if asked.client else ""
    return client_address(peer, asked.headers.getlist("x-forwarded-for"), parts.proxies)


class Public:
    """A mark: anybody may ask."""

    async def __call__(self) -> None:
        """Let everybody in."""


PUBLIC = Depends(Public())


def needs(scope: Scope, *, step_up: bool = False) -> object:
    """Return the dependency that a route names, as a parameter: `caller: Annotated[Caller, needs(Scope.READ)]`."""
    return Depends(Needs(scope, step_up=step_up))


Reader = Annotated[Caller, Depends(Needs(Scope.READ))]
Trading = Annotated[Caller, Depends(Needs(Scope.TRADE))]
Admin = Annotated[Caller, Depends(Needs(Scope.ADMIN))]
"""Who asks, in routes that need no more than the scope."""


def mark_of(route: APIRoute | APIWebSocketRoute) -> Needs | Public:
    """Return the mark of a route.

    Raises `InvariantBroken` where it has none, or several: deny by default.
    """
    marks = [call for call in _calls(route.dependant) if isinstance(call, Needs | Public)]
    if len(marks) != 1:
        raise InvariantBroken(
            f"the route {route.path} names {len(marks)} of `needs(...)` and `PUBLIC`, must be one",
            hint="Say who may call it.",
        )
    return marks[0]


def require_marks(router: APIRouter) -> None:
    """Refuse a router in which a route does not say who may call it."""
    for route in router.routes:
        if not isinstance(route, APIRoute | APIWebSocketRoute):
            raise InvariantBroken(f"the route {route} cannot say who may call it", hint="Make it a route of a router.")
        mark_of(route)


def _calls(dependant: Dependant) -> list[object]:
    found: list[object] = []
    for each in dependant.dependencies:
        found += [each.call, *_calls(each)]
    return found

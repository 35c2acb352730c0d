"""Personal access tokens: made, shown once, rotated, revoked. Making one wants a proof of who asks."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from manjha.api.auth import Admin, address_of, needs
from manjha.api.parts import Parts
from manjha.api.problems import not_found
from manjha.api.words import Moment
from manjha.domain.errors import UsageError
from manjha.domain.identity import ApiToken
from manjha.domain.moments import format_ts
from manjha.services.identity.caller import Caller, Scope
from manjha.services.identity.tokens import Made, Wanted

router = APIRouter(prefix="/tokens", tags=["access"])
Proved = Annotated[Caller, needs(Scope.ADMIN, step_up=True)]
TokenId = Annotated[str, Path(max_length=64, examples=["0d1893da287c3252"])]
DAYS, DAYS_MAX = 90, 366


class TokenView(BaseModel):
    """A token; itself it can be seen nowhere."""

    id: str = Field(examples=["0d1893da287c3252"])
    name: str = Field(examples=["dashboard"])
    scopes: list[Scope]
    addresses: list[Annotated[str, Field(examples=["10.0.0.0/8"])]] = Field(description="Empty: from anywhere.")
    made: Moment
    expires: Moment | None
    revoked: Moment | None
    used: Moment | None = Field(description="Written once a minute at most.")
    replaced_by: str | None = Field(examples=["5f2c9d1e7a3b4c6d"])


class MadeToken(BaseModel):
    """A token that was made. `token` is not shown again."""

    token: str = Field(examples=["mjt_0d1893da287c3252_..."])
    about: TokenView


class AskedToken(BaseModel, extra="forbid"):
    """What a token is to be."""

    name: str = Field(min_length=1, max_length=200, examples=["dashboard"])
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))
    days: int = Field(default=DAYS, ge=1, le=DAYS_MAX)
    addresses: list[Annotated[str, Field(max_length=64, examples=["10.0.0.0/8"])]] = Field(default=[], max_length=20)


@router.get("", summary="All tokens")
def all_(caller: Admin, parts: Parts) -> list[TokenView]:
    """List the tokens, also those that are over, by the moment they were made."""
    del caller
    return [_view(each) for each in parts.access.tokens.tokens()]


@router.post("", summary="Make a token", status_code=HTTPStatus.CREATED)
def make(caller: Proved, parts: Parts, request: Request, asked: AskedToken) -> MadeToken:
    """Make a token and show it, once."""
    wanted = Wanted(
        name=asked.name, scopes=frozenset(asked.scopes), days=asked.days, addresses=tuple(asked.addresses)
    )  # fmt: skip
    return _made(parts.access.tokens.make(wanted, caller.name, address_of(request)))


@router.post("/{token}/rotate", summary="Put another token in its place", status_code=HTTPStatus.CREATED)
def rotate(caller: Proved, parts: Parts, request: Request, token: TokenId) -> MadeToken:
    """Make another token of the same name, scopes and addresses; the old one goes on for a day."""
    return _made(parts.access.tokens.rotate(_known(parts, token), caller.name, address_of(request)))


@router.delete("/{token}", summary="Revoke a token")
def revoke(caller: Admin, parts: Parts, request: Request, token: TokenId) -> TokenView:
    """Let a token in no more: at once here, its open streams too, and within a second in other processes."""
    return _view(parts.access.tokens.revoke(_known(parts, token), caller.name, address_of(request)))


def _known(parts: Parts, token: str) -> str:
    try:
        return parts.access.tokens.find(token).id
    except UsageError as error:
        raise not_found(error.message, "GET /api/v1/tokens lists them.") from None


def _made(made: Made) -> MadeToken:
    return MadeToken(token=made.text, about=_view(made.token))


def _view(token: ApiToken) -> TokenView:
    def told(at_ns: int | None) -> str | None:
        return None if at_ns is None else format_ts(at_ns)

    return TokenView(
        id=token.id, name=token.name, scopes=list(map(Scope, token.scopes)), addresses=list(token.addresses),
        made=format_ts(token.created_ns), expires=told(token.expires_ns), revoked=told(token.revoked_ns),
        used=told(token.used_ns), replaced_by=token.replaced_by,
    )  # fmt: skip

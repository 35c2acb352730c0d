"""A person's session: log in by password and code, short access, refresh that rotates, proof anew, log out."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel, Field

from manjha.api.auth import BEARER, PUBLIC, Admin, Reader, address_of
from manjha.api.parts import Parts
from manjha.api.problems import Problem
from manjha.api.words import Moment
from manjha.domain.moments import format_ts
from manjha.services.identity.caller import SESSION, Caller, Scope
from manjha.services.identity.sessions import Opened, Proof

router = APIRouter(prefix="/session", tags=["access"])
Sent = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
Password = Annotated[
    str, Field(max_length=1_000, examples=["four words in a row"], json_schema_extra={"format": "password"})
]
Code = Annotated[str, Field(max_length=6, examples=["287082"], description="Of the second factor; empty without one.")]


class AskedLogin(BaseModel, extra="forbid"):
    """Proof of who somebody is."""

    password: Password = ""
    code: Code = ""


class AskedPassword(BaseModel, extra="forbid"):
    """A new password, and the link that lets it be set once."""

    link: str = Field(max_length=200, examples=["mjl_5f2c9d1e7a3b4c6d_..."], description="`manjha password link`")
    password: Password


class AskedRefresh(BaseModel, extra="forbid"):
    """What keeps a session on. It is good once."""

    refresh: str = Field(max_length=200, examples=["mjr_5f2c9d1e7a3b4c6d_..."])


class AskedCode(BaseModel, extra="forbid"):
    """The first code of a new second factor."""

    code: Code


class SessionKeysView(BaseModel):
    """What a session goes on with: `access` in the header Authorization, `refresh` to get the next ones."""

    access: str = Field(examples=["mjs_5f2c9d1e7a3b4c6d_..."])
    access_expires: Moment
    refresh: str = Field(examples=["mjr_5f2c9d1e7a3b4c6d_..."])
    refresh_expires: Moment
    stepped_up_until: Moment | None


class CallerView(BaseModel):
    """Who asks."""

    id: str = Field(examples=["0d1893da287c3252"])
    name: str = Field(examples=["owner"])
    kind: str = Field(examples=[SESSION])
    scopes: list[Scope]
    stepped_up_until: Moment | None


class NewFactor(BaseModel):
    """A second factor that waits for its first code."""

    secret: str = Field(examples=["JBSWY3DPEHPK3PXP"])
    address: str = Field(examples=["otpauth://totp/Manjha:owner?secret=JBSWY3DPEHPK3PXP"])


@router.get("", summary="Who am I?")
def who(caller: Reader) -> CallerView:
    """Return who asks, and what they may."""
    until = format_ts(caller.stepped_up_until_ns) if caller.stepped_up_until_ns else None
    return CallerView(
        id=caller.id, name=caller.name, kind=caller.kind, scopes=sorted(caller.scopes), stepped_up_until=until
    )  # fmt: skip


@router.post("", dependencies=[PUBLIC], summary="Log in")
def log_in(parts: Parts, request: Request, asked: AskedLogin) -> SessionKeysView:
    """Begin a session. Too many wrong attempts are answered 429, and nothing is looked at for a while."""
    return _told(parts.access.sessions.log_in(Proof(asked.password, asked.code), address_of(request)))


@router.post("/password", dependencies=[PUBLIC], summary="Set the password", status_code=HTTPStatus.NO_CONTENT)
def set_password(parts: Parts, request: Request, asked: AskedPassword) -> None:
    """Set the password by a link that is good once. Whoever is logged in is logged out."""
    parts.access.passwords.set_by_link(asked.link, asked.password, address_of(request))


@router.post("/refresh", dependencies=[PUBLIC], summary="Go on")
def refresh(parts: Parts, request: Request, asked: AskedRefresh) -> SessionKeysView:
    """Return the next keys of a session. A refresh that comes a second time ends the session for everybody."""
    return _told(parts.access.sessions.refresh(asked.refresh, address_of(request)))


@router.post("/step-up", summary="Prove anew who you are")
def step_up(caller: Reader, parts: Parts, request: Request, sent: Sent, asked: AskedLogin) -> SessionKeysView:
    """Take the password or a code for the next five minutes: for live trading, limits, tokens and the kill switch."""
    _require_session(caller)
    access = sent.credentials if sent else ""
    return _told(parts.access.sessions.step_up(access, Proof(asked.password, asked.code), address_of(request)))


@router.delete("", summary="Log out", status_code=HTTPStatus.NO_CONTENT)
def log_out(caller: Reader, parts: Parts, request: Request) -> None:
    """End the session of whoever asks."""
    _require_session(caller)
    parts.access.sessions.log_out(caller.id, caller.name, address_of(request))


@router.post("/factor", summary="Begin a second factor")
def enrol(caller: Admin, parts: Parts) -> NewFactor:
    """Return the secret of a new second factor, shown once; it counts once its first code was seen."""
    _require_session(caller)
    secret, address = parts.access.sessions.enrol()
    return NewFactor(secret=secret, address=address)


@router.post("/factor/confirm", summary="Have codes asked for", status_code=HTTPStatus.NO_CONTENT)
def confirm(caller: Admin, parts: Parts, request: Request, asked: AskedCode) -> None:
    """Have codes asked for from now on, by the first of them."""
    _require_session(caller)
    parts.access.sessions.confirm_factor(asked.code, address_of(request))


def _require_session(caller: Caller) -> None:
    if caller.kind != SESSION:
        raise Problem(
            HTTPStatus.CONFLICT, "session-needed", "a token has no session", hint="POST /api/v1/session logs you in."
        )  # fmt: skip


def _told(opened: Opened) -> SessionKeysView:
    stepped = opened.session.stepped_up_ns
    return SessionKeysView(
        access=opened.access, access_expires=format_ts(opened.keys.access_expires_ns), refresh=opened.refresh,
        refresh_expires=format_ts(opened.keys.refresh_expires_ns),
        stepped_up_until=format_ts(stepped) if stepped else None,
    )  # fmt: skip

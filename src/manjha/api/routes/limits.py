"""The limits of risk: what sessions are held to. Changed with a proof of who it is, for sessions that begin later."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from manjha.api.auth import Reader, needs
from manjha.api.parts import ApiParts, Parts
from manjha.api.problems import not_found
from manjha.api.routes.settings import put
from manjha.api.trading_views import Account, AccountName, SessionName, account_of
from manjha.engine.journaling import value_of
from manjha.engine.terms import RunBegun
from manjha.ports.limit_book import Limit
from manjha.services.identity.caller import Caller, Scope

router = APIRouter(tags=["risk"])
LimitName = Annotated[str, Path(max_length=100, examples=["day_loss_max"])]
Changer = Annotated[Caller, needs(Scope.ADMIN, step_up=True)]


class LimitView(BaseModel):
    """A limit by its name in `[risk]`; null is no limit. Rupees are whole, times in seconds."""

    name: str = Field(examples=["day_loss_max"])
    value: int | str | None = Field(examples=[25000])
    version: int = Field(description="Of its changes over this API; 0 where the settings file or a default holds.")


class HeldView(BaseModel):
    """What the newest session of an account is held to, as its journal has it: amounts in 1e-4 rupee, times in ns."""

    account: Account
    session: SessionName
    limits: dict[str, Any] | None


class AskedLimit(BaseModel, extra="forbid"):
    """A new value. `version` is that of the limit as you have seen it."""

    value: Annotated[int, Field(strict=True)] | Annotated[str, Field(max_length=2000)] | None = Field(examples=[25000])
    version: int = Field(ge=0, examples=[0])


@router.get("/limits", summary="What the next session is held to")
def limits(caller: Reader, parts: Parts) -> list[LimitView]:
    """List the limits of risk, in the order of the settings."""
    del caller
    versions = parts.limits.changed()
    return [_view(name, value, versions.get(name, 0)) for name, value in parts.limits.limits().items()]


@router.put("/limits/{name}", summary="Change a limit")
def change(caller: Changer, parts: Parts, name: LimitName, asked: AskedLimit) -> LimitView:
    """Change a limit for sessions that begin from now on; one that runs keeps what it began with.

    A session that holds something goes on only with the limits that it began with: change them when it is flat.
    """
    if name not in parts.limits.limits():
        raise not_found(f"there is no limit {name!r}", "GET /api/v1/limits lists them.")
    parts.limits.require(name, asked.value)
    kept = put(parts, caller, f"risk.{name}", asked.value, asked.version)
    return _view(name, asked.value, kept.version)


@router.get("/accounts/{account}/limits", summary="What the newest session is held to")
def held(caller: Reader, parts: Parts, account: AccountName) -> HeldView:
    """Return the limits of the account's newest session, which do not change while it runs."""
    del caller
    found = account_of(parts, account)
    begun = _begun(parts, found)
    if begun is None:
        return HeldView(account=found, session="", limits=None)
    controls = None if begun.controls is None else msgspec.to_builtins(begun.controls)
    return HeldView(account=found, session=begun.origin.run, limits=controls)


def _begun(parts: ApiParts, account: Any) -> RunBegun | None:
    journal = parts.followed.journal(account)
    if journal is None:
        return None
    row = next(journal.of_kind(RunBegun.__name__, newest_first=True), None)
    found = None if row is None else value_of(row.entry)
    return found if isinstance(found, RunBegun) else None


def _view(name: str, value: Limit, version: int) -> LimitView:
    return LimitView(name=name, value=value, version=version)

"""Settings that change while the program runs, with every value that they ever had."""

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from manjha.api.auth import Admin, Reader
from manjha.api.parts import ApiParts, Parts
from manjha.api.problems import CONFLICT, REFUSED, Problem, not_found
from manjha.api.words import Moment
from manjha.domain.errors import UsageError
from manjha.domain.moments import format_ts
from manjha.domain.records import SettingChange
from manjha.services.identity.caller import Caller

router = APIRouter(prefix="/settings", tags=["settings"])
Key = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_.-]{0,199}$", examples=["charts.interval"])]
VALUE_LOGGED = 500
"""Letters of a value that the audit log repeats."""
VALUE_MAX = 16_384
"""Bytes of a value."""


class SettingView(BaseModel):
    """A value of a setting, and who put it when. `version` counts from 1."""

    key: str = Field(examples=["charts.interval"])
    value: Any = Field(examples=["5m"])
    version: int
    changed: Moment
    changed_by: str = Field(examples=["dashboard"])


class AskedSetting(BaseModel, extra="forbid"):
    """A new value. `version` is that of the value as you have seen it, 0 where there was none."""

    value: Any = Field(examples=["5m"])
    version: int = Field(ge=0, strict=True, examples=[0])


@router.get("", summary="All settings")
def all_(caller: Reader, parts: Parts) -> list[SettingView]:
    """List the newest value of every setting, by key."""
    del caller
    with parts.records.begin() as books:
        return [_view(one) for one in books.settings.settings()]


@router.get("/{key}", summary="One setting")
def one(caller: Reader, parts: Parts, key: Key) -> SettingView:
    """Return the newest value of a setting."""
    del caller
    with parts.records.begin() as books:
        found = books.settings.get(key)
    if found is None:
        raise _unknown(key)
    return _view(found)


@router.get("/{key}/history", summary="Every value it ever had")
def history(caller: Reader, parts: Parts, key: Key) -> list[SettingView]:
    """List the values of a setting, newest first."""
    del caller
    with parts.records.begin() as books:
        found = books.settings.history(key)
    if not found:
        raise _unknown(key)
    return [_view(one) for one in found]


@router.put("/{key}", summary="Put a value")
def change(caller: Admin, parts: Parts, key: Key, asked: AskedSetting) -> SettingView:
    """Put a value in place of the one that you have seen; 409 where somebody else has put another meanwhile."""
    if key.startswith("risk."):
        raise Problem(
            HTTPStatus.CONFLICT, REFUSED, f"{key} is a limit of risk",
            hint=f"PUT /api/v1/limits/{key.removeprefix('risk.')} changes it, with a proof of who you are.",
        )  # fmt: skip
    return _view(put(parts, caller, key, asked.value, asked.version))


def put(parts: ApiParts, caller: Caller, key: str, value: Any, seen: int) -> SettingChange:
    """Put a value of which the version `seen` was seen. Raises the problem of one that is no longer the newest."""
    text = msgspec.json.encode(value).decode()
    if len(text) > VALUE_MAX:
        raise Problem(413, "too-large", f"a value may have {VALUE_MAX:,} bytes", hint="Put less into it.")
    change = SettingChange(
        key=key, version=seen + 1, value=text, changed_ns=parts.clock.now_ns(), changed_by=caller.name
    )
    try:
        with parts.records.begin() as books:
            books.settings.put(change)
            parts.access.audit.write(books, "setting.changed", caller.name, "", key=key, value=text[:VALUE_LOGGED])
    except UsageError as error:
        raise Problem(HTTPStatus.CONFLICT, CONFLICT, error.message, hint=error.hint) from None
    return change


def _view(one: SettingChange) -> SettingView:
    return SettingView(
        key=one.key, value=msgspec.json.decode(one.value), version=one.version, changed=format_ts(one.changed_ns),
        changed_by=one.changed_by,
    )  # fmt: skip


def _unknown(key: str) -> Problem:
    return not_found(f"there is no setting {key!r}", "GET /api/v1/settings lists them.")

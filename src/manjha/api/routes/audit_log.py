"""The log of who was let in and what was changed: chained, so that what was taken out or altered shows."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from manjha.api.auth import Admin
from manjha.api.paging import Cursor, Limit, Page, cursor_of, place_of
from manjha.api.parts import Parts
from manjha.api.words import Moment
from manjha.domain.identity import AuditRow
from manjha.domain.moments import format_ts
from manjha.services.identity.audit import write_anchor

router = APIRouter(prefix="/audit-log", tags=["access"])


class LoggedView(BaseModel):
    """An entry of the log."""

    seq: int
    time: Moment
    kind: str = Field(examples=["token.made"])
    who: str = Field(examples=["owner"])
    address: str = Field(examples=["127.0.0.1"])
    details: dict[str, Any] = Field(examples=[{"name": "dashboard"}])


class LogState(BaseModel):
    """Whether the log is whole."""

    faults: list[Annotated[str, Field(examples=["row 17 is not what was written"])]]
    head: str = Field(examples=["17:8c41..."], description="Where it ends: write it down elsewhere.")


class AskedLog(BaseModel, extra="forbid"):
    """A page of the log, newest first."""

    limit: Limit = 100
    cursor: Cursor = ""


@router.get("", summary="Who was let in, what was changed")
def rows(caller: Admin, parts: Parts, asked: Annotated[AskedLog, Query()]) -> Page[LoggedView]:
    """List the entries of the log, newest first."""
    del caller
    found = parts.access.audit.newest(before=place_of(asked.cursor, int), limit=asked.limit + 1)
    page = found[: asked.limit]
    more = cursor_of(page[-1].seq) if len(found) > asked.limit else None
    return Page(items=[_view(each) for each in page], next=more)


@router.post("/verify", summary="Is the log whole?")
def verify(caller: Admin, parts: Parts) -> LogState:
    """Check every link of the chain, and say where it ends."""
    del caller
    audit = parts.access.audit
    return LogState(faults=audit.faults(), head=write_anchor(audit.head()))


def _view(row: AuditRow) -> LoggedView:
    entry = row.entry
    return LoggedView(
        seq=row.seq, time=format_ts(entry.ts_ns), kind=entry.kind, who=entry.who, address=entry.address,
        details=msgspec.json.decode(entry.details),
    )  # fmt: skip

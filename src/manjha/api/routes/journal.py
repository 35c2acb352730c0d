"""The journal of an account: its rows, whether it is whole, and the notes that people were told of it."""

import threading
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from manjha.api.auth import Reader
from manjha.api.paging import Cursor, Limit, Page, cursor_of, place_of
from manjha.api.parts import ApiParts, Parts
from manjha.api.problems import Problem, not_found
from manjha.api.trading_views import Account, AccountName, Names, account_of
from manjha.api.words import Moment
from manjha.domain.moments import format_ts
from manjha.domain.orders import AccountId
from manjha.ports.journal import Journal
from manjha.services.accounts.told import Told, notes_before
from manjha.services.journals import lines_of, verified

router = APIRouter(prefix="/accounts/{account}", tags=["journal"])
FAULTS_MAX = 100
_VERIFYING = threading.Lock()


class AskedRows(BaseModel, extra="forbid"):
    """A page of rows."""

    kind: str = Field(default="", max_length=100, examples=["OrderFilled"], description="Only rows of this kind.")
    limit: Limit = 100
    cursor: Cursor = ""


class AskedNotes(BaseModel, extra="forbid"):
    """A page of notes."""

    limit: Limit = 50
    cursor: Cursor = ""


class NoteTold(BaseModel):
    """A note: what a person who is not looking at a screen is told. Account ids in it are masked."""

    kind: str = Field(examples=["fill"])
    level: str = Field(examples=["info"])
    title: str = Field(examples=["Order"])
    text: str = Field(examples=["BUY 10 NSE:PATANG at 100.05 (signal, sma-cross, PA**R)"])
    time: Moment
    seq: int


class FaultView(BaseModel):
    """What is wrong with a journal, and at which row."""

    seq: int
    what: str = Field(examples=["row 7 is missing: the next one is 8"])


class VerifiedView(BaseModel):
    """What the walk over a journal found: nothing in `faults` means that it is whole."""

    account: Account
    is_whole: bool
    rows: int
    head_seq: int
    head_hash: str = Field(examples=["9f86d081884c7d65"])
    faults: list[FaultView] = Field(description="The first hundred.")


@router.get("/journal", summary="Rows of the journal, oldest first")
def rows(
    caller: Reader, parts: Parts, account: AccountName, asked: Annotated[AskedRows, Query()]
) -> Page[dict[str, Any]]:
    """Return what was written down, row by row: seq, epoch, run, kind, time, the value as it stands, and its hash.

    Amounts and prices in a value are whole numbers of 1e-4 rupee, as they are written down.
    """
    del caller
    journal = _journal(parts, account_of(parts, account))
    found = list(islice(_lines(journal, place_of(asked.cursor, int) or 0, asked.kind), asked.limit + 1))
    page = found[: asked.limit]
    more = cursor_of(page[-1]["seq"]) if len(found) > asked.limit else None
    return Page(items=page, next=more)


@router.post("/journal/verify", summary="Is it whole?")
def verify(caller: Reader, parts: Parts, account: AccountName) -> VerifiedView:
    """Walk over all rows: their chain, their hashes, whether each can be read. One walk at a time."""
    del caller
    journal = _journal(parts, account_of(parts, account))
    if not _VERIFYING.acquire(blocking=False):
        raise Problem(503, "busy", "another journal is being verified", hint="Ask again when that is over.")
    try:
        found = verified(journal, None)
    finally:
        _VERIFYING.release()
    return VerifiedView(
        account=found.head.account, is_whole=not found.faults, rows=found.rows, head_seq=found.head.seq,
        head_hash=found.head.hash.hex(),
        faults=[FaultView(seq=one.seq, what=one.what) for one in found.faults[:FAULTS_MAX]],
    )  # fmt: skip


@router.get("/notifications", summary="What people were told, newest first")
def notifications(
    caller: Reader, parts: Parts, account: AccountName, asked: Annotated[AskedNotes, Query()]
) -> Page[NoteTold]:
    """List the notes that an account's journal tells of: orders, fills, refusals, halts, calls for a person.

    They are kept as long as the journal. What was told beside it (the report of a day) is not among them.
    """
    del caller
    found = account_of(parts, account)
    journal = _journal(parts, found)
    before = place_of(asked.cursor, int)
    page, more = notes_before(journal, found, Names(parts), before, asked.limit)
    return Page(items=[_note(one) for one in page], next=None if more is None else cursor_of(more))


def _journal(parts: ApiParts, account: AccountId) -> Journal:
    found = parts.followed.journal(account)
    if found is None:
        raise not_found(f"{account} has no journal yet", "It has one once a session was started.")
    return found


def _lines(journal: Journal, after: int, kind: str) -> Iterator[dict[str, Any]]:
    for line in lines_of(journal, after):
        row: dict[str, Any] = msgspec.json.decode(line)
        if not kind or row["kind"] == kind:
            yield row


def _note(one: Told) -> NoteTold:
    note = one.note
    return NoteTold(
        kind=note.kind, level=note.level.name.lower(), title=note.title, text=note.text, time=format_ts(note.ts_ns),
        seq=one.seq,
    )  # fmt: skip

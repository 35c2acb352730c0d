"""What an account's journal tells people: its notes, made again from the rows that they came from."""

from typing import NamedTuple

from manjha.domain.journal import Row
from manjha.domain.notes import Note
from manjha.domain.orders import AccountId
from manjha.engine.journaling import value_of
from manjha.ports.journal import Journal
from manjha.services.notes import Names, note_of

KINDS = frozenset(
    {
        "Approved.SubmitOrder", "OrderFilled", "OrderRejected", "Refused", "TradingSwitched", "LinkLost",
        "MarginAssumed", "CallPerson",
    }
)  # fmt: skip
"""Of which rows there may be a note."""
AT_ONCE = 2_000
"""Rows that are looked at before the page is judged."""
LOOKS_MAX = 50
"""Reads for one page: where nobody was told anything for so long, the page is short, and its cursor goes on."""


class Told(NamedTuple):
    """A note, and the row that tells it."""

    seq: int
    note: Note


def told_by(row: Row, account: AccountId, names: Names) -> Told | None:
    """Return the note of a row; None where nobody is told of it."""
    if row.entry.kind not in KINDS:
        return None
    note = note_of(value_of(row.entry), account, names)  # type: ignore[arg-type]
    return None if note is None else Told(row.seq, note)


def notes_before(
    journal: Journal, account: AccountId, names: Names, before: int | None, limit: int
) -> tuple[list[Told], int | None]:
    """Return notes of rows before a row, newest first, and the row from which the next page goes on; None at the end.

    `before` None is the end of the journal. Raises `JournalHalted` where a row cannot be read.
    """
    upper = journal.head().seq + 1 if before is None else before
    found: list[Told] = []
    for _ in range(LOOKS_MAX):
        lower = max(upper - AT_ONCE, 1)
        found += reversed(_between(journal, account, names, lower, upper))
        upper = lower
        if len(found) > limit:
            return found[:limit], found[limit - 1].seq
        if upper <= 1:
            return found, None
    return found, upper


def _between(journal: Journal, account: AccountId, names: Names, lower: int, upper: int) -> list[Told]:
    some: list[Told] = []
    for row in journal.rows(lower - 1):
        if row.seq >= upper:
            break
        told = told_by(row, account, names)
        if told is not None:
            some.append(told)
    return some

"""Looking through a journal: is it whole, and what is in it?"""

from collections.abc import Iterator

import msgspec

from manjha.domain.commands import Approved
from manjha.domain.errors import JournalHalted
from manjha.domain.journal import Fault, Head, Row, faults
from manjha.domain.moments import format_ts
from manjha.engine.journaling import value_of
from manjha.ports.journal import Journal

_ENCODER = msgspec.json.Encoder()


class Verified(msgspec.Struct, frozen=True):
    """What the walk over a journal found: how many rows stand there, what is wrong with them, and the head."""

    head: Head
    rows: int
    faults: tuple[Fault, ...]


def verified(journal: Journal) -> Verified:
    """Walk over all rows: their chain, their hashes, and whether each is a value that this version knows."""
    count, unread = 0, list[Fault]()

    def counted() -> Iterator[Row]:
        nonlocal count
        for row in journal.rows():
            count += 1
            try:
                value_of(row.entry)
            except JournalHalted as error:
                unread.append(Fault(row.seq, f"row {row.seq}: {error.message}"))
            yield row

    # The head first: a writer may go on meanwhile, and rows after it are no fault then.
    head = journal.head()
    found = [*faults(_up_to(counted(), head.seq, journal), head), *unread]
    return Verified(head, count, tuple(sorted(found, key=lambda fault: fault.seq)))


def _up_to(rows: Iterator[Row], last: int, journal: Journal) -> Iterator[Row]:
    """Yield the rows up to a head, and those after it only where the journal's head has not moved since."""
    for row in rows:
        if row.seq > last and journal.head().seq > last:
            return
        yield row


def lines_of(journal: Journal, after: int = 0) -> Iterator[bytes]:
    """Yield each row after a number as a JSON document: where it stands, when, and the value written down.

    Raises
    ------
    JournalHalted
        A row cannot be read; `verified` says more.
    """
    for row in journal.rows(after):
        value = value_of(row.entry)
        yield _ENCODER.encode(
            {
                "seq": row.seq,
                "epoch": row.epoch,
                "run": row.run,
                "kind": row.entry.kind,
                "ts_ns": row.entry.ts_ns,
                "time": format_ts(row.entry.ts_ns),
                "value": value.command if isinstance(value, Approved) else value,
                "hash": row.hash.hex(),
            }
        )

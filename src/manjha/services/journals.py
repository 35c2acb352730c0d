"""Looking through a journal and its market data: are they whole, and what is in them?"""

from collections.abc import Iterator

import msgspec

from manjha.domain.commands import Approved
from manjha.domain.errors import JournalHalted
from manjha.domain.journal import Fault, Head, Row, faults
from manjha.domain.moments import format_ts
from manjha.domain.segments import MarketWritten, segment_faults
from manjha.engine.journaling import value_of
from manjha.ports.journal import Journal
from manjha.ports.segments import MarketSegments

_ENCODER = msgspec.json.Encoder()


class Verified(msgspec.Struct, frozen=True):
    """What the walk over a journal found: how many rows stand there, what is wrong with them, and the head.

    `market_bytes` are those of market data that rows state, `loose_bytes` those after them, which no row states: a
    crash left them, or a writer has not committed them yet.
    """

    head: Head
    rows: int
    faults: tuple[Fault, ...]
    segments: int
    market_bytes: int
    loose_bytes: int


def verified(journal: Journal, segments: MarketSegments | None) -> Verified:
    """Walk over all rows: their chain, their hashes, whether each is a value that this version knows; then market data.

    Market data are whole where each row that states them is true: the segment is there and has that hash. Without
    `segments` they are not looked at.
    """
    count, unread, stated = 0, list[Fault](), list[tuple[int, MarketWritten]]()

    def counted() -> Iterator[Row]:
        nonlocal count
        for row in journal.rows():
            count += 1
            try:
                value = value_of(row.entry)
            except JournalHalted as error:
                unread.append(Fault(row.seq, f"row {row.seq}: {error.message}"))
            else:
                if type(value) is MarketWritten:
                    stated.append((row.seq, value))
            yield row

    # The head first: a writer may go on meanwhile, and rows after it are no fault then.
    head = journal.head()
    found = [*faults(_up_to(counted(), head.seq, journal), head), *unread]
    if segments is None:
        return Verified(head, count, tuple(sorted(found, key=lambda fault: fault.seq)), 0, 0, 0)
    sizes: dict[int, int] = {}

    def read(number: int) -> bytes:
        data = segments.read(number)
        sizes[number] = len(data)
        return data

    found += segment_faults(stated, read, head.account)
    ends = {written.segment: written.offset for _, written in stated}
    for number in set(segments.numbers()) - sizes.keys():
        read(number)
    loose = sum(max(0, there - ends.get(number, 0)) for number, there in sizes.items())
    whole = tuple(sorted(found, key=lambda fault: fault.seq))
    return Verified(head, count, whole, len(ends), sum(ends.values()), loose)


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

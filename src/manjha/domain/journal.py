"""The journal's words: what is written down before anything leaves, each row chained to the one before it.

A row's hash covers everything in the row and the hash of the row before, so that no row can be changed, dropped or
moved without every later hash being wrong. The head says how many rows there are, so that a missing end is seen too.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from struct import Struct

import msgspec

from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, RunId

FORMAT = 1
"""Version of rows and payloads; a journal of a newer one is refused."""
HASH_BYTES = 32
_NUMBERS = Struct(">qqq")
_LENGTHS = Struct(">III")


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One thing to be written down: what kind, when (UTC ns, told by whoever writes) and the canonical bytes of it."""

    kind: str
    ts_ns: TsNs
    payload: bytes


class Row(msgspec.Struct, frozen=True, gc=False):
    """An entry as it stands in a journal.

    `seq` counts from 1 without gaps. `epoch` is whose term it was written in (see `ports.journal.Journal.begin`), `run`
    which run of that term. `hash` is SHA-256 over everything before it and `previous`, the hash of the row before.
    """

    seq: int
    epoch: int
    run: RunId
    entry: Entry
    previous: bytes
    hash: bytes


class Head(msgspec.Struct, frozen=True, gc=False):
    """Where a journal ends: number and hash of its last row (0 and the genesis hash where there is none)."""

    account: AccountId
    epoch: int
    seq: int
    hash: bytes
    format: int = FORMAT


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """A state as it was after row `seq`: its canonical bytes and the digest that it must have when it is loaded."""

    seq: int
    digest: str
    payload: bytes


class Fault(msgspec.Struct, frozen=True, gc=False):
    """What is wrong with a journal, and at which row."""

    seq: int
    what: str


def genesis(account: AccountId, form: int = FORMAT) -> bytes:
    """Return what the first row is chained to: another account or version is another chain."""
    return hashlib.sha256(f"manjha journal {form} of {account}".encode()).digest()


def row_hash(previous: bytes, seq: int, epoch: int, run: RunId, entry: Entry) -> bytes:
    """Return the hash of a row. Texts are preceded by their lengths, so that none can take over a part of another."""
    run_bytes, kind = run.encode(), entry.kind.encode()
    sha = hashlib.sha256(previous)
    sha.update(_NUMBERS.pack(seq, epoch, entry.ts_ns))
    sha.update(_LENGTHS.pack(len(run_bytes), len(kind), len(entry.payload)))
    sha.update(run_bytes + kind + entry.payload)
    return sha.digest()


def chained(head: Head, run: RunId, entries: Sequence[Entry]) -> tuple[list[Row], Head]:
    """Return the rows of some entries after a head, and the head after them."""
    rows, seq, last = [], head.seq, head.hash
    for entry in entries:
        seq += 1
        made = row_hash(last, seq, head.epoch, run, entry)
        rows.append(Row(seq, head.epoch, run, entry, last, made))
        last = made
    return rows, Head(head.account, head.epoch, seq, last, head.format)


def faults(rows: Iterable[Row], head: Head) -> Iterator[Fault]:
    """Yield what is wrong with a journal, in the order of its rows; nothing where it is whole.

    `rows` are all of them by ascending `seq`, as they are stored. After a fault the walk goes on from what it found.
    """
    expected, last, epoch = 1, genesis(head.account, head.format), 0
    for row in rows:
        if row.seq != expected:
            yield Fault(expected, f"row {expected} is missing: the next one is {row.seq}")
        elif row.previous != last:
            yield Fault(row.seq, f"row {row.seq} does not follow the row before it: one of the two was replaced")
        if row_hash(row.previous, row.seq, row.epoch, row.run, row.entry) != row.hash:
            yield Fault(row.seq, f"row {row.seq} is not what was written: its hash does not fit")
        if row.epoch < epoch:
            yield Fault(row.seq, f"row {row.seq} is of epoch {row.epoch}, after one of epoch {epoch}")
        expected, last, epoch = row.seq + 1, row.hash, max(epoch, row.epoch)
    if expected <= head.seq:
        yield Fault(expected, f"the end is missing: rows {expected} to {head.seq} were written")
    elif expected - 1 > head.seq:
        yield Fault(head.seq + 1, f"rows {head.seq + 1} to {expected - 1} stand after the head, which is {head.seq}")
    elif last != head.hash:
        yield Fault(head.seq, f"the last row, {head.seq}, is not the one that the head names")

"""Market data beside a journal: frames in numbered, append-only segments, chained by hash and by the journal's rows.

A segment is eight bytes that name the format, then frames: length of the payload (4 bytes), kind (1), payload, and the
CRC-32 of all that the segment holds so far (4), which names the first frame that is not what was written. What proves
a segment is the SHA-256 over its bytes that a row of the journal states (`MarketWritten`). Both begin from account,
number and the hash at which the segment before ended, so no segment can take another's place.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from struct import Struct
from zlib import crc32

import msgspec

from manjha.domain.errors import InvariantBroken, JournalHalted
from manjha.domain.journal import Fault
from manjha.domain.orders import AccountId

OPENING = b"MANJHA\x00\x01"
"""First bytes of a segment; the last one is the format's version."""
PAYLOAD_MAX = 1 << 24
"""Bytes of a payload at most: a larger length is damage."""
_HEADER, _CRC = Struct(">IB"), Struct(">I")


class Frame(msgspec.Struct, frozen=True, gc=False):
    """Some market data as bytes; `kind` (0 to 255) says how to read them."""

    kind: int
    payload: bytes


class MarketWritten(msgspec.Struct, frozen=True, gc=False, tag=True, omit_defaults=True):
    """Market data are on disk up to here: `offset` bytes of a segment, with this SHA-256 (hexadecimal) over them.

    `tail` are the last of these bytes, as many as were not durable in the segment itself when this was stated: whoever
    has the statement has them. Nothing else is ever said to be on disk before it is (ADR 0101).
    """

    segment: int
    offset: int
    hash: str
    tail: bytes = b""

    @property
    def durable(self) -> int:
        """How many bytes were durable in the segment itself."""
        return self.offset - len(self.tail)


class SegmentChain:
    """Makes the bytes of one segment, and knows where it ends."""

    __slots__ = ("_crc", "_sha", "number", "offset")

    def __init__(self, account: AccountId, number: int, previous: str) -> None:
        self.number = number
        self.offset = len(OPENING)
        first = segment_genesis(account, number, previous)
        self._sha = hashlib.sha256(first + OPENING)
        self._crc = crc32(first + OPENING)

    def framed(self, frame: Frame) -> bytes:
        """Return a frame as it is written after the frames before it. A payload above the bound is our own mistake."""
        if len(frame.payload) > PAYLOAD_MAX:
            raise InvariantBroken(f"a frame of market data has {len(frame.payload)} bytes, at most {PAYLOAD_MAX}")
        said = _HEADER.pack(len(frame.payload), frame.kind) + frame.payload
        self._crc = crc32(said, self._crc)
        said += _CRC.pack(self._crc)
        self._crc = crc32(said[-_CRC.size :], self._crc)
        self._sha.update(said)
        self.offset += len(said)
        return said

    def written(self) -> MarketWritten:
        """Return what a journal states of the segment as it is now."""
        return MarketWritten(self.number, self.offset, self._sha.hexdigest())


def segment_genesis(account: AccountId, number: int, previous: str) -> bytes:
    """Return what a segment is chained to; `previous` is the hash at which the one before ended, "" for the first."""
    return hashlib.sha256(f"manjha segment {number} of {account} after {previous}".encode()).digest()


def frames_of(data: bytes, account: AccountId, written: MarketWritten, previous: str) -> Iterator[Frame]:
    """Yield the frames of a segment up to what a journal states of it.

    Raises
    ------
    JournalHalted
        The bytes are not those that were written; names the segment, the frame and the byte.
    """
    data = with_tail(data, written)
    _require_length(data, written)
    first, view = segment_genesis(account, written.segment, previous), memoryview(data)[: written.offset]
    sha = hashlib.sha256(first)
    sha.update(view)
    _require_hash(sha.hexdigest(), view, first, written)
    at = len(OPENING)
    while at < len(view):
        length, kind = _HEADER.unpack_from(view, at)
        at += _HEADER.size
        yield Frame(kind, bytes(view[at : at + length]))
        at += length + _CRC.size


def with_tail(data: bytes, written: MarketWritten) -> bytes:
    """Return the bytes of a segment with those that its last statement has: a power cut may have taken them from it.

    Where bytes before them are missing, those were durable and are lost: what is there is returned as it is.
    """
    if not written.tail or len(data) < written.durable:
        return data
    return data[: written.durable] + written.tail + data[written.offset :]


def _require_length(data: bytes, written: MarketWritten, at: int = 0) -> None:
    if written.offset < at:
        raise JournalHalted(f"segment {written.segment} had {at} bytes already, {written.offset} are stated")
    if len(data) < written.offset:
        lost = f"it has {len(data)} bytes" if data else "it is missing"
        raise JournalHalted(f"segment {written.segment} has lost its end: {lost}, {written.offset} were written")


def _require_hash(found: str, view: memoryview, first: bytes, written: MarketWritten) -> None:
    if found != written.hash:
        raise JournalHalted(f"segment {written.segment} is not what was written: {_first_wrong(view, first)}")


def _first_wrong(view: memoryview, first: bytes) -> str:
    """Return the first frame that is damaged, in words."""
    if view[: len(OPENING)] != OPENING:
        return "it begins with other bytes"
    crc, at, number = crc32(first + OPENING), len(OPENING), 0
    while at < len(view):
        number += 1
        body = at + _HEADER.size
        length = _HEADER.unpack_from(view, at)[0] if body <= len(view) else PAYLOAD_MAX
        end = body + length
        if end + _CRC.size > len(view):
            return f"frame {number} at byte {at} reaches past the end"
        crc = crc32(view[at:end], crc)
        if _CRC.unpack_from(view, end)[0] != crc:
            return f"the first wrong frame is {number}, at byte {at}"
        crc, at = crc32(view[end : end + _CRC.size], crc), end + _CRC.size
    return "every frame fits the one before it, but the journal states another hash"


def segment_faults(
    stated: Iterable[tuple[int, MarketWritten]], read: Callable[[int], bytes], account: AccountId
) -> Iterator[Fault]:
    """Yield what is wrong with the segments of which a journal's rows speak, at most one fault a segment.

    Parameters
    ----------
    stated
        Row number and statement, ascending.
    read
        Returns the bytes of a segment; none where it is missing.
    """
    previous, number = "", 0
    for segment, group in groupby(stated, lambda one: one[1].segment):
        rows = list(group)
        if segment != number + 1:
            yield Fault(rows[0][0], f"row {rows[0][0]} speaks of segment {segment} after segment {number}")
        found = _first_false(rows, with_tail(read(segment), rows[-1][1]), account, previous)
        if found is not None:
            yield found
        previous, number = rows[-1][1].hash, segment


def _first_false(
    rows: Sequence[tuple[int, MarketWritten]], data: bytes, account: AccountId, previous: str
) -> Fault | None:
    """Return the first statement of a segment that does not hold; each byte is read once."""
    first = segment_genesis(account, rows[0][1].segment, previous)
    sha, view, at = hashlib.sha256(first), memoryview(data), 0
    for seq, written in rows:
        try:
            _require_length(data, written, at)
            sha.update(view[at : written.offset])
            _require_hash(sha.hexdigest(), view[: written.offset], first, written)
        except JournalHalted as error:
            return Fault(seq, f"row {seq}: {error.message}")
        at = written.offset
    return None

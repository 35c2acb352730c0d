"""Segments of market data as files in a folder: `00000001.segment` and so on."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from manjha.adapters.files.durable import make_folder, sync_folder
from manjha.domain.errors import JournalHalted
from manjha.domain.orders import AccountId
from manjha.domain.segments import OPENING, Frame, MarketWritten, SegmentChain

SEGMENT_BYTES = 64 << 20
"""A segment of this size is not added to any more; a smaller one is quicker to read again."""
TAIL_BYTES = 16 << 10
"""What may go into a statement at most: some two hundred bars or ticks. It is written with each one until a sync."""
_SUFFIX = ".segment"
_ADVICE = "Check the disk (space, rights, health) and keep the files; `manjha journal verify` says what is whole."


class SegmentFolder:
    """Implements `ports.segments.MarketSegments`. The folder is made with the first segment."""

    def __init__(
        self,
        folder: Path,
        account: AccountId,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        tail_bytes: int = TAIL_BYTES,
    ) -> None:
        self._folder = folder
        self._account = account
        self._segment_bytes = segment_bytes
        self._tail_bytes = tail_bytes
        # What was written since the last sync; more than may go into a statement is not kept.
        self._tail = bytearray()
        self._durable = 0
        self._chain: SegmentChain | None = None
        self._descriptor = -1
        self._last: MarketWritten | None = None
        self._why_halted = "`resume` was not called"

    def resume(self, last: MarketWritten | None) -> int:
        """Get ready to write after what a journal stated last, and cut what stands after it; see the port."""
        self.close()
        cut = 0
        with self._working("be taken up"):
            sizes = {number: self._path(number).stat().st_size for number in self.numbers()}
            if last is not None:
                self._mend(last, sizes)
            for number, size in sizes.items():
                if last is not None and number < last.segment:
                    continue
                keep = last.offset if last is not None and number == last.segment else 0
                if size > keep or not keep:
                    self._cut(self._path(number), keep)
                    cut += size - keep
        self._last, self._why_halted = replace(last, tail=b"") if last is not None else None, ""
        return cut

    def append(self, frames: Sequence[Frame]) -> None:
        """Write frames after those before; see the port."""
        if self._why_halted:
            raise JournalHalted(f"the segments in {self._folder} cannot be written: {self._why_halted}", hint=_ADVICE)
        if not frames:
            return
        with self._working("be written"):
            chain = self._chain
            if chain is None or (chain.offset >= self._segment_bytes and chain.written() == self._last):
                chain = self._begun()
            self._write(b"".join(map(chain.framed, frames)))

    def sync(self) -> MarketWritten | None:
        """Make durable what was appended; see the port."""
        if self._why_halted:
            raise JournalHalted(f"the segments in {self._folder} cannot be written: {self._why_halted}", hint=_ADVICE)
        if self._chain is None:
            return self._last
        if self._durable < self._chain.offset:
            with self._working("be made durable"):
                self._sync()
        self._last = self._chain.written()
        return self._last

    def stated(self) -> MarketWritten | None:
        """Return what the journal is to state, with what is not durable yet where that is little; see the port."""
        chain = self._chain
        waiting = chain.offset - self._durable if chain is not None else 0
        if self._why_halted or chain is None or not 0 < waiting <= self._tail_bytes:
            return self.sync()
        self._last = chain.written()
        return replace(self._last, tail=bytes(self._tail))

    def read(self, number: int) -> bytes:
        """Return the bytes of a segment; see the port."""
        try:
            return self._path(number).read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise JournalHalted(f"{self._path(number)} cannot be read: {error.strerror}", hint=_ADVICE) from error

    def numbers(self) -> Sequence[int]:
        """Return the numbers of the segments that are there, ascending."""
        names = (path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"*{_SUFFIX}"))
        return sorted(int(name) for name in names if name.isdecimal())

    def close(self) -> None:
        """Close the segment that is being written."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._chain, self._why_halted = -1, None, "they were closed"

    def _begun(self) -> SegmentChain:
        """Begin the next segment: a file that was not there, because another writer's would be."""
        if self._descriptor >= 0:
            if self._chain is not None and self._durable < self._chain.offset:
                # A segment that is over is whole by itself, whatever its last statement has of it.
                self._sync()
            os.close(self._descriptor)
            self._descriptor = -1
        before = self._last
        number = before.segment + 1 if before is not None else 1
        make_folder(self._folder)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
        self._descriptor = os.open(self._path(number), flags, 0o644)
        self._tail.clear()
        self._durable = 0
        self._write(OPENING)
        sync_folder(self._folder)
        self._chain = SegmentChain(self._account, number, before.hash if before is not None else "")
        return self._chain

    def _write(self, data: bytes) -> None:
        if len(self._tail) + len(data) <= self._tail_bytes:
            self._tail += data
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _sync(self) -> None:
        os.fsync(self._descriptor)
        self._durable = self._chain.offset if self._chain is not None else 0
        self._tail.clear()

    def _mend(self, last: MarketWritten, sizes: dict[int, int]) -> None:
        """See that a segment has what was stated of it; what the statement has itself is written again.

        Also where it can be read: after a sync that failed the system may show what is not on the disk (ADR 0082).
        """
        size = sizes.get(last.segment, -1)
        if size < last.durable:
            found = f"has {size} bytes" if size >= 0 else "is missing"
            raise JournalHalted(
                f"segment {last.segment} in {self._folder} {found}, {last.durable} were written", hint=_ADVICE
            )
        if not last.tail:
            return
        descriptor = os.open(self._path(last.segment), os.O_WRONLY)
        try:
            at, rest = last.durable, memoryview(last.tail)
            while rest:
                done = os.pwrite(descriptor, rest, at)
                at, rest = at + done, rest[done:]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sizes[last.segment] = max(size, last.offset)

    def _cut(self, path: Path, keep: int) -> None:
        if not keep:
            path.unlink()
            sync_folder(self._folder)
            return
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.truncate(descriptor, keep)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08}{_SUFFIX}"

    @contextmanager
    def _working(self, what: str) -> Iterator[None]:
        """Turn what the machine says into a halt: after it nobody knows what was written."""
        try:
            yield
        except OSError as error:
            self._why_halted = error.strerror or str(error)
            raise JournalHalted(
                f"the segments in {self._folder} cannot {what}: {self._why_halted}", hint=_ADVICE
            ) from error

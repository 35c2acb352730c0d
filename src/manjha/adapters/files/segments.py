"""Segments of market data as files in a folder: `00000001.segment` and so on."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from manjha.adapters.files.durable import make_folder, sync_folder
from manjha.domain.errors import JournalHalted
from manjha.domain.orders import AccountId
from manjha.domain.segments import OPENING, Frame, MarketWritten, SegmentChain

SEGMENT_BYTES = 64 << 20
"""A segment of this size is not added to any more; a smaller one is quicker to read again."""
_SUFFIX = ".segment"
_ADVICE = "Check the disk (space, rights, health) and keep the files; `manjha journal verify` says what is whole."


class SegmentFolder:
    """Implements `ports.segments.MarketSegments`. The folder is made with the first segment."""

    def __init__(self, folder: Path, account: AccountId, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._account = account
        self._segment_bytes = segment_bytes
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
            if last is not None and sizes.get(last.segment, 0) < last.offset:
                raise JournalHalted(
                    f"segment {last.segment} in {self._folder} has {sizes.get(last.segment, 0)} bytes, "
                    f"{last.offset} were written",
                    hint=_ADVICE,
                )
            for number, size in sizes.items():
                if last is not None and number < last.segment:
                    continue
                keep = last.offset if last is not None and number == last.segment else 0
                if size > keep or not keep:
                    self._cut(self._path(number), keep)
                    cut += size - keep
        self._last, self._why_halted = last, ""
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
            rest = memoryview(b"".join(map(chain.framed, frames)))
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def sync(self) -> MarketWritten | None:
        """Make durable what was appended; see the port."""
        if self._why_halted:
            raise JournalHalted(f"the segments in {self._folder} cannot be written: {self._why_halted}", hint=_ADVICE)
        if self._chain is None:
            return self._last
        written = self._chain.written()
        if written != self._last:
            with self._working("be made durable"):
                os.fsync(self._descriptor)
            self._last = written
        return self._last

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
            os.close(self._descriptor)
            self._descriptor = -1
        before = self._last
        number = before.segment + 1 if before is not None else 1
        make_folder(self._folder)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
        self._descriptor = os.open(self._path(number), flags, 0o644)
        os.write(self._descriptor, OPENING)
        sync_folder(self._folder)
        self._chain = SegmentChain(self._account, number, before.hash if before is not None else "")
        return self._chain

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

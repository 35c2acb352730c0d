"""Journals as files of lines. A line is written at once and synced; what a killed process left half is cut off."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from manjha.adapters.files.durable import make_folder, sync_folder
from manjha.domain.errors import UsageError


class JournalFile:
    """Implements `ports.study_journals.StudyJournal`; made by `open_journal`, which holds the lock."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor

    def lines(self) -> Sequence[bytes]:
        """Return what was written, oldest first."""
        return self._path.read_bytes().split(b"\n")[:-1]

    def append(self, line: bytes) -> None:
        """Write a line durably, after the last one that is whole."""
        if b"\n" in line:
            raise ValueError("a line of a journal has no line end in it")
        end = self._whole()
        try:
            os.ftruncate(self._descriptor, end)
            rest = memoryview(line + b"\n")
            while rest:
                written = os.pwrite(self._descriptor, rest, end)
                rest, end = rest[written:], end + written
            os.fsync(self._descriptor)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error

    def clear(self) -> None:
        """Forget everything that was written."""
        os.ftruncate(self._descriptor, 0)
        os.fsync(self._descriptor)

    def _whole(self) -> int:
        """Return where the last whole line ends."""
        size = os.fstat(self._descriptor).st_size
        if not size or os.pread(self._descriptor, 1, size - 1) == b"\n":
            return size
        return self._path.read_bytes().rfind(b"\n") + 1


@contextmanager
def open_journal(path: Path) -> Iterator[JournalFile]:
    """Hold a journal, made where it is new; one that nothing was written to is not left behind.

    Raises
    ------
    UsageError
        Another process holds it. The kernel lets go of it when the holder dies, however it dies.
    """
    make_folder(path.parent)
    descriptor = _locked(path)
    try:
        sync_folder(path.parent)
        try:
            yield JournalFile(path, descriptor)
        finally:
            if not os.fstat(descriptor).st_size:
                path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int:
    """Return a descriptor of the file that lies at the path, held alone."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who held it before may have taken an empty file away since it was opened: then it is nobody's file.
            if _lies_at(path, descriptor):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise UsageError(
                f"another process is at work on {path}", hint="Wait until it is done, or give --study another name."
            ) from None
        os.close(descriptor)


def _lies_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False

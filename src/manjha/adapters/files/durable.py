"""Files that are whole or not there: temporary file, fsync, rename, fsync of the folder; and a lock for writers."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMPORARY = ".tmp"
"""How the name of a file ends that was not finished; such a file may be deleted by whoever holds the lock."""
PRIVATE = 0o600
"""Nobody but the owner reads or writes it."""


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put a file in place so that a reader, or a machine that comes back, sees the old one or the new one.

    `mode` says who may read and write it.

    Raises
    ------
    OSError
        The machine refuses, with the file's name; nothing of it is left, not even on a full disk.
    """
    make_folder(path.parent)
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        _write(temporary, data, mode)
        temporary.rename(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
    sync_folder(path.parent)


def write_private(path: Path, data: bytes) -> None:
    """Put a file in place as `write_whole`, for its owner's eyes alone."""
    write_whole(path, data, PRIVATE)


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)
    try:
        if mode == PRIVATE:
            # One that an earlier process left may be open to others.
            os.fchmod(descriptor, mode)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock against every other writer, of this process or another; wait for it as long as it takes.

    The kernel lets go of it when the holder dies, however it dies.
    """
    make_folder(path.parent)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

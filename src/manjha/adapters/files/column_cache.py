"""Columns beside the store, ready to be mapped into memory: what is read twice is not decoded twice.

A cache file holds the rows of one intraday partition file and is named after that file's hash, so a changed partition
never meets an old cache. It may be deleted at any time; the least recently used go first when the bound is reached. It
counts only until the machine starts anew, so it need not be synced (6 of 15 ms of a first read), and a power cut cannot
leave half of one that looks whole.
"""

import mmap
import os
import struct
from functools import cache
from pathlib import Path

import numpy as np

from manjha.adapters.files.durable import TEMPORARY
from manjha.adapters.files.rows import FIELDS, Int64s

MAX_BYTES = 4 << 30
"""Bound of all cache files together: about 65 million bars."""

_MAGIC = b"MANJHAC1"
_HEAD = 64
_LAYOUT = "<8sq36s"


class ColumnCache:
    """Cache files in one folder. What cannot be written is not cached; that is no error."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._bytes: int | None = None

    def load(self, sha256: str) -> dict[str, Int64s] | None:
        """Map columns, or return None where they are not cached whole.

        The map is private: an array may be written to, and the file stays as it is.
        """
        path = self._path(sha256)
        try:
            with path.open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            os.utime(path)
        except (OSError, ValueError):
            return None
        magic, rows, boot = struct.unpack_from(_LAYOUT, mapped) if len(mapped) >= _HEAD else (b"", 0, b"")
        if magic != _MAGIC or boot.rstrip(b"\0") != _boot() or len(mapped) != _HEAD + rows * 8 * len(FIELDS):
            return None
        block = np.frombuffer(mapped, np.int64, rows * len(FIELDS), _HEAD).reshape(len(FIELDS), rows)
        return dict(zip(FIELDS, block, strict=True))

    def store(self, sha256: str, columns: dict[str, Int64s]) -> None:
        """Keep columns for the next time."""
        path = self._path(sha256)
        rows = len(columns["ts_open"])
        size = _HEAD + rows * 8 * len(FIELDS)
        temporary = path.with_name(f"{path.name}.{os.getpid()}{TEMPORARY}")
        try:
            self._make_room(size)
            with temporary.open("wb") as file:
                file.write(struct.pack(_LAYOUT, _MAGIC, rows, _boot()).ljust(_HEAD, b"\0"))
                for field in FIELDS:
                    file.write(np.ascontiguousarray(columns[field]).data)
                if not _boot():
                    file.flush()
                    os.fsync(file.fileno())
            temporary.rename(path)
        except OSError:
            temporary.unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        return self._folder / f"{sha256[:32]}.i64"

    def _make_room(self, size: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._bytes is None or self._bytes + size > self._max_bytes:
            with os.scandir(self._folder) as found:
                files = sorted((stat.st_mtime_ns, stat.st_size, e.path) for e in found for stat in [e.stat()])
            total = sum(used for _, used, _ in files)
            # Down to three quarters, so that a full cache is not swept for each new file.
            target = self._max_bytes * 3 // 4 - size if total + size > self._max_bytes else total
            for _, used, name in files:
                if total <= target:
                    break
                Path(name).unlink(missing_ok=True)
                total -= used
            self._bytes = total
        self._bytes += size


@cache
def _boot() -> bytes:
    """Return what names this run of the machine; nothing where the system does not say, and files are synced."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()[:36]
    except OSError:
        return b""

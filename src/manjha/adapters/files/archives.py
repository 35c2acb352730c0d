"""Files to import: folders are walked in order, zip and gz are opened, what is no data is skipped with a note."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from manjha.domain.errors import DataError, UsageError

MEMBER_BYTES_MAX = 2 * 1024**3
"""Largest decompressed file taken; a zip bomb stops here instead of eating the memory."""
DEPTH_MAX = 4
"""Archives in archives (a year's zip of days' zips of gz) that are opened."""
_CHUNK = 1024 * 1024
_ZIP, _GZ = b"PK\x03\x04", b"\x1f\x8b"
_RESOURCE_FORK = b"\x00\x05\x16\x07"
_JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}


class Archives:
    """The `Files` port. `skipped` says after a walk what was passed over and why."""

    def __init__(self, *, limit: int = MEMBER_BYTES_MAX) -> None:
        self.skipped: list[str] = []
        self._limit = limit

    def open_all(self, paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
        """Yield a display name ("day.zip!fo.csv") and the decompressed content of each file, also of an empty one.

        Folders are walked by name at any depth; hidden files, resource forks and symbolic links below a given folder
        are skipped. What the user names is opened whatever its name, but a resource fork never is.

        Raises
        ------
        UsageError
            A path does not exist.
        DataError
            A file that was named cannot be read or decompressed, or is larger than the limit. A damaged archive found
            in a folder is yielded as it is, so that its own report says so and the other files still come in.
        """
        self.skipped = []
        for path in paths:
            if path.is_dir():
                yield from self._folder(path)
            elif path.is_file():
                yield from self._file(path, str(path))
            else:
                raise UsageError(f"no file or folder {path}", hint="Check the path; quote it if it has blanks.")

    def _folder(self, root: Path) -> Iterator[tuple[str, bytes]]:
        for path in sorted(root.rglob("*"), key=lambda path: path.relative_to(root).parts):
            inside = path.relative_to(root)
            if path.is_dir():
                continue
            if reason := _hidden(inside.parts) or ("a link" if path.is_symlink() else ""):
                self.skipped.append(f"{path}: {reason}")
            elif path.is_file():
                yield from self._found(path)

    def _found(self, path: Path) -> Iterator[tuple[str, bytes]]:
        if path.stat().st_size > self._limit:
            self.skipped.append(f"{path}: larger than {self._limit} bytes")
            return
        try:
            yield from self._file(path, str(path))
        except DataError:
            yield str(path), path.read_bytes()

    def _file(self, path: Path, name: str) -> Iterator[tuple[str, bytes]]:
        try:
            size = path.stat().st_size
            if size > self._limit:
                raise DataError(f"{name}: {size} bytes, at most {self._limit} are taken", hint="Split the file.")
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"{name}: cannot be read: {error.strerror}") from error
        yield from self._opened(name, data, 0)

    def _opened(self, name: str, data: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
        if data.startswith(_RESOURCE_FORK):
            self.skipped.append(f"{name}: a resource fork of macOS, no data")
        elif data.startswith((_ZIP, _GZ)) and depth == DEPTH_MAX:
            raise DataError(f"{name}: archives in archives, more than {DEPTH_MAX} deep")
        elif data.startswith(_ZIP):
            yield from self._members(name, data, depth)
        elif data.startswith(_GZ):
            inner = name[:-3] if name.lower().endswith(".gz") else name
            yield from self._opened(inner, self._gunzipped(name, data), depth + 1)
        else:
            yield name, data

    def _members(self, name: str, data: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for info in sorted(archive.infolist(), key=lambda info: info.filename):
                    inner = f"{name}!{info.filename}"
                    if info.is_dir():
                        continue
                    if reason := _hidden(PurePosixPath(info.filename).parts):
                        self.skipped.append(f"{inner}: {reason}")
                        continue
                    with archive.open(info) as member:
                        content = self._bounded(inner, member)
                    yield from self._opened(inner, content, depth + 1)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            RuntimeError,
            NotImplementedError,
            ValueError,
        ) as error:
            # RuntimeError is what zipfile says of an encrypted member.
            raise DataError(f"{name}: cannot be unzipped: {error}", hint="Download it again.") from error

    def _gunzipped(self, name: str, data: bytes) -> bytes:
        try:
            with gzip.open(io.BytesIO(data)) as stream:
                return self._bounded(name, stream)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{name}: cannot be decompressed: {error}", hint="Download it again.") from error

    def _bounded(self, name: str, stream: IO[bytes] | gzip.GzipFile) -> bytes:
        parts: list[bytes] = []
        total = 0
        while part := stream.read(_CHUNK):
            total += len(part)
            if total > self._limit:
                raise DataError(f"{name}: more than {self._limit} bytes when decompressed", hint="Split the file.")
            parts.append(part)
        return b"".join(parts)


def _hidden(parts: Sequence[str]) -> str:
    """Return why a path inside a folder or archive is no data, "" if it may be."""
    if any(part in _JUNK for part in parts):
        return "left by an operating system"
    if parts and parts[-1].startswith("._"):
        return "a resource fork of macOS, no data"
    return "hidden" if any(part.startswith(".") for part in parts) else ""

"""What is wrong with a stored file that something else than the store has changed, and what to do about it."""

import hashlib
from pathlib import Path

import msgspec
import polars as pl

from manjha.adapters.files.manifest import Entry
from manjha.adapters.files.partitions import decode
from manjha.adapters.files.rows import is_ordered
from manjha.domain.errors import DataError

MEND = "`manjha data verify` lists all damage; `manjha data verify --set-aside` says what to import again."


class SetAside(msgspec.Struct, frozen=True):
    """A file taken out of the store: what was wrong, where it lies now ("" where there was none), and what it held."""

    problem: str
    kept: str
    rows: int
    sources: tuple[str, ...]


def damaged(path: Path, error: Exception) -> DataError:
    """Return the error that names a file which cannot be read."""
    return DataError(f"the stored file {path} is damaged or missing: {error}", hint=MEND)


def problems_of(folder: Path, entry: Entry) -> list[str]:
    """Return what is wrong with the current file of a partition, one sentence each."""
    path = folder / entry.file
    try:
        data = path.read_bytes()
    except OSError as error:
        return [f"{entry.file}: cannot be opened ({error.strerror})"]
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        return [f"{entry.file}: its content is not what was written (SHA-256 differs)"]
    try:
        rows = decode(path, entry.partition)
    except pl.exceptions.PolarsError as error:
        return [f"{entry.file}: {error}"]
    found = []
    if len(rows) != entry.rows:
        found.append(f"{entry.file}: {entry.rows} rows were written, {len(rows)} are there")
    if not is_ordered(rows):
        found.append(f"{entry.file}: rows are not in order of time, or overlap")
    return found

"""Implements `ports.jobs.JobFolders`: MANJHA_HOME/jobs, with a folder for each job."""

import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from manjha.adapters.files.durable import PRIVATE, exclusive, make_folder, write_private
from manjha.domain.errors import NoSuchJob, UsageError
from manjha.domain.jobs import Artefact, JobId

_ID = re.compile(r"[0-9a-f]{8,64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}\.[a-z0-9]{1,8}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
NAME_MAX = 80
"""Letters of an uploaded file's name; the end is kept, which says what kind of file it is."""
PLACE_BYTES = 8


class JobFolders:
    """The folders of jobs below one. Nothing outside of it is ever written or deleted."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def place(self) -> str:
        """Return the name of this home. See the port."""
        path = self._root / "place"
        if not path.is_file():
            with exclusive(self._root / "place.lock"):
                if not path.is_file():
                    write_private(path, secrets.token_hex(PLACE_BYTES).encode())
        return path.read_text(encoding="ascii").strip()

    def folder(self, job_id: JobId) -> Path:
        """Return where a job's files lie. Raises `NoSuchJob` for what is no id of ours."""
        if not _ID.fullmatch(job_id):
            raise NoSuchJob(f"there is no job {job_id[:80]!r}", hint="The list of jobs has their ids.")
        return self._root / job_id

    def make(self, job_id: JobId) -> None:
        """Make the folder of a job. See the port."""
        make_folder(self.folder(job_id))

    def take_upload(self, job_id: JobId, name: str, pieces: Iterable[bytes], limit: int) -> str:
        """Store a file that somebody sent, in a folder of its own. See the port."""
        place = self.folder(job_id) / "uploads"
        safe = safe_name(name)
        folder = place / f"{len(_listed(place)):03d}"
        make_folder(folder)
        try:
            _write_bounded(folder / safe, pieces, limit)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return safe

    def uploads(self, job_id: JobId) -> list[Path]:
        """Return what was uploaded, in that order. See the port."""
        return [path for folder in _listed(self.folder(job_id) / "uploads") for path in _listed(folder)]

    def begin(self, job_id: JobId) -> None:
        """Take away what an earlier attempt made. See the port."""
        shutil.rmtree(self._made(job_id), ignore_errors=True)

    def keep(self, job_id: JobId, name: str, media: str, data: bytes) -> Artefact:
        """Store what a job made. See the port."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"an artefact cannot be named {name!r}")
        write_private(self._made(job_id) / name, data)
        return Artefact(name, media, len(data), hashlib.sha256(data).hexdigest())

    def artefact(self, job_id: JobId, name: str) -> Path:
        """Return where a file lies that a job made. See the port."""
        path = self._made(job_id) / name
        if not _NAME.fullmatch(name) or not path.is_file():
            raise NoSuchJob(f"the job {job_id} has no artefact of that name", hint="Its document lists them.")
        return path

    def remove(self, job_id: JobId) -> None:
        """Delete a job's folder. See the port."""
        shutil.rmtree(self.folder(job_id), ignore_errors=True)

    def strays(self) -> list[JobId]:
        """Return the jobs that have a folder. See the port."""
        return [JobId(path.name) for path in _listed(self._root) if path.is_dir() and _ID.fullmatch(path.name)]

    def _made(self, job_id: JobId) -> Path:
        return self.folder(job_id) / "artefacts"


def safe_name(name: str) -> str:
    """Return a file's name of what somebody calls it: no path, no blanks, nothing hidden, no more than `NAME_MAX`."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = _UNSAFE.sub("_", last).lstrip(".")[-NAME_MAX:].lstrip(".")
    return plain if plain.strip("._") else "file"


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _write_bounded(path: Path, pieces: Iterable[bytes], limit: int) -> None:
    size = 0
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        for piece in pieces:
            size += len(piece)
            if size > limit:
                raise UsageError(
                    f"{path.name} is larger than what is taken at once", hint="Send less, or use `manjha data import`."
                )
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())

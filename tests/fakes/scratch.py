"""A folder for discs that are thrown away: in memory where that is possible, as nothing of them is to last."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def in_memory(otherwise: Path) -> Iterator[Path]:
    """Give an empty folder, which goes away."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder is made with a name that is nobody's
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else otherwise) as folder:
        yield Path(folder)

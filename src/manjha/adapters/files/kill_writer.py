"""The sentinel's way to the kill switch file: it adds a line, whatever state everything else is in.

It shares no code with what reads the file (`adapters.files.kill_switch`), so that one mistake is not made twice.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from manjha.adapters.files.durable import make_folder, write_whole


class KillWriter:
    """Throws the kill switch for everything, in the file that traders and `manjha resume` look at."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def throw(self, level: str, reason: str, ts_ns: int) -> None:
        """Add a line; a level as people write it ("no-new"). Raises `OSError` where the machine refuses.

        A file that cannot be read is left as it is: readers take it for the highest level already.
        """
        make_folder(self._path.parent)
        lock = os.open(self._path.with_name(self._path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o644)
        try:
            # Whoever holds it may be stopped in the middle: a line of its is lost then, but this one is not late.
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lines = self._lines()
            if lines is None:
                return
            own = {
                "level": level,
                "strategy": "",
                "instrument": "",
                "reason": reason,
                "who": "sentinel",
                "ts_ns": ts_ns,
            }
            data = msgspec.json.format(msgspec.json.encode({"switches": [*lines, own]}), indent=2)
            write_whole(self._path, data + b"\n")
        finally:
            os.close(lock)

    def _lines(self) -> list[Any] | None:
        """Return the lines that are there; None for a file that cannot be read."""
        try:
            return list(msgspec.json.decode(self._path.read_bytes(), type=dict[str, list[Any]])["switches"])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.DecodeError, KeyError):
            return None

"""Vital signs as two small files."""

from pathlib import Path
from typing import TypeVar

import msgspec

from manjha.domain.vitals import Heartbeat, LedgerCopy

T = TypeVar("T")


class VitalsFolder:
    """Implements `ports.vitals.Vitals`: `heartbeat.json` and `ledger.json` in a folder.

    A file is replaced by renaming, so that a reader sees the old one or the new one. It is not synced: that would keep
    the trader's loop waiting for the disk, and after a crash of the machine nothing of it is true any more.
    """

    def __init__(self, folder: Path) -> None:
        self._heartbeat, self._ledger = folder / "heartbeat.json", folder / "ledger.json"

    def beat(self, heartbeat: Heartbeat) -> None:
        """Leave a heartbeat; see the port."""
        _replace(self._heartbeat, heartbeat)

    def copy(self, ledger: LedgerCopy) -> None:
        """Leave a copy of the ledger; see the port."""
        _replace(self._ledger, ledger)

    def heartbeat(self) -> Heartbeat | None:
        """Return the newest heartbeat; see the port."""
        return _read(self._heartbeat, Heartbeat)

    def ledger(self) -> LedgerCopy | None:
        """Return the newest copy of the ledger; see the port."""
        return _read(self._ledger, LedgerCopy)


def _replace(path: Path, value: msgspec.Struct) -> None:
    data = msgspec.json.encode(value)
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_bytes(data)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
    temporary.rename(path)


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None

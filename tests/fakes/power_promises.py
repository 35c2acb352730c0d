"""What a disc has to keep after the power went or a process died: what had been acknowledged, and a way on."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from manjha.domain.errors import JournalHalted, SettingsError
from manjha.domain.kill import KillLevel
from manjha.services.journals import verified
from tests.fakes.power_lives import Acknowledged, Places, begun
from tests.fakes.tapped_disk import Happened


class Promised(NamedTuple):
    """What had been said before the power went."""

    rows: Acknowledged
    snapshot: int
    kills: tuple[str, ...]


NOTHING = Promised(Acknowledged(0, 0, b""), 0, ())


def broken(disc: Path, said: Promised) -> str:
    """Return which promise a disc does not keep, empty for none: read it, then go on from it, then read it again."""
    places = Places(disc)
    thrown = places.kill().thrown()
    missing = set(said.kills) - {one.scope.strategy for one in thrown}
    if missing or any(one.level is not KillLevel.CANCEL_ALL for one in thrown):
        return f"the kill switch has lost {sorted(missing)}"
    try:
        return (_kept(places, said) if said.rows.seq else "") or _gone_on(places)
    except (JournalHalted, SettingsError) as error:
        return f"{type(error).__name__}: {error}"


def _kept(places: Places, said: Promised) -> str:
    journal = places.journal(reads_only=True)
    try:
        found = verified(journal, places.segments())
        if found.faults:
            return f"the chain is broken: {found.faults[0].what}"
        if found.head.seq < said.rows.seq:
            return f"acknowledged rows are lost: {said.rows.seq - found.head.seq} of {said.rows.seq}"
        last = next((row.hash for row in journal.rows(said.rows.seq - 1)), b"") if said.rows.seq else b""
        if last != said.rows.hash or found.head.epoch < said.rows.epoch:
            return f"row {said.rows.seq} is not the one that was acknowledged"
        kept = next((one.seq for one in journal.snapshots()), 0)
        return f"snapshot {said.snapshot} is lost" if kept < said.snapshot else ""
    finally:
        journal.close()


def _gone_on(places: Places) -> str:
    journal, segments = places.journal(), places.segments()
    try:
        before = journal.head().seq
        begun(journal, segments, 0)
        found = verified(journal, segments)
        return "" if not found.faults and found.head.seq == before + 1 and not found.loose_bytes else str(found)
    finally:
        segments.close()
        journal.close()


def heard(said: Promised, events: Iterable[Happened]) -> Promised:
    """Return what has been promised after some more has happened."""
    for event in events:
        if event.kind == "mark" and event.path == "rows":
            said = said._replace(rows=event.data)
        elif event.kind == "mark":
            said = said._replace(snapshot=event.data) if event.path == "snapshot" else _killed(said, event.data)
    return said


def _killed(said: Promised, reason: str) -> Promised:
    return said._replace(kills=(*said.kills, reason))

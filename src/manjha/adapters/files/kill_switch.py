"""The kill switch as a file: readable by eye, written whole, on when in doubt."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from manjha.adapters.files.durable import exclusive, write_whole
from manjha.domain.events import KillSwitched
from manjha.domain.kill import EVERYTHING, KillLevel, level_name, level_of
from manjha.domain.moments import TsNs
from manjha.ports.clock import Clock

KEPT = 100
"""How many records of scopes that are off stay in the file, so that it says who lifted what and why."""
_FILE = "kill switch file"


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    level: str
    strategy: str
    instrument: str
    reason: str
    who: str
    ts_ns: int


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    switches: tuple[_Line, ...]


class KillSwitchFile:
    """Implements `ports.kill_switch.KillSwitch` over one JSON file; the clock says since when it cannot be read."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock

    def thrown(self) -> Sequence[KillSwitched]:
        """Return what the file says; a file that is there and cannot be read says FLATTEN for everything."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            return (self._unreadable(error.strerror or str(error)),)
        try:
            return tuple(map(_event, msgspec.json.decode(data, type=_Content).switches))
        except (msgspec.DecodeError, ValueError) as error:
            return (self._unreadable(str(error)),)

    def throw(self, event: KillSwitched) -> None:
        """Add to the file. One that could not be read counts as thrown until the switch is lifted for everything."""
        with exclusive(self.path.with_name(self.path.name + ".lock")):
            lines = [_line(one) for one in _pruned([*self.thrown(), event])]
            data = msgspec.json.encode(_Content(tuple(lines)))
            write_whole(self.path, msgspec.json.format(data, indent=2) + b"\n")

    def _unreadable(self, why: str) -> KillSwitched:
        reason = f"{self.path} cannot be read: {why}"
        return KillSwitched(KillLevel.FLATTEN, EVERYTHING, reason, _FILE, self._clock.now_ns())


def _pruned(events: list[KillSwitched]) -> list[KillSwitched]:
    """Return the events without those that later ones have undone, of which only the newest are kept."""
    live: list[KillSwitched] = []
    for at, event in enumerate(events):
        later = events[at + 1 :]
        undone = any(
            (one.scope == event.scope and one.level >= event.level)
            or (one.level is KillLevel.OFF and one.scope.covers(event.scope.strategy, event.scope.instrument))
            for one in later
        )
        if not undone or at >= len(events) - KEPT:
            live.append(event)
    return live


def _line(event: KillSwitched) -> _Line:
    scope = event.scope
    return _Line(level_name(event.level), scope.strategy, scope.instrument, event.reason, event.who, event.ts_ns)


def _event(line: _Line) -> KillSwitched:
    level = level_of(line.level)
    if level is None:
        raise ValueError(f"{line.level!r} is no level")
    scope = msgspec.structs.replace(EVERYTHING, strategy=line.strategy, instrument=line.instrument)
    return KillSwitched(level, scope, line.reason, line.who, TsNs(line.ts_ns))

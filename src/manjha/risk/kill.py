"""The kill switch as the core knows it: which level holds for whom, and what a level forbids."""

from collections.abc import Iterable, Mapping

from manjha.domain.events import KillSwitched
from manjha.domain.kill import KillLevel, Scope
from manjha.domain.orders import Purpose

Levels = dict[Scope, KillLevel]


def switched(levels: Levels, event: KillSwitched) -> None:
    """Throw or lift the switch for a scope; lifting it lifts what was thrown within that scope too.

    Throwing a lower level than stands changes nothing: only lifting, which asks for more, makes it less.
    """
    if event.level is not KillLevel.OFF:
        levels[event.scope] = max(event.level, levels.get(event.scope, KillLevel.OFF))
        return
    for scope in [one for one in levels if event.scope.covers(one.strategy, one.instrument)]:
        del levels[scope]


def level_for(levels: Mapping[Scope, KillLevel], strategy: str, instrument: str) -> KillLevel:
    """Return the highest level that holds for orders of a strategy in an instrument."""
    found = (level for scope, level in levels.items() if scope.covers(strategy, instrument))
    return max(found, default=KillLevel.OFF)


def joined(journal: Mapping[Scope, KillLevel], file: Iterable[KillSwitched]) -> Levels:
    """Return what holds by the journal or by the file, whichever is higher: the switch is on where either says so."""
    levels: Levels = {}
    for event in file:
        switched(levels, event)
    for scope, level in journal.items():
        levels[scope] = max(level, levels.get(scope, KillLevel.OFF))
    return levels


def unheard(
    journal: Mapping[Scope, KillLevel], file: Iterable[KillSwitched], last: KillSwitched | None = None
) -> list[KillSwitched]:
    """Return what the file says beyond the journal, as events by which the journal will say so too, lifts first.

    `last` is the newest event that the journal has, None for none. A lift counts only behind it: one that is older says
    nothing of what was thrown since. What was thrown and lifted again meanwhile is no news.
    """
    events = list(file)
    heard = max((at for at, one in enumerate(events) if last is not None and _is_same(one, last)), default=-1)
    lifts = [one for one in events[heard + 1 :] if one.level is KillLevel.OFF] if last is not None else []
    standing = joined({}, events)
    levels, found = dict(journal), list[KillSwitched]()
    for lift in lifts:
        covered = [scope for scope in levels if lift.scope.covers(scope.strategy, scope.instrument)]
        if covered:
            switched(levels, lift)
            found.append(lift)
    for scope, level in standing.items():
        if level > levels.get(scope, KillLevel.OFF):
            found.append(next(one for one in reversed(events) if one.scope == scope and one.level is level))
    return found


def _is_same(one: KillSwitched, other: KillSwitched) -> bool:
    """Tell whether two events are one, written down twice; the journal has its own time."""
    return (one.level, one.scope, one.reason, one.who) == (other.level, other.scope, other.reason, other.who)


def forbids(level: KillLevel, purpose: Purpose, *, opens: bool) -> bool:
    """Tell whether a level keeps back an order for a purpose; `opens` tells that it would open or add to a position.

    A square-off is never kept back: the broker would do it anyway, for a fee.
    """
    if level is KillLevel.OFF or purpose is Purpose.SQUARE_OFF:
        return False
    if opens or level >= KillLevel.CANCEL_ALL:
        return True
    return level is KillLevel.NO_NEW and purpose is Purpose.SIGNAL

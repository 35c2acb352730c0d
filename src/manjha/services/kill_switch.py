"""Throwing and lifting the kill switch, for the command line and whoever else may."""

from collections.abc import Mapping

from manjha.domain.errors import UsageError
from manjha.domain.events import KillSwitched
from manjha.domain.kill import KillLevel, Scope, level_name, level_of
from manjha.ports.clock import Clock
from manjha.ports.kill_switch import KillSwitch
from manjha.risk.kill import joined

LEVELS = tuple(level_name(level) for level in KillLevel if level)


def throw(switch: KillSwitch, clock: Clock, level: str, scope: Scope, reason: str, who: str) -> KillSwitched:
    """Throw the switch for a scope; return what was thrown. Raises `UsageError` for a level or reason that is none."""
    found = level_of(level)
    if not found:
        raise UsageError(f"expected a level of the kill switch, was {level!r}", hint=f"Levels: {', '.join(LEVELS)}.")
    event = KillSwitched(found, scope, _reason(reason), who, clock.now_ns())
    switch.throw(event)
    return event


def lift(switch: KillSwitch, clock: Clock, scope: Scope, reason: str, who: str) -> KillSwitched:
    """Lift the switch for a scope and all within it; return the event.

    Raises `UsageError` without a reason, and where nothing is thrown there.
    """
    event = KillSwitched(KillLevel.OFF, scope, _reason(reason), who, clock.now_ns())
    standing = in_force(switch)
    if not any(scope.covers(one.strategy, one.instrument) for one in standing):
        names = ", ".join(one.display for one in standing) or "nothing"
        hint = f"Its file says that it is on for {names}. If a trader says otherwise, its journal keeps what the file "
        hint += "has lost: throw the switch once more (`manjha kill`), then lift it."
        raise UsageError(f"the kill switch is not on for {scope.display}", hint=hint)
    switch.throw(event)
    return event


def in_force(switch: KillSwitch) -> Mapping[Scope, KillLevel]:
    """Return which levels hold by the switch, by scope."""
    return joined({}, switch.thrown())


def _reason(text: str) -> str:
    if not text.strip():
        raise UsageError("a reason is needed, was empty", hint="Say why, for whoever reads it later.")
    return text.strip()

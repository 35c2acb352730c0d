"""What `manjha kill` and `manjha resume` say."""

from collections.abc import Mapping

from manjha.app.cli.output import print_json
from manjha.domain.events import KillSwitched
from manjha.domain.kill import KillLevel, Scope, level_name

FORBIDS = {
    KillLevel.REDUCE_ONLY: "nothing is opened",
    KillLevel.NO_NEW: "strategies order nothing; stops and targets stay",
    KillLevel.CANCEL_ALL: "open orders are cancelled, nothing new is sent",
    KillLevel.FLATTEN: "open orders are cancelled and positions are closed",
}


def show(event: KillSwitched, standing: Mapping[Scope, KillLevel], *, as_json: bool) -> None:
    """Print what was done and what holds now."""
    if as_json:
        print_json(
            {
                "level": level_name(event.level),
                "scope": event.scope.display,
                "reason": event.reason,
                "who": event.who,
                "in_force": [{"scope": one.display, "level": level_name(level)} for one, level in standing.items()],
            }
        )
        return
    print(f"{event.scope.display}: {level_name(event.level)} ({event.reason})")
    for scope, level in standing.items():
        print(f"in force for {scope.display}: {level_name(level)}, {FORBIDS[level]}")
    if not standing:
        print("the kill switch is off")

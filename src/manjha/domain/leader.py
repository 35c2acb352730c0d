"""Who owns an account: of all processes one may trade it."""

import msgspec

from manjha.domain.errors import AccountHeld
from manjha.domain.moments import TsNs, format_ts


class Holder(msgspec.Struct, frozen=True, gc=False):
    """Who holds an account's lock: a process, the machine it runs on, and since when (UTC ns); zero is not known."""

    pid: int = 0
    host: str = ""
    since_ns: TsNs = TsNs(0)

    @property
    def display(self) -> str:
        """What people read: "process 4711 on desk-1 since 2026-11-30T09:05:00+05:30"."""
        if not self.pid:
            return "a process that has not said who it is"
        return f"process {self.pid} on {self.host} since {format_ts(self.since_ns)}"


def held_by(who: Holder) -> AccountHeld:
    """Return the refusal that names who holds the account."""
    return AccountHeld(
        f"the account is traded by {who.display}",
        hint="End that process. If it is stopped and cannot be ended, `manjha leader take-away` says what that means.",
    )

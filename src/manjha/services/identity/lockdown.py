"""One thing to do when a token may be stolen: stop trading, and let nobody in any more."""

from collections.abc import Callable

import msgspec

from manjha.domain.errors import ManjhaError
from manjha.domain.kill import Scope
from manjha.ports.kill_switch import KillSwitch
from manjha.services.identity.caller import OWNER
from manjha.services.identity.desk import Desk
from manjha.services.kill_switch import throw

LEVEL = "cancel-all"
"""Open orders are cancelled and nothing new is sent; positions stay, with nobody to close them in a hurry."""


class Done(msgspec.Struct, frozen=True):
    """What a lockdown did: each step that was done, and each that failed with what to do about it."""

    steps: tuple[str, ...]
    failures: tuple[str, ...]


def lock_down(switch: KillSwitch, desk: Desk, reason: str, who: str, further: Callable[[], str] | None = None) -> Done:
    """Throw the kill switch, revoke every token, session and link, forget the password, take another pepper.

    Each step is tried whatever became of those before, the one that saves money first. `further` is one more, that
    says what it did.
    """
    # The pepper before the rest: a server reads it again when the log says that something was revoked.
    steps: list[str] = []
    failures: list[str] = []

    def thrown() -> str:
        throw(switch, desk.clock, LEVEL, Scope(), reason, who)
        return f"the kill switch is thrown ({LEVEL}); `manjha resume` lifts it"

    def peppered() -> str:
        desk.ring.new_pepper()
        return "what was handed out before lets nobody in: it was keyed by another pepper"

    for step in (thrown, peppered, lambda: _revoked(desk, reason, who), *([further] if further else [])):
        try:
            steps.append(step())
        except (ManjhaError, OSError) as error:
            failures.append(str(error))
    return Done(tuple(steps), tuple(failures))


def _revoked(desk: Desk, reason: str, who: str) -> str:
    now = desk.clock.now_ns()
    with desk.work.begin() as records:
        tokens = [one for one in records.tokens.tokens() if not one.is_over(now)]
        for token in tokens:
            records.tokens.revoke(token.id, now)
        sessions = records.sessions.sessions(now)
        for session in sessions:
            records.sessions.revoke(session.id, now, "lockdown")
        held = records.people.find(OWNER)
        records.people.put(msgspec.structs.replace(held, password="", changed_ns=now))  # nosec B106
        records.people.drop_links(OWNER)
        desk.audit.write(
            records, "lockdown", who, "", reason=reason, tokens=str(len(tokens)), sessions=str(len(sessions))
        )
    return f"revoked: {len(tokens)} tokens, {len(sessions)} sessions, the password; `manjha password link` sets another"

"""Access as a whole: who asks, and what changes who may."""

import hmac

import msgspec

from manjha.services.identity.audit import Audit
from manjha.services.identity.caller import Identity
from manjha.services.identity.desk import Desk
from manjha.services.identity.passwords import Passwords
from manjha.services.identity.sessions import Sessions
from manjha.services.identity.stored import StoredIdentity
from manjha.services.identity.tickets import Tickets
from manjha.services.identity.tokens import Tokens


class Access(msgspec.Struct, frozen=True):
    """What routes and commands may do about access."""

    desk: Desk
    identity: Identity
    tokens: Tokens
    passwords: Passwords
    sessions: Sessions
    tickets: Tickets

    @property
    def audit(self) -> Audit:
        """The log."""
        return self.desk.audit

    def forgery_token(self, session_id: str) -> str:
        """Return what a page of a session sends with whatever changes something, and no other page can know.

        Keyed by the pepper, it is kept nowhere, and holds as long as the session.
        """
        return hmac.digest(self.desk.ring.now().pepper, f"csrf:{session_id}".encode(), "sha256").hex()


def access_of(desk: Desk) -> tuple[Access, StoredIdentity]:
    """Return access over a desk, and the identity that whoever serves it has to tend."""
    identity = StoredIdentity(desk)
    changed = identity.refresh
    access = Access(
        desk, identity, Tokens(desk, changed), Passwords(desk, changed), Sessions(desk, changed),
        Tickets(identity, desk.clock),
    )  # fmt: skip
    return access, identity

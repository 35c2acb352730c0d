"""The password: Argon2id, set by a link that is good once, or at the machine itself."""

from collections.abc import Callable

import msgspec

from manjha.domain.errors import UsageError
from manjha.domain.identity import OneTimeLink
from manjha.domain.moments import MINUTE_NS, TsNs
from manjha.ports.unit_of_work import Records
from manjha.services.identity.addresses import house_of
from manjha.services.identity.attempts import BY_ADDRESS
from manjha.services.identity.caller import OWNER, UnknownCallerError
from manjha.services.identity.credentials import Sort, new_credential, read_credential
from manjha.services.identity.desk import Desk
from manjha.services.identity.hasher import BYTES_MAX

LINK_NS = 30 * MINUTE_NS
"""How long a link is good."""
LETTERS_MIN = 12
_DISTINCT_MIN = 5


class Passwords:
    """Sets the password. Whoever is logged in by the old one is logged out. `changed` is called after each change."""

    def __init__(self, desk: Desk, changed: Callable[[], None]) -> None:
        self._work, self._clock, self._ring, self._audit = desk.work, desk.clock, desk.ring, desk.audit
        self._attempts, self._hasher, self._changed = desk.attempts, desk.hasher, changed

    def is_set(self) -> bool:
        """Tell whether there is a password."""
        with self._work.read() as records:
            return bool(records.people.find(OWNER).password)

    def make_link(self, who: str) -> str:
        """Return the secret part of a link by which the password can be set once, within half an hour."""
        made, now = new_credential(Sort.LINK), self._clock.now_ns()
        link = OneTimeLink(
            id=made.id, owner=OWNER, hash=made.kept(self._ring.now().pepper), made_ns=now,
            expires_ns=TsNs(now + LINK_NS),
        )  # fmt: skip
        with self._work.begin() as records:
            records.people.add_link(link)
            self._audit.write(records, "password.link-made", who, "", id=made.id)
        return made.text

    def set_by_link(self, link: str, password: str, address: str) -> None:
        """Set the password by a link.

        Raises
        ------
        UsageError
            The password will not do; the link is still good.
        UnknownCallerError
            The link is nobody's, was used, or is too old.
        TooManyAttemptsError
            Too many were, from there.
        """
        self._attempts.take({f"address:{house_of(address)}": BY_ADDRESS})
        check_password(password)
        kept, now = self._hasher.kept(password), self._clock.now_ns()
        sent = read_credential(link)
        with self._work.begin() as records:
            held = records.people.link(sent.id) if sent and sent.sort is Sort.LINK else None
            is_good = sent is not None and held is not None and sent.fits(self._ring.now().pepper, held.hash)
            is_good = is_good and held is not None and records.people.use_link(held.id, now)
            if is_good:
                self._put(records, kept, "link", address)
            else:
                self._audit.write(records, "password.link-refused", OWNER, address, id=sent.id if sent else "")
        if not is_good:
            raise UnknownCallerError(
                "this link is not good (any more)", hint="`manjha password link` makes a new one; each is good once."
            )
        self._changed()

    def set_here(self, password: str, who: str) -> None:
        """Set the password at the machine itself. Raises `UsageError` where it will not do."""
        check_password(password)
        kept = self._hasher.kept(password)
        with self._work.begin() as records:
            self._put(records, kept, who, "")
        self._changed()

    def _put(self, records: Records, kept: str, who: str, address: str) -> None:
        now = self._clock.now_ns()
        held = records.people.find(OWNER)
        records.people.put(msgspec.structs.replace(held, password=kept, changed_ns=now))
        for session in records.sessions.sessions(now):
            records.sessions.revoke(session.id, now, "the password was set")
        self._audit.write(records, "password.set", OWNER, address, by=who)


def check_password(password: str) -> None:
    """Raise `UsageError` for a password that will not do, saying why; it is not repeated."""
    if len(password) < LETTERS_MIN or len(password.encode(errors="surrogatepass")) > BYTES_MAX:
        raise UsageError(
            f"a password has {LETTERS_MIN} letters at least, and {BYTES_MAX} bytes at most",
            hint="A few words in a row are easy to remember and hard to guess.",
        )
    if len(set(password)) < _DISTINCT_MIN:
        raise UsageError("this password is a few letters again and again", hint="Take a few words in a row.")

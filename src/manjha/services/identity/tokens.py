"""Personal access tokens: made and shown once, listed, rotated with an overlap, revoked at once."""

from collections.abc import Callable, Sequence

import msgspec

from manjha.domain.errors import UsageError
from manjha.domain.identity import ApiToken
from manjha.domain.moments import DAY_NS, TsNs
from manjha.ports.unit_of_work import Records
from manjha.services.identity.addresses import read_networks
from manjha.services.identity.caller import OWNER, Scope
from manjha.services.identity.credentials import Sort, new_credential, new_salt
from manjha.services.identity.desk import Desk

DAYS, DAYS_MAX = 90, 366
"""How long a token is good unless asked otherwise, and at most: none is for ever."""
OVERLAP_NS = DAY_NS
"""How long a token that was rotated is good beside the new one, unless asked otherwise."""
OVERLAP_MAX_NS = 7 * DAY_NS
NAME_MAX = 200


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a token is to be: at least one scope; `addresses` are the networks that it may come from, empty for any."""

    name: str
    scopes: frozenset[Scope]
    days: int = DAYS
    addresses: tuple[str, ...] = ()


class Made(msgspec.Struct, frozen=True):
    """A token that was made, and its text: the only time that it can be seen."""

    token: ApiToken
    text: str

    def __repr__(self) -> str:
        return f"Made({self.token.id}, …)"


class Tokens:
    """Makes tokens, rotates and revokes them.

    Parameters
    ----------
    changed
        Is called after each change, so that this process knows of it at once.
    """

    def __init__(self, desk: Desk, changed: Callable[[], None]) -> None:
        self._work, self._clock, self._ring, self._audit = desk.work, desk.clock, desk.ring, desk.audit
        self._changed = changed

    def make(self, wanted: Wanted, who: str, address: str = "") -> Made:
        """Make a token. Raises `UsageError` where its name is taken or something cannot be."""
        _check(wanted)
        now = self._clock.now_ns()
        made = self._new(wanted, now, now + wanted.days * DAY_NS)
        with self._work.begin() as records:
            records.tokens.add(made.token)
            self._tell(records, "token.made", made.token, who, address)
        self._changed()
        return made

    def tokens(self) -> Sequence[ApiToken]:
        """Return all tokens, also those that are over, by the moment they were made."""
        with self._work.read() as records:
            return records.tokens.tokens()

    def find(self, asked: str) -> ApiToken:
        """Return the token of an id, or the standing one of a name. Raises `UsageError` where there is none."""
        all_ = self.tokens()
        standing = [one for one in all_ if one.name == asked and one.revoked_ns is None and one.replaced_by is None]
        found = next((one for one in (*(one for one in all_ if one.id == asked), *standing)), None)
        if found is None:
            raise UsageError(f"there is no token {asked[:NAME_MAX]!r}", hint="The list of tokens has ids and names.")
        return found

    def rotate(self, token_id: str, who: str, address: str = "", overlap_ns: int = OVERLAP_NS) -> Made:
        """Make another token of the same name, scopes, addresses and span; the old one ends after the overlap.

        Raises `UsageError` where it is over, revoked, or was rotated before.
        """
        if not 0 <= overlap_ns <= OVERLAP_MAX_NS:
            raise UsageError("the overlap may be from nothing to a week", hint="Give fewer hours.")
        old, now = self.find(token_id), self._clock.now_ns()
        if old.is_over(now):
            raise UsageError(f"the token {old.name!r} is over", hint="Make a new one instead.")
        span = old.expires_ns - old.created_ns if old.expires_ns else DAYS * DAY_NS
        wanted = Wanted(name=old.name, scopes=frozenset(map(Scope, old.scopes)), addresses=old.addresses)
        made = self._new(wanted, now, now + min(span, DAYS_MAX * DAY_NS))
        with self._work.begin() as records:
            if not records.tokens.replace(old.id, made.token.id, TsNs(now + overlap_ns)):
                raise UsageError(f"the token {old.id} was rotated or revoked meanwhile", hint="Look at the list again.")
            records.tokens.add(made.token)
            self._tell(records, "token.rotated", old, who, address, by=made.token.id)
        self._changed()
        return made

    def revoke(self, token_id: str, who: str, address: str = "") -> ApiToken:
        """Revoke a token: at once here, within a second in other processes. Raises `UsageError` if there is none."""
        found = self.find(token_id)
        with self._work.begin() as records:
            records.tokens.revoke(found.id, self._clock.now_ns())
            self._tell(records, "token.revoked", found, who, address)
        self._changed()
        return found

    def _new(self, wanted: Wanted, now_ns: TsNs, expires_ns: int) -> Made:
        made, salt = new_credential(Sort.TOKEN), new_salt()
        token = ApiToken(
            id=made.id, name=wanted.name, owner=OWNER, salt=salt, hash=made.kept(self._ring.now().pepper, salt),
            scopes=tuple(sorted(wanted.scopes)), addresses=wanted.addresses, created_ns=now_ns,
            expires_ns=TsNs(expires_ns),
        )  # fmt: skip
        return Made(token, made.text)

    def _tell(self, records: Records, kind: str, token: ApiToken, who: str, address: str, **more: str) -> None:
        told = {"id": token.id, "name": token.name, "scopes": " ".join(token.scopes), **more}
        self._audit.write(records, kind, who, address, **told)


def _check(wanted: Wanted) -> None:
    if not wanted.name.strip() or len(wanted.name) > NAME_MAX or not wanted.name.isprintable():
        raise UsageError(f"a token needs a name of 1 to {NAME_MAX} letters", hint="Say what it is for.")
    if not wanted.scopes:
        raise UsageError("a token needs a scope", hint=f"Give some of {', '.join(Scope)}.")
    if not 1 <= wanted.days <= DAYS_MAX:
        raise UsageError(f"a token is good for 1 to {DAYS_MAX} days, was {wanted.days}", hint="Rotate it in time.")
    read_networks(wanted.addresses, "the addresses of a token")

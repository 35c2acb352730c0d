"""Who asks, by what is recorded of tokens and sessions: read again as soon as the log of changes has moved."""

import threading
from collections.abc import Callable

import msgspec

from manjha.domain.identity import ApiToken, AuditHead, Session, SessionKeys
from manjha.domain.moments import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, TsNs
from manjha.services.identity.addresses import house_of, lies_in
from manjha.services.identity.attempts import ALL_BAD_TOKENS, BAD_TOKENS
from manjha.services.identity.caller import SESSION, TOKEN, Caller, Scope, UnknownCallerError
from manjha.services.identity.credentials import SALT_BYTES, Credential, Sort, read_credential
from manjha.services.identity.desk import Desk

BELIEVED_NS = SECOND_NS // 2
"""How long what was read is believed: what another process revokes has ended within it."""
USED_NS = MINUTE_NS
"""The last use of a token is written this often at most."""
KEPT_NS = 30 * DAY_NS
"""How long sessions that are over are kept."""
OF_A_SESSION = frozenset({Scope.READ, Scope.TRADE, Scope.ADMIN})
"""What a person may who has logged in."""
_NOBODYS_HASH, _NOBODYS_SALT = b"\0" * 32, b"\0" * SALT_BYTES
_NOTHING = Credential(Sort.TOKEN, "", b"\0" * 32)
"""Whom an unknown id is compared with, and what is compared where a text cannot be read: all take as long."""


class Known(msgspec.Struct, frozen=True):
    """What was read at a moment: valid tokens by id, keys of sessions by id, sessions by id."""

    read_ns: TsNs
    head: AuditHead
    pepper: bytes
    tokens: dict[str, ApiToken]
    keys: dict[str, tuple[Session, SessionKeys]]
    sessions: dict[str, Session]


class StoredIdentity:
    """Implements `caller.Identity` over the records. Any thread may ask.

    All that lets in is held in memory, so that a call costs one hash and no question to the database. Whatever revokes
    something also writes a row of the audit log; a look at that log's head, every half second at most, tells whether
    all is to be read again. Where that look fails nobody is let in.
    """

    def __init__(self, desk: Desk) -> None:
        self._work, self._clock, self._ring = desk.work, desk.clock, desk.ring
        self._audit, self._attempts = desk.audit, desk.attempts
        self._lock = threading.RLock()
        self._known: Known | None = None
        self._told: dict[int, Callable[[], None]] = {}
        self._next = 0
        self._used: dict[str, TsNs] = {}
        self._written: dict[str, TsNs] = {}
        self._forgot_ns = 0

    def authenticate(self, bearer: str, address: str) -> Caller:
        """Return who has this token, or this access of a session. See the protocol."""
        sent = read_credential(bearer) or _NOTHING
        return self._caller(sent, address, self._recent()) or self._looked_again(sent, address)

    def still(self, caller: Caller) -> Caller:
        """Return a caller as he is now. See the protocol."""
        now, known = self._clock.now_ns(), self._recent()
        if caller.kind == TOKEN:
            token = known.tokens.get(caller.id)
            if token is not None and not token.is_over(now):
                return _of_token(token)
        session = known.sessions.get(caller.id)
        if caller.kind == SESSION and session is not None and not session.is_over(now):
            return _of_session(session)
        raise _unknown()

    def on_change(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Have a function called when somebody may be let in no more. See the protocol."""
        with self._lock:
            self._next += 1
            number = self._next
            self._told[number] = tell
        return lambda: self._forget_listener(number)

    def refresh(self) -> None:
        """Read what has changed, if anything has, and tell it; what this process itself changes is told by this too."""
        if self._read():
            with self._lock:
                told = list(self._told.values())
            for tell in told:
                tell()

    def tend(self) -> None:
        """Do what is due from time to time: look for changes, write down uses, forget old sessions."""
        self.refresh()
        self._write_uses()
        now = self._clock.now_ns()
        if not 0 <= now - self._forgot_ns < HOUR_NS:
            with self._work.begin() as records:
                records.sessions.forget(TsNs(now - KEPT_NS))
            self._forgot_ns = now

    def _recent(self) -> Known:
        known = self._known
        if known is None or not 0 <= self._clock.now_ns() - known.read_ns < BELIEVED_NS:
            self.refresh()
        if self._known is None:
            raise _unknown()
        return self._known

    def _read(self) -> bool:
        """Read the head, and all of it where that has moved; tell whether it has."""
        with self._lock:
            now, known = self._clock.now_ns(), self._known
            with self._work.read() as records:
                head = records.audit.head()
                if known is not None and head == known.head:
                    self._known = msgspec.structs.replace(known, read_ns=now)
                    return False
                tokens = {one.id: one for one in records.tokens.tokens() if not one.is_over(now)}
                keys = {keys.id: (session, keys) for session, keys in records.sessions.live_keys(now)}
                sessions = {one.id: one for one in records.sessions.sessions(now)}
            # Whoever has changed the pepper has written that down too.
            self._known = Known(now, head, self._ring.reload().pepper, tokens, keys, sessions)
            return True

    def _caller(self, sent: Credential, address: str, known: Known) -> Caller | None:
        now = self._clock.now_ns()
        if sent.sort is Sort.ACCESS:
            session, keys = known.keys.get(sent.id, (None, None))
            fits = sent.fits(known.pepper, keys.access_hash if keys else _NOBODYS_HASH)
            if session is None or keys is None or not fits or session.is_over(now) or now >= keys.access_expires_ns:
                return None
            return _of_session(known.sessions.get(session.id, session))
        token = known.tokens.get(sent.id)
        fits = sent.fits(known.pepper, token.hash if token else _NOBODYS_HASH, token.salt if token else _NOBODYS_SALT)
        if token is None or not fits or sent.sort is not Sort.TOKEN:
            return None
        if token.is_over(now) or not lies_in(address, token.addresses):
            return None
        self._note_use(token.id, now)
        return _of_token(token)

    def _looked_again(self, sent: Credential, address: str) -> Caller:
        """Return who is known only since a moment ago.

        An id that nobody has is looked for as long as one whose secret is wrong; and a place that has sent too many
        costs the database nothing.
        """
        place = house_of(address)
        rules = {f"token:{place}": BAD_TOKENS, "token": ALL_BAD_TOKENS}
        self._attempts.require_open(rules)
        self.refresh()
        caller = self._caller(sent, address, self._recent())
        if caller is not None:
            return caller
        self._attempts.take(rules)
        self._audit.note("token.refused", f"{sent.sort}:{sent.id}", place)
        raise _unknown()

    def _note_use(self, token_id: str, now: TsNs) -> None:
        if not 0 <= now - self._written.get(token_id, 0) < USED_NS:
            self._used[token_id] = now

    def _write_uses(self) -> None:
        used, self._used = self._used, {}
        if used:
            with self._work.begin() as records:
                for token_id, at in used.items():
                    records.tokens.used(token_id, at)
            self._written |= used

    def _forget_listener(self, number: int) -> None:
        with self._lock:
            self._told.pop(number, None)


def _of_token(token: ApiToken) -> Caller:
    return Caller(token.id, token.name, TOKEN, frozenset(map(Scope, token.scopes)))


def _of_session(session: Session) -> Caller:
    return Caller(session.id, session.owner, SESSION, OF_A_SESSION, session.stepped_up_ns)


def _unknown() -> UnknownCallerError:
    return UnknownCallerError("nobody has this token", hint="`manjha token create` makes one.")

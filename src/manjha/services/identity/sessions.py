"""Sessions of browsers: login, short access and a refresh that is good once, step-up, logout."""

from collections.abc import Callable, Sequence

import msgspec

from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.identity import Person, Session, SessionKeys
from manjha.domain.moments import HOUR_NS, MINUTE_NS, SECOND_NS, TsNs
from manjha.domain.secret import Secret
from manjha.ports.unit_of_work import Records
from manjha.services.identity.addresses import house_of
from manjha.services.identity.attempts import BY_ADDRESS, BY_PERSON, Rule
from manjha.services.identity.caller import OWNER, UnknownCallerError
from manjha.services.identity.credentials import Credential, Sort, new_credential, new_id, read_credential
from manjha.services.identity.desk import Desk
from manjha.services.identity.second_factor import address_of, new_factor, step_of

ACCESS_NS = 10 * MINUTE_NS
"""How long an access lets in."""
QUIET_NS = 8 * HOUR_NS
"""After how long without a refresh a session ends."""
SESSION_NS = 24 * HOUR_NS
"""How long a session goes on at most, however busy it is."""
STEP_UP_NS = 5 * MINUTE_NS
"""How long a proof of who one is holds."""
LATE_NS = 30 * SECOND_NS
"""How long the access before a refresh still lets in: requests are under way with it."""
FACTOR, FACTOR_NEW = "identity.second_factor", "identity.second_factor_new"
"""Names of the secret of the second factor, and of one whose first code has not been seen yet."""


class Proof(msgspec.Struct, frozen=True):
    """What a person shows of himself. Never in a log: its `repr` shows nothing."""

    password: str = ""
    code: str = ""

    def __repr__(self) -> str:
        return "Proof(…)"


class Opened(msgspec.Struct, frozen=True):
    """What a browser is given: its session, an access and a refresh, and until when each is good."""

    session: Session
    keys: SessionKeys
    access: str
    refresh: str

    def __repr__(self) -> str:
        return f"Opened({self.session.id}, …)"


class Sessions:
    """Begins sessions, carries them on and ends them. `changed` is called after each change."""

    def __init__(self, desk: Desk, changed: Callable[[], None]) -> None:
        self._work, self._clock, self._ring, self._audit = desk.work, desk.clock, desk.ring, desk.audit
        self._attempts, self._hasher, self._secrets, self._changed = desk.attempts, desk.hasher, desk.secrets, changed

    def log_in(self, proof: Proof, address: str, before: str = "") -> Opened:
        """Begin a session. `before` is the access of the one that this browser had: it ends.

        Raises
        ------
        UnknownCallerError
            Password or code is wrong; it does not say which.
        TooManyAttemptsError
            Too many were.
        """
        person = self._person()
        self._require(proof, person, address, needs_both=True)
        now = self._clock.now_ns()
        session = Session(
            id=new_id(), owner=OWNER, started_ns=now, expires_ns=TsNs(now + SESSION_NS), address=house_of(address)
        )
        opened = self._next(session)
        with self._work.begin() as records:
            old = self._keys(records, before, Sort.ACCESS)
            if old is not None:
                records.sessions.revoke(old[0].id, now, "logged in anew")
            records.sessions.add(session, opened.keys)
            self._audit.write(records, "session.begun", OWNER, address, id=session.id)
        self._changed()
        return opened

    def refresh(self, refresh: str, address: str) -> Opened:
        """Return the next keys of a session. Who brings a refresh that was used ends the session for everybody.

        Raises `UnknownCallerError`.
        """
        now = self._clock.now_ns()
        with self._work.begin() as records:
            found = self._keys(records, refresh, Sort.REFRESH)
            opened = None
            if found is not None and not found[0].is_over(now):
                session, keys = found
                if not records.sessions.spend(keys.id, now, TsNs(now + LATE_NS)):
                    records.sessions.revoke(session.id, now, "a refresh was used twice")
                    self._audit.write(records, "session.stolen", OWNER, address, id=session.id)
                elif now < keys.refresh_expires_ns:
                    opened = self._next(session)
                    records.sessions.renew(opened.keys, session.stepped_up_ns)
                    self._audit.write(records, "session.refreshed", OWNER, address, id=session.id)
        self._changed()
        if opened is None:
            raise _over()
        return opened

    def step_up(self, access: str, proof: Proof, address: str) -> Opened:
        """Take a proof for the next five minutes, and return new keys. Raises as `log_in`."""
        self._require(proof, self._person(), address, needs_both=False)
        now = self._clock.now_ns()
        with self._work.begin() as records:
            found = self._keys(records, access, Sort.ACCESS)
            opened = None
            if found is not None and not found[0].is_over(now) and now < found[1].access_expires_ns:
                session, keys = found
                if records.sessions.spend(keys.id, now, now):
                    proved = msgspec.structs.replace(session, stepped_up_ns=TsNs(now + STEP_UP_NS))
                    opened = self._next(proved)
                    records.sessions.renew(opened.keys, proved.stepped_up_ns)
                    self._audit.write(records, "session.stepped-up", OWNER, address, id=session.id)
        self._changed()
        if opened is None:
            raise _over()
        return opened

    def log_out(self, session_id: str, who: str, address: str = "") -> bool:
        """End a session; tell whether it was on."""
        with self._work.begin() as records:
            was_on = records.sessions.revoke(session_id, self._clock.now_ns(), "logged out")
            if was_on:
                self._audit.write(records, "session.ended", who, address, id=session_id)
        self._changed()
        return was_on

    def sessions(self) -> Sequence[Session]:
        """Return the sessions that are on, newest first."""
        with self._work.read() as records:
            return records.sessions.sessions(self._clock.now_ns())

    def has_factor(self) -> bool:
        """Tell whether a code is asked for."""
        return self._person().has_factor

    def enrol(self) -> tuple[str, str]:
        """Return the secret of a new second factor, and its address for an app; it counts once a code was seen."""
        secret = new_factor()
        self._secrets.put(FACTOR_NEW, Secret(secret))
        return secret, address_of(secret, OWNER)

    def confirm_factor(self, code: str, address: str) -> None:
        """Have codes asked for from now on. Raises `UnknownCallerError` where the code is wrong, `UsageError` else."""
        secret = self._secrets.get(FACTOR_NEW)
        if secret is None:
            raise UsageError("no second factor waits for its first code", hint="Enrol one first.")
        rules = _rules(address)
        self._attempts.take(rules)
        step = step_of(secret.reveal(), code, self._clock.now_ns())
        with self._work.begin() as records:
            if step is None:
                self._attempts.failed(records, rules)
                self._audit.write(records, "second-factor.refused", OWNER, address)
            else:
                # Kept before the database says that it is asked for: never the other way round.
                self._secrets.put(FACTOR, secret)
                held = records.people.find(OWNER)
                records.people.put(msgspec.structs.replace(held, has_factor=True, factor_step=step))
                self._audit.write(records, "second-factor.set", OWNER, address)
        if step is None:
            raise _wrong()
        self._secrets.delete(FACTOR_NEW)

    def drop_factor(self, who: str, address: str) -> None:
        """Have no code asked for any more."""
        with self._work.begin() as records:
            held = records.people.find(OWNER)
            records.people.put(msgspec.structs.replace(held, has_factor=False, factor_step=0))
            self._audit.write(records, "second-factor.dropped", who, address)
        self._secrets.delete(FACTOR)

    def _person(self) -> Person:
        with self._work.read() as records:
            return records.people.find(OWNER)

    def _require(self, proof: Proof, person: Person, address: str, *, needs_both: bool) -> None:
        """Raise unless the proof is right. No transaction is open while the password is looked at."""
        rules = _rules(address)
        self._attempts.take(rules)
        asks_code = person.has_factor and (needs_both or not proof.password)
        step = step_of(self._factor(), proof.code, self._clock.now_ns()) if asks_code else None
        is_right = step is not None if asks_code else True
        if needs_both or not asks_code:
            # Also where the code is wrong: the time that it takes does not tell which of the two is.
            is_right = self._hasher.fits(proof.password, person.password) and is_right
        with self._work.begin() as records:
            if is_right and step is not None:
                is_right = records.people.use_step(OWNER, step)
            if is_right:
                self._attempts.passed(records, rules)
            else:
                self._attempts.failed(records, rules)
                self._audit.write(records, "login.refused", OWNER, address)
        if not is_right:
            raise _wrong()

    def _factor(self) -> str:
        secret = self._secrets.get(FACTOR)
        if secret is None:
            raise SettingsError(
                "a code of the second factor is asked for, but its secret is not in the secret store",
                hint="`manjha password drop-factor` at the machine has none asked for; enrol it again then.",
            )
        return secret.reveal()

    def _next(self, session: Session) -> Opened:
        access = new_credential(Sort.ACCESS)
        refresh, now, pepper = new_credential(Sort.REFRESH, access.id), self._clock.now_ns(), self._ring.now().pepper
        keys = SessionKeys(
            id=access.id, session=session.id,
            access_hash=access.kept(pepper), access_expires_ns=TsNs(min(now + ACCESS_NS, session.expires_ns)),
            refresh_hash=refresh.kept(pepper), refresh_expires_ns=TsNs(min(now + QUIET_NS, session.expires_ns)),
        )  # fmt: skip
        return Opened(session, keys, access.text, refresh.text)

    def _keys(self, records: Records, text: str, sort: Sort) -> tuple[Session, SessionKeys] | None:
        """Return whose credential this is; None where it is nobody's."""
        sent = read_credential(text)
        if sent is None or sent.sort is not sort:
            return None
        found = records.sessions.find(sent.id)
        if found is None or not sent.fits(self._ring.now().pepper, _hash_of(found[1], sent)):
            return None
        return found


def _hash_of(keys: SessionKeys, sent: Credential) -> bytes:
    return keys.access_hash if sent.sort is Sort.ACCESS else keys.refresh_hash


def _rules(address: str) -> dict[str, Rule]:
    return {f"address:{house_of(address)}": BY_ADDRESS, f"person:{OWNER}": BY_PERSON}


def _wrong() -> UnknownCallerError:
    return UnknownCallerError("the password or the code is wrong", hint="A code is good once; wait for the next one.")


def _over() -> UnknownCallerError:
    return UnknownCallerError("this session is over", hint="Log in again.")

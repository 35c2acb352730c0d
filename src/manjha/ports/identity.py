"""Books of who may use the bot: tokens, sessions, people, attempts, and the log. Each works within one transaction."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from manjha.domain.identity import (
    ApiToken,
    Attempt,
    AuditHead,
    AuditRow,
    OneTimeLink,
    Person,
    Session,
    SessionKeys,
)
from manjha.domain.moments import TsNs


class TokenBook(Protocol):
    """Tokens, as keyed hashes."""

    def add(self, token: ApiToken) -> None:
        """Record a token.

        Raises `UsageError` where its id is there, or one of its name that is neither revoked nor replaced.
        """
        ...

    def find(self, token_id: str) -> ApiToken | None:
        """Return the token of an id, revoked or not; None if there is none."""
        ...

    def revoke(self, token_id: str, at_ns: TsNs) -> None:
        """Revoke a token; one that is revoked stays as it is. Raises `UsageError` if there is none."""
        ...

    def replace(self, token_id: str, by: str, until_ns: TsNs) -> bool:
        """Let a token end at a moment, at the latest, as another takes its place.

        Tell whether it did so: False where it is revoked or was replaced already.
        """
        ...

    def used(self, token_id: str, at_ns: TsNs) -> None:
        """Note that a token was used; the latest moment counts."""
        ...

    def tokens(self) -> Sequence[ApiToken]:
        """Return all tokens by the moment they were made, then by id."""
        ...


class SessionBook(Protocol):
    """Sessions of browsers, and the keys that these hold."""

    def add(self, session: Session, keys: SessionKeys) -> None:
        """Record a session that begins, with its first keys."""
        ...

    def find(self, keys_id: str) -> tuple[Session, SessionKeys] | None:
        """Return keys by their id, spent or not, with their session; None if there are none."""
        ...

    def spend(self, keys_id: str, at_ns: TsNs, access_until_ns: TsNs) -> bool:
        """Note that a refresh was used; its access ends at a moment, at the latest.

        Tell whether this was the first time: of many who ask at once, one gets True.
        """
        ...

    def renew(self, keys: SessionKeys, stepped_up_ns: TsNs) -> None:
        """Record the next keys of a session, and until when its person has proved that it is he."""
        ...

    def revoke(self, session_id: str, at_ns: TsNs, why: str) -> bool:
        """End a session with all its keys; tell whether it was still on."""
        ...

    def sessions(self, now_ns: TsNs) -> Sequence[Session]:
        """Return those that are on, newest first."""
        ...

    def live_keys(self, now_ns: TsNs) -> Sequence[tuple[Session, SessionKeys]]:
        """Return the keys whose access has not expired, of sessions that are on."""
        ...

    def forget(self, before_ns: TsNs) -> None:
        """Delete sessions that were over before a moment, with their keys."""
        ...


class PeopleBook(Protocol):
    """Who logs in, and the links by which a password is set."""

    def find(self, name: str) -> Person:
        """Return a person; one without a password where none is recorded."""
        ...

    def put(self, person: Person) -> None:
        """Record a person as he is now."""
        ...

    def use_step(self, name: str, step: int) -> bool:
        """Note that the code of a step of time was used; tell whether it is later than every one used before."""
        ...

    def add_link(self, link: OneTimeLink) -> None:
        """Record a link; earlier ones of the same person that were not used are gone."""
        ...

    def use_link(self, link_id: str, at_ns: TsNs) -> bool:
        """Note that a link was used; tell whether it was there, in time and used for the first time."""
        ...

    def drop_links(self, name: str) -> None:
        """Forget every link of a person that was not used."""
        ...

    def link(self, link_id: str) -> OneTimeLink | None:
        """Return a link, used or not; None if there is none."""
        ...


class AttemptBook(Protocol):
    """How often somebody has tried lately."""

    def held(self, keys: Collection[str]) -> Mapping[str, Attempt]:
        """Return what is known of each key, and let nobody else change it until the transaction ends."""
        ...

    def put(self, attempts: Collection[Attempt]) -> None:
        """Record attempts, in place of what was known of their keys."""
        ...

    def bound(self, rows: int) -> None:
        """Forget those that were changed longest ago, until no more than so many are left."""
        ...


class AuditBook(Protocol):
    """The log of what was done with access, limits and switches. Nothing in it is ever changed."""

    def head(self) -> AuditHead:
        """Return where the log ends, changing nothing; it moves with everything that is logged."""
        ...

    def held_head(self) -> AuditHead:
        """Return where the log ends, and let nobody else append until the transaction ends."""
        ...

    def append(self, row: AuditRow) -> None:
        """Write a row after the head that is held."""
        ...

    def rows(self, *, after: int = 0, limit: int = 1000) -> Sequence[AuditRow]:
        """Return rows of a higher number than `after`, in order."""
        ...

    def newest(self, *, before: int | None = None, limit: int = 100) -> Sequence[AuditRow]:
        """Return rows of a lower number than `before`, newest first."""
        ...

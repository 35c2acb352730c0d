"""Who may use the bot: tokens, sessions and passwords as they are kept, and the log of what was done with them.

No secret is here as it is: of each there is a hash keyed by the *pepper*, which lies in the secret store and never in
the database. Whoever has a copy of the database can neither use what is in it nor try guesses on it.
"""

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from struct import Struct

import msgspec

from manjha.domain.moments import TsNs

SECRET_BYTES = 32
"""Bytes of chance in a secret that we make: so many that it cannot be searched."""
_SEQ_AND_TIME = Struct(">qq")
_LENGTHS = Struct(">IIII")


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token that lets a program in. The token itself is nowhere: only a salted hash of it, keyed by the pepper.

    `id` is the part of the token that is no secret and finds this row. `addresses` are the networks that it may be used
    from, as "10.0.0.0/8"; empty is any. `replaced_by` is the id of the token that it was rotated to. None means: does
    not expire, is not revoked, was not used, was not replaced.
    """

    id: str
    name: str
    owner: str = "owner"
    salt: bytes
    hash: bytes
    scopes: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    created_ns: TsNs
    expires_ns: TsNs | None = None
    revoked_ns: TsNs | None = None
    used_ns: TsNs | None = None
    replaced_by: str | None = None

    def is_over(self, now_ns: int) -> bool:
        """Tell whether it is revoked or has expired."""
        return self.revoked_ns is not None or (self.expires_ns is not None and now_ns >= self.expires_ns)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A browser that somebody has logged in with, until he logs out, is quiet for too long, or `expires_ns` comes.

    What the browser holds is the newest of a family of `SessionKeys`; the family is revoked as a whole, and `why` says
    the reason. Until `stepped_up_ns` the person has proved lately that it is he.
    """

    id: str
    owner: str
    started_ns: TsNs
    expires_ns: TsNs
    address: str = ""
    stepped_up_ns: TsNs = TsNs(0)
    revoked_ns: TsNs | None = None
    why: str = ""

    def is_over(self, now_ns: int) -> bool:
        """Tell whether it is revoked or has ended."""
        return self.revoked_ns is not None or now_ns >= self.expires_ns


class SessionKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser was given at one time: a short-lived access and a refresh that gets the next ones, once.

    `spent_ns` is when the refresh was used; whoever brings it once more has stolen it, or it was stolen from him.
    """

    id: str
    session: str
    access_hash: bytes
    access_expires_ns: TsNs
    refresh_hash: bytes
    refresh_expires_ns: TsNs
    spent_ns: TsNs | None = None


class OneTimeLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link by which a person sets the password, once, before `expires_ns`."""

    id: str
    owner: str
    hash: bytes
    made_ns: TsNs
    expires_ns: TsNs
    used_ns: TsNs | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who logs in. `password` is an Argon2id hash in its own text form; empty where none was set.

    `factor_step` is the last step of time whose code was used (RFC 6238, section 5.2: each is good once).
    `has_factor` tells whether a code is asked for at all; its secret is in the secret store.
    """

    name: str
    password: str = ""
    changed_ns: TsNs = TsNs(0)
    has_factor: bool = False
    factor_step: int = 0


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """How often somebody has tried lately. `key` says who: an address, a name.

    `due_ns` is when the next attempt would be due at an even pace, `failures` are those in a row, and until
    `locked_ns` nothing is tried at all.
    """

    key: str
    due_ns: TsNs = TsNs(0)
    failures: int = 0
    locked_ns: TsNs = TsNs(0)
    changed_ns: TsNs = TsNs(0)


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done or tried: what kind, by whom, from where. `details` is a JSON object, keys sorted."""

    ts_ns: TsNs
    kind: str
    who: str
    address: str = ""
    details: str = "{}"


class AuditRow(msgspec.Struct, frozen=True):
    """An entry as it stands in the log. `seq` counts from 1 without gaps; `hash` is over everything before it."""

    seq: int
    entry: AuditEntry
    previous: bytes
    hash: bytes


class AuditHead(msgspec.Struct, frozen=True):
    """Where the log ends: number and hash of its last row."""

    seq: int = 0
    hash: bytes = b""


def secret_hash(key: bytes, salt: bytes, secret: bytes) -> bytes:
    """Return what is kept of a secret of `SECRET_BYTES` bytes of chance: HMAC-SHA256 by a key over salt and secret."""
    return hmac.digest(key, salt + secret, "sha256")


def is_secret(key: bytes, salt: bytes, secret: bytes, kept: bytes) -> bool:
    """Tell whether this is the secret of which that hash was kept, in a time that does not depend on the answer."""
    return hmac.compare_digest(secret_hash(key, salt, secret), kept)


def audit_genesis(key: bytes) -> bytes:
    """Return what the first row of the log is chained to."""
    return hmac.digest(key, b"manjha audit 1", "sha256")


def audit_hash(key: bytes, previous: bytes, seq: int, entry: AuditEntry) -> bytes:
    """Return the hash of a row, keyed, so that who can write in the database alone cannot make another history.

    Texts are preceded by their lengths, so that none can take over a part of another.
    """
    texts = [text.encode() for text in (entry.kind, entry.who, entry.address, entry.details)]
    sha = hmac.new(key, previous, hashlib.sha256)
    sha.update(_SEQ_AND_TIME.pack(seq, entry.ts_ns))
    sha.update(_LENGTHS.pack(*map(len, texts)))
    sha.update(b"".join(texts))
    return sha.digest()


def audit_row(key: bytes, head: AuditHead, entry: AuditEntry) -> AuditRow:
    """Return the row of an entry after a head."""
    previous = head.hash or audit_genesis(key)
    return AuditRow(head.seq + 1, entry, previous, audit_hash(key, previous, head.seq + 1, entry))


def audit_faults(key: bytes, rows: Iterable[AuditRow], head: AuditHead) -> Iterator[str]:
    """Yield what is wrong with a log, in the order of its rows; nothing where it is whole.

    `rows` are all of them by ascending `seq`, as they are stored. After a fault the walk goes on from what it found.
    """
    expected, last = 1, audit_genesis(key)
    for row in rows:
        if row.seq != expected:
            yield f"row {expected} of the audit log is missing: the next one is {row.seq}"
        elif not hmac.compare_digest(row.previous, last):
            yield f"row {row.seq} of the audit log does not follow the row before it: one of the two was replaced"
        if not hmac.compare_digest(audit_hash(key, row.previous, row.seq, row.entry), row.hash):
            yield f"row {row.seq} of the audit log is not what was written: its hash does not fit"
        expected, last = row.seq + 1, row.hash
    if expected - 1 != head.seq:
        yield f"the audit log ends at row {expected - 1}, but {head.seq} were written"
    elif head.seq and not hmac.compare_digest(last, head.hash):
        yield f"the last row of the audit log, {head.seq}, is not the one that its head names"

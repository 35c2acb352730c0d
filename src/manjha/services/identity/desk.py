"""What everything about access works with, put together once."""

import msgspec

from manjha.ports.clock import Clock
from manjha.ports.secret_store import SecretStore
from manjha.ports.unit_of_work import UnitOfWork
from manjha.services.identity.attempts import Attempts
from manjha.services.identity.audit import Audit
from manjha.services.identity.credentials import KeyRing
from manjha.services.identity.hasher import Hasher


class Desk(msgspec.Struct, frozen=True):
    """Records, time, keys, secrets, and what counts, logs and hashes with them."""

    work: UnitOfWork
    clock: Clock
    ring: KeyRing
    secrets: SecretStore
    audit: Audit
    attempts: Attempts
    hasher: Hasher


def desk_of(work: UnitOfWork, clock: Clock, ring: KeyRing, secrets: SecretStore, hasher: Hasher | None = None) -> Desk:
    """Return a desk over some records and a secret store."""
    audit, attempts = Audit(work, clock, ring), Attempts(work, clock)
    return Desk(work, clock, ring, secrets, audit, attempts, hasher or Hasher())

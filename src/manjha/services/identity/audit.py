"""The log of what was done with access, limits and switches: written with what it tells, verified as a chain."""

from collections.abc import Iterator, Sequence

import msgspec

from manjha.domain.errors import DataError
from manjha.domain.identity import AuditEntry, AuditHead, AuditRow, audit_faults, audit_row
from manjha.ports.clock import Clock
from manjha.ports.unit_of_work import Records, UnitOfWork
from manjha.services.identity.credentials import KeyRing

_PAGE = 1000
HASH_BYTES = 32


class Audit:
    """Writes the log and reads it. An entry stands in the transaction of what it tells, or in one of its own."""

    def __init__(self, work: UnitOfWork, clock: Clock, ring: KeyRing) -> None:
        self._work, self._clock, self._ring = work, clock, ring

    def write(self, records: Records, kind: str, who: str, address: str, **details: str) -> None:
        """Write an entry in a transaction of the caller's. Details are no secrets."""
        text = msgspec.json.encode(details, order="sorted").decode()
        entry = AuditEntry(ts_ns=self._clock.now_ns(), kind=kind, who=who[:200], address=address[:64], details=text)
        records.audit.append(audit_row(self._ring.now().audit, records.audit.held_head(), entry))

    def note(self, kind: str, who: str, address: str, **details: str) -> None:
        """Write an entry by itself: of a limit that was changed, a switch that was thrown, a session that began."""
        with self._work.begin() as records:
            self.write(records, kind, who, address, **details)

    def newest(self, *, before: int | None = None, limit: int = 100) -> Sequence[AuditRow]:
        """Return rows of a lower number than `before`, newest first."""
        with self._work.read() as records:
            return records.audit.newest(before=before, limit=limit)

    def head(self) -> AuditHead:
        """Return where the log ends."""
        with self._work.read() as records:
            return records.audit.head()

    def faults(self, anchor: AuditHead | None = None) -> list[str]:
        """Return what is wrong with the log; nothing where it is whole.

        `anchor` is a head that was written down elsewhere before: the log must still have that row. Only it can tell
        whether somebody has put back a whole older database.
        """
        with self._work.read() as records:
            head, met = records.audit.head(), False

            def rows() -> Iterator[AuditRow]:
                nonlocal met
                last = 0
                while page := records.audit.rows(after=last, limit=_PAGE):
                    met = met or (anchor is not None and any((one.seq, one.hash) == _pair(anchor) for one in page))
                    last = page[-1].seq
                    yield from page

            found = list(audit_faults(self._ring.now().audit, rows(), head))
        if anchor is not None and anchor.seq and not met:
            found.append(f"row {anchor.seq} of the audit log is not the one that was written down elsewhere")
        return found


def read_anchor(text: str) -> AuditHead:
    """Read what `manjha audit verify` has printed before, like 17:8c41…. Raises `DataError`."""
    seq, _, digest = text.partition(":")
    try:
        head = AuditHead(int(seq), bytes.fromhex(digest))
    except ValueError:
        head = AuditHead(-1)
    if head.seq < 0 or len(head.hash) != (HASH_BYTES if head.seq else 0):
        raise DataError(
            f"expected the number and hash of a row, like 17:8c41…, was {text[:80]!r}",
            hint="Give what `manjha audit verify` printed before.",
        )
    return head


def write_anchor(head: AuditHead) -> str:
    """Write a head as `read_anchor` reads it."""
    return f"{head.seq}:{head.hash.hex()}"


def _pair(anchor: AuditHead) -> tuple[int, bytes]:
    return anchor.seq, anchor.hash

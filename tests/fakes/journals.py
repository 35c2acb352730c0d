"""A journal in memory: passes the contract suite of the real ones."""

from collections.abc import Iterator, Sequence

from manjha.domain.errors import JournalHalted, StaleWriter
from manjha.domain.journal import Entry, Head, Row, Snapshot, chained, genesis
from manjha.domain.orders import AccountId, RunId


class SharedMemory:
    """What several journal objects of one account look at, as they do at a database."""

    def __init__(self, account: AccountId) -> None:
        self.head = Head(account, 0, 0, genesis(account))
        self.rows: list[Row] = []
        self.snapshots: list[Snapshot] = []


class MemoryJournal:
    """Implements `ports.journal.Journal`."""

    def __init__(self, shared: SharedMemory) -> None:
        self._shared = shared
        self._run = RunId("")
        self._epoch = 0

    def head(self) -> Head:
        return self._shared.head

    def begin(self, run: RunId) -> Head:
        old = self._shared.head
        self._shared.head = Head(old.account, old.epoch + 1, old.seq, old.hash)
        self._run, self._epoch = run, self._shared.head.epoch
        return self._shared.head

    def append(self, entries: Sequence[Entry]) -> Head:
        self._require_own()
        rows, self._shared.head = chained(self._shared.head, self._run, entries)
        self._shared.rows += rows
        return self._shared.head

    def rows(self, after: int = 0) -> Iterator[Row]:
        yield from self._shared.rows[after:]

    def of_kind(self, kind: str, *, newest_first: bool = False) -> Iterator[Row]:
        found = [row for row in self._shared.rows if row.entry.kind == kind]
        yield from found[::-1] if newest_first else found

    def keep(self, snapshot: Snapshot) -> None:
        self._require_own()
        if not 0 < snapshot.seq <= self._shared.head.seq:
            raise JournalHalted(f"a snapshot is of row {snapshot.seq}")
        self._shared.snapshots.append(snapshot)

    def snapshots(self) -> Iterator[Snapshot]:
        yield from sorted(self._shared.snapshots, key=lambda kept: -kept.seq)

    def close(self) -> None:
        pass

    def _require_own(self) -> None:
        if self._epoch == 0 or self._shared.head.epoch != self._epoch:
            raise StaleWriter("another one writes")

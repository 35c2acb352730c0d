"""A lock in memory: passes the contract suite of the real ones."""

from manjha.domain.leader import Holder, held_by
from manjha.domain.moments import TsNs


class LockTable:
    """What several locks of one account look at."""

    def __init__(self) -> None:
        self.held: tuple[object, Holder] | None = None


class MemoryLeaderLock:
    """Implements `ports.leader_lock.LeaderLock`."""

    def __init__(self, table: LockTable, pid: int = 1) -> None:
        self._table, self._pid = table, pid
        self._mark: object = None

    def acquire(self) -> None:
        if not self.lost():
            return
        if self._table.held is not None:
            raise held_by(self._table.held[1])
        self._mark = object()
        self._table.held = (self._mark, Holder(self._pid, "memory", TsNs(1)))

    def lost(self) -> str:
        mine = self._table.held is not None and self._table.held[0] is self._mark
        return "" if mine else "the lock is not held"

    def holder(self) -> Holder | None:
        return self._table.held[1] if self._table.held is not None else None

    def take_away(self) -> Holder | None:
        was, self._table.held = self.holder(), None
        return was

    def release(self) -> None:
        if not self.lost():
            self._table.held = None

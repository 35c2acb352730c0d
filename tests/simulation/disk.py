"""A disk that keeps what was synced and may fail: the journal of every process that ever traded the account."""

from collections.abc import Iterator, Sequence

from manjha.domain.commands import Output
from manjha.domain.errors import JournalHalted
from manjha.domain.events import Event
from manjha.domain.journal import Entry, Head
from manjha.domain.moments import TsNs
from manjha.domain.orders import RunId
from manjha.domain.segments import MarketWritten
from manjha.engine.journaling import entry_of, value_of
from manjha.engine.terms import MatchingMoved, RunBegun, RunEnded
from tests.fakes.journals import MemoryJournal, SharedMemory
from tests.simulation.world import World


class FaultyJournal(MemoryJournal):
    """Fails to write, or writes and fails to say so; after either it refuses everything, as the real one does."""

    def __init__(self, shared: SharedMemory, world: World) -> None:
        super().__init__(shared)
        self.world = world
        self.is_halted = False

    def append(self, entries: Sequence[Entry]) -> Head:
        if self.is_halted:
            raise JournalHalted("the journal was halted")
        if self.world.chance("disk_fails"):
            self.is_halted = True
            raise JournalHalted("no space left on device")
        head = super().append(entries)
        if self.world.chance("disk_unknown"):
            self.is_halted = True
            raise JournalHalted("the connection was lost at COMMIT")
        return head


class SimTape:
    """Implements `app.trading.trader.Tape` over a journal."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.journal = journal
        self._pending: list[Entry] = []

    @property
    def waiting(self) -> int:
        return len(self._pending)

    def record(self, event: Event, ts_ns: TsNs, matching: int = -1) -> None:
        self._pending.append(entry_of(event, ts_ns))

    def decided(self, outputs: Sequence[Output], ts_ns: TsNs) -> None:
        self._pending += [entry_of(output, ts_ns) for output in outputs]

    def commit(self) -> None:
        pending, self._pending = self._pending, []
        self.journal.append(pending)

    def rest(self) -> None:
        if self._pending:
            self.commit()

    def idle(self) -> None:
        self.rest()


def values_of(shared: SharedMemory, after: int = 0) -> Iterator[Event | Output]:
    """Yield what was ever written down durably, after so many rows."""
    for row in shared.rows[after:]:
        value = value_of(row.entry)
        assert not isinstance(value, RunBegun | RunEnded | MarketWritten | MatchingMoved)
        yield value


def begun(shared: SharedMemory, world: World, run: RunId) -> FaultyJournal:
    """Return the journal in a new epoch."""
    journal = FaultyJournal(shared, world)
    journal.begin(run)
    return journal

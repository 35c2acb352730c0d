"""Writes a run down: events and decisions into the journal, market data into its segments, snapshots now and then.

Open it with the terms of the run, hand it market data before the events that rest on them, each event before the
engine sees it and what was decided after, and commit before anything leaves:

    recorder = open_recorder(journal, segments, terms, now_ns)
    recorder.market(frames, now_ns)
    recorder.record(event, now_ns)      # then step(state, event)
    recorder.decided(outputs, now_ns)
    recorder.commit()                   # then send
"""

from collections.abc import Callable, Sequence

from manjha.domain.commands import Output, SetTimer
from manjha.domain.errors import InvariantBroken, SettingsError
from manjha.domain.events import Event, TimerFired
from manjha.domain.journal import Entry, Head, Snapshot
from manjha.domain.moments import TsNs
from manjha.domain.orders import RunId
from manjha.domain.segments import Frame, MarketWritten
from manjha.engine.digest import digest
from manjha.engine.journaling import entry_of, note_of
from manjha.engine.remembered import StrategyMemory
from manjha.engine.snapshots import Beside, snapshot_of
from manjha.engine.state import EngineState
from manjha.engine.terms import MatchingMoved, RunBegun, RunEnded
from manjha.engine.timers import StandingTimers
from manjha.ports.journal import Journal
from manjha.ports.segments import MarketSegments
from manjha.services.code_hash import code_hash

SNAPSHOT_EVERY = 10_000
"""Rows from one snapshot to the next at least."""
GROWTH = 2
"""A snapshot is as large as its run is long: the next one waits until the run has grown by a part of this number, so
that all of them together cost no more than a multiple of the last."""
_PLACE_OF_MARKET = Entry("", TsNs(0), b"")


class Recorder:
    """One run being written down; made by `open_recorder`. Nothing is durable before `commit`.

    `growth` is as `GROWTH`: more where a snapshot has to be near when a run is gone on with.
    """

    growth = GROWTH

    def __init__(
        self, journal: Journal, segments: MarketSegments, head: Head, *, first: int, snapshot_every: int, cut: int
    ) -> None:
        self._journal = journal
        self._segments = segments
        self._head = head
        self._first = first
        self._every = snapshot_every
        self._snapshot_at = head.seq + snapshot_every
        self._pending: list[Entry] = []
        self._market_at: tuple[int, TsNs] | None = None
        self._matching = -1
        self._memory: StrategyMemory | None = None
        self._state: EngineState | None = None
        self._timers = StandingTimers()
        self._now_ns = TsNs(0)
        self.cut = cut

    @property
    def waiting(self) -> int:
        """How many rows `commit` would write."""
        return len(self._pending)

    @property
    def has_more_than_market(self) -> bool:
        """Whether rows wait beside the one that states market data."""
        return len(self._pending) > (self._market_at is not None)

    @property
    def seq(self) -> int:
        """Number of the last row, those that wait included."""
        return self._head.seq + len(self._pending)

    @property
    def wants_snapshot(self) -> bool:
        """Whether enough has been written since the last snapshot."""
        return self.seq >= self._snapshot_at

    def begun(self, state: EngineState, memory: StrategyMemory, beside: Beside | None = None) -> None:
        """Be shown the state before the first event, or where a run is gone on with; snapshots are of it.

        `memory` was made when the state was new, as it knows what `init` made by its place. `beside` is what stood
        beside the state where a run is gone on with.
        """
        self._state, self._memory, self._matching = state, memory, state.matching
        if beside is not None:
            self._timers = StandingTimers(beside.timers)
            self._now_ns = max(self._now_ns, beside.now_ns)

    def market(self, frames: Sequence[Frame], ts_ns: TsNs) -> None:
        """Write market data down, between two events and before those that rest on them."""
        if frames and self._market_at is None:
            self._now_ns = max(self._now_ns, ts_ns)
            # The row that states them stands here; what it states is known when they are on disk. If they cannot be
            # written, the next commit fails too.
            self._market_at = len(self._pending), ts_ns
            self._pending.append(_PLACE_OF_MARKET)
        self._segments.append(frames)

    def record(self, event: Event, ts_ns: TsNs, matching: int = -1) -> int:
        """Write an event down before the engine sees it; return its number in the journal.

        `matching` is `EngineState.matching`, which no event tells.
        """
        if matching != self._matching:
            self._matching = matching
            self._pending.append(entry_of(MatchingMoved(matching), ts_ns))
        self._pending.append(entry_of(event, ts_ns))
        self._now_ns = max(self._now_ns, ts_ns)
        if type(event) is TimerFired:
            self._timers.fired(event)
        return self.seq

    def decided(self, outputs: Sequence[Output], ts_ns: TsNs) -> None:
        """Write down what the step of the last event gave."""
        for output in outputs:
            self._pending.append(entry_of(output, ts_ns))
            if type(output) is SetTimer:
                self._timers.set(output)

    def commit(self) -> Head:
        """Make everything durable: market data first, then the rows, in one piece. Call it before anything is sent.

        Raises
        ------
        JournalHalted
            The storage does not do its part: send nothing.
        """
        return self._committed(self._segments.sync)

    def commit_at_once(self) -> Head:
        """As `commit`, with one wait for the disk in place of two where few market data wait: their row has them."""
        return self._committed(self._segments.stated)

    def _committed(self, state: Callable[[], MarketWritten | None]) -> Head:
        if self._market_at is not None:
            at, ts_ns = self._market_at
            written = state()
            if written is None:
                raise InvariantBroken("market data were handed to segments that say they have none")
            self._pending[at] = entry_of(written, ts_ns)
            self._market_at = None
        if self._pending:
            self._head = self._journal.append(self._pending)
            self._pending = []
        return self._head

    def keep_snapshot(self) -> None:
        """Commit, and keep the state as it is now, between two events."""
        head = self.commit()
        if self._state is not None and self._memory is not None:
            beside = Beside(tuple(self._timers.listed()), self._now_ns, code_hash())
            payload = snapshot_of(self._state, self._memory, beside)
            self._journal.keep(Snapshot(head.seq, digest(self._state), payload))
        self._snapshot_at = head.seq + max(self._every, (head.seq - self._first) // self.growth)

    def ended(self, digest: str, ts_ns: TsNs) -> None:
        """Write down how the run ended, and commit."""
        self._pending.append(entry_of(RunEnded(digest), ts_ns))
        self.commit()


def open_recorder(
    journal: Journal,
    segments: MarketSegments,
    terms: RunBegun,
    now_ns: TsNs,
    *,
    snapshot_every: int = SNAPSHOT_EVERY,
) -> Recorder:
    """Begin an epoch, cut what a crash left of market data, and write down what the run is made of.

    `Recorder.cut` tells how many bytes of market data were cut: no row had stated them.

    Raises
    ------
    SettingsError
        The segments belong to another journal.
    JournalHalted
        Storage does not do its part, or has lost what was acknowledged.
    """
    head = journal.begin(terms.origin.run)
    if head.seq == 0 and segments.numbers():
        raise SettingsError(
            "the journal is new, but there are segments of market data beside it",
            hint="They are of another journal: move that folder away, or put its journal back.",
        )
    cut = segments.resume(last_written(journal))
    head = journal.append([entry_of(terms, now_ns)])
    return Recorder(journal, segments, head, first=head.seq, snapshot_every=snapshot_every, cut=cut)


def go_on_recording(
    journal: Journal,
    segments: MarketSegments,
    run: RunId,
    first: int,
    *,
    snapshot_every: int = SNAPSHOT_EVERY,
) -> Recorder:
    """Begin an epoch in which a run is gone on with that began at row `first`, after a restart.

    Read the state back (`services.replays`) once nobody else can write any more, which is from now on, and show it by
    `Recorder.begun`. Raises `JournalHalted` as `open_recorder`.
    """
    head = journal.begin(run)
    cut = segments.resume(last_written(journal))
    return Recorder(journal, segments, head, first=first, snapshot_every=snapshot_every, cut=cut)


def last_written(journal: Journal) -> MarketWritten | None:
    """Return what a journal stated last of its market data."""
    for row in journal.of_kind(MarketWritten.__name__, newest_first=True):
        return note_of(row.entry, MarketWritten)
    return None

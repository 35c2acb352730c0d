"""A backtest with a journal: everything that it saw and decided, written down as a trader's would be."""

from collections.abc import Sequence

from manjha.domain.commands import Output
from manjha.domain.moments import TsNs
from manjha.domain.orders import Origin
from manjha.engine.market_frames import MarketFrames
from manjha.engine.remembered import StrategyMemory
from manjha.engine.state import EngineState
from manjha.engine.terms import Given, RunBegun, Watched
from manjha.ports.journal import Journal
from manjha.ports.segments import MarketSegments
from manjha.research.assumptions import assumptions_of
from manjha.research.backtest import BacktestSpec, Run
from manjha.research.drive import Driven, Progress
from manjha.research.recorded import RecordedDrive
from manjha.research.result import BacktestResult
from manjha.research.search.variants import source_hash
from manjha.services.recorder import SNAPSHOT_EVERY, Recorder, open_recorder
from manjha.simulator.venue import Venue

BATCH = 1_000
"""Rows of one commit: at a simulated exchange nothing leaves that a crash could orphan."""


class BacktestTape:
    """Implements `research.recorded.Tape` over a recorder: commits in batches, snapshots when they are due."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.record = recorder.record
        self.ended = recorder.ended

    def begun(self, state: EngineState) -> None:
        """Be shown the state before the first event."""
        self._recorder.begun(state, StrategyMemory(state))

    def decided(self, outputs: Sequence[Output], ts_ns: TsNs) -> None:
        """Write down what a step gave, and all that waits once it is a batch."""
        recorder = self._recorder
        if outputs:
            recorder.decided(outputs, ts_ns)
        if recorder.wants_snapshot:
            recorder.keep_snapshot()
        elif recorder.waiting >= BATCH:
            recorder.commit()


class Recording:
    """Writes backtests down in a journal and its segments.

    `found_as` is by which name or path the strategy is found again, for a replay.
    """

    def __init__(
        self, journal: Journal, segments: MarketSegments, found_as: str, *, snapshot_every: int = SNAPSHOT_EVERY
    ) -> None:
        self._journal = journal
        self._segments = segments
        self._found_as = found_as
        self._snapshot_every = snapshot_every
        self.cut = 0

    def run(self, run: Run, spec: BacktestSpec, progress: Progress | None = None) -> BacktestResult:
        """Run a backtest and write it down; `cut` tells how many bytes of market data an earlier crash had left.

        Raises
        ------
        JournalHalted
            The journal or its segments cannot be written; and whatever the run raises.
        """

        def driver(state: EngineState, venue: Venue, driven: Driven, tell: Progress | None) -> RecordedDrive:
            # Not before now: a run that is refused leaves nothing behind.
            begins_ns = TsNs(state.timeline.open_ns[0])
            terms = terms_of(spec, state.origin, self._found_as)
            every = self._snapshot_every
            recorder = open_recorder(self._journal, self._segments, terms, begins_ns, snapshot_every=every)
            self.cut = recorder.cut
            # All of them at first: targets are computed over whole columns before the first bar.
            recorder.market(MarketFrames().bars((*spec.bars, *spec.further)), begins_ns)
            recorder.commit()
            return RecordedDrive(state, venue, driven, tell, tape=BacktestTape(recorder))

        return run(spec, progress, driver)


def terms_of(spec: BacktestSpec, origin: Origin, found_as: str) -> RunBegun:
    """Return what a journal says of how a backtest was made."""
    return RunBegun(
        origin=origin,
        strategy=found_as,
        source_hash=source_hash(type(spec.strategy)),
        parameters=tuple(Given(name, value) for name, value in spec.strategy.values.items()),
        product=spec.strategy.product,
        rules_hash=spec.rules.hash,
        code_version=spec.code_version,
        seed=spec.seed,
        instruments=spec.instruments,
        interval=spec.bars[0].interval,
        further=tuple(Watched(columns.instrument, columns.interval) for columns in spec.further),
        initial=spec.initial,
        sizing=spec.sizing,
        limits=spec.limits,
        rates=spec.rates,
        actions=spec.actions,
        sessions_from_data=spec.sessions_from_data,
        trade_from_ns=spec.trade_from_ns,
        assumptions=tuple(Given(name, value) for name, value in assumptions_of(spec)),
        controls=spec.controls,
        bands=dict(spec.bands),
    )

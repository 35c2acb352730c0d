"""Taking a run up after a restart: from the newest of its snapshots that is sound, else through all of it again.

A snapshot is sound where its bytes are those that were kept, this code and these rules made it, and the state that
comes of it has the digest that it had. What is not sound is passed over, and said.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from manjha.domain.bars import BarColumns
from manjha.domain.commands import (
    Approved,
    AskMargin,
    CallPerson,
    MarginAssumed,
    ReadBroker,
    Refused,
    SetTimer,
    Tripped,
)
from manjha.domain.errors import DataError, JournalHalted
from manjha.domain.events import BarsFilled, MarketAdvanced, TimerFired
from manjha.domain.journal import Row, Snapshot
from manjha.domain.moments import TsNs
from manjha.domain.segments import MarketWritten
from manjha.domain.ticks import Tick, TickColumns
from manjha.engine.bars import first_bars
from manjha.engine.closing import Closed, GrowingBars
from manjha.engine.digest import digest
from manjha.engine.journaling import value_of
from manjha.engine.remembered import StrategyMemory
from manjha.engine.snapshots import Beside, KeptState, kept_in, put_back
from manjha.engine.state import EngineState
from manjha.engine.step import step
from manjha.engine.terms import MatchingMoved, RunBegun, RunEnded
from manjha.engine.timers import StandingTimers
from manjha.ports.journal import Journal
from manjha.ports.segments import MarketSegments
from manjha.research.backtest import BacktestSpec
from manjha.research.growing_run import prepare_growing
from manjha.research.grown_drive import bars_by_moment
from manjha.services.code_hash import code_hash
from manjha.services.replays import Recorded, market_of
from manjha.strategy.interface import Strategy

_NO_EVENTS = (
    Approved, Refused, ReadBroker, AskMargin, MarginAssumed, CallPerson, Tripped, RunBegun, RunEnded, MarketWritten,
)  # fmt: skip


class TakenUp(NamedTuple):
    """A run as it stands at the end of its journal.

    `after` is the row of the snapshot that it went on from, 0 for the beginning; `rows` is how many were stepped
    through; `passed_over` says why a newer snapshot was not gone on from, newest first.
    """

    state: EngineState
    bars: GrowingBars
    memory: StrategyMemory
    beside: Beside
    after: int
    rows: int
    passed_over: tuple[str, ...]


class _Market(NamedTuple):
    """The market data of a run: all bars of each series, `history` of them before the run began, and the ticks."""

    whole: Sequence[BarColumns]
    history: Sequence[BarColumns]
    ticks: Sequence[TickColumns]
    since_ns: TsNs

    def coming(self) -> Iterator[tuple[int, Closed]]:
        """Yield the bars that closed in the run, by the moment at which they did."""
        return iter(bars_by_moment(self.whole, self.since_ns))


def take_up(spec: BacktestSpec, journal: Journal, segments: MarketSegments, run: Recorded) -> TakenUp:
    """Return the state of the last run at the end of its journal. `spec` has a strategy that has seen nothing yet.

    Raises
    ------
    DataError
        The journal ends before the run's market data.
    JournalHalted
        Rows or market data are not what was written.
    """
    market = _market(journal, segments, run)
    count = len(run.terms.instruments)
    # The instruments as they were: events were decided on those lots and ticks, whatever today's list has.
    past = msgspec.structs.replace(
        spec,
        strategy=_as_begun(spec.strategy, run.terms),
        bars=tuple(market.history[:count]),
        further=tuple(market.history[count:]),
        instruments=run.terms.instruments,
    )
    passed_over: list[str] = []
    last = journal.head().seq
    for snapshot in journal.snapshots():
        if snapshot.seq <= run.first:
            break
        if snapshot.seq > last:
            passed_over.append(f"the snapshot after row {snapshot.seq} is of a row that the journal does not have")
            continue
        kept = _sound(snapshot, spec, passed_over)
        if kept is not None:
            taken = _Taking(past, run, market, is_first=False)
            if taken.from_snapshot(snapshot, kept):
                return taken.through(journal, snapshot.seq, passed_over)
            passed_over.append(f"the snapshot after row {snapshot.seq} does not give the state that was kept")
    return _Taking(past, run, market, is_first=True).through(journal, 0, passed_over)


def _sound(snapshot: Snapshot, spec: BacktestSpec, passed_over: list[str]) -> KeptState | None:
    """Return what a snapshot holds where this code may go on from it; say why not where it may not."""
    named = f"the snapshot after row {snapshot.seq}"
    if not snapshot.payload:
        passed_over.append(f"{named} lacks what the strategy remembers, which cannot be written down")
        return None
    try:
        kept = kept_in(snapshot.payload)
    except JournalHalted as error:
        passed_over.append(f"{named} is damaged: {error.message}")
        return None
    if kept.beside.code == code_hash() and kept.rules_hash == spec.rules.hash:
        return kept
    is_ours = kept.beside.code == code_hash()
    passed_over.append(f"{named} was made {'under other market rules' if is_ours else 'by another version of Manjha'}")
    return None


class _Taking:
    """One attempt. The strategy that was given is used in the last one, as no attempt leaves it as it was."""

    def __init__(self, past: BacktestSpec, run: Recorded, market: _Market, *, is_first: bool) -> None:
        if not is_first:
            past = msgspec.structs.replace(past, strategy=copy.deepcopy(past.strategy))
        self.state, self.bars = prepare_growing(past, run.terms.origin)
        self.memory = StrategyMemory(self.state)
        self._run = run
        self._market = market
        self._coming = market.coming()
        self._grown_ns = 0
        self._timers = StandingTimers()
        self._now_ns = TsNs(0)

    def from_snapshot(self, snapshot: Snapshot, kept: KeptState) -> bool:
        """Stand where a snapshot was made; tell whether that is so."""
        while len(self.state.timeline) < kept.reached:
            self._grown_ns, closed = next(self._coming)
            self.bars.stand(self._grown_ns, closed)
        put_back(self.state, self.memory, kept)
        self._timers, self._now_ns = StandingTimers(kept.beside.timers), kept.beside.now_ns
        return digest(self.state) == snapshot.digest

    def through(self, journal: Journal, after: int, passed_over: Sequence[str]) -> TakenUp:
        """Step through the rows that follow, and count the ticks of the bars that were being made."""
        rows = 0
        for row in journal.rows(after or self._run.first):
            self._take(row)
            rows += 1
        self._rest_of_bars()
        beside = Beside(tuple(self._timers.listed()), self._now_ns, code_hash())
        return TakenUp(self.state, self.bars, self.memory, beside, after, rows, tuple(passed_over))

    def _take(self, row: Row) -> None:
        value = value_of(row.entry)
        self._now_ns = max(self._now_ns, row.entry.ts_ns)
        if isinstance(value, SetTimer):
            self._timers.set(value)
        elif isinstance(value, MatchingMoved):
            self.state.matching = value.position
        elif not isinstance(value, _NO_EVENTS):
            if isinstance(value, MarketAdvanced | BarsFilled):
                take = self.bars.grow if isinstance(value, MarketAdvanced) else self.bars.stand
                while len(self.state.timeline) < value.last:
                    self._grown_ns, closed = next(self._coming)
                    take(self._grown_ns, closed)
            elif isinstance(value, TimerFired):
                self._timers.fired(value)
            step(self.state, value)

    def _rest_of_bars(self) -> None:
        terms = self._run.terms
        for moment, closed in self._coming:
            if any(key[1] == terms.interval for key, _ in closed):
                break  # its event was not written: nobody has acted on it
            # A longer bar that ended where no bar of the run did: it is visible from the next one on.
            self._grown_ns = moment
            self.bars.stand(moment, closed)
        if not self.state.day:
            return
        self.bars.open_day(self.state.day)
        from_ns = self.bars.first_open_ns(self._grown_ns)
        self.bars.count_again(_ticks_since(self._market.ticks, from_ns), self._grown_ns)


def _as_begun(strategy: Strategy, terms: RunBegun) -> Strategy:
    """Return the strategy with the parameters that a run began with; changes come with the rows."""
    began = {one.name: one.value for one in terms.parameters}
    if began == strategy.values:
        return strategy
    made = type(strategy)(**began)
    vars(made)["product"] = terms.product
    return made


def _market(journal: Journal, segments: MarketSegments, run: Recorded) -> _Market:
    terms: RunBegun = run.terms
    seen = market_of(journal, segments, Recorded(run.first, journal.head().seq, terms))
    keys = [(one.id, terms.interval) for one in terms.instruments]
    further = [(one.instrument, one.interval) for one in terms.further]
    whole = [seen.bars[key] for key in (*keys, *further) if key in seen.bars]
    if len(whole) < len(keys) + len(further):
        raise DataError("the journal ends before the market data of its last run", hint="Begin a new journal.")
    until_ns = terms.history_until_ns
    history = [first_bars(columns, _before(columns, until_ns)) for columns in whole]
    return _Market(whole, history, list(seen.ticks.values()), until_ns)


def _before(columns: BarColumns, from_ns: int) -> int:
    return int(np.searchsorted(np.asarray(columns.ts_open_ns), from_ns))


def _ticks_since(ticks: Iterable[TickColumns], from_ns: int) -> list[Tick]:
    """Return the ticks from a moment on, in the order of time."""
    found = []
    for columns in ticks:
        first = int(np.searchsorted(np.asarray(columns.ts_ns), from_ns))
        for row in range(first, len(columns)):
            stamp, px, volume = (getattr(columns, name)[row] for name in ("ts_ns", "px", "volume"))
            found.append(Tick(columns.instrument, stamp, px, volume))
    return sorted(found, key=lambda tick: tick.ts_ns)

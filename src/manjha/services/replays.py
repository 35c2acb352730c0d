"""Replaying a journal: the recorded run made anew from its terms and market data, and stepped through once more."""

from collections.abc import Callable, Iterator

import msgspec

from manjha.domain.errors import DataError, JournalHalted
from manjha.domain.journal import Row, Snapshot, row_hash
from manjha.domain.segments import Frame, MarketWritten, frames_of
from manjha.engine.digest import digest
from manjha.engine.journaling import note_of
from manjha.engine.market_frames import Seen, seen_in
from manjha.engine.remembered import StrategyMemory
from manjha.engine.replay import Replayed, replayed
from manjha.engine.snapshots import KeptState, kept_in, put_back
from manjha.engine.state import EngineState
from manjha.engine.terms import RunBegun
from manjha.market.rules import MarketRules
from manjha.ports.journal import Journal
from manjha.ports.segments import MarketSegments
from manjha.research.backtest import BacktestSpec, first_position, prepare
from manjha.research.drive import Progress
from manjha.research.search.variants import source_hash
from manjha.services.code_hash import code_hash
from manjha.strategy.interface import Strategy

TOLD_EVERY = 10_000
"""Rows from one word on progress to the next."""
FindStrategy = Callable[[str], type[Strategy]]


class Recorded(msgspec.Struct, frozen=True):
    """A run as it stands in a journal: the row of its beginning, the one before the next run's, and its terms."""

    first: int
    last: int
    terms: RunBegun


class RunReplayed(msgspec.Struct, frozen=True):
    """A run and what its replay gave.

    `after` is the row of the snapshot that it went on from, 0 for the beginning. `changed` are the things that are
    not as they were when it was recorded; a replay may differ for that. `state` and `memory` are what a run is gone on
    with.
    """

    run: Recorded
    after: int
    changed: tuple[str, ...]
    found: Replayed
    state: EngineState
    memory: StrategyMemory


def recorded_runs(journal: Journal) -> list[Recorded]:
    """Return the runs of a journal, oldest first."""
    begun = [(row.seq, note_of(row.entry, RunBegun)) for row in journal.of_kind(RunBegun.__name__)]
    following = [seq for seq, _ in begun[1:]] + [journal.head().seq + 1]
    return [Recorded(seq, after - 1, terms) for (seq, terms), after in zip(begun, following[: len(begun)], strict=True)]


def is_bare(journal: Journal, run: Recorded) -> bool:
    """Tell whether a process died before anything happened in its run: there is nothing to go on with, or to replay."""
    for row in journal.rows(run.first):
        if row.seq > run.last:
            break
        if row.entry.kind != MarketWritten.__name__:
            return False
    return True


class Replays:
    """Replays the runs of a journal. `find` returns a strategy by what the terms of its run call it."""

    def __init__(self, journal: Journal, segments: MarketSegments, find: FindStrategy, rules: MarketRules) -> None:
        self._journal = journal
        self._segments = segments
        self._find = find
        self._rules = rules

    def replay(self, run: Recorded, tell: Progress | None = None, *, from_snapshot: bool = False) -> RunReplayed:
        """Replay a run from its beginning, or from its newest snapshot that can be gone on from.

        Where strategy, rules or this program have changed there is none: a snapshot is of the code that made it.

        Raises
        ------
        JournalHalted
            Rows or market data are not what was written.
        DataError
            The journal ends before the run's market data.
        UsageError
            The strategy is not found, or does not take its recorded parameters any more.
        """
        found = self._find(run.terms.strategy)
        state = made_again(run.terms, market_of(self._journal, self._segments, run), found, self._rules)
        memory, changed = StrategyMemory(state), _changed(run.terms, found, self._rules)
        digests: dict[int, str] = {}
        after = 0
        for snapshot in self._journal.snapshots():
            if not run.first < snapshot.seq <= run.last:
                continue
            if from_snapshot and snapshot.payload and not changed and (kept := _kept(snapshot)) is not None:
                _go_on_from(state, memory, snapshot, kept)
                after = snapshot.seq
                break
            digests[snapshot.seq] = snapshot.digest
        rows = _told(_sound(self._journal, after or run.first, run.last), run.last, tell)
        return RunReplayed(run, after, changed, replayed(state, rows, digests), state, memory)


def market_of(journal: Journal, segments: MarketSegments, run: Recorded) -> Seen:
    """Return the market data of a run. Raises `JournalHalted` where they are not what was written."""
    before, last = "", dict[int, MarketWritten]()
    for row in journal.of_kind(MarketWritten.__name__):
        written = note_of(row.entry, MarketWritten)
        if row.seq < run.first:
            before = written.hash
        elif row.seq <= run.last:
            last[written.segment] = written
    account, frames = journal.head().account, list[Frame]()
    for number, written in last.items():
        frames += frames_of(segments.read(number), account, written, before)
        before = written.hash
    return seen_in(frames)


def made_again(terms: RunBegun, seen: Seen, found: type[Strategy], rules: MarketRules) -> EngineState:
    """Return the state of a recorded run before its first event.

    Raises
    ------
    DataError
        The market data end before the strategy's first decision.
    UsageError
        The strategy does not take its recorded parameters any more.
    """
    strategy = found(**{given.name: given.value for given in terms.parameters})
    vars(strategy)["product"] = terms.product
    keys = [(one.id, terms.interval) for one in terms.instruments]
    further = [(one.instrument, one.interval) for one in terms.further]
    if not all(key in seen.bars for key in (*keys, *further)):
        raise DataError("the journal ends before the market data of its last run", hint="There is nothing to replay.")
    spec = BacktestSpec(
        strategy=strategy,
        bars=tuple(seen.bars[key] for key in keys),
        further=tuple(seen.bars[key] for key in further),
        instruments=terms.instruments,
        rules=rules,
        initial=terms.initial,
        sizing=terms.sizing,
        limits=terms.limits,
        actions=terms.actions,
        sessions_from_data=terms.sessions_from_data,
        rates=terms.rates,
        seed=terms.seed,
        trade_from_ns=terms.trade_from_ns,
        controls=terms.controls,
        bands=terms.bands,
    )
    state = prepare(spec, terms.origin)
    if terms.history_until_ns:
        state.reached = first_position(state.timeline, terms.history_until_ns)
        state.cursor.at = state.reached - 1
    return state


def _kept(snapshot: Snapshot) -> KeptState | None:
    """Return what a snapshot holds, or None where other code has made it. Raises `JournalHalted` for a damaged one."""
    kept = kept_in(snapshot.payload)
    return kept if kept.beside.code == code_hash() else None


def _go_on_from(state: EngineState, memory: StrategyMemory, snapshot: Snapshot, kept: KeptState) -> None:
    put_back(state, memory, kept)
    if digest(state) != snapshot.digest:
        raise JournalHalted(
            f"the snapshot after row {snapshot.seq} is not the state that was kept",
            hint="Replay without --from-snapshot, which names the first event that differs.",
        )


def _changed(terms: RunBegun, found: type[Strategy], rules: MarketRules) -> tuple[str, ...]:
    """Return what is not as it was when the run was recorded, in words."""
    changed = []
    if source_hash(found) != terms.source_hash:
        changed.append(f"the source of {terms.strategy} is not the one that was recorded")
    if rules.hash != terms.rules_hash:
        changed.append("the market rules are not the ones that were recorded")
    return tuple(changed)


def _sound(journal: Journal, after: int, last: int) -> Iterator[Row]:
    """Yield the rows after a number as long as they are one chain."""
    expected, before = after + 1, b""
    for row in journal.rows(after):
        if row.seq > last:
            return
        follows = row.seq == expected and before in (b"", row.previous)
        if not follows or row_hash(row.previous, row.seq, row.epoch, row.run, row.entry) != row.hash:
            raise JournalHalted(
                f"row {expected} is not what was written, or is missing",
                hint="`manjha journal verify` says what is whole.",
            )
        yield row
        expected, before = expected + 1, row.hash
    if expected <= last:
        raise JournalHalted(
            f"the end is missing: rows {expected} to {last} were written",
            hint="`manjha journal verify` says what is whole.",
        )


def _told(rows: Iterator[Row], last: int, tell: Progress | None) -> Iterator[Row]:
    """Yield rows, and tell now and then how far they have come."""
    for row in rows:
        if tell is not None and row.seq % TOLD_EVERY == 0:
            tell(row.seq, last)
        yield row

"""A recorded run replayed is the run: same decisions, same state, from the beginning and from any snapshot."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.adapters.files.segments import SegmentFolder
from manjha.adapters.sql.journal import SqlJournal
from manjha.domain.errors import DataError
from manjha.engine.digest import digest
from manjha.engine.journaling import EVENT_KINDS, value_of
from manjha.engine.market_frames import MarketFrames
from manjha.engine.step import step
from manjha.research.backtest import BACKTEST, BacktestSpec, run_backtest
from manjha.services.journals import verified
from manjha.services.recorder import go_on_recording, last_written
from tests.fakes.postgres import ABSENT, binaries, server
from tests.fakes.random_runs import random_contracts, random_run
from tests.fakes.recorded import Tape, controlled_run, restless_run
from tests.fakes.segments import MemorySegments

KINDS = {"columns": random_run, "contracts": random_contracts, "restless": restless_run, "controlled": controlled_run}
SEEDS = st.integers(0, 2**32)


@pytest.fixture(scope="session")
def durable_postgres() -> Iterator[str]:
    if binaries() is None:
        pytest.skip(ABSENT)
    with server(durable=True) as url:
        yield url


def same(tape: Tape) -> None:
    for from_snapshot in (False, True):
        one = tape.replayed(from_snapshot=from_snapshot)
        assert one.found.difference is None
        assert (one.found.digest, one.found.has_ended) == (tape.result.state_digest, True)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(seed=SEEDS)
def test_a_recorded_run_is_the_run_and_its_replay_too(kind: str, seed: int) -> None:
    tape = Tape(KINDS[kind](seed))
    plain = run_backtest(KINDS[kind](seed))
    assert (plain.state_digest, plain.fills) == (tape.result.state_digest, tape.result.fills)
    assert plain.curve.equity.tolist() == tape.result.curve.equity.tolist()
    same(tape)
    assert verified(tape.journal, tape.segments).faults == ()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None)
@given(seed=SEEDS, data=st.data())
def test_a_journal_cut_anywhere_goes_on_from_its_last_snapshot_as_from_its_beginning(
    kind: str, seed: int, data: st.DataObject
) -> None:
    tape = Tape(KINDS[kind](seed), snapshot_every=25)
    count = len(tape.shared.rows)
    with pytest.raises(DataError, match="ends before the market data"):
        tape.cut(1).replayed()
    for seq in data.draw(st.lists(st.integers(2, count), min_size=4, max_size=4)):
        cut = tape.cut(seq)
        whole, resumed = cut.replayed(), cut.replayed(from_snapshot=True)
        assert whole.found.difference is None
        assert resumed.found.difference is None
        assert whole.found.digest == resumed.found.digest
        assert resumed.after == max((one.seq for one in cut.shared.snapshots if one.payload), default=0)
        assert whole.found.has_ended is (seq == count)


@pytest.mark.slow
def test_every_cut_of_a_restless_run_resumes() -> None:
    tape = Tape(restless_run(6), snapshot_every=40)
    count = len(tape.shared.rows)
    assert count > 200
    assert len(tape.shared.snapshots) > 4
    for seq in range(2, count + 1):
        cut = tape.cut(seq)
        assert cut.replayed().found.digest == cut.replayed(from_snapshot=True).found.digest


@pytest.mark.parametrize("kind", KINDS)
def test_on_sqlite_and_files(kind: str, tmp_path: Path) -> None:
    for seed in range(3):
        check(KINDS[kind](seed), f"sqlite:///{tmp_path / f'{seed}.db'}", tmp_path / str(seed))


@pytest.mark.slow
def test_on_postgresql_and_files(durable_postgres: str, tmp_path: Path) -> None:
    check(restless_run(6), durable_postgres, tmp_path / "segments")


def check(spec: BacktestSpec, url: str, folder: Path) -> None:
    journal, segments = SqlJournal(url, BACKTEST), SegmentFolder(folder, BACKTEST)
    try:
        tape = Tape(spec, journal, segments)
        same(tape)
        assert verified(journal, segments).faults == ()
    finally:
        segments.close()
        journal.close()


def test_several_runs_of_one_journal_are_each_replayed() -> None:
    tape = Tape(restless_run(1))
    others = [Tape(restless_run(seed), tape.journal, tape.segments) for seed in (2, 1)]
    assert [run.terms.origin.run for run in tape.runs] == [one.result.run for one in (tape, *others)]
    for at, one in enumerate((tape, *others)):
        assert one.replayed(at=at).found.digest == one.result.state_digest
        assert one.replayed(at=at, from_snapshot=True).found.digest == one.result.state_digest
    assert list(tape.segments.numbers()) == [1, 2, 3]
    assert verified(tape.journal, tape.segments).faults == ()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None)
@given(seed=SEEDS, data=st.data())
def test_a_run_that_is_gone_on_with_after_a_crash_ends_as_if_nothing_had_been(
    kind: str, seed: int, data: st.DataObject
) -> None:
    """The writer dies between two commits; another one reads the state back, takes over and writes the rest."""
    tape = Tape(KINDS[kind](seed), snapshot_every=25)
    rows = tape.shared.rows
    events = [at for at, row in enumerate(rows) if row.entry.kind in EVENT_KINDS]
    start = data.draw(st.sampled_from(events))
    # What the driver tells belongs to the event after it.
    start -= rows[start - 1].entry.kind == "MatchingMoved"
    cut = tape.cut(start)
    cut.segments = MemorySegments(BACKTEST, dict(tape.segments.held))  # type: ignore[attr-defined]
    tail = MarketFrames().bars(tape.spec.bars[:1])
    torn = MemorySegments(BACKTEST, cut.segments.held)
    torn.resume(last_written(cut.journal))
    torn.append(tail)
    recorder = go_on_recording(cut.journal, cut.segments, tape.result.run, 1, snapshot_every=25)
    assert recorder.cut > sum(len(frame.payload) for frame in tail)
    back = cut.replayed(from_snapshot=True)
    recorder.begun(back.state, back.memory)
    for row in rows[start:]:
        value: Any = value_of(row.entry)
        if row.entry.kind == "MatchingMoved":
            back.state.matching = value.position
        elif row.entry.kind in EVENT_KINDS:
            recorder.record(value, row.entry.ts_ns, back.state.matching)
            recorder.decided(step(back.state, value), row.entry.ts_ns)
            if recorder.wants_snapshot:
                recorder.keep_snapshot()
    recorder.ended(digest(back.state), rows[-1].entry.ts_ns)
    assert digest(back.state) == tape.result.state_digest
    assert [row.entry.kind for row in cut.shared.rows] == [row.entry.kind for row in rows]
    assert verified(cut.journal, cut.segments).faults == ()
    same(cut)

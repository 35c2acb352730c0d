"""Writing a run down as it happens: the order on disk, what a crash leaves, and who may go on."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from manjha.adapters.files.segments import SegmentFolder
from manjha.domain.commands import Approved, CancelOrder
from manjha.domain.errors import JournalHalted, SettingsError, StaleWriter
from manjha.domain.events import MarketAdvanced, TimerFired
from manjha.domain.instrument import InstrumentId
from manjha.domain.journal import Entry, Head, faults
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import OrderId
from manjha.domain.segments import Frame, MarketWritten, segment_genesis
from manjha.domain.ticks import Tick
from manjha.engine.journaling import value_of
from manjha.engine.terms import MatchingMoved, RunBegun, RunEnded
from manjha.research.backtest import BACKTEST, prepare
from manjha.services.journals import verified
from manjha.services.live_runs import LiveTape
from manjha.services.recorded_backtests import terms_of
from manjha.services.recorder import Recorder, open_recorder
from tests.fakes.journals import MemoryJournal, SharedMemory
from tests.fakes.recorded import restless_run
from tests.fakes.segments import MemorySegments

AT = TsNs(1_720_000_000_000_000_000)
CANCEL = Approved(CancelOrder(OrderId("o1")))
FRAME = Frame(2, bytes(72))


class Both:
    """A journal and its segments, and the order in which they were made durable."""

    def __init__(self) -> None:
        self.shared = SharedMemory(BACKTEST)
        self.held: dict[int, bytes] = {}
        self.calls: list[str] = []

    def open(self, **terms: object) -> Recorder:
        return open_recorder(_Journal(self), _Segments(self), replace(TERMS, **terms), AT)

    @property
    def values(self) -> list[object]:
        return [value_of(row.entry) for row in self.shared.rows]


class _Journal(MemoryJournal):
    def __init__(self, both: Both) -> None:
        super().__init__(both.shared)
        self.calls = both.calls

    def append(self, entries: Sequence[Entry]) -> Head:
        self.calls.append(f"append {len(entries)}")
        return super().append(entries)


class _Segments(MemorySegments):
    def __init__(self, both: Both) -> None:
        super().__init__(BACKTEST, both.held)
        self.calls = both.calls

    def sync(self) -> MarketWritten | None:
        self.calls.append("sync")
        return super().sync()


SPEC = restless_run(6)
TERMS: RunBegun = terms_of(SPEC, prepare(SPEC).origin, "restless")


def test_market_data_are_durable_before_the_rows_that_rest_on_them() -> None:
    both = Both()
    recorder = both.open()
    recorder.record(TimerFired("early", AT), AT)
    recorder.market([FRAME], AT)
    numbers = [recorder.record(MarketAdvanced(0, 1), AT)]
    recorder.decided([CANCEL], AT)
    recorder.market([FRAME, FRAME], AT)
    numbers.append(recorder.record(MarketAdvanced(1, 2), AT, 3))
    assert (both.calls, recorder.waiting) == (["append 1"], 6)
    assert recorder.commit().seq == recorder.seq == 7
    assert both.calls == ["append 1", "sync", "append 6"]
    stated = MarketWritten(1, len(both.held[1]), sha256_of(both.held[1]))
    assert both.values == [
        TERMS,
        TimerFired("early", AT),
        stated,
        MarketAdvanced(0, 1),
        CANCEL,
        MatchingMoved(3),
        MarketAdvanced(1, 2),
    ]
    assert numbers == [4, 7]
    assert verified(MemoryJournal(both.shared), _Segments(both)).faults == ()


def sha256_of(segment: bytes) -> str:
    return hashlib.sha256(segment_genesis(BACKTEST, 1, "") + segment).hexdigest()


def test_a_commit_of_nothing_writes_nothing() -> None:
    both = Both()
    recorder = both.open()
    recorder.market([], AT)
    before = recorder.commit()
    assert (before.seq, both.calls) == (1, ["append 1"])
    recorder.record(MarketAdvanced(0, 1), AT)
    recorder.commit()
    assert both.calls == ["append 1", "append 1"]


def test_ticks_alone_wait_for_the_disk_until_something_was_decided_or_the_tape_rests() -> None:
    both = Both()
    tape = LiveTape(both.open())
    both.calls.clear()
    tape.ticked(Tick(InstrumentId("NSE:A"), AT, Px(1), Qty(1)))
    tape.idle()
    assert both.calls == []
    tape.record(TimerFired("t", AT), AT)
    tape.idle()
    assert both.calls == ["append 2"]
    tape.ticked(Tick(InstrumentId("NSE:A"), AT, Px(2), Qty(1)))
    tape.rest()
    assert both.calls == ["append 2", "sync", "append 1"]


def test_an_order_waits_for_one_write_only_and_what_it_rests_on_is_in_it() -> None:
    both = Both()
    tape = LiveTape(both.open())
    both.calls.clear()
    tape.ticked(Tick(InstrumentId("NSE:A"), AT, Px(1), Qty(1)))
    tape.record(TimerFired("t", AT), AT)
    tape.decided([CANCEL], AT)
    tape.commit()
    assert both.calls == ["append 3"]
    stated = both.values[1]
    assert isinstance(stated, MarketWritten)
    assert (stated.durable, stated.tail) == (0, both.held[1])
    # The power goes, and takes what only the journal has been waited for.
    both.held[1] = b""
    found = verified(MemoryJournal(both.shared), _Segments(both))
    assert (found.faults, found.loose_bytes) == ((), 0)
    assert both.open().cut == 0
    assert both.held[1] == stated.tail


def test_many_market_data_are_durable_by_themselves_before_the_rows_that_rest_on_them() -> None:
    both = Both()
    recorder = both.open()
    recorder.market([Frame(2, bytes(72))] * 1_000, AT)
    recorder.record(MarketAdvanced(0, 1), AT)
    recorder.commit_at_once()
    assert both.calls == ["append 1", "sync", "append 2"]
    assert both.values[1] == MarketWritten(1, len(both.held[1]), sha256_of(both.held[1]))


def test_how_it_ended_is_durable_at_once() -> None:
    both = Both()
    both.open().ended("d" * 64, AT)
    assert both.values[-1] == RunEnded("d" * 64)


def test_what_a_crash_left_is_cut_and_said() -> None:
    both = Both()
    first = both.open()
    first.market([FRAME], AT)
    first.record(MarketAdvanced(0, 1), AT)
    first.commit()
    first.market([FRAME, FRAME], AT)
    first.record(MarketAdvanced(1, 2), AT)
    found = verified(MemoryJournal(both.shared), _Segments(both))
    assert (found.faults, found.loose_bytes, found.market_bytes) == ((), 2 * (72 + 9), 8 + 72 + 9)
    second = both.open()
    assert second.cut == 2 * (72 + 9)
    with pytest.raises(StaleWriter):
        first.commit()
    second.market([FRAME], AT)
    second.commit()
    assert [value.segment for value in both.values if isinstance(value, MarketWritten)] == [1, 2]
    found = verified(MemoryJournal(both.shared), _Segments(both))
    assert (found.faults, found.loose_bytes, found.segments) == ((), 0, 2)


def test_a_crash_before_anything_was_stated_leaves_nothing() -> None:
    both = Both()
    both.open().market([FRAME], AT)
    assert both.open().cut == 8 + 72 + 9
    assert both.held == {}


def test_market_data_of_another_journal_are_not_touched() -> None:
    both = Both()
    both.held[1] = b"precious"
    with pytest.raises(SettingsError, match="the journal is new, but there are segments"):
        both.open()
    assert both.held == {1: b"precious"}


def test_a_lost_end_of_market_data_stops_the_next_writer() -> None:
    both = Both()
    first = both.open()
    first.market([FRAME], AT)
    first.commit()
    both.held[1] = both.held[1][:-1]
    rows = len(both.shared.rows)
    with pytest.raises(JournalHalted, match="segment 1 has lost its end"):
        both.open()
    assert len(both.shared.rows) == rows


# ---- files


@pytest.mark.failure("F41")
def test_a_disk_that_does_not_sync_halts_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = SharedMemory(BACKTEST)
    segments = SegmentFolder(tmp_path / "s", BACKTEST)
    recorder = open_recorder(MemoryJournal(shared), segments, TERMS, AT)
    recorder.market([FRAME], AT)
    recorder.record(MarketAdvanced(0, 1), AT)

    def refuse(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("manjha.adapters.files.segments.os.fsync", refuse)
        with pytest.raises(JournalHalted, match="cannot be made durable: Input/output error"):
            recorder.commit()
    with pytest.raises(JournalHalted, match="Input/output error"):
        recorder.commit()
    assert len(shared.rows) == 1
    assert list(faults(shared.rows, shared.head)) == []
    segments.close()


def test_another_writers_segment_is_not_written_over(tmp_path: Path) -> None:
    both = [SegmentFolder(tmp_path, BACKTEST) for _ in range(2)]
    for segments in both:
        segments.resume(None)
    both[0].append([FRAME])
    with pytest.raises(JournalHalted, match="cannot be written: File exists"):
        both[1].append([FRAME])
    both[0].close()


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    for name in ("notes.txt", "x.segment", "backup.segment.old"):
        (tmp_path / name).write_bytes(b"mine")
    segments = SegmentFolder(tmp_path, BACKTEST)
    assert (segments.resume(None), list(segments.numbers())) == (0, [])
    segments.append([FRAME])
    segments.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "00000001.segment",
        "backup.segment.old",
        "notes.txt",
        "x.segment",
    ]

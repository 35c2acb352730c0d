"""Whatever is done to segments of market data, the walk over what the journal states of them says so, and where."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manjha.domain.bars import MINUTE, BarColumns, Interval
from manjha.domain.errors import JournalHalted
from manjha.domain.instrument import InstrumentId
from manjha.domain.journal import Fault
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import AccountId
from manjha.domain.segments import Frame, MarketWritten, frames_of, segment_faults
from manjha.domain.ticks import Tick
from manjha.engine.market_frames import ROWS_MAX, MarketFrames, seen_in
from tests.fakes.segments import MemorySegments

ACCOUNT = AccountId("AB1234")
frames = st.builds(Frame, st.integers(0, 255), st.binary(max_size=12))
Stated = list[tuple[int, MarketWritten]]


@st.composite
def written(draw: st.DrawFn) -> tuple[dict[int, bytes], Stated]:
    """Return segments of up to three frames a statement, and what rows 10, 20, ... state of them."""
    segments = MemorySegments(ACCOUNT, segment_bytes=draw(st.sampled_from([40, 100, 10_000])))
    segments.resume(None)
    stated = []
    for number, some in enumerate(draw(st.lists(st.lists(frames, min_size=1, max_size=3), min_size=1, max_size=6)), 1):
        segments.append(some)
        found = segments.sync()
        assert found is not None
        stated.append((10 * number, found))
    return segments.held, stated


def faults(held: dict[int, bytes], stated: Stated) -> list[Fault]:
    return list(segment_faults(stated, lambda number: held.get(number, b""), ACCOUNT))


def row_of(stated: Stated, segment: int, at: int) -> int:
    """Return the row that was the first to state a byte of a segment."""
    return next(seq for seq, one in stated if one.segment == segment and one.offset > at)


@given(written())
def test_whole_ones_have_no_fault(made: tuple[dict[int, bytes], Stated]) -> None:
    assert faults(*made) == []


@given(made=written(), data=st.data())
def test_any_flipped_bit_is_named_at_the_row_that_stated_it(
    made: tuple[dict[int, bytes], Stated], data: st.DataObject
) -> None:
    held, stated = made
    segment = data.draw(st.sampled_from(sorted(held)))
    bit = data.draw(st.integers(0, 8 * len(held[segment]) - 1))
    changed = bytearray(held[segment])
    changed[bit // 8] ^= 1 << bit % 8
    told = faults(held | {segment: bytes(changed)}, stated)
    assert told[0].seq == row_of(stated, segment, bit // 8)
    assert f"segment {segment} is not what was written" in told[0].what
    assert bit < 64 or "frame" in told[0].what


@given(made=written(), data=st.data())
def test_what_is_cut_off_is_named(made: tuple[dict[int, bytes], Stated], data: st.DataObject) -> None:
    held, stated = made
    segment = data.draw(st.sampled_from(sorted(held)))
    kept = data.draw(st.integers(0, len(held[segment]) - 1))
    told = faults(held | {segment: held[segment][:kept]}, stated)
    assert told[0].seq == row_of(stated, segment, kept)
    assert "has lost its end" in told[0].what


@given(made=written(), data=st.data())
def test_frames_dropped_doubled_or_swapped_are_named(
    made: tuple[dict[int, bytes], Stated], data: st.DataObject
) -> None:
    held, stated = made
    segment = data.draw(st.sampled_from(sorted(held)))
    body, pieces = held[segment], []
    at = 8
    while at < len(body):
        end = at + 9 + int.from_bytes(body[at : at + 4], "big")
        pieces.append(body[at:end])
        at = end
    one = data.draw(st.integers(0, len(pieces) - 1))
    other = data.draw(st.integers(0, len(pieces) - 1))
    swapped = list(pieces)
    swapped[one], swapped[other] = pieces[other], pieces[one]
    for changed in (pieces[:one] + pieces[one + 1 :], [*pieces[: one + 1], *pieces[one:]], swapped):
        if changed != pieces:
            told = faults(held | {segment: body[:8] + b"".join(changed)}, stated)
            if changed[: len(pieces)] == pieces:
                assert not told, "a frame doubled at the end stands after all that is stated"
                continue
            first = next(at for at in range(len(pieces)) if changed[at : at + 1] != pieces[at : at + 1])
            assert told[0].seq >= row_of(stated, segment, 8 + sum(map(len, pieces[:first])))


@given(made=written(), data=st.data())
def test_a_segment_in_anothers_place_is_named(made: tuple[dict[int, bytes], Stated], data: st.DataObject) -> None:
    held, stated = made
    one, other = (data.draw(st.sampled_from(sorted(held))) for _ in range(2))
    if one != other:
        told = faults(held | {one: held[other], other: held[one]}, stated)
        assert {int(fault.what.split("segment ")[1].split()[0]) for fault in told} == {one, other}
    assert faults({}, stated)
    assert list(segment_faults(stated, lambda number: held[number], AccountId("ZZ9999")))


@given(made=written(), tail=st.binary(max_size=20))
def test_what_stands_after_the_last_statement_is_no_fault(made: tuple[dict[int, bytes], Stated], tail: bytes) -> None:
    held, stated = made
    last = max(held)
    assert faults(held | {last: held[last] + tail}, stated) == []


@given(
    steps=st.lists(st.tuples(st.lists(frames, max_size=3), st.booleans()), min_size=1, max_size=8),
    segment_bytes=st.sampled_from([40, 100, 10_000]),
    tail_bytes=st.sampled_from([0, 30, 60, 10_000]),
    data=st.data(),
)
def test_what_the_power_takes_of_what_was_not_synced_is_not_missed(
    steps: list[tuple[list[Frame], bool]], segment_bytes: int, tail_bytes: int, data: st.DataObject
) -> None:
    segments = MemorySegments(ACCOUNT, segment_bytes=segment_bytes, tail_bytes=tail_bytes)
    segments.resume(None)
    stated: Stated = []
    for number, (some, syncs) in enumerate(steps, 1):
        segments.append(some)
        made = segments.sync() if syncs else segments.stated()
        stated += [(10 * number, made)] if made is not None else []
    if not stated:
        return
    last, whole = stated[-1][1], dict(segments.held)
    left = whole[last.segment][: data.draw(st.integers(last.durable, last.offset))] + data.draw(st.binary(max_size=40))
    torn = whole | {last.segment: left}
    before = {one.segment: one.hash for _, one in stated}.get(last.segment - 1, "")
    assert faults(torn, stated) == []
    assert list(frames_of(left, ACCOUNT, last, before)) == list(frames_of(whole[last.segment], ACCOUNT, last, before))
    mended = MemorySegments(ACCOUNT, torn)
    mended.resume(last)
    assert mended.held == whole


def test_a_statement_left_out_is_named() -> None:
    segments = MemorySegments(ACCOUNT, segment_bytes=20)
    segments.resume(None)
    stated = []
    for seq in (1, 2, 3):
        segments.append([Frame(1, bytes(30))])
        found = segments.sync()
        assert found is not None
        stated.append((seq, found))
    told = faults(segments.held, [stated[0], stated[2]])
    assert told[0] == Fault(3, "row 3 speaks of segment 3 after segment 1")


# ---- what the frames hold

INT64 = st.integers(-(2**63), 2**63 - 1)


def columns(name: str, interval: int, closes: list[int], rest: list[int]) -> BarColumns:
    stamps = np.array(sorted(closes), np.int64)
    values = [np.array([rest[(at + shift) % len(rest)] for at in range(len(closes))], np.int64) for shift in range(7)]
    return BarColumns(
        InstrumentId(name), Interval(interval), values[0].data, stamps.data, *(v.data for v in values[1:])
    )


bars = st.builds(
    columns,
    st.sampled_from(["NSE:A", "NSE:B", "NSE:ÅÆ"]),
    st.sampled_from([60, 300, 86_400]),
    st.lists(INT64, max_size=6, unique=True),
    st.lists(INT64, min_size=1, max_size=5),
)


ticks = st.builds(Tick, st.sampled_from([InstrumentId(f"NSE:{name}") for name in "ABÅ"]), INT64, INT64, INT64)


@given(st.lists(bars, max_size=5, unique_by=lambda one: (one.instrument, one.interval)), st.lists(ticks, max_size=9))
def test_bars_and_ticks_come_back_as_they_were(given_bars: list[BarColumns], given_ticks: list[Tick]) -> None:
    made = MarketFrames()
    seen = seen_in([*made.bars(given_bars), *made.ticks(given_ticks[:4]), *made.ticks(given_ticks[4:])])
    assert list(seen.bars.values()) == given_bars
    assert list(seen.ticks) == list(dict.fromkeys(tick.instrument for tick in given_ticks))
    for name, found in seen.ticks.items():
        rows = zip(found.ts_ns, found.px, found.volume, strict=True)
        assert [Tick(name, TsNs(at), Px(px), Qty(qty)) for at, px, qty in rows] == [
            tick for tick in given_ticks if tick.instrument == name
        ]


def test_ticks_that_alternate_share_a_frame() -> None:
    some = [Tick(InstrumentId(f"NSE:{at % 9}"), TsNs(at), Px(1), Qty(1)) for at in range(ROWS_MAX + 1)]
    kinds = [frame.kind for frame in MarketFrames().ticks(some)]
    assert kinds == [1] * 9 + [3, 3]


@given(st.lists(bars, max_size=5, unique_by=lambda one: (one.instrument, one.interval)))
def test_bars_that_close_now_are_written_as_columns_of_them_would_be(given_bars: list[BarColumns]) -> None:
    now = [msgspec.structs.replace(one.bar(0), ts_close_ns=TsNs(7)) for one in given_bars if len(one)]
    keys = [(one.instrument, one.interval) for one in given_bars if len(one)]
    whole = [
        BarColumns(*key, *(np.array([value], np.int64).data for value in msgspec.structs.astuple(bar)))
        for key, bar in zip(keys, now, strict=True)
    ]
    assert MarketFrames().closed(list(zip(keys, now, strict=True))) == MarketFrames().bars(whole)


def test_bars_stand_in_the_order_of_their_closes_and_in_pieces() -> None:
    stamps = np.arange(1, 3 * ROWS_MAX, dtype=np.int64)
    even, odd = stamps[stamps % 2 == 0], stamps[stamps % 2 == 1]
    series = [
        BarColumns(InstrumentId(name), MINUTE, *(held.data for _ in range(8)))
        for name, held in (("NSE:E", even), ("NSE:O", odd))
    ]
    made = [frame for frame in MarketFrames().bars(series) if frame.kind == 2]
    assert [len(frame.payload) // 72 for frame in made] == [ROWS_MAX, ROWS_MAX, ROWS_MAX - 1]
    rows = np.concatenate([np.frombuffer(frame.payload, "<i8").reshape(-1, 9) for frame in made])
    assert rows[:, 2].tolist() == stamps.tolist()


def test_bars_written_one_by_one_are_those_written_at_once() -> None:
    whole = columns("NSE:A", 60, list(range(5)), [7, 8])
    made, frames = MarketFrames(), list[Frame]()
    for at in range(5):
        parts = (np.asarray(getattr(whole, name))[at : at + 1].copy().data for name in whole.__struct_fields__[2:])
        frames += made.bars([BarColumns(whole.instrument, whole.interval, *parts)])
    assert list(seen_in(frames).bars.values()) == [whole]


NAMED_SECOND = MarketFrames().bars([columns(name, 60, [], [1]) for name in ("A", "B")])[1]


def test_a_writer_that_goes_on_names_its_series_anew() -> None:
    parts = [columns(name, 60, [at, at + 1], [at]) for at, name in enumerate(("NSE:A", "NSE:B", "NSE:A"), 1)]
    first, second = MarketFrames(), MarketFrames()
    frames = [*first.bars(parts[:1]), *first.bars(parts[1:2]), *second.bars(parts[1:2]), *second.bars(parts[2:])]
    seen = seen_in(frames).bars
    assert [len(one) for one in seen.values()] == [4, 4]
    assert seen[InstrumentId("NSE:A"), MINUTE].ts_close_ns.tolist() == [1, 2, 3, 4]
    assert seen[InstrumentId("NSE:B"), MINUTE].ts_close_ns.tolist() == [2, 3, 2, 3]


def test_a_statement_of_fewer_bytes_than_the_one_before_is_named() -> None:
    segments = MemorySegments(ACCOUNT)
    segments.resume(None)
    stated = []
    for _ in range(2):
        segments.append([Frame(1, b"x")])
        found = segments.sync()
        assert found is not None
        stated.append(found)
    told = faults(segments.held, [(1, stated[1]), (2, stated[0])])
    assert told == [Fault(2, "row 2: segment 1 had 28 bytes already, 18 are stated")]


@pytest.mark.parametrize(
    "frame",
    [Frame(9, b""), Frame(2, bytes(71)), Frame(2, bytes(72)), Frame(1, b"\xff"), NAMED_SECOND],
)
def test_frames_that_are_not_known_are_refused(frame: Frame) -> None:
    with pytest.raises(JournalHalted, match="the market data"):
        seen_in([frame, frame])


def test_a_statement_with_another_hash_is_refused_though_every_frame_fits() -> None:
    segments = MemorySegments(ACCOUNT)
    segments.resume(None)
    segments.append([Frame(1, b"x")])
    found = segments.sync()
    assert found is not None
    other = MarketWritten(found.segment, found.offset, "0" * 64)
    with pytest.raises(JournalHalted, match="states another hash"):
        list(frames_of(segments.read(1), ACCOUNT, other, ""))

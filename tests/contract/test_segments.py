"""What all segments of market data do, whatever is under them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from manjha.adapters.files.segments import SegmentFolder
from manjha.domain.errors import JournalHalted
from manjha.domain.orders import AccountId
from manjha.domain.segments import Frame, MarketWritten, frames_of, segment_faults
from manjha.ports.segments import MarketSegments
from tests.fakes.segments import MemorySegments

ACCOUNT = AccountId("AB1234")
SMALL, TAIL = 200, 120
Open = Callable[[], MarketSegments]
Lose = Callable[[MarketSegments, bytes], None]


@pytest.fixture(params=["memory", "files"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Return what opens the same segments again and again; one of 200 bytes is full, a tail has 120 at most."""
    made: list[MarketSegments] = []
    held: dict[int, bytes] = {}
    bounds = {"segment_bytes": SMALL, "tail_bytes": TAIL}

    def opens() -> MarketSegments:
        of_files = request.param == "files"
        made.append(
            SegmentFolder(tmp_path / "home" / "segments", ACCOUNT, **bounds)
            if of_files
            else MemorySegments(ACCOUNT, held, **bounds)
        )
        return made[-1]

    yield opens
    for segments in made:
        segments.close()


@pytest.fixture
def lose(tmp_path: Path) -> Lose:
    """Return what leaves some bytes of the first segment."""

    def leaves(segments: MarketSegments, left: bytes) -> None:
        if isinstance(segments, MemorySegments):
            segments.held[1] = left
        else:
            (tmp_path / "home" / "segments" / "00000001.segment").write_bytes(left)

    return leaves


def frame(number: int, size: int = 20) -> Frame:
    return Frame(number % 256, bytes([number % 251]) * size)


def found(segments: MarketSegments, written: list[MarketWritten]) -> list[Frame]:
    """Return all frames up to the last statement of each segment."""
    frames: list[Frame] = []
    before = ""
    for last in {one.segment: one for one in written}.values():
        frames += frames_of(segments.read(last.segment), ACCOUNT, last, before)
        before = last.hash
    return frames


def write(segments: MarketSegments, *frames: Frame) -> MarketWritten:
    segments.append(frames)
    written = segments.sync()
    assert written is not None
    return written


def test_new_ones_are_empty(opened: Open) -> None:
    segments = opened()
    assert segments.resume(None) == 0
    assert segments.sync() is None
    assert (list(segments.numbers()), segments.read(1)) == ([], b"")


def test_what_is_written_is_read_in_order(opened: Open) -> None:
    segments = opened()
    segments.resume(None)
    stated = [write(segments, frame(1), frame(2, 0)), write(segments, frame(3))]
    again = opened()
    assert found(again, stated) == [frame(1), frame(2, 0), frame(3)]
    assert found(again, stated[:1]) == [frame(1), frame(2, 0)]
    assert [one.segment for one in stated] == [1, 1]
    assert stated[0].offset < stated[1].offset == len(again.read(1))


def test_nothing_new_states_the_same(opened: Open) -> None:
    segments = opened()
    segments.resume(None)
    stated = write(segments, frame(1))
    assert segments.sync() == stated
    segments.append([])
    assert segments.sync() == stated


def test_a_full_one_is_followed_by_the_next(opened: Open) -> None:
    segments = opened()
    segments.resume(None)
    stated = [write(segments, frame(number, 90)) for number in range(9)]
    assert [one.segment for one in stated] == [1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert list(segments.numbers()) == [1, 2, 3, 4, 5]
    assert found(segments, stated) == [frame(number, 90) for number in range(9)]
    assert list(segment_faults(enumerate(stated, 1), segments.read, ACCOUNT)) == []


def test_a_full_one_goes_on_until_it_is_stated(opened: Open) -> None:
    segments = opened()
    segments.resume(None)
    for number in range(5):
        segments.append([frame(number, 90)])
    assert segments.sync() == write(segments)
    assert list(segments.numbers()) == [1]


@pytest.mark.parametrize("torn", [False, True])
def test_what_was_not_stated_is_cut(opened: Open, torn: bool) -> None:
    first = opened()
    first.resume(None)
    stated = [write(first, frame(number, 90)) for number in range(2)]
    if torn:
        first.append([frame(7, 30)])
    first.append([frame(8, 10)])
    size = sum(len(first.read(number)) for number in first.numbers()) - stated[-1].offset
    second = opened()
    assert second.resume(stated[-1]) == size > 0
    stated.append(write(second, frame(9)))
    assert stated[-1].segment == 2
    assert found(second, stated) == [frame(0, 90), frame(1, 90), frame(9)]
    assert list(segment_faults(enumerate(stated, 1), second.read, ACCOUNT)) == []


def test_what_was_never_stated_is_cut_whole(opened: Open) -> None:
    first = opened()
    first.resume(None)
    first.append([frame(1)])
    second = opened()
    assert second.resume(None) == len(b"MANJHA\0\1") + 20 + 9
    assert list(second.numbers()) == []


def test_going_on_begins_another_and_cuts_nothing_that_was_stated(opened: Open) -> None:
    stated: list[MarketWritten] = []
    for number in range(3):
        segments = opened()
        assert segments.resume(stated[-1] if stated else None) == 0
        stated.append(write(segments, frame(number)))
    assert [one.segment for one in stated] == [1, 2, 3]
    assert found(opened(), stated) == [frame(0), frame(1), frame(2)]


def test_a_lost_end_is_refused(opened: Open) -> None:
    segments = opened()
    segments.resume(None)
    stated = write(segments, frame(1))
    longer = MarketWritten(stated.segment, stated.offset + 1, stated.hash)
    for last in (longer, MarketWritten(2, 8, stated.hash)):
        with pytest.raises(JournalHalted, match=f"segment {last.segment} "):
            opened().resume(last)


def test_nobody_writes_who_has_not_resumed_or_has_closed(opened: Open) -> None:
    segments = opened()
    with pytest.raises(JournalHalted):
        segments.append([frame(1)])
    segments.resume(None)
    segments.append([frame(1)])
    segments.close()
    with pytest.raises(JournalHalted):
        segments.append([frame(2)])


# ---- what a statement has itself


def test_a_statement_has_what_is_not_durable_yet(opened: Open) -> None:
    segments = opened()
    segments.resume(None)
    stated = [write(segments, frame(1))]
    for number in (2, 3):
        segments.append([frame(number)])
        made = segments.stated()
        assert made is not None
        stated.append(made)
    whole = segments.read(1)
    assert [len(one.tail) for one in stated] == [0, 29, 58]
    for one in stated:
        assert whole[one.durable : one.offset] == one.tail
    assert segments.sync() == replace(stated[-1], tail=b"") == segments.stated()
    assert found(opened(), stated) == [frame(1), frame(2), frame(3)]
    assert list(segment_faults(enumerate(stated, 1), segments.read, ACCOUNT)) == []


def test_the_first_statement_of_a_segment_has_all_of_it(opened: Open) -> None:
    segments = opened()
    segments.resume(None)
    segments.append([frame(1)])
    made = segments.stated()
    assert made is not None
    assert (made.durable, made.tail) == (0, segments.read(1))


def test_more_than_fits_into_a_statement_is_waited_for(opened: Open) -> None:
    segments = opened()
    segments.resume(None)
    for number in range(3):
        segments.append([frame(number, 40)])
    first = segments.stated()
    assert first is not None
    assert (first.tail, first.durable) == (b"", 8 + 3 * 49)
    segments.append([frame(9, 40)])
    second = segments.stated()
    assert second is not None
    assert (len(second.tail), second.durable) == (49, first.offset)


def test_a_full_one_that_was_only_stated_is_followed_by_the_next(opened: Open) -> None:
    segments = opened()
    segments.resume(None)
    stated = []
    for number in range(6):
        segments.append([frame(number, 90)])
        made = segments.stated()
        assert made is not None
        stated.append(made)
    assert [one.segment for one in stated] == [1, 1, 2, 2, 3, 3]
    assert found(segments, stated) == [frame(number, 90) for number in range(6)]
    assert list(segment_faults(enumerate(stated, 1), segments.read, ACCOUNT)) == []


def test_what_was_lost_and_is_in_the_statement_is_written_again(opened: Open, lose: Lose) -> None:
    first = opened()
    first.resume(None)
    stated = [write(first, frame(1))]
    first.append([frame(2)])
    made = first.stated()
    assert made is not None
    stated.append(made)
    whole = first.read(1)
    for left in (whole[: made.durable], whole[: made.durable] + b"garbage", whole[: made.durable] + bytes(90)):
        lose(first, left)
        assert list(segment_faults(enumerate(stated, 1), first.read, ACCOUNT)) == []
        assert found(first, stated) == [frame(1), frame(2)]
        again = opened()
        again.resume(made)
        assert again.read(1) == whole
    then = write(again, frame(3))
    assert (then.segment, found(again, [*stated, then])) == (2, [frame(1), frame(2), frame(3)])


def test_what_was_lost_and_is_in_no_statement_is_refused(opened: Open, lose: Lose) -> None:
    first = opened()
    first.resume(None)
    stated = [write(first, frame(1))]
    first.append([frame(2)])
    made = first.stated()
    assert made is not None
    lose(first, first.read(1)[: made.durable - 1])
    assert [one.seq for one in segment_faults(enumerate([*stated, made], 1), first.read, ACCOUNT)] == [1]
    with pytest.raises(JournalHalted, match="segment 1 "):
        opened().resume(made)

"""Whatever is done to the rows of a journal, the walk over them says so, and where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from manjha.domain.journal import Entry, Fault, Head, Row, chained, faults, genesis, row_hash
from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, RunId

ACCOUNT = AccountId("AB1234")
entries = st.builds(
    Entry,
    st.sampled_from(["OrderFilled", "TimerFired", ""]),
    st.integers(0, 2**62).map(TsNs),
    st.binary(max_size=12),
)
journals = st.lists(entries, min_size=1, max_size=12).map(
    lambda made: chained(Head(ACCOUNT, 1, 0, genesis(ACCOUNT)), RunId("r"), made)
)


def found(rows: list[Row], head: Head) -> list[Fault]:
    return list(faults(rows, head))


@given(journal=journals)
def test_a_whole_one_has_no_fault(journal: tuple[list[Row], Head]) -> None:
    assert found(*journal) == []


@pytest.mark.failure("F43")
@given(journal=journals, data=st.data())
def test_any_change_of_a_row_is_found_at_that_row(journal: tuple[list[Row], Head], data: st.DataObject) -> None:
    rows, head = journal
    at = data.draw(st.integers(0, len(rows) - 1))
    row, old = rows[at], rows[at].entry
    changed = data.draw(
        st.sampled_from(
            [
                replace(row, epoch=row.epoch + 1),
                replace(row, run=RunId(row.run + "x")),
                replace(row, entry=replace(old, kind=old.kind + "x")),
                replace(row, entry=replace(old, ts_ns=TsNs(old.ts_ns + 1))),
                replace(row, entry=replace(old, payload=flipped(data, old.payload))),
                replace(row, previous=flipped(data, row.previous)),
                replace(row, hash=flipped(data, row.hash)),
            ]
        )
    )
    told = found([*rows[:at], changed, *rows[at + 1 :]], head)
    assert told
    assert told[0].seq in (row.seq, row.seq + 1)


@given(journal=journals, data=st.data())
def test_rows_dropped_swapped_or_doubled_are_found(journal: tuple[list[Row], Head], data: st.DataObject) -> None:
    rows, head = journal
    at = data.draw(st.integers(0, len(rows) - 1))
    told = found(rows[:at] + rows[at + 1 :], head)
    assert told[0].seq == rows[at].seq
    assert found([*rows[: at + 1], *rows[at:]], head)
    other = data.draw(st.integers(0, len(rows) - 1))
    if rows[at].entry != rows[other].entry:
        swapped = list(rows)
        swapped[at] = replace(rows[at], entry=rows[other].entry)
        swapped[other] = replace(rows[other], entry=rows[at].entry)
        assert found(swapped, head)[0].seq == min(at, other) + 1


@given(journal=journals, data=st.data())
def test_a_cut_end_is_found(journal: tuple[list[Row], Head], data: st.DataObject) -> None:
    rows, head = journal
    kept = data.draw(st.integers(0, len(rows) - 1))
    assert [fault.seq for fault in found(rows[:kept], head)] == [kept + 1]
    before = replace(head, seq=kept, hash=rows[kept - 1].hash if kept else genesis(ACCOUNT))
    assert found(rows, before)[0].seq == kept + 1


@given(journal=journals, data=st.data())
def test_a_row_made_anew_with_a_fitting_hash_breaks_the_chain_after_it(
    journal: tuple[list[Row], Head], data: st.DataObject
) -> None:
    rows, head = journal
    at = data.draw(st.integers(0, len(rows) - 1))
    row = rows[at]
    entry = replace(row.entry, payload=row.entry.payload + b"!")
    forged = replace(row, entry=entry, hash=row_hash(row.previous, row.seq, row.epoch, row.run, entry))
    assert found([*rows[:at], forged, *rows[at + 1 :]], head)[0].seq == (
        row.seq + 1 if at + 1 < len(rows) else head.seq
    )


def flipped(data: st.DataObject, held: bytes) -> bytes:
    if not held:
        return b"\x01"
    bit = data.draw(st.integers(0, 8 * len(held) - 1))
    changed = bytearray(held)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)

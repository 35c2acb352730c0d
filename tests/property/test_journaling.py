"""Every event and decision comes out of a journal as it went in."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.domain.commands import Approved
from manjha.domain.errors import JournalHalted
from manjha.domain.events import TimerFired
from manjha.domain.journal import Entry
from manjha.domain.moments import TsNs
from manjha.engine import journaling
from manjha.engine.journaling import EVENT_KINDS, KINDS, OUTPUT_KINDS, entry_of, note_of, value_of
from manjha.engine.terms import MatchingMoved, RunEnded
from manjha.risk.governor import RateLimits

INTEGERS = st.integers(-(2**63), 2**63 - 1)


PLAIN: dict[type, st.SearchStrategy[Any]] = {
    msgspec.inspect.IntType: INTEGERS,
    msgspec.inspect.FloatType: st.floats(allow_nan=False),
    msgspec.inspect.BoolType: st.booleans(),
    msgspec.inspect.StrType: st.text(max_size=12),
    msgspec.inspect.BytesType: st.binary(max_size=12),
    msgspec.inspect.NoneType: st.none(),
}


def made(kind: Any) -> st.SearchStrategy[Any]:
    """Return values of a type, by what msgspec knows of it."""
    info = msgspec.inspect
    found = PLAIN.get(type(kind))
    if found is not None:
        return found
    match kind:
        case info.EnumType():
            return st.sampled_from(list(kind.cls))
        case info.UnionType():
            return st.one_of([made(each) for each in kind.types])
        case info.VarTupleType() | info.TupleType():
            return made_tuple(kind)
        case info.DictType():
            return st.dictionaries(made(kind.key_type), made(kind.value_type), max_size=3)
        case _:
            return made_struct(kind)


def made_tuple(kind: Any) -> st.SearchStrategy[Any]:
    """Return tuples of a length that the type says, or of any."""
    if isinstance(kind, msgspec.inspect.TupleType):
        return st.tuples(*map(made, kind.item_types))
    return st.lists(made(kind.item_type), max_size=3).map(tuple)


def made_struct(kind: Any) -> st.SearchStrategy[Any]:
    """Return structs of a type."""
    assert isinstance(kind, msgspec.inspect.StructType), f"no values are made of {kind}"
    if kind.cls is RateLimits:
        # Not every number is a limit that may be set.
        return st.builds(RateLimits, per_day=st.integers(5, 10**6), reserve=st.integers(20, 50))
    return st.builds(kind.cls, **{field.name: made(field.type) for field in kind.fields})


def values(kind: str) -> st.SearchStrategy[Any]:
    approved, _, name = kind.rpartition(".")
    found = made(msgspec.inspect.type_info((journaling._PLAIN | journaling._COMMANDS)[kind]))
    assert name
    return found.map(Approved) if approved else found


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(data=st.data(), ts_ns=INTEGERS)
def test_what_goes_in_comes_out(kind: str, data: st.DataObject, ts_ns: int) -> None:
    value = data.draw(values(kind))
    entry = entry_of(value, TsNs(ts_ns))
    assert (entry.kind, entry.ts_ns) == (kind, ts_ns)
    found = value_of(entry)
    assert (type(found), found) == (type(value), value)
    assert entry_of(found, TsNs(ts_ns)) == entry


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(JournalHalted, match="kind 'MoonPhase', which this version does not know"):
        value_of(Entry("MoonPhase", TsNs(0), b""))
    for payload in (b"", b"\xff", b"\x81\xa4type\xabOrderFilled"):
        with pytest.raises(JournalHalted, match="cannot be read"):
            value_of(Entry("OrderFilled", TsNs(0), payload))


def test_every_kind_is_an_event_a_decision_or_a_note() -> None:
    notes = {"RunBegun", "MarketWritten", "MatchingMoved", "RunEnded"}
    assert sorted([*EVENT_KINDS, *OUTPUT_KINDS, *notes]) == sorted(KINDS)


def test_a_note_is_of_the_kind_that_is_asked_for() -> None:
    entry = entry_of(MatchingMoved(7), TsNs(1))
    assert note_of(entry, MatchingMoved) == MatchingMoved(7)
    for kind in (RunEnded, TimerFired):
        with pytest.raises(JournalHalted, match=f"of kind MatchingMoved where {kind.__name__} was expected"):
            note_of(entry, kind)

"""What goes into the journal as bytes, and comes out of it again: events, what was decided on them, and notes of a run.

The bytes are MessagePack with fields in the order of the value's definition: the same value gives the same bytes.
Money, prices and moments are integers in every value that is journaled, so nothing is rounded on the way.
"""

from typing import Any, TypeAlias, TypeVar, get_args

import msgspec

from manjha.domain.commands import (
    Approved,
    AskMargin,
    CallPerson,
    CancelOrder,
    MarginAssumed,
    ModifyOrder,
    Output,
    ReadBroker,
    Refused,
    SetTimer,
    SubmitOrder,
    Tripped,
)
from manjha.domain.errors import JournalHalted
from manjha.domain.events import Event
from manjha.domain.journal import Entry
from manjha.domain.moments import TsNs
from manjha.engine.terms import Note

Journaled: TypeAlias = Event | Output | Note
T = TypeVar("T")
_APPROVED = "Approved"
_ENCODER = msgspec.msgpack.Encoder(order="deterministic")
_SAID = (Refused, SetTimer, ReadBroker, AskMargin, MarginAssumed, CallPerson, Tripped)
_EVENTS = {kind.__name__: kind for kind in get_args(Event)}
_PLAIN: dict[str, type] = _EVENTS | {kind.__name__: kind for kind in (*_SAID, *get_args(Note))}
_COMMANDS: dict[str, type] = {f"{_APPROVED}.{kind.__name__}": kind for kind in (SubmitOrder, ModifyOrder, CancelOrder)}
_DECODERS: dict[str, msgspec.msgpack.Decoder[Any]] = {
    name: msgspec.msgpack.Decoder(kind) for name, kind in (_PLAIN | _COMMANDS).items()
}
KINDS = tuple(_DECODERS)
"""Names under which values stand in a journal of today's format."""
EVENT_KINDS = frozenset(_EVENTS)
OUTPUT_KINDS = frozenset({*_COMMANDS, *(kind.__name__ for kind in _SAID)})
"""Which of them are events, and which are what a step decided."""


def entry_of(value: Journaled, ts_ns: TsNs) -> Entry:
    """Return a value as it is written down at a moment."""
    if isinstance(value, Approved):
        return Entry(f"{_APPROVED}.{type(value.command).__name__}", ts_ns, _ENCODER.encode(value.command))
    return Entry(type(value).__name__, ts_ns, _ENCODER.encode(value))


def value_of(entry: Entry) -> Journaled:
    """Return what was written down. Raises `JournalHalted` for a kind or bytes that this version does not know."""
    decoder = _DECODERS.get(entry.kind)
    if decoder is None:
        raise JournalHalted(
            f"the journal has an entry of kind {entry.kind!r}, which this version does not know",
            hint="It was written by another version of Manjha: use that one, or a newer one.",
        )
    try:
        found: Any = decoder.decode(entry.payload)
    except msgspec.DecodeError as error:
        raise JournalHalted(
            f"the journal has an entry of kind {entry.kind} that cannot be read: {error}",
            hint="`manjha journal verify` says whether it is what was written.",
        ) from None
    return Approved(found) if entry.kind in _COMMANDS else found


def note_of(entry: Entry, kind: type[T]) -> T:
    """Return what was written down, of a kind that is known. Raises as `value_of`."""
    value = value_of(entry)
    if not isinstance(value, kind):
        raise JournalHalted(f"the journal has an entry of kind {entry.kind} where {kind.__name__} was expected")
    return value

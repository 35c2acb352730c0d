"""Notes: what a person who is not looking at a screen is told."""

from enum import IntEnum, StrEnum

import msgspec

from manjha.domain.moments import TsNs


class NoteKind(StrEnum):
    """What a note is about. CALL is a call for a person: it is never dropped."""

    ORDER = "order"
    FILL = "fill"
    REJECT = "reject"
    HALT = "halt"
    DAILY = "daily"
    HEALTH = "health"
    CALL = "call"


class NoteLevel(IntEnum):
    """How much it matters."""

    INFO = 1
    WARNING = 2
    ALARM = 3


class Note(msgspec.Struct, frozen=True, gc=False):
    """One note: a title of a few words, and a text. Account ids in it are masked already."""

    kind: NoteKind
    level: NoteLevel
    title: str
    text: str
    ts_ns: TsNs

"""What every notifier does: takes anything at any time, and tells calls whatever else there is."""

from collections.abc import Callable

import pytest

from manjha.adapters.notify.queued import QueuedNotifier
from manjha.domain.moments import TsNs
from manjha.domain.notes import Note, NoteKind, NoteLevel
from manjha.ports.notifier import Notifier
from tests.fakes.notifiers import KeptNotes


class Kept:
    name = "kept"

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def post(self, note: Note) -> str:
        self.notes.append(note)
        return ""


Made = tuple[Notifier, Callable[[], list[Note]]]


@pytest.fixture(params=["memory", "queued"])
def made(request: pytest.FixtureRequest) -> Made:
    """Return a notifier, and what it told."""
    if request.param == "memory":
        notes = KeptNotes()
        return notes, lambda: notes.notes
    kept = Kept()
    return QueuedNotifier([kept], {}, pace_s=0), lambda: kept.notes


def note(kind: NoteKind, text: str) -> Note:
    return Note(kind, NoteLevel.INFO, kind, text, TsNs(1))


@pytest.mark.parametrize("kind", NoteKind)
def test_one_note_arrives_as_it_is(made: Made, kind: NoteKind) -> None:
    notifier, told = made
    notifier.tell(note(kind, "one"))
    notifier.close(20)
    assert told() == [note(kind, "one")]


def test_no_call_is_lost_in_a_flood(made: Made) -> None:
    notifier, told = made
    for number in range(2_000):
        notifier.tell(note(NoteKind.FILL, f"fill {number}"))
        if number % 100 == 0:
            notifier.tell(note(NoteKind.CALL, f"call {number}"))
    notifier.close(20)
    calls = [one.text for one in told() if one.kind is NoteKind.CALL]
    assert calls == [f"call {number}" for number in range(0, 2_000, 100)]


def test_it_can_be_closed_twice_and_told_afterwards(made: Made) -> None:
    notifier, _ = made
    notifier.close(20)
    notifier.tell(note(NoteKind.CALL, "too late"))
    notifier.close(0)

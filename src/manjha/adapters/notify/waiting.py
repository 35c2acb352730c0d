"""Notes that wait for one receiver: joined by kind, bounded, each kind at its pace; calls for a person one by one."""

from collections import deque
from collections.abc import Sequence

import msgspec

from manjha.domain.moments import SECOND_NS
from manjha.domain.notes import Note, NoteKind

WAITING_MAX = 200
"""Notes of a kind that may wait; more than that nobody reads."""
SHOWN = 3
"""Notes of a joined message that are told in full, the newest ones."""
FIRST_RETRY_NS, LAST_RETRY_NS = 2 * SECOND_NS, 300 * SECOND_NS
PLURAL = {
    NoteKind.ORDER: "orders",
    NoteKind.FILL: "fills",
    NoteKind.REJECT: "rejects",
    NoteKind.HALT: "halts",
    NoteKind.DAILY: "summaries",
    NoteKind.HEALTH: "notes of health",
    NoteKind.CALL: "calls",
}


class Due(msgspec.Struct, frozen=True):
    """A message that may go now, and how many notes it stands for."""

    note: Note
    count: int


class _Kind(msgspec.Struct):
    notes: deque[Note]
    next_ns: int = 0
    dropped: int = 0


class WaitingNotes:
    """What waits. Times are by a clock that does not jump; `pace_ns` is from one message of a kind to the next."""

    def __init__(self, pace_ns: int) -> None:
        self._pace_ns = pace_ns
        self._kinds = {kind: _Kind(deque()) for kind in NoteKind if kind is not NoteKind.CALL}
        self._calls: deque[Note] = deque()
        self._retry_ns = FIRST_RETRY_NS
        self._call_ns = 0

    def __len__(self) -> int:
        return len(self._calls) + sum(len(kind.notes) for kind in self._kinds.values())

    def put(self, note: Note) -> None:
        """Take a note. The oldest of a kind makes room where too many wait; a call never does."""
        if note.kind is NoteKind.CALL:
            # The same call, said again while it waits, is one call: what never stops calling must not fill the memory.
            if not any((one.title, one.text) == (note.title, note.text) for one in self._calls):
                self._calls.append(note)
            return
        kind = self._kinds[note.kind]
        kind.notes.append(note)
        if len(kind.notes) > WAITING_MAX:
            kind.notes.popleft()
            kind.dropped += 1

    def due(self, now_ns: int, *, hurry: bool = False) -> Due | None:
        """Take out the next message that may go, calls first; None where none may. In a hurry only calls wait.

        A call stays until `delivered` is told; anything else is gone when it is taken.
        """
        if self._calls and now_ns >= self._call_ns:
            return Due(self._calls[0], 1)
        for kind in self._kinds.values():
            if kind.notes and (hurry or now_ns >= kind.next_ns):
                message = joined(tuple(kind.notes), kind.dropped)
                count = len(kind.notes) + kind.dropped
                kind.notes.clear()
                kind.dropped, kind.next_ns = 0, now_ns + self._pace_ns
                return Due(message, count)
        return None

    def told(self, due: Due, now_ns: int, *, delivered: bool) -> None:
        """Note down what became of a message. A call that failed waits longer each time."""
        if due.note.kind is NoteKind.CALL:
            if delivered:
                self._calls.popleft()
                self._retry_ns, self._call_ns = FIRST_RETRY_NS, 0
            else:
                # The next one may have better luck, and none is always the first.
                self._calls.rotate(-1)
                self._call_ns = now_ns + self._retry_ns
                self._retry_ns = min(2 * self._retry_ns, LAST_RETRY_NS)
        elif not delivered:
            self._kinds[due.note.kind].dropped += due.count

    def wakes_ns(self) -> int | None:
        """Return when the next message may go; None where nothing waits."""
        times = [kind.next_ns for kind in self._kinds.values() if kind.notes]
        if self._calls:
            times.append(self._call_ns)
        return min(times, default=None)


def joined(notes: Sequence[Note], dropped: int = 0) -> Note:
    """Return one note for several of a kind: the newest in full, and how many more there are."""
    newest, rest = notes[-1], len(notes) - SHOWN
    if len(notes) == 1 and not dropped:
        return newest
    lines = [one.text for one in notes[-SHOWN:]]
    if rest > 0:
        lines.append(f"and {rest} more {PLURAL[newest.kind]}")
    if dropped:
        lines.append(f"{dropped} {PLURAL[newest.kind]} were dropped: too many, or not delivered")
    level = max(one.level for one in notes)
    title = newest.title if len(notes) == 1 else f"{len(notes)} {PLURAL[newest.kind]}"
    return Note(newest.kind, level, title, "\n".join(lines), newest.ts_ns)

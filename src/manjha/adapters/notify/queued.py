"""Notes delivered in the background: a thread for each receiver, so that a slow one keeps nobody waiting."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from manjha.adapters.notify.waiting import Due, WaitingNotes
from manjha.domain.moments import SECOND_NS
from manjha.domain.notes import Note, NoteKind, NoteLevel


class Receiver(Protocol):
    """Where notes are delivered."""

    name: str

    def post(self, note: Note) -> str:
        """Deliver one note; return why it was not, empty where it was. It may take its time, and raises nothing."""


class QueuedNotifier:
    """Implements `ports.notifier.Notifier` for some receivers; without any it tells nobody.

    `least` is the lowest level that is told of a kind, None for nothing of it; calls are always told. `pace_s` is from
    one message of a kind to the next.
    """

    def __init__(
        self, receivers: Sequence[Receiver], least: Mapping[NoteKind, NoteLevel | None], pace_s: float = 10.0
    ) -> None:
        self._least = dict(least)
        self._lines = [_Line(receiver, round(pace_s * SECOND_NS)) for receiver in receivers]

    def tell(self, note: Note) -> None:
        """Take a note; see the port."""
        least = self._least.get(note.kind, NoteLevel.INFO)
        if note.kind is not NoteKind.CALL and (least is None or note.level < least):
            return
        for line in self._lines:
            line.put(note)

    def close(self, patience_s: int) -> None:
        """Deliver what waits, for at most so long, and end; see the port."""
        until = time.monotonic() + patience_s
        for line in self._lines:
            line.end()
        for line in self._lines:
            line.join(max(0.0, until - time.monotonic()))
            line.give_up()


class _Line:
    """One receiver, what waits for it, and the thread that delivers."""

    def __init__(self, receiver: Receiver, pace_ns: int) -> None:
        self._receiver = receiver
        self._waiting = WaitingNotes(pace_ns)
        self._news = threading.Condition()
        self._ends = self._gives_up = False
        # It must not keep a process alive that has been told to end.
        self._thread = threading.Thread(target=self._deliver, name=f"notify {receiver.name}", daemon=True)
        self._thread.start()

    def put(self, note: Note) -> None:
        with self._news:
            self._waiting.put(note)
            self._news.notify()

    def end(self) -> None:
        with self._news:
            self._ends = True
            self._news.notify()

    def give_up(self) -> None:
        """Try no more, whatever waits."""
        with self._news:
            self._gives_up = True
            self._news.notify()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _deliver(self) -> None:
        while (due := self._next()) is not None:
            why = self._receiver.post(due.note)
            with self._news:
                self._waiting.told(due, time.monotonic_ns(), delivered=not why)

    def _next(self) -> Due | None:
        """Wait for a message that may go; None when this is to end and nothing is left to try."""
        with self._news:
            while not self._gives_up:
                now_ns = time.monotonic_ns()
                due = self._waiting.due(now_ns, hurry=self._ends)
                if due is not None or (self._ends and not len(self._waiting)):
                    return due
                wakes = self._waiting.wakes_ns()
                self._news.wait(None if wakes is None else max(0, wakes - now_ns) / SECOND_NS)
        return None

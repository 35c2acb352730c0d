"""A notifier that keeps what it is told."""

from manjha.domain.notes import Note


class KeptNotes:
    """Implements `ports.notifier.Notifier`."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def tell(self, note: Note) -> None:
        self.notes.append(note)

    def close(self, patience_s: int) -> None:
        pass

"""The way to a person who is not looking at a screen."""

from typing import Protocol

from manjha.domain.notes import Note


class Notifier(Protocol):
    """Tells notes to whoever is to be told. Calling it costs next to nothing and cannot fail.

    What is too much is joined, and what is still too much is dropped, oldest first, with a count in the next message;
    calls for a person are neither joined away nor dropped, and are tried until they are delivered.
    """

    def tell(self, note: Note) -> None:
        """Take a note; it is delivered later, or not."""
        ...

    def close(self, patience_s: int) -> None:
        """Deliver what waits, for at most so long, and end."""
        ...

"""Messages that somebody outside sends to a web address of ours: raw bytes come in, at most a hint goes on."""

from typing import Protocol


class HookReceiver(Protocol):
    """Judges a message. It may be forged, altered or played again: it never is a fact, only a reason to read."""

    def received(self, body: bytes) -> str | None:
        """Return the number of the order that is worth a read; None for what is not believed, or was heard before."""
        ...

"""How a running trader is told what to do, and how it is asked."""

from typing import Protocol

from manjha.domain.controls import Answer, Request


class ControlInbox(Protocol):
    """Requests for one trader, on the trader's side. Nothing here keeps its loop waiting.

    A key that was seen before never comes a second time: with the same control it gets the same answer, with another
    one it is refused. How many may wait is bounded; what is too many is refused at once, a kill later than the rest.
    """

    async def next(self) -> Request:
        """Wait for the next request; the oldest first, but a kill before everything else."""
        ...

    def answer(self, answer: Answer) -> None:
        """Answer the request of this key: it is written down and done, or refused.

        Raises `InvariantBroken` for a key that does not wait for an answer.
        """
        ...


class Controls(Protocol):
    """The way to a running trader, on the side of whoever asks."""

    def ask(self, request: Request) -> Answer:
        """Ask, and wait for the answer.

        Raises
        ------
        SourceError
            No trader listens, or it did not answer in time: whether it was done is not known then, and asking again
            with the same key does it at most once.
        SettingsError
            The place is not as it must be, or whoever listens there may not be trusted.
        """
        ...

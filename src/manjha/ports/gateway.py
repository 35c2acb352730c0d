"""The way to a broker: approved commands go out, reads come back. What it says is evidence, no fact yet."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from manjha.domain.broker import OrderSeen, Outcome, PositionSeen, TradeSeen
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder

LastLook = Callable[[], str]
"""Asked when all else is done, right before the first byte of a command: why it may not go any more, empty if it may.

Whoever waits for a connection may be held up there for long, and be overtaken by another process meanwhile."""


def no_objection() -> str:
    """Let a command go, however long it took: what risk is taken away by is never too late."""
    return ""


class Gateway(Protocol):
    """One account at a broker. It never sees an unapproved command, sends nothing twice by itself, and guesses nothing.

    What the last look objects to ends as `Unsent`, every other failure to send as an `Outcome`; what cannot be told
    apart is `OutcomeUnknown`. A failure to read is a `SourceError`.
    """

    async def submit(self, approved: Approved[SubmitOrder], last_look: LastLook = no_objection) -> Outcome:
        """Send an order under its tag."""
        ...

    async def modify(
        self, approved: Approved[ModifyOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        """Send new terms of an order. `Sent` says that they were taken in, not that they hold."""
        ...

    async def cancel(
        self, approved: Approved[CancelOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        """Send a cancel. `Sent` says that it was taken in, not that the order is gone."""
        ...

    async def orders(self) -> tuple[OrderSeen, ...]:
        """Read all orders of the day, whoever placed them."""
        ...

    async def trades(self) -> tuple[TradeSeen, ...]:
        """Read all trades of the day."""
        ...

    async def positions(self) -> tuple[PositionSeen, ...]:
        """Read what the account holds."""
        ...

    def hints(self) -> AsyncIterator[str]:
        """Yield the number of each order of which something was heard; empty for a link that was made anew.

        A hint says only that a read is worth while: it may be late, doubled or forged.
        """
        ...

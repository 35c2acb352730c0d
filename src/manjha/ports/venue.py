"""An exchange in the same thread."""

from collections.abc import Sequence
from typing import Protocol

from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.events import Event
from manjha.domain.moments import TsNs


class Venue(Protocol):
    """Takes approved commands and answers with events, synchronously. It never sees an unapproved command."""

    def submit(self, approved: Approved[SubmitOrder], now_ns: TsNs) -> Sequence[Event]:
        """Take an order; the events say what became of it so far."""
        ...

    def modify(self, approved: Approved[ModifyOrder], now_ns: TsNs) -> Sequence[Event]:
        """Change a resting order."""
        ...

    def cancel(self, approved: Approved[CancelOrder], now_ns: TsNs) -> Sequence[Event]:
        """Cancel a resting order."""
        ...

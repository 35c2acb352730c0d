"""What a broker wants for an order, asked before it is sent."""

from typing import Protocol

from manjha.domain.broker import MarginSeen
from manjha.domain.orders import Order


class MarginSource(Protocol):
    """Knows the margins of one account at its broker."""

    async def margin(self, order: Order) -> MarginSeen:
        """Return what an order needs beside what is held and open, and what there is. Raises `SourceError`."""
        ...

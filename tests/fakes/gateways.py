"""A broker that shows what a test says, and remembers what it was asked to cancel."""

from collections.abc import AsyncIterator
from typing import TypeVar

from manjha.domain.broker import OrderSeen, Outcome, PositionSeen, Sent, TradeSeen, Unsent
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.errors import SourceError
from manjha.ports.gateway import LastLook, no_objection

T = TypeVar("T")


class ShownBroker:
    """Implements `ports.gateway.Gateway`. `is_down` makes reads fail; `takes_cancels` false refuses cancels."""

    def __init__(self) -> None:
        self.shown_orders: list[OrderSeen] = []
        self.shown_trades: list[TradeSeen] = []
        self.shown_positions: list[PositionSeen] = []
        self.cancelled: list[str] = []
        self.is_down, self.takes_cancels = False, True

    async def submit(self, approved: Approved[SubmitOrder], last_look: LastLook = no_objection) -> Outcome:
        return Unsent("this broker only shows")

    async def modify(
        self, approved: Approved[ModifyOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        return Unsent("this broker only shows")

    async def cancel(
        self, approved: Approved[CancelOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        if not self.takes_cancels:
            return Unsent("the link is down")
        self.cancelled.append(broker_id)
        return Sent(broker_id)

    async def orders(self) -> tuple[OrderSeen, ...]:
        return tuple(self._up(self.shown_orders))

    async def trades(self) -> tuple[TradeSeen, ...]:
        return tuple(self._up(self.shown_trades))

    async def positions(self) -> tuple[PositionSeen, ...]:
        return tuple(self._up(self.shown_positions))

    async def hints(self) -> AsyncIterator[str]:
        yield ""

    def _up(self, shown: list[T]) -> list[T]:
        if self.is_down:
            raise SourceError("the broker is down")
        return shown

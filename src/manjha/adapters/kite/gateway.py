"""The way to an account at Kite: approved commands out, reads back. Implements `ports.gateway.Gateway`."""

from collections.abc import AsyncIterator, Callable

from manjha.adapters.kite.account import order_rows, positions_of, trades_of
from manjha.adapters.kite.mapping import Names, modify_fields, order_seen, path_of, place_fields
from manjha.adapters.kite.rest import KiteRest, Sending
from manjha.domain.broker import OrderSeen, Outcome, PositionSeen, TradeSeen, Unsent
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.errors import ManjhaError
from manjha.domain.orders import Order, OrderId
from manjha.domain.outcomes import outcome_of
from manjha.ports.gateway import LastLook, no_objection

OrderOf = Callable[[OrderId], Order]
"""Who knows the order that a change is about."""


class KiteGateway:
    """One account. `names` are of today: a new day has a new gateway. `hints` come from the ticker's connection."""

    def __init__(
        self, rest: KiteRest, names: Names, order_of: OrderOf, hints: Callable[[], AsyncIterator[str]]
    ) -> None:
        self._rest = rest
        self._names = names
        self._order_of = order_of
        self._hints = hints

    async def submit(self, approved: Approved[SubmitOrder], last_look: LastLook = no_objection) -> Outcome:
        """Send an order under its tag."""
        order, tag = approved.command.order, approved.command.tag
        try:
            fields = place_fields(order, tag, self._names)
        except ManjhaError as error:
            return Unsent(error.message)
        if fields is None:
            return Unsent(f"Kite does not list {order.instrument} today")
        return outcome_of(await self._rest.order(Sending("POST", path_of(order.variety), fields, last_look)))

    async def modify(
        self, approved: Approved[ModifyOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        """Send new terms of an order."""
        change = approved.command
        order = self._order_of(change.order_id)
        try:
            fields = modify_fields(order, change, self._names)
        except ManjhaError as error:
            return Unsent(error.message)
        path = path_of(order.variety, broker_id)
        return outcome_of(await self._rest.order(Sending("PUT", path, fields, last_look)))

    async def cancel(
        self, approved: Approved[CancelOrder], broker_id: str, last_look: LastLook = no_objection
    ) -> Outcome:
        """Send a cancel."""
        order = self._order_of(approved.command.order_id)
        path = path_of(order.variety, broker_id)
        return outcome_of(await self._rest.order(Sending("DELETE", path, {}, last_look)))

    async def orders(self) -> tuple[OrderSeen, ...]:
        """Read all orders of the day, whoever placed them."""
        return tuple(order_seen(row, self._names) for row in await order_rows(self._rest))

    async def trades(self) -> tuple[TradeSeen, ...]:
        """Read all trades of the day."""
        return await trades_of(self._rest, self._names)

    async def positions(self) -> tuple[PositionSeen, ...]:
        """Read what the account holds."""
        return await positions_of(self._rest, self._names)

    def hints(self) -> AsyncIterator[str]:
        """Yield the numbers of orders of which something was heard."""
        return self._hints()

"""An account at Kite as one sees it who placed none of its orders: it reads, and takes open orders away."""

from typing import NamedTuple

from manjha.adapters.kite.account import order_rows, positions_of, trades_of
from manjha.adapters.kite.mapping import Names, order_seen, path_of
from manjha.adapters.kite.rest import KiteRest, Sending
from manjha.domain.broker import OrderSeen, Outcome, PositionSeen, TradeSeen, Unsent
from manjha.domain.commands import Approved, CancelOrder
from manjha.domain.outcomes import outcome_of
from manjha.ports.gateway import no_objection

COVER = "co"
"""Kite's word for cover orders, whose second leg is addressed by the first one as well (KITE_CONNECT_V3 2.5)."""


class _Address(NamedTuple):
    """What Kite asks for beside the number of an order that is to be cancelled."""

    variety: str
    parent: str


class OutsideAccount:
    """One account, seen from outside. What `names` lacks is called as Kite calls it, and counted in Kite's units."""

    def __init__(self, rest: KiteRest) -> None:
        self._rest = rest
        self._addresses: dict[str, _Address] = {}

    async def orders(self, names: Names) -> tuple[OrderSeen, ...]:
        """Read all orders of the day, and remember how each is addressed. Raises as `KiteRest.get`."""
        rows = await order_rows(self._rest)
        self._addresses |= {row.order_id: _Address(row.variety, row.parent_order_id or "") for row in rows}
        return tuple(order_seen(row, names) for row in rows)

    async def trades(self, names: Names) -> tuple[TradeSeen, ...]:
        """Read all trades of the day. Raises as `KiteRest.get`."""
        return await trades_of(self._rest, names)

    async def positions(self, names: Names) -> tuple[PositionSeen, ...]:
        """Read what the account holds. Raises as `KiteRest.get`."""
        return await positions_of(self._rest, names)

    async def cancel(self, approved: Approved[CancelOrder], broker_id: str) -> Outcome:
        """Cancel an order that the order book has shown, by the variety that stood there."""
        address = self._addresses.get(broker_id)
        if address is None:
            return Unsent(f"the order book has shown no order {broker_id}, tag {approved.command.order_id}")
        fields = {"parent_order_id": address.parent} if address.variety == COVER and address.parent else {}
        sending = Sending("DELETE", path_of(address.variety, broker_id), fields, no_objection)
        return outcome_of(await self._rest.order(sending))

"""What Kite wants for an order, and what the account has: two requests beside each other (KITE_CONNECT_V3 2.7, 2.8)."""

import asyncio

import msgspec

from manjha.adapters.kite.account import funds
from manjha.adapters.kite.mapping import Names, cash_of, margin_item
from manjha.adapters.kite.rest import KiteRest
from manjha.domain.broker import MarginSeen
from manjha.domain.errors import ManjhaError, SourceError
from manjha.domain.money import Cash
from manjha.domain.orders import Order


class _Needed(msgspec.Struct):
    """What an order needs beside positions and open orders; `type` is the ledger that it is taken from."""

    total: float
    type: str = "equity"


class KiteMargins:
    """Implements `ports.margin_source.MarginSource`. `names` are of today: a new day has a new one."""

    def __init__(self, rest: KiteRest, names: Names) -> None:
        self._rest = rest
        self._names = names

    async def margin(self, order: Order) -> MarginSeen:
        """Return what an order needs, and what is free; see the port."""
        try:
            item = margin_item(order, self._names)
        except ManjhaError as error:
            raise SourceError(error.message, hint=error.hint) from error
        if item is None:
            raise SourceError(f"Kite does not list {order.instrument} today")
        asked = self._rest.post_json("/margins/orders", [item], list[_Needed], "mode=compact")
        # Together: the order waits, and neither answer is of use without the other.
        rows, ledgers = await asyncio.gather(asked, funds(self._rest))
        if len(rows) != 1:
            raise SourceError(f"Kite was asked for the margin of one order, and told {len(rows)}")
        ledger = next((one for one in ledgers if one.segment == rows[0].type), None)
        if ledger is None:
            raise SourceError(f"Kite names the ledger {rows[0].type!r}, which the account does not have")
        return MarginSeen(Cash(max(cash_of(rows[0].total), 0)), ledger.net)

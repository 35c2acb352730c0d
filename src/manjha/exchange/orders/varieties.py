"""Varieties of more than one order: the legs of an iceberg, and the stop of a cover order (fact sheet 2.3.4)."""

import msgspec

from manjha.domain.moments import TsNs
from manjha.domain.orders import OrderType, Side, Validity
from manjha.exchange.events import ExchangeEvent, OrderChanged
from manjha.exchange.market.market import Market
from manjha.exchange.orders.asked import AUTOMATIC
from manjha.exchange.orders.book import DayBook
from manjha.exchange.orders.order import FINAL, Iceberg, OrderState, Status, Terms, Ticket
from manjha.exchange.orders.passage import Passage


class Varieties:
    """Makes orders of tickets, and the orders that follow from them.

    Each leg of an iceberg is an order of its own with its own id, so that what has filled never grows less; from the
    second on a leg names the first as its parent. The same holds for the stop of a cover order.
    """

    def __init__(self, market: Market, book: DayBook, passage: Passage) -> None:
        self._market, self._book, self._passage = market, book, passage

    def first_leg(self, ticket: Ticket, now_ns: TsNs) -> OrderState:
        """Return a ticket's order, or its first leg."""
        terms, ice = ticket.terms, None
        order_id = self._book.order_id(now_ns)
        stop = 0
        if ticket.variety == "iceberg":
            leg_qty = ticket.leg_qty or -(-terms.qty // ticket.legs)
            ice = Iceberg(1, -(-terms.qty // leg_qty), leg_qty, terms.qty, terms.qty - leg_qty, order_id)
            terms = msgspec.structs.replace(terms, qty=leg_qty)
        elif ticket.variety == "co":
            stop, terms = terms.trigger, msgspec.structs.replace(terms, trigger=0)
        return OrderState(
            order_id=order_id, user_id=ticket.user_id, api_key=ticket.api_key, variety=ticket.variety,
            listed=ticket.listed, side=ticket.side, product=ticket.product, terms=terms, placed_ns=now_ns,
            ordered_ns=now_ns, ttl_minutes=ticket.ttl_minutes, tag=ticket.tag, tags=[ticket.tag] if ticket.tag else [],
            iceberg=ice, cover_stop=stop, was_market=terms.kind in (OrderType.MARKET, OrderType.SL_M),
        )  # fmt: skip

    def hear(self, event: ExchangeEvent) -> None:
        """Follow an order that has come to its end by what comes after it."""
        if not isinstance(event, OrderChanged) or event.status not in FINAL:
            return
        order = self._book.orders[event.order_id]
        if order.iceberg is not None and event.status == Status.COMPLETE and order.iceberg.left:
            self._next_leg(order, order.iceberg, event.ts_ns)
        elif order.cover_stop and order.filled:
            self._stop_of_cover(order, event.ts_ns)

    def cover_terms(self, order: OrderState, terms: Terms) -> Terms:
        """Return what of a cover order's new terms counts: the limit of its first leg, the trigger of its second."""
        now = order.terms
        if order.parent_id is None:
            return msgspec.structs.replace(now, price=terms.price or now.price)
        return msgspec.structs.replace(now, trigger=terms.trigger, price=0, kind=OrderType.SL_M, protection=AUTOMATIC)

    def exit_terms(self, order: OrderState) -> Terms:
        """Return the terms that trade the second leg of a cover order at the market."""
        return msgspec.structs.replace(
            order.terms, kind=OrderType.MARKET, price=0, trigger=0, protection=order.terms.protection or AUTOMATIC
        )

    def _next_leg(self, before: OrderState, ice: Iceberg, now_ns: TsNs) -> None:
        qty = min(ice.leg_qty, ice.left)
        order_id = self._book.order_id(now_ns)
        self._book.count(before.user_id)
        leg = msgspec.structs.replace(ice, leg=ice.leg + 1, leg_qty=qty, left=ice.left - qty)
        self._passage.start(self._follower(before, order_id, now_ns, ice.first_id, leg), now_ns)

    def _stop_of_cover(self, entry: OrderState, now_ns: TsNs) -> None:
        stop = self._follower(entry, self._book.order_id(now_ns), now_ns, entry.order_id, None)
        stop.side = Side(-entry.side)
        stop.terms = Terms(
            kind=OrderType.SL_M, qty=entry.filled, trigger=entry.cover_stop, validity=Validity.DAY, protection=AUTOMATIC
        )
        entry.cover_stop = 0
        self._passage.start(stop, now_ns)

    def _follower(
        self, before: OrderState, order_id: str, now_ns: TsNs, parent_id: str, ice: Iceberg | None
    ) -> OrderState:
        terms = before.terms if ice is None else msgspec.structs.replace(before.terms, qty=ice.leg_qty)
        return OrderState(
            order_id=order_id, user_id=before.user_id, api_key=before.api_key, variety=before.variety,
            listed=before.listed, side=before.side, product=before.product, terms=terms, placed_ns=now_ns,
            ordered_ns=now_ns, ttl_minutes=before.ttl_minutes, parent_id=parent_id, tag=before.tag,
            tags=list(before.tags), iceberg=ice, was_market=before.was_market,
        )  # fmt: skip

"""The broker's desk: what a client may ask of orders, and what it hears at once (fact sheet 2.3 to 2.5)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from manjha.domain.moments import TsNs
from manjha.domain.orders import OrderType, Side
from manjha.exchange.accounts.sessions import Session
from manjha.exchange.errors import KiteError, bad_input, bad_order, no_order, too_many
from manjha.exchange.market.market import Market
from manjha.exchange.orders import asked
from manjha.exchange.orders.book import DayBook
from manjha.exchange.orders.checks import Checks, freeze_of
from manjha.exchange.orders.hours import release_ns
from manjha.exchange.orders.order import OrderState, Status, Terms, Ticket
from manjha.exchange.orders.passage import Passage
from manjha.exchange.orders.varieties import Varieties
from manjha.exchange.switches import Rule

ORDERS_A_DAY = 5_000
MODIFICATIONS_MAX = 25
IN_FLIGHT = "Order cannot be {} as it is being processed. Try later."
_STOPS = (OrderType.SL, OrderType.SL_M)
_FREE_TERMS = ("order_type", "price", "trigger_price", "validity", "disclosed_quantity", "market_protection")


class Desk:
    """Takes requests of clients. An id that comes back means that the request was taken, and nothing more."""

    def __init__(self, market: Market, book: DayBook, passage: Passage, checks: Checks) -> None:
        self._market, self._book, self._passage, self._checks = market, book, passage, checks
        self.varieties = Varieties(market, book, passage)

    # ---- place

    def place(self, variety: str, form: asked.Form, session: Session, now_ns: TsNs) -> Any:
        """Take an order; return what the answer carries. Raises `KiteError`."""
        asked.check_variety(variety)
        if variety == "auction":
            raise asked.auction_refused()
        self._count(session.user_id)
        ticket = asked.ticket(variety, form, session, self._market.listing)
        self._checks.place(ticket, now_ns)
        if ticket.autoslice:
            return self._sliced(ticket, now_ns)
        return {"order_id": self._enter(self.varieties.first_leg(ticket, now_ns), ticket, now_ns)}

    def _enter(self, order: OrderState, ticket: Ticket, now_ns: TsNs) -> str:
        if ticket.variety == "amo":
            terms = ticket.terms
            release = release_ns(self._market, ticket.instrument, terms.kind, terms.validity, now_ns)
            if release is None:
                raise bad_input("After market orders (AMO) cannot be placed now: no session to come is known.")
            self._passage.queue(order, release, now_ns)
        else:
            self._passage.start(order, now_ns)
        return order.order_id

    def _sliced(self, ticket: Ticket, now_ns: TsNs) -> Any:
        """Split an order above the freeze limit; each slice fares by itself. Two shapes are on record (2.3.7)."""
        parent = self._book.order_id(now_ns)
        most, left = freeze_of(ticket.listed), ticket.terms.qty
        children: list[dict[str, Any]] = []
        while left:
            terms = msgspec.structs.replace(ticket.terms, qty=min(most, left))
            left -= terms.qty
            part = msgspec.structs.replace(ticket, terms=terms, autoslice=False)
            try:
                if children:
                    self._count(ticket.user_id)
                order = self.varieties.first_leg(part, now_ns)
                order.tags += ["autoslice", f"autoslice:{parent}"]
                children.append({"order_id": self._enter(order, part, now_ns)})
            except KiteError as refused:
                error = {
                    "code": refused.code,
                    "error_type": str(refused.kind),
                    "message": refused.message,
                    "data": None,
                }
                children.append({"error": error})
        is_flat = self._checks.switches.holds(Rule.FLAT_AUTOSLICE, self._market.day)
        return children if is_flat else {"order_id": parent, "children": children}

    def _count(self, user_id: str) -> None:
        """Count a request to place an order: refused ones count as well."""
        count = self._book.count(user_id)
        if count > ORDERS_A_DAY and self._checks.switches.holds(Rule.ORDERS_A_DAY, self._market.day):
            raise too_many("Maximum allowed order requests exceeded.")

    # ---- modify

    def modify(self, variety: str, order_id: str, form: asked.Form, session: Session, now_ns: TsNs) -> dict[str, Any]:
        """Take new terms of an order. Raises `KiteError`."""
        order = self._open_order(variety, order_id, session.user_id, "modified")
        switches, day = self._checks.switches, self._market.day
        if order.modifications >= MODIFICATIONS_MAX and switches.holds(Rule.MODIFICATIONS, day):
            raise too_many("Maximum allowed order modifications exceeded.")
        answer = {"order_id": order_id}
        stop_needs_prices = order.terms.kind in _STOPS and switches.holds(Rule.STOP_NEEDS_PRICES, day)
        if stop_needs_prices and not any(form.get(name) for name in _FREE_TERMS):
            # Seen at the broker: a stop's quantity alone is taken, and nothing changes.
            return answer
        terms = self._new_terms(order, form)
        if order.status == Status.AMO:
            order.terms = terms
            order.modifications += 1
            order.is_modified = True
            order.ordered_ns = now_ns
            self._book.be(order, Status.AMO, now_ns)
        else:
            self._passage.change(order, terms, now_ns)
        return answer

    def _new_terms(self, order: OrderState, form: Mapping[str, str]) -> Terms:
        terms = asked.new_terms(order, form)
        if order.variety == "co":
            terms = self.varieties.cover_terms(order, terms)
        if terms.kind is OrderType.MARKET and order.was_market and not terms.protection:
            terms = msgspec.structs.replace(terms, protection=asked.AUTOMATIC)
        if terms.qty < order.filled:
            raise bad_order(f"Quantity cannot be less than the filled quantity {order.filled // order.listed.unit}.")
        self._checks.terms(order.listed, Side(order.side), terms)
        return terms

    # ---- cancel

    def cancel(self, variety: str, order_id: str, parent_id: str, session: Session, now_ns: TsNs) -> dict[str, Any]:
        """Take the cancel of an order; the second leg of a cover order is traded at the market. Raises `KiteError`."""
        order = self._open_order(variety, order_id, session.user_id, "cancelled")
        if parent_id and order.parent_id != parent_id:
            raise no_order()
        if order.status == Status.AMO:
            self._passage.end(order, Status.CANCELLED, now_ns, None, None)
        elif order.variety == "co" and order.parent_id is not None:
            self._passage.change(order, self.varieties.exit_terms(order), now_ns)
        else:
            self._passage.recall(order, now_ns)
        return {"order_id": order_id}

    def _open_order(self, variety: str, order_id: str, user_id: str, done: str) -> OrderState:
        """Return an order that may be changed now. Raises `KiteError`."""
        asked.check_variety(variety)
        order = self._book.of(user_id, order_id)
        if order.variety != variety:
            raise bad_input(f"Invalid `variety`: the order is of variety {order.variety}.")
        if order.is_final:
            raise bad_order(f"Order cannot be {done} as it is {order.status.lower()}.")
        if order.is_in_flight:
            raise bad_order(IN_FLIGHT.format(done))
        return order

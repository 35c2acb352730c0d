"""The simulated exchange as a broker shows it: it takes commands, and keeps an order book, trades and positions.

It is simulated: nothing leaves this process. Who asks it, and when what it shows is heard of, is others' business.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from manjha.domain.broker import BrokerStatus, OrderSeen, Outcome, PositionSeen, Sent, Source, TradeSeen, Turned
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.events import (
    Event,
    ModifyRejected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderModified,
    OrderRejected,
)
from manjha.domain.moments import TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Fill, Order, OrderId, Phase, Product
from manjha.domain.outcomes import BAD_REQUEST, OK, Answer, outcome_of
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord
from manjha.simulator.tick_venue import TickVenue

if TYPE_CHECKING:
    from manjha.domain.instrument import InstrumentId

VENUE_EVENTS = (OrderAccepted, OrderRejected, OrderCancelled, OrderModified, OrderFilled, ModifyRejected)
_REFUSED = "InputException"
_SHOWN = {
    Phase.FILLED: BrokerStatus.COMPLETE,
    Phase.CANCELLED: BrokerStatus.CANCELLED,
    Phase.REJECTED: BrokerStatus.REJECTED,
}


class PaperExchange:
    """A simulated exchange with the books of one account. `heard` is told the number of each order that changes."""

    def __init__(self, venue: TickVenue, heard: Callable[[str], None] = lambda _number: None) -> None:
        self.venue = venue
        self.heard = heard
        self._orders: dict[OrderId, OrderSeen] = {}
        self._trades: list[TradeSeen] = []
        self._held: dict[tuple[InstrumentId, Product], int] = {}
        self._count = 0

    # ---- what it is asked

    def submit(self, approved: Approved[SubmitOrder], now_ns: TsNs) -> Outcome:
        """Take an order, or refuse it."""
        asked = approved.command
        events = self.venue.submit(approved, now_ns)
        refused = next((event.reason for event in events if isinstance(event, OrderRejected)), "")
        if refused:
            return outcome_of(Answer(written=len(asked.tag), status=BAD_REQUEST, kind=_REFUSED, words=refused))
        self._count += 1
        number = f"PAPER{now_ns // 1_000_000_000}-{self._count}"
        self._orders[asked.order.id] = _shown(asked.order, asked.tag, number, now_ns)
        self.heard(number)
        self.see(events)
        return outcome_of(Answer(written=len(asked.tag), status=OK, broker_id=number))

    def modify(self, approved: Approved[ModifyOrder], number: str, now_ns: TsNs) -> Outcome:
        """Give an order new terms, or refuse them."""
        return self._changed(self.venue.modify(approved, now_ns), number)

    def cancel(self, approved: Approved[CancelOrder], number: str, now_ns: TsNs) -> Outcome:
        """Take an order out of the book, or refuse to."""
        return self._changed(self.venue.cancel(approved, now_ns), number)

    def orders(self) -> tuple[OrderSeen, ...]:
        """Return the orders of the day."""
        return tuple(self._orders.values())

    def trades(self) -> tuple[TradeSeen, ...]:
        """Return the trades of the day."""
        return tuple(self._trades)

    def positions(self) -> tuple[PositionSeen, ...]:
        """Return what the account holds."""
        return tuple(PositionSeen(name, product, Qty(qty)) for (name, product), qty in self._held.items() if qty)

    # ---- what happens

    def see(self, events: Iterable[Event]) -> None:
        """Take over what has happened to orders."""
        for event in events:
            if isinstance(event, OrderFilled):
                self._filled(event.fill)
            elif isinstance(event, OrderCancelled):
                self._be(event.order_id, event.ts_ns, status=BrokerStatus.CANCELLED, reason=event.reason)
            elif isinstance(event, OrderModified):
                terms = {"qty": event.qty, "limit": event.limit, "trigger": event.trigger}
                self._be(event.order_id, event.ts_ns, **terms)

    def _changed(self, events: Iterable[Event], number: str) -> Outcome:
        found = tuple(events)
        refused = next((event.reason for event in found if isinstance(event, ModifyRejected)), "")
        if not found:
            refused = "the order is complete or gone"
        self.see(found)
        return Turned(refused) if refused else Sent(number)

    def _filled(self, fill: Fill) -> None:
        seen = self._orders[fill.order_id]
        filled = Qty(seen.filled + fill.qty)
        status = BrokerStatus.COMPLETE if filled >= seen.qty else BrokerStatus.OPEN
        self._be(fill.order_id, fill.ts_ns, status=status, filled=filled)
        self._trades.append(
            TradeSeen(
                fill.id, seen.broker_id, fill.instrument, fill.side, fill.qty, fill.px, fill.product, fill.ts_ns,
                fill.reference,
            )
        )  # fmt: skip
        key = (fill.instrument, fill.product)
        self._held[key] = self._held.get(key, 0) + fill.qty * int(fill.side)

    def _be(self, order_id: OrderId, ts_ns: TsNs, **changes: object) -> None:
        seen = self._orders[order_id]
        later = TsNs(max(ts_ns, seen.exchange_ns + 1))
        self._orders[order_id] = msgspec.structs.replace(seen, exchange_ns=later, **changes)
        self.heard(seen.broker_id)

    # ---- days and restarts

    def new_day(self) -> None:
        """Begin a book of the day, as brokers do; what is still open goes on."""
        self._trades = []
        self._orders = {order_id: seen for order_id, seen in self._orders.items() if seen.status not in _SHOWN.values()}

    def rebuild(self, state: EngineState, now_ns: TsNs) -> None:
        """Be again what an account's journal says that the exchange was, after a restart.

        Orders that rested rest again; one of which no answer was written down never reached this exchange.
        """
        for record in state.book.records.values():
            at = record.at_broker
            if at is None or not at.broker_id:
                continue
            seen = _shown(record.order, at.tag, at.broker_id, TsNs(at.sight.exchange_ns))
            status = _SHOWN.get(record.phase, BrokerStatus.OPEN)
            terms = {"qty": record.qty, "limit": record.limit, "trigger": record.trigger}
            self._orders[record.order.id] = msgspec.structs.replace(
                seen, status=status, filled=Qty(record.filled), **terms
            )
            if status is BrokerStatus.OPEN:
                self._rest_again(record, now_ns)
        for position in state.portfolio.open_positions():
            key = (position.key.instrument, position.key.product)
            self._held[key] = self._held.get(key, 0) + position.qty
        self._count = len(self._orders)
        # A trade's name is its own: one that is given twice would be taken for one that was booked already.
        self.venue.fill_seq = len(state.record_fills)

    def _rest_again(self, record: OrderRecord, now_ns: TsNs) -> None:
        terms = {"qty": record.qty, "limit": record.limit, "trigger": record.trigger}
        self.venue.rest_again(msgspec.structs.replace(record.order, **terms), record.left, now_ns)


def _shown(order: Order, tag: str, number: str, now_ns: TsNs) -> OrderSeen:
    status = BrokerStatus.TRIGGER_PENDING if order.trigger else BrokerStatus.OPEN
    return OrderSeen(
        number, tag, order.instrument, order.side, order.qty, order.type, order.product, status, Qty(0), now_ns,
        Source.BOOK, Px(order.limit), Px(order.trigger),
    )  # fmt: skip

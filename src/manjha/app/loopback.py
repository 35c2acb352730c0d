"""The simulated exchange behind the same door as a broker: for paper trading.

Orders go out through the outbox under their tags, and what became of them is read back as from a broker: the engine
cannot tell the difference. It is simulated: nothing leaves this process. Answers come at once, so that a session that
was traded on paper can be traded again by a backtest over its ticks, to the same end.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from manjha.app.broker_reads import BrokerReads
from manjha.app.outbox import Outgoing
from manjha.domain.broker import BrokerStatus, OrderSeen, PositionSeen, Sent, Source, TradeSeen, Turned
from manjha.domain.commands import Approved, CallPerson, CancelOrder, ReadBroker, SubmitOrder
from manjha.domain.events import (
    BrokerRead,
    ChangeAnswered,
    Event,
    ModifyRejected,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderModified,
    OrderRejected,
    SubmitAnswered,
)
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Fill, Order, OrderId, Phase, Product
from manjha.domain.outcomes import BAD_REQUEST, OK, Answer, outcome_of
from manjha.domain.ticks import Tick
from manjha.engine.state import EngineState
from manjha.orders.book import OrderRecord
from manjha.risk.gate import DayRules
from manjha.simulator.tick_market import TickMarket
from manjha.simulator.tick_venue import TickVenue

_VENUE = (OrderAccepted, OrderRejected, OrderCancelled, OrderModified, OrderFilled, ModifyRejected)
_REFUSED = "InputException"
_SHOWN = {
    Phase.FILLED: BrokerStatus.COMPLETE,
    Phase.CANCELLED: BrokerStatus.CANCELLED,
    Phase.REJECTED: BrokerStatus.REJECTED,
}


class PaperBroker:
    """Implements `app.trader.Link` over a simulated exchange, with an order book, trades and positions to be read."""

    def __init__(self, venue: TickVenue, tell: Callable[[CallPerson], None]) -> None:
        self._venue = venue
        self._tell = tell
        self._reads = BrokerReads()
        self._orders: dict[OrderId, OrderSeen] = {}
        self._trades: list[TradeSeen] = []
        self._held: dict[tuple[InstrumentId, Product], int] = {}
        self._count = 0

    # ---- what goes out

    def send(self, outgoing: Outgoing, now_ns: TsNs) -> Iterator[Event]:
        """Hand a command to the exchange; its answer and what it changed come back at once."""
        command = outgoing.command
        asked = command.command
        if isinstance(asked, SubmitOrder):
            yield from self._submit(command, asked, now_ns)  # type: ignore[arg-type]
            return
        is_cancel = isinstance(asked, CancelOrder)
        events = self._venue.cancel(command, now_ns) if is_cancel else self._venue.modify(command, now_ns)  # type: ignore[arg-type]
        refused = next((event.reason for event in events if isinstance(event, ModifyRejected)), "")
        if not events:
            refused = "the order is complete or gone"
        self._see(events)
        yield ChangeAnswered(
            asked.order_id, is_cancel, Turned(refused) if refused else Sent(outgoing.broker_id), now_ns
        )
        if not refused:
            yield self._changed(now_ns)

    def _submit(self, command: Approved[SubmitOrder], asked: SubmitOrder, now_ns: TsNs) -> Iterator[Event]:
        events = self._venue.submit(command, now_ns)
        refused = next((event.reason for event in events if isinstance(event, OrderRejected)), "")
        if refused:
            answer = Answer(written=len(asked.tag), status=BAD_REQUEST, kind=_REFUSED, words=refused)
            yield SubmitAnswered(asked.order.id, outcome_of(answer), now_ns)
            return
        self._count += 1
        number = f"PAPER{now_ns // 1_000_000_000}-{self._count}"
        self._orders[asked.order.id] = _shown(asked.order, asked.tag, number, now_ns)
        self._see(events)
        answer = Answer(written=len(asked.tag), status=OK, broker_id=number)
        yield SubmitAnswered(asked.order.id, outcome_of(answer), now_ns)
        yield self._changed(now_ns)

    def read(self, asked: ReadBroker, now_ns: TsNs) -> Iterator[Event]:
        """Show everything: what is new of orders and trades, and all positions."""
        del asked
        yield self._reads.event(self._orders.values(), self._trades, self._positions(), now_ns)

    def call(self, person: CallPerson) -> None:
        """Call a person."""
        self._tell(person)

    # ---- what the exchange says

    def shown(self, event: Event) -> Event:
        """Return what a broker shows of an event of the exchange; other events as they are."""
        if not isinstance(event, _VENUE):
            return event
        self._see((event,))
        return self._changed(event.fill.ts_ns if isinstance(event, OrderFilled) else event.ts_ns)

    def _see(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, OrderFilled):
                self._filled(event.fill)
            elif isinstance(event, OrderCancelled):
                self._be(event.order_id, event.ts_ns, status=BrokerStatus.CANCELLED, reason=event.reason)
            elif isinstance(event, OrderModified):
                terms = {"qty": event.qty, "limit": event.limit, "trigger": event.trigger}
                self._be(event.order_id, event.ts_ns, **terms)

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

    def _changed(self, now_ns: TsNs) -> BrokerRead:
        """Return what is new, without positions: they are compared when somebody asks."""
        event = self._reads.event(self._orders.values(), self._trades, None, now_ns)
        return msgspec.structs.replace(event, whole=False)

    def _positions(self) -> list[PositionSeen]:
        return [PositionSeen(name, product, Qty(qty)) for (name, product), qty in self._held.items() if qty]

    # ---- days and restarts

    def new_day(self) -> None:
        """Begin a book of the day, as brokers do; what is still open goes on."""
        self._reads.new_day()
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
        self._venue.fill_seq = len(state.record_fills)

    def _rest_again(self, record: OrderRecord, now_ns: TsNs) -> None:
        terms = {"qty": record.qty, "limit": record.limit, "trigger": record.trigger}
        self._venue.rest_again(msgspec.structs.replace(record.order, **terms), record.left, now_ns)


class PaperMarket(TickMarket):
    """What surrounds a paper trader: the exchange's events, as a broker shows them."""

    def __init__(self, state: EngineState, venue: TickVenue, broker: PaperBroker) -> None:
        super().__init__(state, venue)
        self._broker = broker

    def opened(self, today: Mapping[InstrumentId, DayRules]) -> Iterable[int]:
        """Begin the broker's book of the day with the exchange's day."""
        self._broker.new_day()
        return super().opened(today)

    def on_tick(self, tick: Tick) -> Iterable[Event]:
        """Give what a tick trades."""
        found = super().on_tick(tick)
        return map(self._broker.shown, found) if found else ()

    def at(self, ts_ns: TsNs) -> Iterator[Event]:
        """Yield what the closing auctions trade that end now."""
        yield from map(self._broker.shown, super().at(ts_ns))

    def close_day(self, day: TradingDay, ts_ns: TsNs) -> Iterator[Event]:
        """Yield the orders that end with the day, then what the clearing side brings."""
        yield from map(self._broker.shown, super().close_day(day, ts_ns))


def _shown(order: Order, tag: str, number: str, now_ns: TsNs) -> OrderSeen:
    status = BrokerStatus.TRIGGER_PENDING if order.trigger else BrokerStatus.OPEN
    return OrderSeen(
        number, tag, order.instrument, order.side, order.qty, order.type, order.product, status, Qty(0), now_ns,
        Source.BOOK, Px(order.limit), Px(order.trigger),
    )  # fmt: skip

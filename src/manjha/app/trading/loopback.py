"""The simulated exchange behind the same door as a broker: for paper trading.

Orders go out through the outbox under their tags, and what became of them is read back as from a broker: the engine
cannot tell the difference. Answers come at once, so that a session that was traded on paper can be traded again by a
backtest over its ticks, to the same end; `app.trading.far_exchange` has the same exchange with answers that take their
time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from manjha.app.trading.broker_reads import BrokerReads
from manjha.app.trading.outbox import Outgoing
from manjha.app.trading.paper_exchange import VENUE_EVENTS, PaperExchange
from manjha.domain.broker import Sent
from manjha.domain.commands import Approved, AskMargin, CallPerson, CancelOrder, ModifyOrder, ReadBroker, SubmitOrder
from manjha.domain.events import BrokerRead, ChangeAnswered, Event, MarginUnavailable, OrderFilled, SubmitAnswered
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.ticks import Tick
from manjha.engine.state import EngineState
from manjha.risk.gate import DayRules
from manjha.simulator.tick_market import TickMarket


class PaperBroker:
    """Implements `app.trading.trader.Link` over a simulated exchange, which answers at once."""

    def __init__(self, exchange: PaperExchange, tell: Callable[[CallPerson], None]) -> None:
        self._exchange = exchange
        self._tell = tell
        self._reads = BrokerReads()

    # ---- what goes out

    def send(self, outgoing: Outgoing, now_ns: TsNs) -> Iterator[Event]:
        """Hand a command to the exchange; its answer and what it changed come back at once."""
        exchange = self._exchange
        match outgoing.command.command:
            case SubmitOrder() as asked:
                outcome = exchange.submit(Approved(asked), now_ns)
                yield SubmitAnswered(asked.order.id, outcome, now_ns)
            case ModifyOrder() as asked:
                outcome = exchange.modify(Approved(asked), outgoing.broker_id, now_ns)
                yield ChangeAnswered(asked.order_id, False, outcome, now_ns)  # noqa: FBT003 - no cancel
            case CancelOrder() as asked:
                outcome = exchange.cancel(Approved(asked), outgoing.broker_id, now_ns)
                yield ChangeAnswered(asked.order_id, True, outcome, now_ns)  # noqa: FBT003 - a cancel
        if isinstance(outcome, Sent):
            yield self._changed(now_ns)

    def read(self, asked: ReadBroker, now_ns: TsNs) -> Iterator[Event]:
        """Show everything: what is new of orders and trades, and all positions."""
        del asked
        exchange = self._exchange
        yield self._reads.event(exchange.orders(), exchange.trades(), exchange.positions(), now_ns)

    def ask_margin(self, asked: AskMargin, now_ns: TsNs) -> Iterator[Event]:
        """Answer at once that the model is the exchange's own."""
        yield MarginUnavailable(asked.order.id, "the exchange is in this process", now_ns)

    def call(self, person: CallPerson) -> None:
        """Call a person."""
        self._tell(person)

    # ---- what the exchange says

    def shown(self, event: Event) -> Event:
        """Return what a broker shows of an event of the exchange; other events as they are."""
        if not isinstance(event, VENUE_EVENTS):
            return event
        self._exchange.see((event,))
        return self._changed(event.fill.ts_ns if isinstance(event, OrderFilled) else event.ts_ns)

    def _changed(self, now_ns: TsNs) -> BrokerRead:
        """Return what is new, without positions: they are compared when somebody asks."""
        event = self._reads.event(self._exchange.orders(), self._exchange.trades(), None, now_ns)
        return msgspec.structs.replace(event, whole=False)

    def new_day(self) -> None:
        """Begin a book of the day, as brokers do; what is still open goes on."""
        self._reads.new_day()
        self._exchange.new_day()


class PaperMarket(TickMarket):
    """What surrounds a paper trader: the exchange's events, as a broker shows them."""

    def __init__(self, state: EngineState, exchange: PaperExchange, broker: PaperBroker) -> None:
        super().__init__(state, exchange.venue)
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

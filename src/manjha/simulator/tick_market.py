"""What surrounds the engine in a run over ticks: the simulated exchange and its clearing side, for `engine.pump`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from manjha.domain.actions import CorporateAction
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, Output, SubmitOrder
from manjha.domain.events import Event, SessionClosed
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TradingDay, TsNs
from manjha.domain.ticks import Tick
from manjha.engine.state import EngineState
from manjha.orders.reading import as_billed
from manjha.ports.venue import Venue
from manjha.risk.gate import DayRules
from manjha.simulator.clearing import actions_of, contract_notes, expiries
from manjha.simulator.tick_venue import TickVenue


class Clearing:
    """The clearing side alone, where orders trade elsewhere. `has_notes` false leaves charges as booked by fill."""

    def __init__(self, state: EngineState, actions: Sequence[CorporateAction] = (), *, has_notes: bool = True) -> None:
        self.state = state
        self._actions = actions
        self._has_notes = has_notes

    def before_open(self, day: TradingDay, ts_ns: TsNs) -> Iterator[Event]:
        """Yield the corporate actions of a day."""
        yield from actions_of(self._actions, day, ts_ns)

    def opened(self, today: Mapping[InstrumentId, DayRules]) -> Iterable[int]:
        """Need no further moment."""
        del today
        return ()

    def at(self, ts_ns: TsNs) -> Iterator[Event]:
        """Yield nothing."""
        del ts_ns
        yield from ()

    def on_tick(self, tick: Tick) -> Iterable[Event]:
        """Trade nothing."""
        del tick
        return ()

    def close_day(self, day: TradingDay, ts_ns: TsNs) -> Iterator[Event]:
        """Yield expiries, the contract note and the session's end."""
        state = self.state
        ledger = state.portfolio.ledger
        notes = self._has_notes and len(state.record_fills) > state.today_fills
        # What an expiry costs is not in the contract note and stays booked beside it.
        booked = {strategy: ledger.charged_today(strategy) for strategy in ledger.day_lines} if notes else {}
        yield from expiries(tuple(state.instruments.values()), day, state.marks, ts_ns)
        if notes:
            records = state.book.records
            fills = [as_billed(records[one.order_id].order, one) for one in state.record_fills[state.today_fills :]]
            yield from contract_notes(state.rules, day, fills, state.instruments, booked, ts_ns)
        yield SessionClosed(day, ts_ns)


class TickMarket(Clearing):
    """A simulated exchange over ticks, and its clearing side."""

    def __init__(
        self,
        state: EngineState,
        venue: TickVenue,
        actions: Sequence[CorporateAction] = (),
        *,
        has_notes: bool = True,
    ) -> None:
        super().__init__(state, actions, has_notes=has_notes)
        self.venue = venue

    def before_open(self, day: TradingDay, ts_ns: TsNs) -> Iterator[Event]:
        """Yield the corporate actions of a day; then the day's bands are set."""
        yield from super().before_open(day, ts_ns)
        self.venue.set_bands(self.state.marks)

    def opened(self, today: Mapping[InstrumentId, DayRules]) -> Iterable[int]:
        """Take over the day's sessions; return when closing auctions end."""
        self.venue.open_day(today)
        return self.venue.auction_ends()

    def on_tick(self, tick: Tick) -> Iterable[Event]:
        """Give what a tick trades."""
        return self.venue.on_tick(tick)

    def at(self, ts_ns: TsNs) -> Iterator[Event]:
        """Yield what the closing auctions trade that end now."""
        yield from self.venue.close_auction(ts_ns)

    def close_day(self, day: TradingDay, ts_ns: TsNs) -> Iterator[Event]:
        """Yield the orders that end with the day, then what the clearing side brings."""
        yield from self.venue.close_day()
        yield from super().close_day(day, ts_ns)


def answers_of(venue: Venue) -> Callable[[Output, TsNs], Iterable[Event]]:
    """Return an exchange in the same thread as what takes the engine's outputs; a refusal is on record already."""
    take: dict[type, Callable[[Any, TsNs], Iterable[Event]]] = {
        SubmitOrder: venue.submit,
        CancelOrder: venue.cancel,
        ModifyOrder: venue.modify,
    }

    def answer(output: Output, now_ns: TsNs) -> Iterable[Event]:
        return take[type(output.command)](output, now_ns) if isinstance(output, Approved) else ()

    return answer

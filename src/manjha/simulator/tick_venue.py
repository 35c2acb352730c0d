"""The exchange as a pure model, tick by tick: the rule book of `docs/fill-rules.md`, its rows for ticks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from manjha.domain.errors import UsageError
from manjha.domain.events import Event, OrderCancelled
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.orders import Order, OrderId, OrderType, Validity
from manjha.domain.ticks import Tick
from manjha.risk.gate import DayRules
from manjha.simulator.book import InstrumentBook, Resting
from manjha.simulator.fills import LimitFill, MarketFill, VenueModels
from manjha.simulator.slippage import NoSlippage
from manjha.simulator.tick_book import TickBook, TickReach
from manjha.simulator.venue import Venue

_IOC = Validity.IOC


class BookState(msgspec.Struct):
    """What of one book outlives a restart: what rests, in its order, and how many ticks it has met."""

    resting: list[Resting]
    number: int
    band_low: int
    band_high: int
    auction_px: int
    auction_volume: int


class VenueState(msgspec.Struct):
    """What of the venue outlives a restart between two ticks; `active` are the books with orders, in their turn."""

    books: dict[InstrumentId, BookState]
    active: list[InstrumentId]
    fill_seq: int
    dry: list[OrderId]


class TickVenue(Venue):
    """Implements `ports.venue.Venue` over ticks, which `on_tick` brings in the order of time.

    An order meets the first tick that comes after it and is stamped when it has arrived, latency included, or later.
    What comes in answer to a fill meets the next tick. `FillRules.path` has no meaning here: a tick has no inside.

    Raises
    ------
    UsageError
        Fills at the deciding close: between ticks no close can be traded at.
    """

    def __init__(self, instruments: Sequence[Instrument], models: VenueModels) -> None:
        if models.rules.market is MarketFill.DECIDING_CLOSE:
            raise UsageError(
                "over ticks a market order trades at the next tick, not at the deciding close",
                hint="Leave out --fill close, or run on bars.",
            )
        self.rules = models.rules
        self.slippage = models.slippage
        self.latency_ns = models.latency_ns
        self.bands = models.bands
        self._ticked = {i.id: TickBook(i) for i in instruments}
        self.books: dict[InstrumentId, InstrumentBook] = dict(self._ticked)
        self.active: dict[InstrumentId, InstrumentBook] = {}
        self.fill_seq = 0
        self.dry: set[OrderId] = set()
        self.today: Mapping[InstrumentId, DayRules] = {}
        self.has_auctions = False
        self._resting_entries: dict[OrderId, OrderType] = {}
        self._immediate = False
        penetrates = models.rules.limit is LimitFill.PENETRATION
        self._reach = TickReach(False, penetrates, models.rules.participation_ppm)  # noqa: FBT003 - as `reach_of`
        self._participation = models.rules.participation_ppm
        self._plain_close = False
        self._first = 1
        self._slips = not isinstance(models.slippage, NoSlippage)

    def rest_again(self, order: Order, left: int, now_ns: TsNs) -> None:
        """Put an order into the book that rested there before a restart; it has its place in the queue anew.

        `order` has its present terms, `left` is what may still trade.
        """
        if order.exits is not None and order.type is not OrderType.MARKET:
            self._resting_entries[order.id] = order.type
        resting = Resting(order, left, order.limit, order.trigger, now_ns + self.latency_ns)
        self._enter(self.books[order.instrument], resting)

    def state(self) -> VenueState:
        """Return what a restored venue goes on with, between two ticks."""
        books = {
            name: BookState(
                list(book.orders.values()), book.tick.number, book.band_low, book.band_high, book.auction_px,
                book.auction_volume,
            )
            for name, book in self._ticked.items()
        }  # fmt: skip
        return VenueState(books, list(self.active), self.fill_seq, sorted(self.dry))

    def restore(self, state: VenueState) -> None:
        """Go on where a venue of the same instruments stopped; its day has been opened."""
        self.fill_seq, self.dry = state.fill_seq, set(state.dry)
        for name, kept in state.books.items():
            book = self._ticked[name]
            book.orders = {one.order.id: one for one in kept.resting}
            book.tick.number = kept.number
            book.band_low, book.band_high = kept.band_low, kept.band_high
            book.auction_px, book.auction_volume = kept.auction_px, kept.auction_volume
            self._immediate |= any(one.order.validity is _IOC for one in kept.resting)
        self.active = {name: self.books[name] for name in state.active}

    def open_day(self, today: Mapping[InstrumentId, DayRules]) -> None:
        """Take over today's sessions."""
        super().open_day(today)
        for book in self._ticked.values():
            book.auction_px = book.auction_volume = 0

    def on_tick(self, tick: Tick) -> Iterable[Event]:
        """Match what rests in an instrument against one tick; outside continuous trading nothing trades."""
        book = self._ticked[tick.instrument]
        # A generator for each tick that meets nothing would be most of what such a tick costs.
        return self._meet(book, tick) if book.orders else ()

    def auction_ends(self) -> Sequence[int]:
        """Return when today's closing auctions end, ascending."""
        return sorted({rules.auction_end_ns for rules in self.today.values()} - {0})

    def close_auction(self, end_ns: TsNs) -> Iterator[Event]:
        """Trade what may take part in the closing auctions that end now, each at the last price of its auction."""
        for book in list(self._ticked.values()):
            session = self.today.get(book.instrument.id)
            if session is None or session.auction_end_ns != end_ns or not book.auction_px:
                continue
            row = book.show(end_ns, book.auction_px, book.auction_volume)
            book.matching_ns = end_ns
            yield from self._auction(book, row)

    def _meet(self, book: TickBook, tick: Tick) -> Iterator[Event]:
        session = self.today.get(tick.instrument)
        if session is None or tick.ts_ns < session.open_ns:
            return
        if tick.ts_ns >= session.close_ns:
            if session.auction_start_ns <= tick.ts_ns < session.auction_end_ns:
                book.auction_px = tick.px
                book.auction_volume += tick.volume
            return
        row = book.show(tick.ts_ns, tick.px, tick.volume)
        yield from self._match(book, row, self._open_candidate, tick.ts_ns)

    def _end_immediate(self, book: InstrumentBook, opened_ns: TsNs) -> Iterator[Event]:
        """Cancel what met its first tick and did not trade at once."""
        for resting in list(book.orders.values()):
            if resting.order.validity is _IOC and resting.since_ns <= opened_ns and resting.row != book.matching_row:
                self._leave(book, resting)
                yield OrderCancelled(resting.order.id, opened_ns, "not traded at once (IOC)")

    def _enter(self, book: InstrumentBook, resting: Resting) -> None:
        resting.row = book.matching_row
        super()._enter(book, resting)

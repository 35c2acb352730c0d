"""The one market that all accounts share: ticks come in, the venue matches, and each instrument has its standing."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.errors import UsageError
from manjha.domain.events import Event
from manjha.domain.instrument import Asset, Instrument, InstrumentId, Kind
from manjha.domain.moments import SECOND_NS, TradingDay, TsNs
from manjha.domain.money import Px, Qty
from manjha.domain.orders import Order, OrderId
from manjha.domain.ticks import Tick
from manjha.engine.sessions import CalendarSessions
from manjha.exchange.agenda import NEVER
from manjha.exchange.market.listing import Listing
from manjha.exchange.market.sources import DaySource
from manjha.market.calendar import is_trading_day
from manjha.market.rules import MarketRules
from manjha.market.sessions import Session, session
from manjha.risk.gate import DayRules
from manjha.simulator.fills import FillRules, VenueModels
from manjha.simulator.tick_venue import TickVenue, VenueState

WIDE, TIGHT = 200_000_000, 100_000_000
"""Daily bands in 1e-9: shares without derivatives, and everything else that has one (fact sheet 2.3.8)."""
REFERENCE_NS = 30 * SECOND_NS
"""Limit price protection refers to the trades of the last 30 s."""
AUCTION_SHARE = 20
"""Where no tick of a closing auction is known, it trades a twentieth of the day's volume at the last price."""


class Standing(msgspec.Struct, gc=False):
    """How an instrument stands today. Prices in 1e-4 rupee, quantities in units, 0 for nothing yet.

    `close` is the previous session's. `turnover` is the sum of price × quantity. `band_low` and `band_high` are the
    """

    close: int = 0
    last: int = 0
    open: int = 0
    high: int = 0
    low: int = 0
    volume: int = 0
    turnover: int = 0
    last_qty: int = 0
    last_ns: int = 0
    band_low: int = 0
    band_high: int = 0

    def take(self, tick: Tick) -> None:
        """Take the next tick."""
        px = tick.px
        if not self.open:
            self.open = self.high = self.low = px
        elif px > self.high:
            self.high = px
        elif px < self.low:
            self.low = px
        self.last, self.last_ns = px, tick.ts_ns
        if tick.volume:
            self.last_qty = tick.volume
            self.volume += tick.volume
            self.turnover += px * tick.volume


class RecentTrades:
    """What an instrument traded in the last 30 s: limit price protection refers to its average price."""

    __slots__ = ("_qty", "_trades", "_value")

    def __init__(self) -> None:
        self._trades: deque[tuple[int, int, int]] = deque()
        self._qty = self._value = 0

    def add(self, tick: Tick) -> None:
        """Count a trade."""
        self._forget(tick.ts_ns)
        self._trades.append((tick.ts_ns, tick.px, tick.volume))
        self._qty += tick.volume
        self._value += tick.px * tick.volume

    def average(self, now_ns: int) -> int:
        """Return the average price up to a moment; 0 where nothing traded."""
        self._forget(now_ns)
        return self._value // self._qty if self._qty else 0

    def state(self) -> list[tuple[int, int, int]]:
        """Return the trades that count still, or did when last asked: moment, price and quantity."""
        return list(self._trades)

    def restore(self, trades: Iterable[tuple[int, int, int]]) -> None:
        """Go on with the trades of before."""
        self._trades = deque(trades)
        self._qty = sum(qty for _, _, qty in self._trades)
        self._value = sum(px * qty for _, px, qty in self._trades)

    def _forget(self, now_ns: int) -> None:
        trades = self._trades
        while trades and now_ns - trades[0][0] > REFERENCE_NS:
            _, px, qty = trades.popleft()
            self._qty -= qty
            self._value -= px * qty


class MarketState(msgspec.Struct):
    """What of the market is kept: the day, how many of its ticks were taken, and what they and the orders left."""

    day: TradingDay
    taken: int
    standings: dict[InstrumentId, Standing]
    recent: dict[InstrumentId, list[tuple[int, int, int]]]
    relisted: dict[InstrumentId, tuple[str, int]]
    venue: VenueState


class Market:
    """The market of the day. Times are moments of the exchange's own clock.

    `frozen` are instruments that stand at a circuit limit, whatever their ticks say, each with its price. `taken`
    counts the ticks of the day. `relisted` have another symbol and token than the source says.
    """

    def __init__(self, rules: MarketRules, source: DaySource, fills: FillRules | None = None) -> None:
        self.rules = rules
        self.source = source
        self.listing = Listing(source.instruments)
        bands = {one.id: fraction for one in source.instruments if (fraction := band_fraction(one))}
        self.venue = TickVenue(source.instruments, VenueModels(rules=fills or FillRules(), bands=bands))
        self.standings = {one.id: Standing() for one in source.instruments}
        self._recent = {one.id: RecentTrades() for one in source.instruments if one.is_derivative}
        self.sessions: dict[InstrumentId, Session] = {}
        self.today: Mapping[InstrumentId, DayRules] = {}
        self.day = TradingDay(-1)
        self.frozen: dict[InstrumentId, int] = {}
        self.relisted: dict[InstrumentId, tuple[str, int]] = {}
        self.taken = 0
        self._ticks: Iterator[Tick] = iter(())
        self._next: Tick | None = None

    # ---- the day

    def begin_day(self, day: TradingDay) -> None:
        """Lay out a day: sessions, previous closes, circuit limits, and its ticks from the start."""
        self.day = day
        self.frozen.clear()
        listed = [one for one in self.source.instruments if one.expiry is None or one.expiry >= day]
        self.listing = Listing(listed).changed(self.relisted)
        trading = [one for one in listed if is_trading_day(self.rules, day, one.exchange)]
        self.sessions = {one.id: session(self.rules, one, day) for one in trading}
        calendar = CalendarSessions(self.rules, 0)
        self.today = {one.id: calendar.rules_of(one, day) for one in trading}
        closes = self.source.closes(day)
        for name, before in self.standings.items():
            self.standings[name] = Standing(close=closes.get(name, before.last or before.close))
        self.venue.open_day(self.today)
        self.venue.set_bands({name: standing.close for name, standing in self.standings.items()})
        for name, book in self.venue.books.items():
            self.standings[name].band_low, self.standings[name].band_high = book.band_low, book.band_high
        self.taken = 0
        self._ticks = self.source.ticks(day)
        self._next = next(self._ticks, None)

    def ends(self) -> Sequence[int]:
        """Return when instruments end their day, ascending."""
        return sorted({_end(one) for one in self.today.values()})

    def ending(self, end_ns: int) -> tuple[InstrumentId, ...]:
        """Return the instruments whose day ends at a moment."""
        return tuple(name for name, one in self.today.items() if _end(one) == end_ns)

    def close_day(self, names: Iterable[InstrumentId]) -> list[Event]:
        """Cancel what is left of the DAY orders of instruments that have ended."""
        venue = self.venue
        venue.today = {name: self.today[name] for name in names}
        events = list(venue.close_day())
        venue.today = self.today
        return events

    def close_auctions(self, end_ns: TsNs) -> list[Event]:
        """Trade the closing auctions that end now; without a tick of theirs, at the last price."""
        for name, one in self.today.items():
            book, standing = self.venue.books[name], self.standings[name]
            if one.auction_end_ns == end_ns and not book.auction_px and standing.last:  # type: ignore[attr-defined]
                book.auction_px = standing.last  # type: ignore[attr-defined]
                book.auction_volume = standing.volume // AUCTION_SHARE  # type: ignore[attr-defined]
        return list(self.venue.close_auction(end_ns))

    # ---- ticks

    def next_ns(self) -> int:
        """Return when the next tick comes, `NEVER` where there is none today any more."""
        return NEVER if self._next is None else self._next.ts_ns

    def take_tick(self) -> tuple[Tick, Iterable[Event]]:
        """Take the next tick: the standing follows, and what rests meets it. Only where `next_ns` names one."""
        tick = self._next
        assert tick is not None  # noqa: S101 - by the contract
        self._next = next(self._ticks, None)
        self.taken += 1
        if self.frozen and tick.instrument in self.frozen:
            tick = msgspec.structs.replace(tick, px=Px(self.frozen[tick.instrument]))
        self.standings[tick.instrument].take(tick)
        recent = self._recent.get(tick.instrument)
        if recent is not None:
            recent.add(tick)
        return tick, self.venue.on_tick(tick)

    def reference(self, instrument: InstrumentId, now_ns: int) -> int:
        """Return what limit price protection refers to, in 1e-4 rupee: the average of 30 s, else the last price."""
        recent = self._recent.get(instrument)
        return (recent.average(now_ns) if recent is not None else 0) or self.standings[instrument].last

    # ---- what is kept

    def state(self) -> "MarketState":
        """Return what a restored market goes on with."""
        recent = {name: trades.state() for name, trades in self._recent.items()}
        return MarketState(self.day, self.taken, self.standings, recent, self.relisted, self.venue.state())

    def restore(self, state: "MarketState") -> None:
        """Go on where a market of the same source stopped. Raises `UsageError` where its ticks are others."""
        self.relisted = state.relisted
        if state.day >= 0:
            self.begin_day(state.day)
            for _ in range(state.taken):
                tick, self._next = self._next, next(self._ticks, None)
            self.taken = state.taken
            latest_ns = max(one.last_ns for one in state.standings.values())
            if state.taken and (tick is None or tick.ts_ns != latest_ns):
                raise UsageError(
                    "the state was saved with another market",
                    hint="Serve it with the --seed and --ticks-per-bar of then.",
                )
        self.standings = state.standings
        for name, trades in state.recent.items():
            self._recent[name].restore(trades)
        self.venue.restore(state.venue)

    def relist(self, rows: Mapping[InstrumentId, tuple[str, int]]) -> None:
        """List instruments under another symbol and token from now on."""
        self.relisted |= rows
        self.listing = self.listing.changed(rows)

    # ---- orders

    def submit(self, order: Order, now_ns: TsNs) -> Sequence[Event]:
        """Hand an order to the venue. What a client sends has no gate of ours before it: this is the other side."""
        events = self.venue.submit(Approved(SubmitOrder(order)), now_ns)
        self._of_the_day(order)
        return events

    def modify(self, order_id: str, qty: int, limit: int, trigger: int, now_ns: TsNs) -> Sequence[Event]:
        """Give a resting order new terms; no event where it does not rest any more."""
        return self.venue.modify(Approved(ModifyOrder(OrderId(order_id), Qty(qty), Px(limit), Px(trigger))), now_ns)

    def cancel(self, order_id: str, now_ns: TsNs) -> Sequence[Event]:
        """Take an order out of the venue's book; no event where it does not rest any more."""
        return self.venue.cancel(Approved(CancelOrder(OrderId(order_id))), now_ns)

    def replace(self, order: Order, left: int, now_ns: TsNs) -> None:
        """Let a resting order rest again on other terms; it loses its place in the queue."""
        self.cancel(order.id, now_ns)
        self.venue.rest_again(order, left, now_ns)
        self._of_the_day(order)

    def _of_the_day(self, order: Order) -> None:
        """Let an order of the closing auction take part in it, and end with the day as all others.

        In a run of ours what is asked for after continuous trading waits for the next day; here a client asks for it
        in the auction's own phase, or it would have been refused.
        """
        resting, today = self.venue.books[order.instrument].orders.get(order.id), self.today.get(order.instrument)
        if resting is not None and today is not None:
            resting.since_ns = min(resting.since_ns, today.close_ns - 1)

    def is_triggered(self, instrument: InstrumentId, order_id: str) -> bool:
        """Tell whether a resting stop has been triggered and rests as a limit order now."""
        resting = self.venue.books[instrument].orders.get(OrderId(order_id))
        return resting is not None and resting.trigger == 0


def band_fraction(one: Instrument) -> int:
    """Return the fraction of an instrument's daily band in 1e-9; 0 for none (options, indices)."""
    if one.kind in (Kind.OPTION, Kind.INDEX) or one.asset is Asset.CURRENCY:
        return 0
    return TIGHT if one.has_derivatives or one.kind is Kind.FUTURE else WIDE


def _end(one: DayRules) -> int:
    return one.auction_end_ns or one.close_ns

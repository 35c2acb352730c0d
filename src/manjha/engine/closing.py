"""Where the bars of a run over ticks come from: made as the ticks come, or known from the start."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from manjha.domain.bars import Bar
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TradingDay
from manjha.domain.ticks import Tick
from manjha.engine.state import EngineState
from manjha.engine.tick_bars import NEVER, Key, TickBars, Windows
from manjha.market.calendar import is_trading_day
from manjha.market.rules import MarketRules
from manjha.market.sessions import session
from manjha.strategy.growing import GrowingTimeline

HoursOf = Callable[[TradingDay], Mapping[InstrumentId, Windows]]
"""The hours of continuous trading of each instrument that trades on a day."""
Closed = Sequence[tuple[Key, Bar]]
Told = Callable[[int, Closed, Closed], None]
"""Hears of the bars of a moment: those made of ticks, and those that have candles of a broker in them."""
Aside = Callable[[int, Closed], tuple[Closed, Closed]]
"""Is given the bars that ticks have made at a moment; returns those to be seen now, and such with candles in them."""


def hours_of(rules: MarketRules, instruments: Iterable[Instrument]) -> HoursOf:
    """Return the calendar's hours of those instruments that trade on the day asked for, indices included."""
    listed = tuple(instruments)

    def hours(day: TradingDay) -> Mapping[InstrumentId, Windows]:
        return {one.id: session(rules, one, day).windows for one in listed if _trades(rules, one, day)}

    return hours


def tick_hours(rules: MarketRules, instruments: Iterable[Instrument]) -> Callable[[InstrumentId, TradingDay], Windows]:
    """Return when ticks of an instrument count on a day: its hours and its closing auction, for `TickGate`."""
    listed = {one.id: one for one in instruments}

    def hours(name: InstrumentId, day: TradingDay) -> Windows:
        one = listed.get(name)
        if one is None or not _trades(rules, one, day):
            return ()
        held = session(rules, one, day)
        auction = [(held.close_ns, held.day_close_ns)] if held.day_close_ns > held.close_ns else []
        return [*held.windows, *auction]

    return hours


def _trades(rules: MarketRules, one: Instrument, day: TradingDay) -> bool:
    return is_trading_day(rules, day, one.exchange) and (one.expiry is None or one.expiry >= day)


class GrowingBars:
    """Makes bars of ticks and lets the timeline grow by them.

    `watch` is shown the bars of each moment before they are on the timeline and the engine sees them; `ask` is
    called with each new position after that, for strategies that state whole columns. `hours` and `keys` are those of
    the series.
    """

    def __init__(
        self,
        state: EngineState,
        timeline: GrowingTimeline,
        hours: HoursOf,
        ask: Callable[[int], None] | None = None,
        watch: Told | None = None,
    ) -> None:
        self._state = state
        self._timeline = timeline
        self.hours = hours
        self._ask = ask
        self._watch = watch
        self._aside: Aside | None = None
        self._bars = TickBars(timeline.series)
        self.keys = tuple(timeline.series)
        self.stop_at, self.forget = self._bars.stop_at, self._bars.forget

    def watch(self, told: Told) -> None:
        """Have somebody told of the bars of each moment, from now on."""
        self._watch = told

    def divert(self, aside: Aside) -> None:
        """Have somebody choose what of the bars that close is seen at once; what is not is theirs to give later."""
        self._aside = aside

    @property
    def next_ns(self) -> int:
        """When the next bar closes."""
        return self._bars.next_ns

    def close(self, ts_ns: int) -> bool:
        """Put the bars that close at a moment on the timeline; tell whether it has a new position."""
        closed = self._bars.close(ts_ns)
        if self._aside is None:
            return self.give(ts_ns, closed)
        return self.give(ts_ns, *self._aside(ts_ns, closed))

    def give(self, ts_ns: int, closed: Closed, fetched: Closed = (), *, late: bool = False) -> bool:
        """Show bars of a moment to who watches, and put them on the timeline; nothing is decided on `late` ones."""
        if not closed and not fetched:
            return False
        if self._watch is not None:
            self._watch(ts_ns, closed, fetched)
        return (self.stand if late else self.grow)(ts_ns, [*closed, *fetched])

    def grow(self, ts_ns: int, closed: Closed) -> bool:
        """Put bars on the timeline that closed at a moment; tell whether it has a new position."""
        is_new = self.stand(ts_ns, closed)
        if is_new and self._ask is not None:
            self._ask(len(self._timeline) - 1)
        return is_new

    def stand(self, ts_ns: int, closed: Closed) -> bool:
        """Put bars on the timeline about which everything is decided; else as `grow`."""
        is_new = self._timeline.append(ts_ns, closed)
        ctx = self._state.ctx
        ctx.warmup = max(ctx.warmup, self._timeline.warmup)
        return is_new

    def first_open_ns(self, ts_ns: int) -> int:
        """Return when the first of the bars begins that are being made at a moment of the day."""
        return self._bars.first_open_ns(ts_ns)

    def count_again(self, ticks: Iterable[Tick], closed_ns: int) -> None:
        """Count ticks once more whose bars are on the timeline where they closed up to a moment."""
        bars = self._bars
        for tick in ticks:
            while bars.next_ns <= min(tick.ts_ns, closed_ns):
                bars.close(bars.next_ns)
            self.add(tick)
        while bars.next_ns <= closed_ns:
            bars.close(bars.next_ns)

    def add(self, tick: Tick) -> None:
        """Count a tick to the bars that are being made."""
        self._bars.add(tick.instrument, tick.ts_ns, tick.px, tick.volume)

    def open_day(self, day: TradingDay) -> None:
        """Take over a day's hours."""
        self._bars.open_day(self.hours(day))

    def coming(self) -> int:
        """Return the position of the bar that is being made."""
        return self._state.reached


class KnownBars:
    """The bars of a whole timeline, each closing at its time: for a backtest, which has all ticks before it begins."""

    def __init__(self, state: EngineState) -> None:
        self._state = state
        self._close_ns = state.timeline.close_ns
        self._last = len(state.timeline) - 1

    @property
    def next_ns(self) -> int:
        """When the next bar closes."""
        at = self._state.reached
        return self._close_ns[at] if at <= self._last else NEVER

    def close(self, ts_ns: int) -> bool:
        """Do nothing: the engine moves the cursor. There is always a new position."""
        return self._close_ns[self._state.reached] == ts_ns

    def add(self, tick: Tick) -> None:
        """Do nothing: the tick is in a bar already."""

    def open_day(self, day: TradingDay) -> None:
        """Do nothing."""

    def coming(self) -> int:
        """Return the position of the bar that is being made; the last one when there are no more."""
        return min(self._state.reached, self._last)

"""Bars of a time without ticks, from a broker's candles of minutes: put in their place, late, and in order.

A gap is a span of lost minutes. A bar with a lost minute in it is not believed: one that lies in the gap is made of
candles alone, one that goes on after it of candles up to the end of the gap and of ticks from there on. What closes
meanwhile is kept back until the candles are there, or will not be waited for any longer. Then everything is given in
the order of time: bars of the past are seen and not decided on, the newest one is decided on while it is fresh.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from manjha.domain.bars import MINUTE, Bar
from manjha.domain.events import BarsFilled, Event, MarketAdvanced
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import MINUTE_NS, SECOND_NS, TradingDay, TsNs, day_of
from manjha.domain.money import Px, Qty
from manjha.engine.closing import Closed, GrowingBars
from manjha.engine.state import EngineState
from manjha.engine.tick_bars import NEVER, Key, Windows, buckets


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long is waited for what, in nanoseconds of the market's time.

    `settle`: how long after its close a candle is looked at; also how long after a link was made its first snapshot may
    come, which has the gap's volume in it. `sure`: how long after its close the newest candle is whole, and a minute
    without one is one without a trade; before that two answers must agree on it. `wait`: how long after the gap bars
    are kept back at most. `fresh`: how old the newest bar may be for the strategy to decide on it.
    """

    settle: int = 2 * SECOND_NS
    sure: int = 10 * SECOND_NS
    wait: int = 20 * SECOND_NS
    fresh: int = 5 * SECOND_NS


class Lack(NamedTuple):
    """Minutes that are wanted of an instrument: those that open in [from_ns, until_ns)."""

    from_ns: TsNs
    until_ns: TsNs


class _Lost(NamedTuple):
    """A bar with a lost minute in it."""

    end: int
    key: Key
    start: int


class _Kept(NamedTuple):
    """What ticks made at a moment: whole bars, and the parts after the gap of bars that it reaches into."""

    ts_ns: int
    whole: Closed
    rests: Mapping[Key, Bar]


_Part: TypeAlias = tuple[int, Closed, Closed]
"""What is given at a moment: bars of ticks, and bars with candles in them."""


class _Gap:
    """The lost minutes [since_ns, until_ns), and what is known of them. `holds` while later bars are kept back."""

    def __init__(self, since_ns: int) -> None:
        self.since_ns, self.until_ns = since_ns, NEVER
        self.holds = True
        self.pending: list[_Lost] = []
        self.kept: list[_Kept] = []
        self.wanted: dict[InstrumentId, Lack] = {}
        self.known_ns: dict[InstrumentId, int] = {}
        self.minutes: dict[InstrumentId, list[Bar]] = {}
        self.newest: dict[InstrumentId, Bar] = {}

    def touches(self, bar: Bar) -> bool:
        """Tell whether a bar has a lost minute in it."""
        return bar.ts_close_ns > self.since_ns and bar.ts_open_ns < self.until_ns

    def knows(self, name: InstrumentId, until_ns: int = NEVER) -> bool:
        """Tell whether the lost minutes of an instrument are known, up to a moment."""
        return self.known_ns.get(name, 0) >= min(self.wanted[name].until_ns, until_ns)


class LateBars:
    """Owns the gaps of one run.

    Parameters
    ----------
    source
        Whose candles they are, as the journal has it.

    Attributes
    ----------
    patience
        How long is waited for what.
    fetched, missing
        How many bars have candles in them, and how many could not be had: they were lost, and whether anything traded
        in them is not known.
    """

    def __init__(self, state: EngineState, bars: GrowingBars, source: str, patience: Patience | None = None) -> None:
        self._state = state
        self._bars = bars
        self._source = source
        self.patience = patience or Patience()
        self._gap: _Gap | None = None
        self._hours: dict[int, Mapping[InstrumentId, Windows]] = {}
        self.fetched = self.missing = 0
        bars.divert(self._aside)

    @property
    def is_open(self) -> bool:
        """Whether ticks are missing now."""
        return self._gap is not None and self._gap.until_ns == NEVER

    @property
    def holds(self) -> bool:
        """Whether bars are kept back."""
        return self._gap is not None and self._gap.holds

    @property
    def next_ns(self) -> int:
        """When bars are given without the candles that are lacking; `NEVER` while none waits."""
        gap = self._gap
        if gap is None or not gap.holds or not gap.kept:
            return NEVER
        return max(gap.kept[0].ts_ns, gap.until_ns + self.patience.wait) if gap.until_ns != NEVER else NEVER

    def lost(self, since_ns: int) -> None:
        """Be told that ticks may be missing from a moment on. In a gap: that it goes on."""
        since_ns = since_ns // MINUTE_NS * MINUTE_NS
        self._gap = _Gap(since_ns if self._gap is None else min(since_ns, self._gap.since_ns))

    def joined(self, now_ns: TsNs) -> None:
        """Be told that ticks come again, from now on. Nothing was lost where nothing trades in the time between."""
        gap = self._gap
        if gap is None or gap.until_ns != NEVER:
            return
        until_ns = -(-(now_ns + self.patience.settle) // MINUTE_NS) * MINUTE_NS
        gap.until_ns = until_ns
        gap.pending = sorted(self._lost_bars(gap))
        if not gap.pending:
            self._gap = None
            return
        for name in dict.fromkeys(one.key[0] for one in gap.pending):
            mine = [one for one in gap.pending if one.key[0] == name]
            gap.wanted[name] = Lack(TsNs(min(one.start for one in mine)), TsNs(self._last_minute(gap, name)))
        for moment in {until_ns, *(one.end for one in gap.pending)}:
            if moment > now_ns:
                self._bars.stop_at(moment)

    def lacks(self) -> Mapping[InstrumentId, Lack]:
        """Return the minutes that are still wanted, by instrument."""
        gap = self._gap
        if gap is None or gap.until_ns == NEVER:
            return {}
        return {name: lack for name, lack in gap.wanted.items() if not gap.knows(name)}

    def take(self, name: InstrumentId, candles: Sequence[Bar], asked_ns: int) -> None:
        """Take the minutes that were asked for at a moment. What had not settled then does not count."""
        gap = self._gap
        lack = self.lacks().get(name)
        if gap is None or lack is None:
            return
        patience = self.patience
        known_ns = min((asked_ns - patience.settle) // MINUTE_NS * MINUTE_NS, lack.until_ns)
        found = [bar for bar in candles if lack.from_ns <= bar.ts_open_ns and bar.ts_close_ns <= known_ns]
        gap.minutes[name] = sorted(filter(self._trades(name), found), key=lambda bar: bar.ts_open_ns)
        newest = gap.minutes[name][-1] if gap.minutes[name] else None
        is_agreed = newest is not None and newest.ts_close_ns == known_ns and newest == gap.newest.get(name)
        if newest is not None:
            gap.newest[name] = newest
        gap.known_ns[name] = known_ns if is_agreed or asked_ns >= known_ns + patience.sure else known_ns - MINUTE_NS

    def is_due(self, now_ns: TsNs) -> bool:
        """Tell whether what was kept back may be given: the candles are there, or the time is over."""
        if not self.holds or self.is_open:
            return False
        return not self.lacks() or now_ns >= self.next_ns

    def go_on(self, now_ns: TsNs, apply: Callable[[Event], object]) -> None:
        """Give what was kept back and is due. `apply` lets the engine see an event; time has come to `now_ns`."""
        gap = self._gap
        if gap is not None and self.is_due(now_ns):
            gap.holds = False
            self._give(list(self._parts(gap, now_ns)), now_ns, apply)
            self._end_gap(now_ns)

    # ---- inside

    def _give(self, parts: Sequence[_Part], now_ns: TsNs, apply: Callable[[Event], object]) -> None:
        state, newest = self._state, -1
        for at, (ts_ns, whole, fetched) in enumerate(parts):
            if any(self._is_main(key) for key, _ in (*whole, *fetched)):
                # Where its day has ended there is nothing to be decided any more.
                is_fresh = now_ns - ts_ns <= self.patience.fresh and state.ended_day < day_of(ts_ns - 1)
                newest = at if is_fresh else -1
        first, count = state.reached, 0
        before, after = (parts, ()) if newest < 0 else (parts[:newest], parts[newest:])
        for ts_ns, whole, fetched in before:
            self._bars.give(ts_ns, whole, fetched, late=True)
            count += len(fetched)
        last = len(state.timeline)
        if last > first:
            apply(BarsFilled(first, last, count, self._source, now_ns))
        for ts_ns, whole, fetched in after:
            if self._bars.give(ts_ns, whole, fetched):
                apply(MarketAdvanced(state.reached, state.reached + 1))

    def _parts(self, gap: _Gap, now_ns: int) -> Iterator[_Part]:
        """Yield what is to be given, by moment; what is older than the last bar that was seen has no place any more."""
        kept = {one.ts_ns: one for one in gap.kept}
        gap.kept = []
        for ts_ns in sorted({*kept, *(one.end for one in gap.pending if one.end <= now_ns)}):
            one = kept.get(ts_ns, _Kept(ts_ns, (), {}))
            fetched = self._mended(gap, ts_ns, one.rests)
            if one.whole or fetched:
                yield ts_ns, one.whole, fetched

    def _mended(self, gap: _Gap, ts_ns: int, rests: Mapping[Key, Bar]) -> Closed:
        """Return the lost bars that close at a moment, made of what is known; each is done with, made or not."""
        due = [one for one in gap.pending if one.end == ts_ns]
        gap.pending = [one for one in gap.pending if one.end != ts_ns]
        made = []
        for one in due:
            name = one.key[0]
            if not gap.knows(name, NEVER if one.end > gap.until_ns else one.end):
                self.missing += 1
                continue
            minutes = gap.minutes.get(name, ())
            parts = [bar for bar in minutes if one.start <= bar.ts_open_ns and bar.ts_close_ns <= one.end]
            parts += [rests[one.key]] if one.key in rests else []
            if parts:
                made.append((one.key, _joined(one, parts)))
        self.fetched += len(made)
        return made

    def _aside(self, ts_ns: int, closed: Closed) -> tuple[Closed, Closed]:
        """Choose what of the bars that ticks have made at a moment is seen at once."""
        gap = self._gap
        if gap is None:
            return closed, ()
        whole = [(key, bar) for key, bar in closed if not gap.touches(bar)]
        if ts_ns <= gap.since_ns:
            return whole, ()
        if ts_ns == gap.until_ns:
            self._bars.forget()
        rests = {key: bar for key, bar in closed if gap.touches(bar) and bar.ts_close_ns > gap.until_ns}
        if gap.holds:
            if whole or rests:
                gap.kept.append(_Kept(ts_ns, whole, rests))
            return (), ()
        fetched = self._mended(gap, ts_ns, rests)
        self._end_gap(ts_ns)
        return whole, fetched

    def _end_gap(self, now_ns: int) -> None:
        gap = self._gap
        if gap is not None and not gap.holds and not gap.pending and now_ns >= gap.until_ns:
            self._gap = None

    def _lost_bars(self, gap: _Gap) -> Iterator[_Lost]:
        timeline = self._state.timeline
        given_ns = _last(timeline.close_ns)
        # A bar of a longer interval may have been seen where none of the run's own closed.
        seen_ns = {key: max(given_ns, _last(one.columns.ts_close_ns)) for key, one in timeline.series.items()}
        for windows, key in self._days(gap):
            for start, end in buckets(windows, key[1], gap.since_ns, gap.until_ns):
                if end > seen_ns[key]:
                    yield _Lost(end, key, start)

    def _last_minute(self, gap: _Gap, name: InstrumentId) -> int:
        """Return where the last lost minute ends in which an instrument trades."""
        spans = [
            end
            for windows, key in self._days(gap)
            if key[0] == name
            for _, end in buckets(windows, MINUTE, gap.since_ns, gap.until_ns)
        ]
        return max(spans)

    def _days(self, gap: _Gap) -> Iterator[tuple[Windows, Key]]:
        for day in range(day_of(gap.since_ns), day_of(gap.until_ns) + 1):
            hours = self._on(day)
            for key in self._bars.keys:
                if key[0] in hours:
                    yield hours[key[0]], key

    def _on(self, day: int) -> Mapping[InstrumentId, Windows]:
        if day not in self._hours:
            self._hours[day] = self._bars.hours(TradingDay(day))
        return self._hours[day]

    def _is_main(self, key: Key) -> bool:
        setup = self._state.setup
        return key[1] == setup.interval and any(one.id == key[0] for one in setup.instruments)

    def _trades(self, name: InstrumentId) -> Callable[[Bar], bool]:
        """Return what tells whether a minute lies in the hours of an instrument: candles may go on through a halt."""

        def trades(bar: Bar) -> bool:
            windows = self._on(day_of(bar.ts_open_ns)).get(name, ())
            return any(opened <= bar.ts_open_ns and bar.ts_close_ns <= close for opened, close in windows)

        return trades


def _last(moments: memoryview) -> int:
    return int(moments[len(moments) - 1]) if len(moments) else 0


def _joined(lost: _Lost, parts: Sequence[Bar]) -> Bar:
    """Return one bar of several; its open interest is zero, as that of bars of ticks."""
    return Bar(
        TsNs(lost.start),
        TsNs(lost.end),
        parts[0].open,
        Px(max(bar.high for bar in parts)),
        Px(min(bar.low for bar in parts)),
        parts[-1].close,
        Qty(sum(bar.volume for bar in parts)),
    )

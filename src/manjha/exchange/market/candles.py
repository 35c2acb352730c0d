"""Historical candles: stored bars of the days before, and of today what its ticks have made so far (2.10)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from manjha.domain.bars import Bar
from manjha.domain.errors import DataError
from manjha.domain.instrument import Instrument, InstrumentId, Kind
from manjha.domain.moments import (
    DAY_NS,
    IST,
    MINUTE_NS,
    TradingDay,
    TsNs,
    at,
    date_from_day,
    day_of,
    parse_day,
    ts_from_datetime,
)
from manjha.domain.ticks import Tick
from manjha.exchange.errors import bad_input
from manjha.exchange.events import DayBegan, ExchangeEvent
from manjha.exchange.market.sources import grown
from manjha.exchange.wire import rupees, time_only
from manjha.market.sessions import session

if TYPE_CHECKING:
    from manjha.exchange.exchange import Exchange

DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * DAY_MINUTES


class Kept(NamedTuple):
    """An interval: its minutes, and how many days one request may span."""

    minutes: int
    days: int


INTERVALS: Mapping[str, Kept] = {
    "minute": Kept(1, 60), "2minute": Kept(2, 60), "3minute": Kept(3, 100), "4minute": Kept(4, 100),
    "5minute": Kept(5, 100), "10minute": Kept(10, 100), "15minute": Kept(15, 200), "30minute": Kept(30, 200),
    "60minute": Kept(60, 400), "hour": Kept(60, 400), "2hour": Kept(120, 400), "3hour": Kept(180, 400),
    "4hour": Kept(240, 400), "day": Kept(DAY_MINUTES, 2000), "week": Kept(WEEK_MINUTES, 2000),
}  # fmt: skip


class Span(NamedTuple):
    """What of an instrument is asked for: candles that open from a moment to another, both included."""

    interval: str
    first_ns: TsNs
    last_ns: TsNs


class Candles:
    """Makes candles. Of today it keeps the minute bars that ticks make."""

    def __init__(self, exchange: "Exchange") -> None:
        self._market = exchange.market
        self.today: dict[InstrumentId, list[Bar]] = {}
        exchange.tick_hearers.append(self.take)
        exchange.hearers.add(self.hear)

    def state(self) -> dict[InstrumentId, list[Bar]]:
        """Return what restored candles go on with: the minute bars of today."""
        return self.today

    def restore(self, state: dict[InstrumentId, list[Bar]]) -> None:
        """Go on where candles stopped."""
        self.today = state

    def take(self, tick: Tick) -> None:
        """Take a tick of today."""
        bars = self.today.setdefault(tick.instrument, [])
        if bars and bars[-1].ts_open_ns == tick.ts_ns // MINUTE_NS * MINUTE_NS:
            bars[-1] = grown(bars[-1], tick)
        else:
            bars.append(grown(None, tick))

    def hear(self, event: ExchangeEvent) -> None:
        """Forget the ticks of the day before: it is among the stored bars now."""
        if isinstance(event, DayBegan):
            self.today.clear()

    def of(self, one: Instrument, span: Span) -> list[Bar]:
        """Return the candles of an instrument that open within a span, the running one included."""
        minutes = INTERVALS[span.interval].minutes
        # A candle that opens in time is whole, also where it closes later.
        until = TsNs(span.last_ns + minutes * MINUTE_NS)
        bars = self._minutes(one, day_of(span.first_ns), min(TradingDay(day_of(until)), self._market.day))
        made = bars if minutes == 1 else self._folded(one, bars, minutes)
        return [bar for bar in made if span.first_ns <= bar.ts_open_ns <= span.last_ns]

    def _minutes(self, one: Instrument, first: TradingDay, last: TradingDay) -> Iterator[Bar]:
        today = self._market.day
        before = min(last, TradingDay(today - 1))
        if first <= before:
            yield from self._market.source.minutes(one.id, first, before)
        if first <= today <= last:
            yield from self.today.get(one.id, ())

    def _folded(self, one: Instrument, bars: Iterable[Bar], minutes: int) -> Iterator[Bar]:
        making: Bar | None = None
        opens: dict[int, int] = {}
        for bar in bars:
            day = day_of(bar.ts_open_ns)
            if minutes == DAY_MINUTES:
                start = int(at(day, 0))
            elif minutes == WEEK_MINUTES:
                start = int(at(_week(day), 0))
            else:
                if day not in opens:
                    opens[day] = session(self._market.rules, one, day).open_ns
                start = opens[day] + (bar.ts_open_ns - opens[day]) // (minutes * MINUTE_NS) * (minutes * MINUTE_NS)
            if making is not None and making.ts_open_ns == start:
                making = _with(making, bar)
                continue
            if making is not None:
                yield making
            making = Bar(
                TsNs(start), bar.ts_close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.oi
            )  # fmt: skip
        if making is not None:
            yield making


def span_of(interval: str, first: str, last: str) -> Span:
    """Read what is asked for. Raises `KiteError` for what cannot be read, and for a span that is too long."""
    kept = INTERVALS.get(interval)
    if kept is None:
        raise bad_input("Invalid `interval`.")
    first_ns, last_ns = _moment(first, "from", ends=False), _moment(last, "to", ends=True)
    if last_ns < first_ns:
        raise bad_input("Invalid `to`: it is before `from`.")
    if last_ns - first_ns > kept.days * DAY_NS:
        raise bad_input(f"interval exceeds max limit: {kept.days} days")
    # Candles of days and weeks open at midnight: a later `from` would lose the first one.
    first_day = _week(day_of(first_ns)) if kept.minutes == WEEK_MINUTES else day_of(first_ns)
    return Span(interval, at(first_day, 0) if kept.minutes >= DAY_MINUTES else first_ns, last_ns)


def check_continuous(one: Instrument, interval: str) -> None:
    """Raise `KiteError` where stitched contracts are not to be had: futures of NFO and MCX, by the day, alone."""
    if one.kind is not Kind.FUTURE or str(one.exchange) not in ("NFO", "MCX"):
        raise bad_input("Invalid `continuous`: continuous data is available for NFO and MCX futures only.")
    if interval != "day":
        raise bad_input("Invalid `interval`: continuous data is available for the day interval only.")


def stitched(parts: Iterable[tuple[TradingDay, list[Bar]]]) -> list[Bar]:
    """Return one series of contracts that follow each other: each day from the contract that expires next."""
    made: dict[TradingDay, Bar] = {}
    for expiry, bars in sorted(parts, key=lambda part: part[0]):
        for bar in bars:
            day = day_of(bar.ts_open_ns)
            if day <= expiry:
                made.setdefault(day, bar)
    return [made[day] for day in sorted(made)]


def shown(bar: Bar, unit: int, *, oi: bool) -> list[Any]:
    """Return a candle as it is written on the wire; stamped at its open, in IST."""
    row: list[Any] = [
        f"{date_from_day(day_of(bar.ts_open_ns))}T{time_only(bar.ts_open_ns)}+0530", rupees(bar.open),
        rupees(bar.high), rupees(bar.low), rupees(bar.close), bar.volume // unit,
    ]  # fmt: skip
    return [*row, bar.oi // unit] if oi else row


def _moment(text: str, name: str, *, ends: bool) -> TsNs:
    """Read a date, or a date and a time; a date alone at `to` stands for the end of its day."""
    words = text.strip().replace("T", " ").removesuffix("+0530").removesuffix("+05:30").strip()
    if not words:
        raise bad_input(f"Missing or empty field `{name}`")
    try:
        if " " not in words:
            day = parse_day(words)
            return TsNs(at(day, DAY_NS) - 1) if ends else at(day, 0)
        return ts_from_datetime(datetime.fromisoformat(words).replace(tzinfo=IST))
    except (DataError, ValueError):
        raise bad_input(f"Invalid `{name}`: a time like 2026-11-27 09:15:00 is expected, was {text!r}") from None


def _week(day: int) -> int:
    """Return the Monday of a day's week; day 0 was a Thursday."""
    return day - (day + 3) % 7


def _with(bar: Bar, more: Bar) -> Bar:
    return Bar(
        bar.ts_open_ns, more.ts_close_ns, bar.open, max(bar.high, more.high), min(bar.low, more.low), more.close,
        type(bar.volume)(bar.volume + more.volume), more.oi,
    )  # fmt: skip

"""What the calendar expects of a series and the store does not have."""

from collections.abc import Sequence
from itertools import groupby

from manjha.domain.bars import DAY, Interval
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import TradingDay, TsNs, at, day_of, format_day
from manjha.market.calendar import trading_days
from manjha.market.rules import MarketRules
from manjha.market.sessions import expected_opens
from manjha.ports.market_data import BarStore
from manjha.services.reports import DayGap, GapReport


def gaps(
    store: BarStore, rules: MarketRules, instrument: Instrument, interval: Interval, span: tuple[int | None, int | None]
) -> GapReport:
    """Return missing days and bars of a series.

    `span` is the first and last day, both included; None stands for where the stored series begins and ends.

    Raises
    ------
    UsageError
        Nothing is stored, or the span is empty.
    OutsideTable
        The span lies outside the market calendar.
    """
    stored = [info for info in store.series(instrument.id) if info.interval == interval]
    if not stored:
        raise UsageError(
            f"no bars of {instrument.display} of this interval are stored", hint="`manjha data list` shows what is."
        )
    first = TradingDay(span[0] if span[0] is not None else day_of(min(info.first_ns for info in stored)))
    last = TradingDay(span[1] if span[1] is not None else day_of(max(info.last_ns for info in stored)))
    if first > last:
        swap = "Swap --from and --to." if None not in span else "The stored bars do not reach into it: give both ends."
        raise UsageError(f"the span {format_day(first)} to {format_day(last)} is empty", hint=swap)
    bars = store.read(instrument.id, interval, at(first, 0), at(last + 1, 0))
    found: dict[int, set[int]] = {}
    for ts in bars.ts_open_ns:
        found.setdefault(day_of(ts), set()).add(ts)
    days = held_days(rules, instrument, first, last)
    checked = (_gap(rules, instrument, interval, day, found.get(day, set())) for day in days)
    return GapReport(
        instrument.id,
        instrument.display,
        interval,
        store.adjustment(instrument.id, interval, at(first, 0), at(last + 1, 0)),
        first,
        last,
        len(days),
        tuple(gap for gap in checked if gap is not None),
    )


def held_days(rules: MarketRules, instrument: Instrument, first: int, last: int) -> Sequence[TradingDay]:
    """Return the trading days of a span on which an instrument could trade: a contract ends with its expiry."""
    if instrument.expiry is not None:
        last = min(last, instrument.expiry)
    return trading_days(rules, first, last, instrument.exchange) if first <= last else ()


def missing_spans(
    store: BarStore,
    rules: MarketRules,
    instrument: Instrument,
    interval: Interval,
    span: tuple[int, int],
    adjustment: str = "",
) -> list[tuple[TradingDay, TradingDay]]:
    """Return the spans of trading days, both ends included, that a download in a state of adjustment should ask for.

    A day is missing if it has no bar; the last day stored also if its last bar is not the session's, as when it was
    fetched while the market was open. Minutes missing inside other days are taken to be minutes without a trade.
    """
    days = held_days(rules, instrument, *span)
    bars = store.read(instrument.id, interval, at(span[0], 0), at(span[1] + 1, 0), adjustment=adjustment)
    seen = {day_of(ts) for ts in bars.ts_open_ns}
    if len(bars) and interval != DAY and not _ends_with_session(rules, instrument, interval, bars.ts_open_ns[-1]):
        seen.discard(day_of(bars.ts_open_ns[-1]))
    runs = groupby(days, key=lambda day: day in seen)
    return [(run[0], run[-1]) for is_there, found in runs if not is_there for run in [list(found)]]


def _ends_with_session(rules: MarketRules, instrument: Instrument, interval: Interval, last_ns: int) -> bool:
    try:
        return last_ns >= expected_opens(rules, instrument, interval, day_of(last_ns))[-1]
    except DataError:
        return True


def _gap(
    rules: MarketRules, instrument: Instrument, interval: Interval, day: TradingDay, found: set[int]
) -> DayGap | None:
    if interval == DAY:
        return None if found else DayGap(day, 1, 0)
    expected = expected_opens(rules, instrument, interval, day)
    there = [ts in found for ts in expected]
    if all(there):
        return None
    runs = groupby(zip(expected, there, strict=True), key=lambda pair: pair[1])
    spans = [(run[0][0], run[-1][0]) for is_there, pairs in runs if not is_there for run in [list(pairs)]]
    return DayGap(day, len(expected), sum(there), tuple((TsNs(start), TsNs(end)) for start, end in spans))

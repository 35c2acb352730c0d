"""What is stored, for people: lists, and rows to export."""

from manjha.domain.bars import BarColumns, Interval, format_interval
from manjha.domain.errors import UsageError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TradingDay, at, day_of, format_day
from manjha.ports.market_data import BarStore, InstrumentSource
from manjha.services.reports import SeriesView

END_OF_TIME_NS = 2**62
"""Later than any bar: the year 2116."""


def list_series(
    store: BarStore, instruments: InstrumentSource, only: str = "", interval: Interval | None = None
) -> list[SeriesView]:
    """Return what is stored, by name and interval. Raises `UsageError` for an instrument that is not known."""
    wanted = instruments.find(only).id if only else None
    names = {} if only else {instrument.id: instrument.display for instrument in instruments.all()}
    views = [
        SeriesView(
            info.instrument,
            names.get(info.instrument) or _display(instruments, info.instrument),
            info.interval,
            info.adjustment,
            info.rows,
            info.first_ns,
            info.last_ns,
            tuple(info.sources),
            info.sha256,
        )
        for info in store.series(wanted)
        if interval is None or info.interval == interval
    ]
    return sorted(views, key=lambda view: (view.name, view.interval, view.adjustment))


def span_ns(span: tuple[TradingDay | None, TradingDay | None]) -> tuple[int, int]:
    """Return the moments of a span of days, both ends included; None is open."""
    first, last = span
    return at(first, 0) if first is not None else 0, at(last + 1, 0) if last is not None else END_OF_TIME_NS


def load_bars(
    store: BarStore,
    instrument: Instrument,
    interval: Interval,
    span: tuple[TradingDay | None, TradingDay | None],
    adjustment: str = "",
) -> BarColumns:
    """Return stored bars of a span of days, both ends included; None is open. Without an `adjustment` raw ones first.

    Raises
    ------
    UsageError
        The span is empty, or there are no bars in it; the message says what there is.
    """
    first, last = span
    if first is not None and last is not None and first > last:
        raise UsageError(f"the span {format_day(first)} to {format_day(last)} is empty", hint="Swap --from and --to.")
    bars = store.read(instrument.id, interval, *span_ns(span), adjustment=adjustment)
    if len(bars):
        return bars
    bars_of = f"{adjustment} bars of" if adjustment else "bars of"
    raise UsageError(
        f"no {bars_of} {instrument.display} {format_interval(interval)} are stored"
        + (f" from {format_day(first)}" if first is not None else "")
        + (f" to {format_day(last)}" if last is not None else ""),
        hint=_what_there_is(store, instrument),
    )


def _what_there_is(store: BarStore, instrument: Instrument) -> str:
    there = [
        f"{format_interval(info.interval)} ({info.adjustment}) from {format_day(day_of(info.first_ns))} to"
        f" {format_day(day_of(info.last_ns))}"
        for info in store.series(instrument.id)
    ]
    if there:
        return f"Stored is {', '.join(there)}. `manjha data import` or `manjha data fetch` adds more."
    return "Nothing of it is stored: `manjha data import PATH` or `manjha data fetch` brings it in."


def _display(instruments: InstrumentSource, name: InstrumentId) -> str:
    try:
        return instruments.get(name).display
    except UsageError:
        return name

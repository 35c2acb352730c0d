"""Where the market's ticks come from: made inside bars by chance of a seed, or recorded."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec
import numpy as np

from manjha.domain.bars import Bar, BarColumns
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import MINUTE_NS, TradingDay, TsNs, at
from manjha.domain.money import Px, Qty
from manjha.domain.ticks import Tick, TickColumns
from manjha.engine.bars import first_bars
from manjha.simulator.synthetic import ticks_within

COLUMNS = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
"""Columns of bars, in the order of a `Bar`."""


class DaySource(Protocol):
    """The ticks of a market, day by day."""

    @property
    def instruments(self) -> Sequence[Instrument]:
        """What is listed."""
        ...

    def closes(self, day: TradingDay) -> Mapping[InstrumentId, int]:
        """Return the last price before a day of what has one, in 1e-4 rupee."""
        ...

    def ticks(self, day: TradingDay) -> Iterator[Tick]:
        """Return a day's ticks of all instruments in the order of time."""
        ...

    def minutes(self, name: InstrumentId, first: TradingDay, last: TradingDay) -> Iterator[Bar]:
        """Return the minute bars of an instrument on some days, both included, oldest first."""
        ...


class BarDays(msgspec.Struct, frozen=True):
    """Ticks inside known bars, `per_bar` in each, by chance of a seed; implements `DaySource`."""

    instruments: tuple[Instrument, ...]
    bars: Mapping[InstrumentId, BarColumns]
    seed: int
    per_bar: int

    def closes(self, day: TradingDay) -> Mapping[InstrumentId, int]:
        """Return the closes of the last bars before a day."""
        found = {}
        for name, columns in self.bars.items():
            first, _ = _rows(columns, day)
            if first:
                found[name] = columns.close[first - 1]
        return found

    def ticks(self, day: TradingDay) -> Iterator[Tick]:
        """Make a day's ticks."""
        made = []
        for columns in self.bars.values():
            first, last = _rows(columns, day)
            if last > first:
                made.append(ticks_within(_slice(columns, first, last), self.seed + day, self.per_bar))
        return merged(made)

    def minutes(self, name: InstrumentId, first: TradingDay, last: TradingDay) -> Iterator[Bar]:
        """Return the known bars."""
        columns = self.bars.get(name)
        if columns is None:
            return
        begins, _ = _rows(columns, first)
        _, ends = _rows(columns, last)
        parts = [getattr(columns, part)[begins:ends].tolist() for part in COLUMNS]
        for values in zip(*parts, strict=True):
            yield Bar(*values)


class RecordedDays(msgspec.Struct, frozen=True):
    """Ticks that were recorded; implements `DaySource`."""

    instruments: tuple[Instrument, ...]
    recorded: tuple[TickColumns, ...]

    def closes(self, day: TradingDay) -> Mapping[InstrumentId, int]:
        """Return the last ticks before a day."""
        found = {}
        for columns in self.recorded:
            first = int(np.searchsorted(np.asarray(columns.ts_ns), at(day, 0)))
            if first:
                found[columns.instrument] = columns.px[first - 1]
        return found

    def ticks(self, day: TradingDay) -> Iterator[Tick]:
        """Return a day's ticks."""
        return merged([_between(columns, day, day) for columns in self.recorded])

    def minutes(self, name: InstrumentId, first: TradingDay, last: TradingDay) -> Iterator[Bar]:
        """Make minute bars of the recorded ticks."""
        return minute_bars(merged([_between(one, first, last) for one in self.recorded if one.instrument == name]))


def minute_bars(ticks: Iterable[Tick]) -> Iterator[Bar]:
    """Return the minute bars of one instrument's ticks, oldest first; a minute without a tick has none."""
    making = None
    for tick in ticks:
        start = tick.ts_ns // MINUTE_NS * MINUTE_NS
        if making is not None and making.ts_open_ns != start:
            yield making
            making = None
        making = grown(making, tick)
    if making is not None:
        yield making


def grown(bar: Bar | None, tick: Tick) -> Bar:
    """Return a minute's bar with one more tick of that minute."""
    px = tick.px
    if bar is None:
        start = tick.ts_ns // MINUTE_NS * MINUTE_NS
        return Bar(TsNs(start), TsNs(start + MINUTE_NS), px, px, px, px, tick.volume)
    return Bar(
        bar.ts_open_ns, bar.ts_close_ns, bar.open, max(bar.high, px), min(bar.low, px), px,
        Qty(bar.volume + tick.volume),
    )  # fmt: skip


def merged(columns: Sequence[TickColumns]) -> Iterator[Tick]:
    """Return the ticks of several instruments in the order of time; at the same moment in the order given."""
    if not columns:
        return
    stamps = np.concatenate([np.asarray(each.ts_ns) for each in columns])
    order = np.argsort(stamps, kind="stable")
    whose = np.concatenate([np.full(len(each), number) for number, each in enumerate(columns)])
    px, volume = (np.concatenate([np.asarray(getattr(each, name)) for each in columns]) for name in ("px", "volume"))
    parts = (stamps, px, volume)
    rows = zip(whose[order].tolist(), *(part[order].tolist() for part in parts), strict=True)
    for number, ts_ns, px, volume in rows:
        yield Tick(columns[number].instrument, TsNs(ts_ns), Px(px), Qty(volume))


def _between(columns: TickColumns, first_day: int, last_day: int) -> TickColumns:
    stamps = np.asarray(columns.ts_ns)
    first, last = (int(np.searchsorted(stamps, at(day, 0))) for day in (first_day, last_day + 1))
    return TickColumns(
        columns.instrument, columns.ts_ns[first:last], columns.px[first:last], columns.volume[first:last]
    )  # fmt: skip


def _rows(columns: BarColumns, day: int) -> tuple[int, int]:
    opens = np.asarray(columns.ts_open_ns)
    first, last = (int(np.searchsorted(opens, at(day + ahead, 0))) for ahead in (0, 1))
    return first, last


def _slice(columns: BarColumns, first: int, last: int) -> BarColumns:
    until = first_bars(columns, last)
    return msgspec.structs.replace(until, **{name: getattr(until, name)[first:] for name in COLUMNS})

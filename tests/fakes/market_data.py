"""Market data kept in memory: the simplest things that honour the ports, for tests of what stands on them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from manjha.domain.actions import CorporateAction
from manjha.domain.bars import Bar, BarColumns, Interval
from manjha.domain.errors import SourceError, UsageError
from manjha.domain.instrument import Asset, Exchange, Instrument, InstrumentId, Kind, cash_id
from manjha.domain.moments import MINUTE_NS, TradingDay, TsNs, at, parse_clock
from manjha.domain.money import Px, Qty
from manjha.ports.market_data import (
    BarBatch,
    Conflict,
    Fetched,
    FetchRequest,
    Provenance,
    Quarantined,
    SeriesInfo,
    WriteReport,
)

FIELDS = ("ts_open_ns", "ts_close_ns", "open", "high", "low", "close", "volume", "oi")
RAW = Provenance("nse", "test", "a.csv", "0" * 64, TsNs(0))
STATES = ("raw", "split", "total")
NINE_FIFTEEN = parse_clock("09:15")


def share(symbol: str = "RELIANCE", isin: str = "INE002A01018", exchange: Exchange = Exchange.NSE) -> Instrument:
    """A share, by ISIN, or by symbol where `isin` is empty."""
    return Instrument(
        id=cash_id(exchange, isin or symbol),
        symbol=symbol,
        exchange=exchange,
        kind=Kind.EQUITY,
        asset=Asset.EQUITY,
        tick=Px(500),
        isin=isin,
    )


def bars_from(start_ns: int, closes: Sequence[int], step_ns: int = MINUTE_NS) -> list[Bar]:
    """Bars one after the other with these closes."""
    opens = [TsNs(start_ns + i * step_ns) for i in range(len(closes) + 1)]
    return [
        Bar(opens[i], opens[i + 1], Px(close), Px(close + 500), Px(close - 500), Px(close), Qty(i))
        for i, close in enumerate(closes)
    ]


def minute_bars(day: int, closes: Sequence[int]) -> list[Bar]:
    """Minute bars of one day from 09:15 on."""
    return bars_from(at(day, NINE_FIFTEEN), closes)


def daily_bar(day: int, close: int) -> Bar:
    """The bar of a usual day."""
    return bars_from(at(day, NINE_FIFTEEN), [close], 375 * MINUTE_NS)[0]


def batch(rows: Mapping[Instrument, Sequence[Bar]], interval: Interval) -> BarBatch:
    """Put bars of instruments into one batch."""
    pairs = [(code, bar) for code, bars in enumerate(rows.values()) for bar in bars]
    columns = [[getattr(bar, field) for _, bar in pairs] for field in FIELDS]
    return BarBatch(interval, tuple(rows), _view([code for code, _ in pairs]), *map(_view, columns))


def listed(columns: BarColumns) -> list[Bar]:
    """Take columns apart into bars."""
    return [columns.bar(index) for index in range(len(columns))]


def _view(values: Sequence[int]) -> memoryview:
    return np.array(values, np.int64).data


class MemoryBarStore:
    """A `BarStore` of dictionaries."""

    def __init__(self) -> None:
        self._series: dict[tuple[InstrumentId, Interval, str], dict[int, Bar]] = {}
        self._sources: dict[tuple[InstrumentId, Interval, str], set[str]] = {}

    def write(self, batch: BarBatch, provenance: Provenance, *, replace: bool = False) -> WriteReport:
        added = unchanged = replaced = 0
        conflicts: list[Conflict] = []
        taken: set[tuple[InstrumentId, int]] = set()
        bad: set[int] = set()
        for row, code in enumerate(batch.instrument):
            instrument = batch.instruments[code].id
            bar = Bar(*(getattr(batch, field)[row] for field in FIELDS))
            series = self._series.setdefault((instrument, batch.interval, provenance.adjustment), {})
            known = series.get(bar.ts_open_ns)
            is_first = (instrument, bar.ts_open_ns) not in taken
            against = known or _overlapping(series, bar)
            if against is None:
                added += 1
            elif known == bar:
                unchanged += 1
                taken.add((instrument, bar.ts_open_ns))
                continue
            elif replace and known and is_first:
                replaced += 1
            else:
                bad.add(row)
                conflicts.extend(_conflicts(instrument, batch.interval, against, bar))
                continue
            taken.add((instrument, bar.ts_open_ns))
            series[bar.ts_open_ns] = bar
            self._sources.setdefault((instrument, batch.interval, provenance.adjustment), set()).add(provenance.source)
        return WriteReport(added, unchanged, tuple(conflicts), len(bad), replaced)

    def read(
        self, instrument: InstrumentId, interval: Interval, start_ns: int, end_ns: int, *, adjustment: str = ""
    ) -> BarColumns:
        state = adjustment or self.adjustment(instrument, interval, start_ns, end_ns)
        bars = self._within(instrument, interval, state, start_ns, end_ns)
        columns = (_view([getattr(bar, field) for bar in bars]) for field in FIELDS)
        return BarColumns(instrument, interval, *columns)

    def read_many(
        self,
        instruments: Sequence[InstrumentId],
        interval: Interval,
        start_ns: int,
        end_ns: int,
        *,
        adjustment: str = "",
    ) -> list[BarColumns]:
        return [self.read(name, interval, start_ns, end_ns, adjustment=adjustment) for name in instruments]

    def adjustment(self, instrument: InstrumentId, interval: Interval, start_ns: int, end_ns: int) -> str:
        states = (state for state in STATES if self._within(instrument, interval, state, start_ns, end_ns))
        return next(states, "")

    def join(self, renames: Mapping[InstrumentId, InstrumentId], provenance: Provenance) -> WriteReport:
        added = 0
        for (name, interval, state), bars in list(self._series.items()):
            if name in renames:
                del self._series[name, interval, state]
                target = self._series.setdefault((renames[name], interval, state), {})
                added += len(bars.keys() - target.keys())
                self._series[renames[name], interval, state] = bars | target
        return WriteReport(added, 0, ())

    def series(self, instrument: InstrumentId | None = None) -> list[SeriesInfo]:
        return [
            SeriesInfo(
                name,
                interval,
                len(bars),
                TsNs(min(bars)),
                TsNs(max(bars)),
                tuple(sorted(self._sources.get((name, interval, state), ()))),
                state,
                "",
            )
            for (name, interval, state), bars in sorted(self._series.items())
            if bars and instrument in (None, name)
        ]

    def verify(self) -> list[str]:
        return []

    def _within(
        self, instrument: InstrumentId, interval: Interval, state: str, start_ns: int, end_ns: int
    ) -> list[Bar]:
        series = self._series.get((instrument, interval, state), {})
        return [series[ts] for ts in sorted(series) if start_ns <= ts < end_ns]


def _overlapping(series: Mapping[int, Bar], bar: Bar) -> Bar | None:
    reaching = (one for one in series.values() if one.ts_open_ns < bar.ts_close_ns and bar.ts_open_ns < one.ts_close_ns)
    return next(reaching, None)


def _conflicts(instrument: InstrumentId, interval: Interval, stored: Bar, offered: Bar) -> Iterator[Conflict]:
    for field in FIELDS:
        there, here = getattr(stored, field), getattr(offered, field)
        if there != here:
            yield Conflict(instrument, interval, offered.ts_open_ns, field.removesuffix("_ns"), there, here)
            if field == "ts_open_ns":
                return


class MemoryActions:
    """A `CorporateActionSource` of a list."""

    def __init__(self, actions: Sequence[CorporateAction] = ()) -> None:
        self._actions = list(actions)

    def actions(self, instrument: InstrumentId) -> list[CorporateAction]:
        return sorted((a for a in self._actions if a.instrument == instrument), key=lambda a: a.ex_day)

    def put(self, actions: Sequence[CorporateAction]) -> int:
        fresh = [action for action in actions if action not in self._actions]
        self._actions.extend(fresh)
        return len(fresh)


class MemoryFiles:
    """A `Files` port over a mapping; a value that is an exception is raised."""

    def __init__(self, content: Mapping[str, bytes | Exception]) -> None:
        self._content = content

    def open_all(self, paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
        for path in paths:
            found = self._content[path.name]
            if isinstance(found, Exception):
                raise found
            yield path.name, found


class MemoryBin:
    """A `QuarantineBin` of a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, Sequence[Quarantined]] = {}

    def keep(self, sha256: str, rows: Sequence[Quarantined]) -> str:
        self.kept[sha256] = rows
        return sha256


class JumpingClock:
    """A `Clock` that is where it was told to be; waiting takes it there."""

    def __init__(self, now_ns: int) -> None:
        self.now = now_ns
        self.waits: list[int] = []

    def now_ns(self) -> TsNs:
        return TsNs(self.now)

    def wait_until(self, ts_ns: TsNs) -> None:
        self.waits.append(ts_ns)
        self.now = max(self.now, ts_ns)


Spans = Sequence[tuple[TradingDay, TradingDay]]


class ScriptedSource:
    """A `HistorySource` that gives one piece a span, made by `make`; it fails from piece `fail_at` on, from 0."""

    def __init__(self, make: Callable[[FetchRequest, int, int], bytes], fail_at: int = 1_000_000) -> None:
        self._make = make
        self.fail_at = fail_at
        self.asked: list[tuple[int, int]] = []

    @property
    def name(self) -> str:
        return "scripted"

    @property
    def adjustment(self) -> str:
        return "raw"

    def plan(self, request: FetchRequest, missing: Spans) -> int:
        return len(missing)

    def fetch(self, request: FetchRequest, missing: Spans) -> Iterator[Fetched]:
        for start, end in missing:
            if len(self.asked) >= self.fail_at:
                raise SourceError("the source does not answer", hint="Try again later.")
            self.asked.append((start, end))
            yield Fetched(f"{request.instrument.symbol}-{start}", "", self._make(request, start, end))

    def introduce(self, name: str, day: TradingDay) -> Iterator[Fetched]:
        yield from ()


class MemoryInstruments:
    """An `InstrumentSource` of a dictionary, without versions: the latest put counts."""

    def __init__(self, instruments: Sequence[Instrument] = ()) -> None:
        self._known = {instrument.id: instrument for instrument in instruments}
        self._joins: dict[InstrumentId, InstrumentId] = {}

    def get(self, instrument: InstrumentId, day: TradingDay | None = None) -> Instrument:
        found = self._known.get(self._joins.get(instrument, instrument))
        if found is None:
            raise UsageError(f"unknown instrument {instrument!r}")
        return found

    def find(self, name: str, day: TradingDay | None = None) -> Instrument:
        if InstrumentId(name) in self._known:
            return self._known[InstrumentId(name)]
        wanted = name.upper()
        for one in sorted(self._known.values(), key=lambda one: list(Exchange).index(one.exchange)):
            if wanted in (one.display.upper(), one.symbol.upper()):
                return one
        raise UsageError(f"unknown instrument {name!r}", hint=f"Did you mean {next(iter(self._known), 'anything')}?")

    def put(self, instruments: Sequence[Instrument], day: TradingDay) -> int:
        news = 0
        for one in instruments:
            if one.isin:
                by_symbol = cash_id(one.exchange, one.symbol)
                if by_symbol != one.id and by_symbol in self._known:
                    del self._known[by_symbol]
                    self._joins[by_symbol] = one.id
            news += self._known.get(one.id) != one
            self._known[one.id] = one
        return news

    def all(self) -> list[Instrument]:
        return list(self._known.values())

    def joins(self) -> Mapping[InstrumentId, InstrumentId]:
        return self._joins

"""Yahoo Finance: yfinance's CSV files, the classic download, the chart reply, and TradingView's UDF reply beside it.

Yahoo's prices are adjusted for splits ("split"); where yfinance adjusts for dividends too they are "total". Its prices
pass through float32.
"""

from typing import Any

import msgspec
import polars as pl

from manjha.adapters.formats.actions import actions_of
from manjha.adapters.formats.generic import identify, price_columns
from manjha.adapters.formats.json_tables import at, parse, table_of_columns
from manjha.adapters.formats.quarantine import Findings
from manjha.adapters.formats.reading import Reading, TableFormat, honest_errors, numbered, values
from manjha.adapters.formats.series import Conventions, Identify, read_series
from manjha.adapters.formats.sessions import SessionClock, regular_session
from manjha.adapters.formats.sketch import Sketch, is_json
from manjha.adapters.formats.stamps import Stamps, on_utc, read_stamps
from manjha.adapters.formats.typed import instrument_typed, instrument_written
from manjha.domain.errors import DataError
from manjha.domain.instrument import Instrument
from manjha.domain.moments import IST_OFFSET_NS, SECOND_NS, day_of
from manjha.ports.market_data import Imported, ImportHints

_SPLIT, _TOTAL = "split", "total"
_FIELDS = ("open", "high", "low", "close", "volume")


def _known(*, single: bool = False) -> Conventions:
    return Conventions(unit="rupees", stamps="open", single=single)


def _is_history(sketch: Sketch) -> bool:
    return sketch.has("open", "high", "low", "close", "volume", "dividends", "stocksplits")


def _read_history(reading: Reading) -> Imported:
    """Ticker.history(): with "Adj Close" the prices are as traded but for splits, without it auto-adjusted."""
    table = reading.table
    adjusted = not table.has("adjclose")
    stamps = read_stamps(table)
    frame = numbered(table, {"ts": stamps.ns, **price_columns(table)})
    extra = values(table, {"dividend": "dividends", "split": "stocksplits"})
    batch, instruments = read_series(reading, frame, stamps, identify(reading), _known(single=not adjusted))
    events = pl.DataFrame({"ts": on_utc(stamps, stamps.ns, reading), **extra}).drop_nulls("ts")
    events = events.with_columns(day=((pl.col("ts") + IST_OFFSET_NS) // (86_400 * SECOND_NS)).cast(pl.Int32))
    (instrument,) = instruments
    actions = actions_of(instrument.id, events.select("day", "dividend", "split"), reading.findings)
    return reading.imported([batch], instruments, adjustment=_TOTAL if adjusted else _SPLIT, actions=actions)


def _is_classic(sketch: Sketch) -> bool:
    return sketch.has("date", "open", "high", "low", "close", "adjclose", "volume") and not sketch.tickers


def _read_classic(reading: Reading) -> Imported:
    table = reading.table
    stamps = read_stamps(table)
    frame = numbered(table, {"ts": stamps.ns, **price_columns(table)})
    batch, instruments = read_series(reading, frame, stamps, identify(reading), _known(single=True))
    reading.findings.note("Adj Close is not used: its factors change with each dividend")
    return reading.imported([batch], instruments, adjustment=_SPLIT)


def _is_multi(sketch: Sketch) -> bool:
    return bool(sketch.tickers) and any(name.startswith("close@") for name in sketch.columns)


def _read_multi(reading: Reading) -> Imported:
    """yf.download: fields by ticker, one or many."""
    table = reading.table
    stamps = read_stamps(table)
    frames = [
        numbered(table, {"ts": stamps.ns, **_of_ticker(reading, ticker)}).with_columns(
            inst=pl.lit(place, dtype=pl.UInt32)
        )
        for place, ticker in enumerate(table.sketch.tickers)
    ]
    frame = pl.concat(frames).filter(~pl.all_horizontal(pl.col(name).is_null() for name in _FIELDS[:4]))
    adjusted = not any(name.startswith("adjclose@") for name in table.sketch.columns)
    identify_tickers = _tickers(reading, table.sketch.tickers)
    batch, instruments = read_series(reading, frame, stamps, identify_tickers, _known())
    return reading.imported([batch], instruments, adjustment=_TOTAL if adjusted else _SPLIT)


def _of_ticker(reading: Reading, ticker: str) -> dict[str, pl.Series]:
    reading.table.require(*(f"{name}@{ticker}" for name in _FIELDS[:4]))
    return values(reading.table, {name: f"{name}@{ticker}" for name in _FIELDS} | {"oi": ""})


def _tickers(reading: Reading, tickers: tuple[str, ...]) -> Identify:
    def named(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Instrument]]:
        if reading.hints.instrument and len(tickers) == 1:
            return frame, [instrument_typed(reading.hints.instrument)]
        return frame, [instrument_written(ticker) for ticker in tickers]

    return named


class ChartJson(msgspec.Struct, frozen=True):
    """The reply of Yahoo's chart service, as /v8/finance/chart gives it."""

    name: str = "yahoo-chart"
    clock: SessionClock = regular_session

    def matches(self, head: bytes) -> bool:
        """Tell by its outermost key."""
        return is_json(head) and b'"chart"' in head[:200]

    def read(self, data: bytes, file: str, hints: ImportHints) -> Imported:
        """Read a whole reply. Raises `DataError`, also for one that says it failed."""
        with honest_errors(file, self.name):
            return self._read(data, file, hints)

    def _read(self, data: bytes, file: str, hints: ImportHints) -> Imported:
        reply = parse(data, file)
        if error := at(reply, "chart", "error"):
            raise DataError(f"{file}: Yahoo's reply says: {at(error, 'description') or error}")
        result = at(reply, "chart", "result", 0)
        quote = at(result, "indicators", "quote", 0)
        if not isinstance(quote, dict) or not isinstance(at(result, "timestamp"), list):
            raise DataError(f"{file}: Yahoo's reply has no prices", hint="Ask for days on which the share traded.")
        columns = {"timestamp": at(result, "timestamp")} | {name: quote.get(name) for name in _FIELDS}
        table = table_of_columns(columns, file)
        symbol = hints.instrument or at(result, "meta", "symbol")
        if not isinstance(symbol, str) or not symbol:
            raise DataError(f"{file}: Yahoo's reply names no symbol", hint="Give --instrument NSE:RELIANCE.")
        reading = Reading(self.name, file, table, hints, self.clock, Findings(table, file))
        instrument = instrument_typed(symbol) if hints.instrument else instrument_written(symbol)
        stamps = read_stamps(table)
        frame = numbered(table, {"ts": stamps.ns, **price_columns(table)})
        batch, instruments = read_series(reading, frame, _true_utc(stamps), _only(instrument), _known(single=True))
        events = _events(at(result, "events"))
        actions = actions_of(instrument.id, events, reading.findings)
        return reading.imported([batch], instruments, adjustment=_SPLIT, actions=actions)


def _true_utc(stamps: Stamps) -> Stamps:
    return msgspec.structs.replace(stamps, zoned=True, counted=False)


def _only(instrument: Instrument) -> Identify:
    return lambda frame: (frame.with_columns(inst=pl.lit(0, dtype=pl.UInt32)), [instrument])


def _events(events: Any) -> pl.DataFrame:
    """Return splits and dividends of a chart reply by day."""
    paid = [(at(one, "date"), at(one, "amount"), 0.0) for one in (at(events, "dividends") or {}).values()]
    split = [
        (at(one, "date"), 0.0, new / old)
        for one in (at(events, "splits") or {}).values()
        if isinstance(new := at(one, "numerator"), int | float)
        and isinstance(old := at(one, "denominator"), int | float)
        and old
    ]
    rows = [
        (day_of(stamp * SECOND_NS), float(dividend), ratio)
        for stamp, dividend, ratio in (*paid, *split)
        if isinstance(stamp, int) and isinstance(dividend, int | float)
    ]
    return pl.DataFrame(rows, schema={"day": pl.Int32, "dividend": pl.Float64, "split": pl.Float64}, orient="row")


class UdfJson(msgspec.Struct, frozen=True):
    """The reply of a TradingView UDF server: lists t, o, h, l, c, v and a status s."""

    name: str = "tradingview-udf"
    clock: SessionClock = regular_session

    def matches(self, head: bytes) -> bool:
        """Tell by the one-letter keys: the first key is one of them and holds a list or the status."""
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n{")
        key, _, rest = start.partition(b":")
        is_list = rest.lstrip()[:1] == b"["
        status = key.strip() == b'"s"' and rest.lstrip()[:1] == b'"'
        return is_json(head) and (
            status or (is_list and key.strip() in {b'"t"', b'"o"', b'"h"', b'"l"', b'"c"', b'"v"'})
        )

    def read(self, data: bytes, file: str, hints: ImportHints) -> Imported:
        """Read a whole reply. Raises `DataError`, also for one whose status is not "ok"."""
        with honest_errors(file, self.name):
            return self._read(data, file, hints)

    def _read(self, data: bytes, file: str, hints: ImportHints) -> Imported:
        reply = parse(data, file)
        if at(reply, "s") not in ("ok", None):
            raise DataError(f"{file}: the reply's status is {at(reply, 's')!r}, expected 'ok'")
        missing = [name for name in ("t", "o", "h", "l", "c") if not isinstance(at(reply, name), list)]
        if missing:
            raise DataError(f"{file}: lists missing: {', '.join(missing)}")
        names = [name for name in ("t", "o", "h", "l", "c", "v") if name in reply]
        table = table_of_columns({name: reply[name] for name in names}, file)
        reading = Reading(self.name, file, table, hints, self.clock, Findings(table, file))
        stamps = read_stamps(table)
        frame = numbered(table, {"ts": stamps.ns, **price_columns(table)})
        batch, instruments = read_series(reading, frame, stamps, identify(reading), _known())
        reading.findings.note("UDF does not say whether its prices are adjusted; taken as adjusted for splits")
        return reading.imported([batch], instruments, adjustment=_SPLIT)


FORMATS = (
    TableFormat("yfinance-download", _is_multi, _read_multi),
    TableFormat("yfinance-history", _is_history, _read_history),
    TableFormat("yahoo-csv", _is_classic, _read_classic),
)
JSON = (ChartJson(), UdfJson())

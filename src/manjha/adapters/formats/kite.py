"""Zerodha's Kite: historical candles as JSON and CSV, and instrument dumps.

Candles are adjusted for splits and bonuses, not for dividends; stamps mark the open and carry +05:30.
"""

import re

import msgspec
import polars as pl

from manjha.adapters.formats import naming
from manjha.adapters.formats.dates import days
from manjha.adapters.formats.generic import SYMBOL, has_prices, identify, price_columns
from manjha.adapters.formats.json_tables import at, parse, table_of_rows
from manjha.adapters.formats.quarantine import Findings
from manjha.adapters.formats.reading import Reading, TableFormat, honest_errors, numbered, values
from manjha.adapters.formats.series import Conventions, read_series
from manjha.adapters.formats.sessions import SessionClock, regular_session
from manjha.adapters.formats.sketch import Sketch, is_json
from manjha.adapters.formats.stamps import read_stamps
from manjha.adapters.formats.typed import asset_of
from manjha.domain.errors import DataError
from manjha.domain.instrument import Exchange, Instrument
from manjha.domain.money import RUPEE, Px
from manjha.ports.market_data import Imported, ImportHints

CANDLE = ("timestamp", "open", "high", "low", "close", "volume", "oi")
_ADJUSTMENT = "split"
_KNOWN = Conventions(unit="rupees", stamps="open")
_DUMP = (
    "instrumenttoken",
    "exchangetoken",
    "tradingsymbol",
    "ticksize",
    "lotsize",
    "instrumenttype",
    "segment",
    "exchange",
)
_CURRENCY_UNITS = 1000


def _is_csv(sketch: Sketch) -> bool:
    """Kite's fields and a +05:30 stamp, no name; more decimals than Kite prints mean another source."""
    stamp = next(
        (sketch.first.get(name, "") for name in ("date", "datetime", "timestamp") if name in sketch.columns), ""
    )
    price = sketch.first.get("open", "")
    others = {*SYMBOL, "adjclose", "dividends", "stocksplits", "series", "isin"}
    return (
        has_prices(sketch)
        and sketch.has("open", "high", "low", "close", "volume")
        and not others & set(sketch.columns)
        and re.search(r"\+05:?30$", stamp) is not None
        and re.fullmatch(r"\d+(\.\d{1,4})?", price) is not None
    )


def _read_candles(reading: Reading) -> Imported:
    table = reading.table
    stamps = read_stamps(table)
    frame = numbered(table, {"ts": stamps.ns, **price_columns(table)})
    batch, instruments = read_series(reading, frame, stamps, identify(reading), _KNOWN)
    return reading.imported([batch], instruments, adjustment=_ADJUSTMENT)


class CandlesJson(msgspec.Struct, frozen=True):
    """The reply of /instruments/historical, or its list of candles alone."""

    name: str = "kite-json"
    clock: SessionClock = regular_session

    def matches(self, head: bytes) -> bool:
        """Tell by the key "candles", by a list that begins with a stamped candle, or by Kite's words of an error."""
        failed = rb'\{[^{\[]*"error_type"'
        candle = rb'\[\s*\[\s*"\d{4}-\d{2}-\d{2}T[^"]*"\s*,\s*-?[\d.]+'
        begin = head.strip(b"\xef\xbb\xbf \t\r\n")
        return is_json(head) and (b'"candles"' in head or re.match(rb"%b|%b" % (failed, candle), begin) is not None)

    def read(self, data: bytes, file: str, hints: ImportHints) -> Imported:
        """Read a whole reply. Raises `DataError`, also for one that says it failed."""
        with honest_errors(file, self.name):
            return self._read(data, file, hints)

    def _read(self, data: bytes, file: str, hints: ImportHints) -> Imported:
        reply = parse(data, file)
        if isinstance(reply, dict) and reply.get("status") == "error":
            raise DataError(f"{file}: Kite's reply says: {reply.get('message')}", hint="Download it again.")
        rows = reply if isinstance(reply, list) else at(reply, "data", "candles") or at(reply, "candles")
        table = table_of_rows(rows if rows is not None else [], CANDLE, file)
        return _read_candles(Reading(self.name, file, table, hints, self.clock, Findings(table, file)))


def _is_dump(sketch: Sketch) -> bool:
    return sketch.has(*_DUMP)


def _read_dump(reading: Reading) -> Imported:
    """Read contracts, shares and indices. A dump does not say its day: `--day`, else the caller's own."""
    table = reading.table
    table.require(*_DUMP, "name", "expiry", "strike")
    frame = numbered(
        table,
        {
            "symbol": table.text("tradingsymbol"),
            "name": table.text("name"),
            "kind": table.text("instrumenttype"),
            "segment": table.text("segment"),
            "exchange": table.text("exchange"),
            "expiry": days(table.text("expiry")),
            **values(table, {"strike": "strike", "tick": "ticksize", "lot": "lotsize"}),
        },
    )
    frame = reading.findings.split(frame.with_columns(reason=_dump_fault()))
    frame = frame.with_columns(tick=(pl.col("tick") * RUPEE).round().cast(pl.Int64), lot=pl.col("lot").cast(pl.Int64))
    known = _known_units(frame, reading)
    groups = [_indices(frame), _shares(frame, reading), *(_contracts(known, one) for one in _DERIVATIVE)]
    found = naming.all_instruments(groups)
    if not found:
        raise DataError(f"{reading.file}: no instrument in {table.rows} rows")
    return reading.imported([], found, day=reading.hints.day)


_DERIVATIVE = (Exchange.NFO, Exchange.BFO, Exchange.CDS, Exchange.BCD)


def _dump_fault() -> pl.Expr:
    contract = pl.col("kind").is_in(["FUT", "CE", "PE"])
    return (
        pl.when(pl.col("symbol") == "")
        .then(pl.lit("no trading symbol"))
        .when(~pl.col("exchange").is_in([str(one) for one in Exchange] + ["NSEIX", "GLOBAL", "NCO"]))
        .then(pl.lit("the exchange is not known"))
        .when(pl.col("lot").is_null() | pl.col("tick").is_null() | (pl.col("lot") < 0) | (pl.col("tick") < 0))
        .then(pl.lit("tick or lot is no number"))
        .when(contract & pl.col("expiry").is_null())
        .then(pl.lit("a contract without an expiry"))
        .when(pl.col("kind").is_in(["CE", "PE"]) & ~(pl.col("strike") > 0).fill_null(value=False))
        .then(pl.lit("an option without a strike"))
        .otherwise(pl.lit(None, dtype=pl.String))
    )


def _indices(frame: pl.DataFrame) -> list[Instrument]:
    rows = frame.filter((pl.col("segment") == "INDICES") & pl.col("exchange").is_in(["NSE", "BSE"]))
    return [
        naming.index(Exchange(exchange), symbol) for symbol, exchange in rows.select("symbol", "exchange").iter_rows()
    ]


def _shares(frame: pl.DataFrame, reading: Reading) -> list[Instrument]:
    """Return shares; NSE writes a series other than EQ behind the symbol. Bonds, rights and the like are left out."""
    cash = frame.filter(pl.col("exchange").is_in(["NSE", "BSE"]) & (pl.col("segment") != "INDICES"))
    split = cash.with_columns(
        series=pl.when(pl.col("exchange") == "NSE").then(pl.col("symbol").str.extract(r"-([A-Z0-9]{2})$")),
    )
    # BAJAJ-AUTO ends in four letters; a two-letter end is a series.
    kept = split.filter(
        (pl.col("series").is_null() | pl.col("series").is_in(list(naming.SHARE_SERIES)))
        & ~pl.col("symbol").str.contains(naming.RIGHTS_ENTITLEMENT)
    )
    reading.findings.leave_out(cash.height - kept.height, "rows of bonds, rights and other series")
    ranked = kept.with_columns(rank=pl.col("series").is_not_null()).sort("rank", maintain_order=True)
    rows = ranked.select("symbol", "exchange", "series", "name", "tick", "lot").iter_rows()
    return [
        msgspec.structs.replace(
            naming.share(
                Exchange(exchange), symbol.removesuffix(f"-{series}"), series=series or _plain(exchange), name=name
            ),
            tick=Px(tick) if tick else naming.TICK,
            lot=max(lot, 1),
        )
        for symbol, exchange, series, name, tick, lot in rows
    ]


def _plain(exchange: str) -> str:
    return "EQ" if exchange == "NSE" else ""


def _known_units(frame: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    """Leave out contracts whose lot in units a dump does not tell: commodities and interest-rate futures.

    It counts their lots and prints no multiplier; a wrong one would be a wrong profit. MCX's own daily file tells it.
    """
    currency = pl.col("exchange").is_in([str(Exchange.CDS), str(Exchange.BCD)])
    silent = (pl.col("exchange") == str(Exchange.MCX)) | (currency & ~pl.col("name").str.contains(r"^[A-Z]{6}$"))
    kept = frame.filter(~silent)
    what = "contracts of commodities and interest rates, whose units per lot a dump does not tell,"
    reading.findings.leave_out(frame.height - kept.height, what)
    return kept


def _contracts(frame: pl.DataFrame, exchange: Exchange) -> list[Instrument]:
    """Return contracts; where lots are counted (currency: 1,000 units a lot) the lot is the multiplier."""
    rows = frame.filter((pl.col("exchange") == str(exchange)) & pl.col("kind").is_in(["FUT", "CE", "PE"]))
    if not rows.height:
        return []
    units = _CURRENCY_UNITS if exchange in (Exchange.CDS, Exchange.BCD) else 1
    names = {name: str(asset_of(exchange, name)) for name in rows["name"].unique()}
    rows = rows.with_columns(
        underlying=pl.col("name"),
        right=pl.when(pl.col("kind") == "FUT").then(pl.lit("")).otherwise(pl.col("kind")),
        lot=pl.max_horizontal(pl.col("lot"), 1) * units,
        multiplier=pl.lit(units, dtype=pl.Int64),
        asset=pl.col("name").replace_strict(names),
    )
    numbered_rows, found = naming.contracts(rows, exchange)
    ticks = numbered_rows.unique("inst", keep="first", maintain_order=True).sort("inst")["tick"]
    return [
        msgspec.structs.replace(one, tick=Px(tick)) if tick else one for one, tick in zip(found, ticks, strict=True)
    ]


FORMATS = (
    TableFormat("kite-instruments", _is_dump, _read_dump),
    TableFormat("kite-csv", _is_csv, _read_candles),
)
JSON = (CandlesJson(),)

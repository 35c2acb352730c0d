"""Tables of open, high, low, close of any source, by the names that columns usually have."""

from collections.abc import Sequence

import polars as pl

from manjha.adapters.formats import naming
from manjha.adapters.formats.dates import days
from manjha.adapters.formats.reading import Reading, TableFormat, numbered, values
from manjha.adapters.formats.series import Conventions, Identify, read_series
from manjha.adapters.formats.sketch import Sketch
from manjha.adapters.formats.stamps import has_time, read_stamps
from manjha.adapters.formats.tabular import Table
from manjha.adapters.formats.typed import FORMS, contract, instrument_typed, instrument_written, underlying_in
from manjha.domain.errors import DataError
from manjha.domain.instrument import Exchange, Instrument, Kind, Right
from manjha.domain.moments import TradingDay
from manjha.domain.money import RUPEE, Px
from manjha.ports.market_data import Imported

_NAMES = {
    "open": ("open", "o", "openprice", "opn"),
    "high": ("high", "h", "highprice"),
    "low": ("low", "l", "lowprice"),
    "close": ("close", "c", "closeprice", "last"),
    "volume": ("volume", "v", "vol", "qty", "quantity", "totaltradedquantity", "tottrdqty"),
    "oi": ("oi", "openinterest", "openint"),
}
_PRICES = ("open", "high", "low", "close")
SYMBOL = ("symbol", "ticker", "code", "tradingsymbol", "scrip", "stock", "instrument", "name")
_RIGHT = ("optiontype", "right", "optntp", "opttype", "cepe")


def has_prices(sketch: Sketch) -> bool:
    """Tell whether there are a time and four prices."""
    return not missing(sketch)


def missing(sketch: Sketch) -> list[str]:
    """Return which of a time and the four prices are not among the columns."""
    prices = [price for price in _PRICES if not any(name in sketch.columns for name in _NAMES[price])]
    return prices if has_time(sketch.columns) else ["time", *prices]


def price_columns(table: Table) -> dict[str, pl.Series]:
    """Return the four prices, volume and open interest by our names; the last two are zeros where absent."""
    return values(table, {ours: table.any_of(*theirs) for ours, theirs in _NAMES.items()})


def is_single(table: Table) -> bool:
    """Tell whether a price column is stored as float32."""
    return any(
        table.frame[table.any_of(*_NAMES[price])].dtype == pl.Float32 for price in ("open", "high", "low", "close")
    )


def _read(reading: Reading) -> Imported:
    table = reading.table
    stamps = read_stamps(table)
    frame = _shares(reading, numbered(table, {"ts": stamps.ns, **price_columns(table)}))
    batch, instruments = read_series(reading, frame, stamps, identify(reading), Conventions(single=is_single(table)))
    reading.findings.note("the file does not say whether its prices are adjusted; taken as raw")
    return reading.imported([batch], instruments)


def _shares(reading: Reading, frame: pl.DataFrame) -> pl.DataFrame:
    """Where a table has NSE's series, keep those of shares."""
    table = reading.table
    if not table.has("series"):
        return frame
    kept = frame.filter(table.text("series").is_in(["", *naming.SHARE_SERIES]))
    others = f"rows of series other than {', '.join(naming.SHARE_SERIES)}"
    reading.findings.leave_out(frame.height - kept.height, others)
    if not kept.height:
        raise DataError(f"{reading.file}: no row of a share's series; all are {others}")
    return kept


def identify(reading: Reading) -> Identify:
    """Return what names the rows of a table: the user's word, or its columns."""

    def named(frame: pl.DataFrame) -> tuple[pl.DataFrame, Sequence[Instrument]]:
        if reading.hints.instrument:
            _note_joined(reading, frame)
            one = instrument_typed(reading.hints.instrument)
            return frame.with_columns(inst=pl.lit(0, dtype=pl.UInt32)), (one,)
        return _by_columns(reading, frame)

    return named


def _by_columns(reading: Reading, frame: pl.DataFrame) -> tuple[pl.DataFrame, Sequence[Instrument]]:
    table = reading.table
    symbol = table.any_of(*SYMBOL)
    if not symbol:
        raise DataError(f"{reading.file}: the file does not say of what instrument it is", hint=FORMS)
    wanted = {
        "symbol": symbol,
        "isin": table.any_of("isin", "isinno"),
        "exchange": table.any_of("exchange", "exch"),
        "series": table.any_of("series"),
        "expiry": table.any_of("expiry", "expirydate", "expirydt", "expdate"),
        "strike": table.any_of("strike", "strikeprice", "strikepr"),
        "right": table.any_of(*_RIGHT),
    }
    empty = pl.repeat("", table.rows, dtype=pl.String, eager=True)
    cells = pl.DataFrame({ours: table.text(theirs) if theirs else empty for ours, theirs in wanted.items()})
    rows = cells[(frame["row"] - 1).to_list()]
    # A share keeps its name when its series changes, so the series does not tell instruments apart.
    key = [name for name in wanted if name != "series"]
    once = rows.unique(key, keep="first", maintain_order=True).with_row_index("inst")
    instruments = [_one(reading, cell) for cell in once.drop("inst").iter_rows(named=True)]
    numbers = rows.join(once.select("inst", *key), on=key, how="left", maintain_order="left")["inst"]
    framed, instruments = _merge(frame.with_columns(inst=numbers), instruments)
    _ask_for_contracts(reading, framed, instruments)
    return framed, tuple(instruments)


def _merge(frame: pl.DataFrame, instruments: list[Instrument]) -> tuple[pl.DataFrame, list[Instrument]]:
    """Give one number to spellings of the same instrument."""
    places: dict[str, int] = {}
    for one in instruments:
        places.setdefault(one.id, len(places))
    if len(places) == len(instruments):
        return frame, instruments
    mapped = pl.Series([places[one.id] for one in instruments], dtype=pl.UInt32).gather(frame["inst"])
    return frame.with_columns(inst=mapped), [next(o for o in instruments if o.id == key) for key in places]


def _one(reading: Reading, cell: dict[str, str]) -> Instrument:
    symbol = cell["symbol"]
    if not symbol:
        raise DataError(f"{reading.file}: rows without a {reading.table.any_of(*SYMBOL)}", hint=FORMS)
    if cell["expiry"]:
        return _contract(reading, cell)
    exchange = Exchange.BSE if cell["exchange"].upper() == "BSE" else Exchange.NSE
    found = instrument_written(symbol, exchange)
    if found.kind is Kind.EQUITY and cell["isin"]:
        return naming.share(exchange, found.symbol, isin=cell["isin"], series=cell["series"])
    return found


def _contract(reading: Reading, cell: dict[str, str]) -> Instrument:
    symbol, right = cell["symbol"].upper(), cell["right"].upper()
    if not right and symbol[-2:] in ("CE", "PE") and cell["strike"] not in ("", "0", "0.0"):
        right = symbol[-2:]
    expiry = days(pl.Series([cell["expiry"].removesuffix(" 00:00:00")]))[0]
    strike = pl.Series([cell["strike"] or None]).cast(pl.Float64, strict=False)[0]
    if expiry is None or (right and (right not in ("CE", "PE") or strike is None)):
        raise DataError(f"{reading.file}: expected a contract, was {', '.join(f'{k} {v!r}' for k, v in cell.items())}")
    written = cell["exchange"].upper()
    exchange = Exchange(written) if written in ("BFO", "MCX", "CDS", "BCD") else Exchange.NFO
    px = Px(round(strike * RUPEE)) if right else None
    return contract(exchange, underlying_in(symbol), TradingDay(expiry), Right(right) if right else None, px)


def _ask_for_contracts(reading: Reading, frame: pl.DataFrame, instruments: Sequence[Instrument]) -> None:
    """Ask where a name is an index's but the rows have open interest: it is a future of an expiry not told."""
    indices = [place for place, one in enumerate(instruments) if one.kind is Kind.INDEX]
    if frame.filter(pl.col("inst").is_in(indices) & (pl.col("oi") > 0)).height:
        name = instruments[indices[0]].symbol
        raise DataError(
            f"{reading.file}: rows named {name} have open interest, so they are of a future, but no expiry is told",
            hint="Give the contract: --instrument NFO:NIFTY:2024-01-25:FUT.",
        )


def _note_joined(reading: Reading, frame: pl.DataFrame) -> None:
    symbol = reading.table.any_of(*SYMBOL)
    if not symbol:
        return
    names = reading.table.text(symbol).gather(frame["row"] - 1).unique().sort()
    reading.findings.note(f"{', '.join(names.head(5))} read as {reading.hints.instrument}")


def is_headerless(sketch: Sketch) -> bool:
    """Tell whether it is SYMBOL,yyyymmdd,HH:MM,open,high,low,close... without a header."""
    return sketch.headerless


FORMATS = (
    TableFormat("ohlcv-headerless", is_headerless, _read),
    TableFormat("ohlcv", has_prices, _read),
)

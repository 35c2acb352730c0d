"""NSE's daily cash files: the old bhavcopy, UDiFF, the full one with delivery, and histories of one share."""

import polars as pl

from manjha.adapters.formats.cash import CashColumns, read_cash
from manjha.adapters.formats.dates import days
from manjha.adapters.formats.naming import SHARE_SERIES
from manjha.adapters.formats.reading import Reading, TableFormat
from manjha.adapters.formats.sketch import Sketch
from manjha.domain.instrument import Exchange
from manjha.ports.market_data import Imported

_OLD = CashColumns("symbol", "series", ("open", "high", "low", "close"), "tottrdqty", "isin")
_FULL = CashColumns("symbol", "series", ("openprice", "highprice", "lowprice", "closeprice"), "ttltrdqnty")
UDIFF = CashColumns(
    "tckrsymb", "sctysrs", ("opnpric", "hghpric", "lwpric", "clspric"), "ttltradgvol", "isin", "fininstrmnm"
)
_FULL_DATES = ("date1", "d", "date", "traddate")


def is_udiff(sketch: Sketch, exchange: str, segment: str) -> bool:
    """Tell whether it is a UDiFF file of an exchange and segment; both stand in each row."""
    return (
        sketch.has("traddt", "sgmt", "src", "tckrsymb", "clspric", "ttltradgvol")
        and sketch.first.get("src", "").upper() == exchange
        and sketch.first.get("sgmt", "").upper() == segment
    )


def _is_old(sketch: Sketch) -> bool:
    return sketch.has("symbol", "series", "open", "high", "low", "close", "prevclose", "tottrdqty", "timestamp")


def _is_full(sketch: Sketch) -> bool:
    dated = any(sketch.has(name) for name in _FULL_DATES)
    return dated and sketch.has("symbol", "series", "openprice", "closeprice", "ttltrdqnty", "avgprice")


def _read_old(reading: Reading) -> Imported:
    return read_cash(reading, Exchange.NSE, _OLD, days(reading.table.text("timestamp")), SHARE_SERIES)


def _read_udiff(reading: Reading) -> Imported:
    reading.table.require("traddt")
    return read_cash(reading, Exchange.NSE, UDIFF, days(reading.table.text("traddt")), SHARE_SERIES)


def _read_full(reading: Reading) -> Imported:
    table = reading.table
    name = table.any_of(*_FULL_DATES)
    table.require(name or "date1")
    dates = table.frame[name]
    found = dates.cast(pl.Int32) if dates.dtype == pl.Date else days(table.text(name))
    return read_cash(reading, Exchange.NSE, _FULL, found, SHARE_SERIES)


FORMATS = (
    TableFormat("nse-cash-udiff", lambda sketch: is_udiff(sketch, "NSE", "CM"), _read_udiff),
    TableFormat("nse-cash-full", _is_full, _read_full),
    TableFormat("nse-cash-old", _is_old, _read_old),
)

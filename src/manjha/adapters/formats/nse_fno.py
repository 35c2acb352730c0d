"""NSE's daily derivative files: UDiFF, the old bhavcopy, and the two tables of the report set fo<ddmmyyyy>.zip."""

import polars as pl

from manjha.adapters.formats import naming
from manjha.adapters.formats.dates import day_of_file, days
from manjha.adapters.formats.derivatives import Contracts, read_contracts
from manjha.adapters.formats.lots import lots_from_value
from manjha.adapters.formats.nse_cash import is_udiff
from manjha.adapters.formats.reading import Reading, TableFormat, numbered, values
from manjha.adapters.formats.sketch import Sketch
from manjha.domain.instrument import Asset, Exchange
from manjha.domain.money import RUPEE
from manjha.ports.market_data import Imported

_UDIFF_VALUES = {
    "open": "opnpric", "high": "hghpric", "low": "lwpric", "close": "clspric", "volume": "ttltradgvol",
    "oi": "opnintrst", "strike": "strkpric", "lot_read": "newbrdlotqty", "value": "ttltrfval",
}  # fmt: skip
_OLD_VALUES = {
    "open": "open", "high": "high", "low": "low", "close": "close", "volume": "contracts", "oi": "openint",
    "strike": "strikepr", "value": "valinlakh", "oi_change": "chginoi",
}  # fmt: skip
_REPORT_VALUES = {
    "open": "openprice", "high": "hiprice", "low": "loprice", "close": "closeprice", "volume": "trdqty",
    "oi": "openint", "strike": "strprice", "count": "noofcont",
}  # fmt: skip
LAKH = 100_000


def read_udiff(reading: Reading, exchange: Exchange) -> Imported:
    """Read a UDiFF derivative file of NSE or BSE.

    The volume is printed in contracts, although the standard says quantity: whether it is, is found by the traded
    value, which must be near price × volume for units and near price × volume × lot for contracts.
    """
    table = reading.table
    table.require("xprydt", "strkpric", "optntp", "fininstrmtp", *_UDIFF_VALUES.values())
    actual = table.text("fininstrmactlxprydt") if table.has("fininstrmactlxprydt") else table.text("xprydt")
    expiry = days(actual)
    right = table.text("optntp").str.to_uppercase()
    frame = numbered(
        table,
        {
            "day": days(table.text("traddt")),
            "underlying": table.text("tckrsymb"),
            "expiry": expiry.fill_null(days(table.text("xprydt"))) if expiry.null_count() else expiry,
            "right": right.replace("XX", ""),
            "symbol": table.text("fininstrmnm"),
            "kind": table.text("fininstrmtp").str.to_uppercase(),
            **values(table, _UDIFF_VALUES),
        },
    )
    frame = frame.with_columns(
        lot=pl.col("lot_read").cast(pl.Int64, strict=False),
        asset=pl.when(pl.col("kind").str.starts_with("ID"))
        .then(pl.lit(str(Asset.INDEX)))
        .otherwise(pl.lit(str(Asset.EQUITY))),
    )
    if counts_contracts(frame):
        reading.findings.note("volume is printed in contracts; taken times the lot")
        frame = frame.with_columns(volume=pl.col("volume") * pl.col("lot_read"))
    return read_contracts(reading, frame, Contracts(exchange))


def counts_contracts(frame: pl.DataFrame) -> bool:
    """Tell by the traded value whether `volume` counts contracts: the median row decides, lots of one aside."""
    per_unit = pl.when(pl.col("right") == "").then(pl.col("close")).otherwise(pl.col("close") + pl.col("strike"))
    ratio = pl.col("value") / (pl.col("volume") * per_unit) / pl.col("lot_read")
    told = (
        frame.filter((pl.col("volume") > 0) & (pl.col("lot_read") > 1) & (per_unit > 0)).select(ratio.median()).item()
    )
    return told is not None and told > 0.5


def _read_udiff(reading: Reading) -> Imported:
    return read_udiff(reading, Exchange.NFO)


def _is_old(sketch: Sketch) -> bool:
    return sketch.has("instrument", "symbol", "expirydt", "strikepr", "optiontyp", "settlepr", "contracts", "timestamp")


def _read_old(reading: Reading) -> Imported:
    """Volume is in contracts and the lot is not printed: it is what makes the traded value fit the prices."""
    table = reading.table
    table.require("instrument", "symbol", "expirydt", "optiontyp", "timestamp", *_OLD_VALUES.values())
    frame = _named(reading, "symbol", "expirydt", "optiontyp").with_columns(**values(table, _OLD_VALUES))
    frame = frame.with_columns(day=days(table.text("timestamp")), value=pl.col("value") * LAKH)
    frame = lots_from_value(frame, reading.findings, value_step=0.01 * LAKH)
    return read_contracts(reading, frame.with_columns(volume=pl.col("volume") * pl.col("lot")), Contracts(Exchange.NFO))


def _is_report(sketch: Sketch) -> bool:
    return sketch.has("instrument", "symbol", "expdate", "openprice", "hiprice", "openint", "trdqty", "noofcont")


def _read_report(reading: Reading) -> Imported:
    """Quantities are in units; the lot is quantity by contracts. The day stands in the file's name only."""
    table = reading.table
    table.require("symbol", "expdate", "openprice", "hiprice", "loprice", "closeprice", "openint", "trdqty", "noofcont")
    frame = _named(reading, "symbol", "expdate", "opttype" if table.has("opttype") else "")
    # The last line is a footnote: "* - OPEN_INT as available in the trading system".
    frame = frame.with_columns(**values(table, _REPORT_VALUES)).filter(~pl.col("kind").str.starts_with("*"))
    lot = (pl.col("volume") / pl.col("count")).round().cast(pl.Int64, strict=False)
    frame = frame.with_columns(
        day=pl.lit(day_of_file(reading), dtype=pl.Int32),
        lot=lot.max().over("underlying", "expiry"),
    )
    return read_contracts(reading, frame, Contracts(Exchange.NFO))


def _named(reading: Reading, symbol: str, expiry: str, right: str) -> pl.DataFrame:
    """Return the naming columns of a file that prints no trading symbols."""
    table = reading.table
    none = pl.repeat("", table.rows, dtype=pl.String, eager=True)
    strike = "strikepr" if table.has("strikepr") else "strprice"
    frame = numbered(
        table,
        {
            "underlying": table.text(symbol),
            "expiry": days(table.text(expiry)),
            "right": table.text(right).str.to_uppercase().replace("XX", "") if right else none,
            "kind": table.text("instrument").str.to_uppercase(),
            **values(table, {"strike": strike}),
        },
    )
    frame = frame.with_columns(strike_px=(pl.col("strike") * RUPEE).round().cast(pl.Int64, strict=False))
    asset = (
        pl.when(pl.col("kind").str.ends_with("STK")).then(pl.lit(str(Asset.EQUITY))).otherwise(pl.lit(str(Asset.INDEX)))
    )
    return frame.with_columns(symbol=naming.trading_symbols(), asset=asset)


FORMATS = (
    TableFormat("nse-fo-udiff", lambda sketch: is_udiff(sketch, "NSE", "FO"), _read_udiff),
    TableFormat("nse-fo-old", _is_old, _read_old),
    TableFormat("nse-fo-report", _is_report, _read_report),
)

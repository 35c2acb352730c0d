"""NSE's closing report of all indices: `ind_close_all_DDMMYYYY.csv`."""

import polars as pl

from manjha.adapters.formats import naming
from manjha.adapters.formats.assembly import daily_batch, sift
from manjha.adapters.formats.dates import days, single_day
from manjha.adapters.formats.reading import Reading, TableFormat, numbered, values
from manjha.adapters.formats.sketch import Sketch
from manjha.domain.errors import DataError
from manjha.domain.instrument import Exchange
from manjha.ports.market_data import Imported

_PRICES = {"open": "openindexvalue", "high": "highindexvalue", "low": "lowindexvalue", "close": "closingindexvalue"}
_SHORT = {
    "S&P CNX NIFTY": "NIFTY 50",
    "CNX NIFTY": "NIFTY 50",
    "CNX NIFTY JUNIOR": "NIFTY NEXT 50",
    "BANK NIFTY": "NIFTY BANK",
    "CNX BANK": "NIFTY BANK",
    "CNX IT": "NIFTY IT",
    "NIFTY FINANCIAL SERVICES": "NIFTY FIN SERVICE",
    "NIFTY MIDCAP SELECT": "NIFTY MID SELECT",
    "NIFTY PRIVATE BANK": "NIFTY PVT BANK",
    "NIFTY INFRASTRUCTURE": "NIFTY INFRA",
    "NIFTY SERVICES SECTOR": "NIFTY SERV SECTOR",
    "NIFTY INDIA CONSUMPTION": "NIFTY CONSUMPTION",
    "NIFTY CONSUMER DURABLES": "NIFTY CONSR DURBL",
    "NIFTY HEALTHCARE INDEX": "NIFTY HEALTHCARE",
    "NIFTY OIL & GAS": "NIFTY OIL AND GAS",
    "NIFTY LARGEMIDCAP 250": "NIFTY LARGEMID250",
    "NIFTY MIDSMALLCAP 400": "NIFTY MIDSML 400",
    "NIFTY SMALLCAP 50": "NIFTY SMLCAP 50",
    "NIFTY SMALLCAP 100": "NIFTY SMLCAP 100",
    "NIFTY SMALLCAP 250": "NIFTY SMLCAP 250",
    "NIFTY TOTAL MARKET": "NIFTY TOTAL MKT",
    "NIFTY MICROCAP 250": "NIFTY MICROCAP250",
}
"""Published names, also those before the change of November 2015, to the names in Kite's dump, which are the ids."""


def _is_report(sketch: Sketch) -> bool:
    return sketch.has("indexname", "indexdate", "openindexvalue", "closingindexvalue")


def _read(reading: Reading) -> Imported:
    """Read one row an index. The printed volume is that of the shares in it: nobody trades an index, so it is 0."""
    table = reading.table
    table.require("indexname", "indexdate", *_PRICES.values())
    frame = numbered(
        table,
        {
            "name": table.text("indexname").str.to_uppercase().str.replace_all(r"\s+", " ").replace(_SHORT),
            "day": days(table.text("indexdate")),
            **values(table, _PRICES | {"volume": "", "oi": ""}),
        },
    )
    whole = frame.drop_nulls(["open", "high", "low"]).filter(pl.col("open") > 0)
    reading.findings.leave_out(frame.height - whole.height, "indices with a closing value only")
    if not whole.height:
        raise DataError(f"{reading.file}: no index has open, high, low and close")
    names = whole["name"].unique(maintain_order=True)
    places = pl.DataFrame({"name": names, "inst": pl.int_range(0, names.len(), dtype=pl.UInt32, eager=True)})
    good = sift(whole.join(places, on="name", how="left", maintain_order="left"), reading.findings)
    instruments = [naming.index(Exchange.NSE, name) for name in names]
    batch = daily_batch(good, instruments, reading.findings, reading.clock)
    return reading.imported([batch], instruments, day=single_day(frame["day"]))


FORMATS = (TableFormat("nse-indices", _is_report, _read),)

"""Histories of one NSE share: the site's security-wise download, and the NIFTY-50 set of 2000 to 2020."""

import polars as pl

from manjha.adapters.formats import naming
from manjha.adapters.formats.assembly import day_expr
from manjha.adapters.formats.cash import best_series
from manjha.adapters.formats.generic import identify, price_columns
from manjha.adapters.formats.reading import Reading, TableFormat, numbered
from manjha.adapters.formats.series import Conventions, read_series
from manjha.adapters.formats.sketch import Sketch
from manjha.adapters.formats.stamps import read_stamps
from manjha.domain.errors import DataError
from manjha.ports.market_data import Imported

_KNOWN = Conventions(unit="rupees", stamps="open")


def _is_site(sketch: Sketch) -> bool:
    return sketch.has("date", "series", "open", "high", "low", "prevclose", "ltp", "close", "vwap", "volume")


def _is_set(sketch: Sketch) -> bool:
    return sketch.has(
        "date", "symbol", "series", "prevclose", "open", "high", "low", "last", "close", "vwap", "turnover"
    )


def _read(reading: Reading) -> Imported:
    """Daily rows as the exchange published them, unadjusted."""
    table = reading.table
    stamps = read_stamps(table)
    frame = numbered(table, {"ts": stamps.ns, "series": table.text("series"), **price_columns(table)})
    kept = frame.filter(pl.col("series").is_in(list(naming.SHARE_SERIES)))
    left = f"rows of series other than {', '.join(naming.SHARE_SERIES)}"
    reading.findings.leave_out(frame.height - kept.height, left)
    if not kept.height:
        raise DataError(f"{reading.file}: no row of a share's series; all are {left}")
    ranked = kept.with_columns(inst=pl.lit(0), day=day_expr())
    best = best_series(ranked, reading, naming.SHARE_SERIES).drop("inst", "day", "series")
    batch, instruments = read_series(reading, best, stamps, identify(reading), _KNOWN)
    return reading.imported([batch], instruments)


FORMATS = (
    TableFormat("nse-history", _is_site, _read),
    TableFormat("nse-nifty50-set", _is_set, _read),
)

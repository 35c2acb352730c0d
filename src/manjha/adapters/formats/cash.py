"""A day's cash file of any exchange: shares of the series that are kept, one daily bar each."""

from collections.abc import Sequence

import msgspec
import polars as pl

from manjha.adapters.formats import naming
from manjha.adapters.formats.assembly import daily_batch, sift
from manjha.adapters.formats.dates import single_day
from manjha.adapters.formats.reading import Reading, numbered, values
from manjha.domain.instrument import Exchange
from manjha.ports.market_data import Imported


class CashColumns(msgspec.Struct, frozen=True):
    """Tokens of a cash file's columns; "" where it has none. `prices` are open, high, low, close."""

    symbol: str
    series: str
    prices: tuple[str, str, str, str]
    volume: str
    isin: str = ""
    name: str = ""


def read_cash(
    reading: Reading, exchange: Exchange, columns: CashColumns, days: pl.Series, keep: Sequence[str]
) -> Imported:
    """Read one row a share and day. `days` are the rows' day numbers; `keep` are series from the best one on."""
    table = reading.table
    table.require(columns.symbol, columns.series, *columns.prices, columns.volume)
    names = dict(zip(("open", "high", "low", "close"), columns.prices, strict=True))
    empty = pl.repeat("", table.rows, dtype=pl.String, eager=True)
    frame = numbered(
        table,
        {
            "symbol": table.text(columns.symbol),
            "series": table.text(columns.series),
            "isin": table.text(columns.isin) if table.has(columns.isin) else empty,
            "name": table.text(columns.name) if table.has(columns.name) else empty,
            "day": days,
            **values(table, names | {"volume": columns.volume, "oi": ""}),
        },
    )
    frame = shares_only(frame, reading, keep)
    draft, instruments = naming.shares(frame, exchange)
    good = best_series(sift(draft, reading.findings), reading, keep)
    batch = daily_batch(good, instruments, reading.findings, reading.clock)
    return reading.imported([batch], instruments, day=single_day(days))


def shares_only(frame: pl.DataFrame, reading: Reading, keep: Sequence[str]) -> pl.DataFrame:
    """Leave out bonds, rights entitlements, block windows and rows that cannot be told apart; say how many."""
    nameless = frame["symbol"] == ""
    named = reading.findings.split(
        frame.with_columns(reason=pl.when(nameless).then(pl.lit("no symbol")).otherwise(pl.lit(None, dtype=pl.String)))
    )
    is_share = pl.col("series").is_in(list(keep)) & ~pl.col("symbol").str.contains(naming.RIGHTS_ENTITLEMENT)
    kept = named.filter(is_share)
    reading.findings.leave_out(named.height - kept.height, f"rows of series other than {', '.join(keep)} (or -RE)")
    return kept


def best_series(frame: pl.DataFrame, reading: Reading, keep: Sequence[str]) -> pl.DataFrame:
    """Where a share has rows of several series on a day, keep the first series in the order of `keep`."""
    rank = pl.col("series").replace_strict({name: place for place, name in enumerate(keep)}, default=len(keep))
    ranked = frame.with_columns(rank=rank)
    best = ranked.filter(pl.col("rank") == pl.col("rank").min().over("inst", "day"))
    reading.findings.leave_out(ranked.height - best.height, "rows of shares that also have a row of a better series")
    return best.drop("rank")

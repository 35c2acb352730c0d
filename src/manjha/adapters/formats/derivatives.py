"""A day's derivative file of any exchange: contracts with a trade become bars, all contracts become instruments."""

import msgspec
import polars as pl

from manjha.adapters.formats import naming
from manjha.adapters.formats.assembly import daily_batch, sift
from manjha.adapters.formats.dates import single_day
from manjha.adapters.formats.reading import Reading
from manjha.domain.errors import DataError
from manjha.domain.instrument import Exchange
from manjha.ports.market_data import Imported

CONTRACT_COLUMNS = ("row", "day", "underlying", "expiry", "strike", "right", "symbol", "lot", "asset")


class Contracts(msgspec.Struct, frozen=True):
    """Where the contracts trade, and whether the exchange counts lots (MCX): then a lot is the multiplier too."""

    exchange: Exchange
    counts_lots: bool = False


def read_contracts(reading: Reading, frame: pl.DataFrame, kind: Contracts) -> Imported:
    """Read one row a contract: `CONTRACT_COLUMNS`, prices in rupees, `volume` and `oi` in units.

    Exchanges print zero prices for contracts without a trade; those are no bars but still instruments.
    """
    frame = reading.findings.split(frame.with_columns(reason=_contract_fault()))
    if not frame.height:
        raise DataError(f"{reading.file}: no row names a contract ({', '.join(reading.findings.reasons)})")
    if kind.counts_lots:
        frame = frame.with_columns(multiplier=pl.col("lot"))
    frame, instruments = naming.contracts(frame, kind.exchange)
    day = single_day(frame["day"])
    traded = frame.filter(pl.col("volume") != 0)
    reading.findings.leave_out(frame.height - traded.height, "rows of contracts without a trade")
    if not traded.height:
        return reading.imported([], instruments, day=day)
    good = sift(traded, reading.findings)
    return reading.imported([daily_batch(good, instruments, reading.findings, reading.clock)], instruments, day=day)


def _contract_fault() -> pl.Expr:
    return (
        pl.when(pl.col("underlying") == "")
        .then(pl.lit("no underlying"))
        .when(pl.col("expiry").is_null())
        .then(pl.lit("the expiry cannot be read"))
        .when((pl.col("right") != "") & ~pl.col("right").is_in(["CE", "PE"]))
        .then(pl.lit("the option type is neither CE nor PE"))
        .when((pl.col("right") != "") & ~(pl.col("strike") > 0).fill_null(value=False))
        .then(pl.lit("the strike is missing or not positive"))
        .when(~(pl.col("lot") > 0).fill_null(value=False))
        .then(pl.lit("the lot is missing or not positive"))
        .when(pl.col("expiry") < pl.col("day"))
        .then(pl.lit("the contract expired before the day of the row"))
        .otherwise(pl.lit(None, dtype=pl.String))
    )

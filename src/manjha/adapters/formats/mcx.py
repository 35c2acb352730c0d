"""MCX's daily file. It counts lots and prints no multiplier: prices and traded value give it away."""

import math

import polars as pl

from manjha.adapters.formats import naming
from manjha.adapters.formats.dates import days
from manjha.adapters.formats.derivatives import Contracts, read_contracts
from manjha.adapters.formats.reading import Reading, TableFormat, numbered, values
from manjha.adapters.formats.sketch import Sketch
from manjha.domain.instrument import Asset, Exchange
from manjha.domain.money import RUPEE
from manjha.ports.market_data import Imported

_VALUES = {
    "open": "open", "high": "high", "low": "low", "close": "close", "lots": "volumelots", "value": "valuelacs",
    "oi_lots": "openinterestlots", "strike": "strikeprice",
}  # fmt: skip
_LAKH = 100_000
_STEP = 0.01 * _LAKH
_FACTORS = (1, 10, 100, 1000, 125, 1 / 8, 1 / 10, 1 / 20, 1 / 100, 1 / 1000)
"""Units of the quoted price in a unit of the printed quantity: gold is quoted for 10 g and counted in kg, and so on."""


def _is_mcx(sketch: Sketch) -> bool:
    return sketch.has("date", "instrumentname", "symbol", "expirydate", "optiontype", "strikeprice", "volumelots")


def _read(reading: Reading) -> Imported:
    table = reading.table
    table.require("date", "instrumentname", "symbol", "expirydate", "optiontype", "volumein000s", *_VALUES.values())
    quantity = table.text("volumein000s").str.extract(r"^([\d.]+)").cast(pl.Float64, strict=False)
    frame = numbered(
        table,
        {
            "day": days(table.text("date")),
            "underlying": table.text("symbol"),
            "expiry": days(table.text("expirydate")),
            "right": table.text("optiontype").str.to_uppercase().replace({"-": "", "XX": ""}),
            "quantity": quantity * 1000,
            **values(table, _VALUES),
        },
    )
    frame = frame.with_columns(
        strike_px=(pl.col("strike") * RUPEE).round().cast(pl.Int64, strict=False),
        asset=pl.lit(str(Asset.COMMODITY)),
    ).with_columns(symbol=naming.trading_symbols())
    frame = _with_multiplier(frame, reading)
    units = {"volume": pl.col("lots") * pl.col("lot"), "oi": pl.col("oi_lots") * pl.col("lot")}
    return read_contracts(reading, frame.with_columns(**units), Contracts(Exchange.MCX, counts_lots=True))


def _with_multiplier(frame: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    """Add `lot`, units of the quoted price in a lot, by symbol; leave out symbols that give none away."""
    traded = frame.filter((pl.col("lots") > 0) & (pl.col("low") > 0) & (pl.col("high") >= pl.col("low")))
    base = pl.when(pl.col("right") == "").then(0.0).otherwise(pl.col("strike"))
    bounds = (
        traded.with_columns(
            least=(pl.col("value") * _LAKH - _STEP) / (pl.col("lots") * (base + pl.col("high"))),
            most=(pl.col("value") * _LAKH + _STEP) / (pl.col("lots") * (base + pl.col("low"))),
        )
        .group_by("underlying", maintain_order=True)
        .agg(pl.col("least").max(), pl.col("most").min(), pl.col("quantity").sum(), pl.col("lots").sum())
    )
    lots = {}
    for underlying, least, most, quantity, count in bounds.drop_nulls().iter_rows():
        lot = _multiplier(least, most, quantity / count)
        if lot:
            lots[underlying] = lot
    kept = frame.filter(pl.col("underlying").is_in(list(lots)))
    silent = frame.filter(~pl.col("underlying").is_in(list(lots)))
    if silent.height:
        names = ", ".join(silent["underlying"].unique().sort())
        reading.findings.leave_out(silent.height, f"contracts whose lot the file does not give away ({names})")
    return kept.with_columns(lot=pl.col("underlying").replace_strict(lots, return_dtype=pl.Int64))


def _multiplier(least: float, most: float, physical: float) -> int:
    """Return the only whole number in the bounds, or the only one that the printed quantity gives; 0 for none."""
    low, high = math.ceil(least - 1e-9), math.floor(most + 1e-9)
    if low == high:
        return low
    given = {round(physical * factor) for factor in _FACTORS}
    inside = [number for number in given if low <= number <= high and number > 0]
    return inside[0] if len(inside) == 1 else 0


FORMATS = (TableFormat("mcx", _is_mcx, _read),)

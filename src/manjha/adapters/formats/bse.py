"""BSE's daily files: cash old and UDiFF, derivatives old and UDiFF."""

import polars as pl

from manjha.adapters.formats.cash import CashColumns, read_cash
from manjha.adapters.formats.dates import day_of_file, days, single_day
from manjha.adapters.formats.derivatives import Contracts, read_contracts
from manjha.adapters.formats.nse_cash import UDIFF, is_udiff
from manjha.adapters.formats.nse_fno import LAKH, read_udiff
from manjha.adapters.formats.reading import Reading, TableFormat, numbered, values
from manjha.adapters.formats.sketch import Sketch
from manjha.domain.errors import DataError
from manjha.domain.instrument import Asset, Exchange
from manjha.domain.moments import format_day
from manjha.ports.market_data import Imported

SHARE_GROUPS = ("A", "B", "E", "IF", "M", "MS", "MT", "P", "R", "T", "TS", "X", "XT", "Y", "Z", "ZP", "ZY")
"""Groups of shares and funds; F and G are bonds."""
_OLD = CashColumns("scname", "scgroup", ("open", "high", "low", "close"), "noofshrs")
_OLD_DERIVATIVE_VALUES = {
    "open": "open", "high": "high", "low": "low", "close": "close", "volume": "contractstraded",
    "oi": "openinterest", "strike": "strike", "mean": "wtavgprice", "value": "turnoverrslakhs",
}  # fmt: skip
_PRODUCTS = {"BSX": "SENSEX", "BKX": "BANKEX", "SX50": "SENSEX50", "SXF": "SENSEX50"}


def _is_old(sketch: Sketch) -> bool:
    return sketch.has("sccode", "scname", "scgroup", "sctype", "open", "high", "low", "close", "noofshrs")


def _read_old(reading: Reading) -> Imported:
    """The file states no day. Shares are named as BSE prints them, cut to twelve letters: the code tells them apart."""
    day = day_of_file(reading)
    reading.table.require("sccode", *_OLD.prices)
    dates = pl.repeat(day, reading.table.rows, dtype=pl.Int32, eager=True)
    columns = CashColumns("sccode", "scgroup", _OLD.prices, _OLD.volume, name="scname")
    return read_cash(reading, Exchange.BSE, columns, dates, SHARE_GROUPS)


def _read_udiff_cash(reading: Reading) -> Imported:
    return read_cash(reading, Exchange.BSE, UDIFF, days(reading.table.text("traddt")), SHARE_GROUPS)


def _read_udiff_derivatives(reading: Reading) -> Imported:
    return read_udiff(reading, Exchange.BFO)


def _is_old_derivative(sketch: Sketch) -> bool:
    return sketch.has("contracttype", "symbol", "expiry", "strike", "optiontype", "ltdate", "contractstraded")


def _read_old_derivatives(reading: Reading) -> Imported:
    """The day is the last traded date of the traded rows; the lot is turnover by contracts and average price."""
    table = reading.table
    table.require("contracttype", "symbol", "expiry", "optiontype", "ltdate", *_OLD_DERIVATIVE_VALUES.values())
    kind = table.text("contracttype").str.to_uppercase()
    right = table.text("optiontype").str.to_uppercase().replace({"CALL": "CE", "PUT": "PE", "-": ""})
    last = days(table.text("ltdate"))
    traded = last.filter((table.number("contractstraded") > 0).fill_null(value=False))
    day = reading.hints.day if reading.hints.day is not None else single_day(traded)
    if day is None:
        raise DataError(
            f"{reading.file}: no contract traded, so the day is not told", hint="Give it: --day 2020-01-03."
        )
    frame = numbered(
        table,
        {
            "underlying": table.text("symbol").str.extract(r"^([A-Z&]+)").fill_null("").replace(_PRODUCTS),
            "symbol": table.text("symbol"),
            "expiry": days(table.text("expiry")),
            "right": right,
            **values(table, _OLD_DERIVATIVE_VALUES),
        },
    )
    lot = (pl.col("value") * LAKH / (pl.col("volume") * pl.col("mean"))).round()
    is_index = pl.Series(kind.str.starts_with("I"))
    frame = frame.with_columns(
        day=pl.lit(day, dtype=pl.Int32),
        lot=pl.when(pl.col("volume") > 0).then(lot).cast(pl.Int64, strict=False),
        asset=pl.when(is_index).then(pl.lit(str(Asset.INDEX))).otherwise(pl.lit(str(Asset.EQUITY))),
    ).with_columns(lot=pl.col("lot").median().over("underlying", "expiry").cast(pl.Int64))
    stale = frame.filter((pl.col("volume") > 0) & (last.is_null() | (last != day))).height
    if stale:
        reading.findings.note(f"{stale} traded rows have another last traded date than {format_day(day)}")
    frame = _without_lotless(frame, reading)
    return read_contracts(reading, frame.with_columns(volume=pl.col("volume") * pl.col("lot")), Contracts(Exchange.BFO))


def _without_lotless(frame: pl.DataFrame, reading: Reading) -> pl.DataFrame:
    kept = frame.filter((pl.col("lot") > 0).fill_null(value=False))
    reading.findings.leave_out(
        frame.height - kept.height, "contracts of expiries without a trade, whose lot is not told"
    )
    return kept


FORMATS = (
    TableFormat("bse-cash-udiff", lambda sketch: is_udiff(sketch, "BSE", "CM"), _read_udiff_cash),
    TableFormat("bse-fo-udiff", lambda sketch: is_udiff(sketch, "BSE", "FO"), _read_udiff_derivatives),
    TableFormat("bse-cash-old", _is_old, _read_old),
    TableFormat("bse-fo-old", _is_old_derivative, _read_old_derivatives),
)

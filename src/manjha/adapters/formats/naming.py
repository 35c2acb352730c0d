"""Instruments from the columns of a file: ids, trading symbols, which series count as shares."""

import re
from collections.abc import Sequence

import polars as pl

from manjha.domain.instrument import Asset, Exchange, Instrument, InstrumentId, Kind, Right, cash_id, index_id
from manjha.domain.moments import TradingDay
from manjha.domain.money import RUPEE, Px, Qty

SHARE_SERIES = ("EQ", "BE", "BZ", "SM", "ST")
"""NSE series of shares and funds, in the order that decides where one share trades in two."""
TICK = Px(500)
"""₹0.05, where a file does not print the tick; the dated rules and the instrument dump know better."""
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}\d")
_ISIN_PATTERN = rf"^{_ISIN.pattern}$"
RIGHTS_ENTITLEMENT = r"-RE\d*$"

INDEX_UNDERLYINGS = frozenset(
    {
        "NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTYNXT50", "NIFTYIT", "NIFTYMID50", "NIFTYINFRA",
        "NIFTYPSE", "NIFTYCPSE", "INDIAVIX", "SENSEX", "SENSEX50", "BANKEX", "S&P500", "DJIA", "FTSE100",
    }
)  # fmt: skip

INDEX_NAMES = {
    "NIFTY": (Exchange.NSE, "NIFTY 50"),
    "NIFTY50": (Exchange.NSE, "NIFTY 50"),
    "NSEI": (Exchange.NSE, "NIFTY 50"),
    "BANKNIFTY": (Exchange.NSE, "NIFTY BANK"),
    "NIFTYBANK": (Exchange.NSE, "NIFTY BANK"),
    "NSEBANK": (Exchange.NSE, "NIFTY BANK"),
    "FINNIFTY": (Exchange.NSE, "NIFTY FIN SERVICE"),
    "NIFTYFINSERVICE": (Exchange.NSE, "NIFTY FIN SERVICE"),
    "MIDCPNIFTY": (Exchange.NSE, "NIFTY MID SELECT"),
    "NIFTYMIDSELECT": (Exchange.NSE, "NIFTY MID SELECT"),
    "NIFTYNXT50": (Exchange.NSE, "NIFTY NEXT 50"),
    "NIFTYNEXT50": (Exchange.NSE, "NIFTY NEXT 50"),
    "NIFTYJUNIOR": (Exchange.NSE, "NIFTY NEXT 50"),
    "INDIAVIX": (Exchange.NSE, "INDIA VIX"),
    "CNXIT": (Exchange.NSE, "NIFTY IT"),
    "NIFTYIT": (Exchange.NSE, "NIFTY IT"),
    "SENSEX": (Exchange.BSE, "SENSEX"),
    "BSESN": (Exchange.BSE, "SENSEX"),
    "BANKEX": (Exchange.BSE, "BANKEX"),
}
"""Names that sources give the indices, without blanks, to the exchange's name as Kite's dump writes it."""


def index_named(symbol: str) -> Instrument | None:
    """Return the index that a symbol stands for ("NIFTY", "^NSEI", "BANKNIFTY"), None if it is no index."""
    found = INDEX_NAMES.get(re.sub(r"[^A-Z0-9]", "", symbol.upper()))
    return index(*found) if found else None


def index(exchange: Exchange, name: str) -> Instrument:
    """Return an index by its published name."""
    return Instrument(
        id=index_id(exchange, name), symbol=name, exchange=exchange, kind=Kind.INDEX, asset=Asset.INDEX, tick=TICK
    )


def share(exchange: Exchange, symbol: str, *, isin: str = "", series: str = "", name: str = "") -> Instrument:
    """Return a share or fund, by ISIN where there is a valid one, else by symbol. ISINs of funds begin with INF."""
    known = _ISIN.fullmatch(isin) is not None
    fund = known and isin.startswith("INF")
    return Instrument(
        id=cash_id(exchange, isin if known else symbol),
        symbol=symbol,
        exchange=exchange,
        kind=Kind.ETF if fund else Kind.EQUITY,
        asset=Asset.EQUITY,
        tick=TICK,
        isin=isin if known else "",
        series=series,
        name=name,
    )


def shares(frame: pl.DataFrame, exchange: Exchange) -> tuple[pl.DataFrame, tuple[Instrument, ...]]:
    """Number the rows by share. Columns `symbol`, and `isin`, `series`, `name` as text, possibly "".

    Returns the frame with `inst`, and the shares in order of first appearance.
    """
    valid = pl.col("isin").str.contains(_ISIN_PATTERN)
    frame = frame.with_columns(key=pl.when(valid).then("isin").otherwise("symbol"))
    once = frame.unique("key", keep="first", maintain_order=True)
    rows = once.select("symbol", "isin", "series", "name").iter_rows()
    instruments = tuple(
        share(exchange, symbol, isin=isin, series=series, name=name) for symbol, isin, series, name in rows
    )
    return _numbered(frame, once, "key"), instruments


def contracts(frame: pl.DataFrame, exchange: Exchange) -> tuple[pl.DataFrame, tuple[Instrument, ...]]:
    """Number the rows by contract. Columns `underlying`, `expiry` (day), `strike` (rupees, null for futures), `right`
    ("CE", "PE" or "" for futures), `symbol`, `lot` (units), `asset`, and `multiplier` where lots are counted.

    Returns the frame with `inst`, and the contracts in order of first appearance.
    """
    strike = (pl.col("strike") * RUPEE).round().cast(pl.Int64, strict=False)
    frame = frame.with_columns(strike_px=pl.when(pl.col("right") != "").then(strike)).with_columns(
        id=contract_id(exchange)
    )
    once = frame.unique("id", keep="first", maintain_order=True)
    if "multiplier" not in once.columns:
        once = once.with_columns(multiplier=pl.lit(1, dtype=pl.Int64))
    names = ("id", "symbol", "underlying", "expiry", "strike_px", "right", "lot", "asset", "multiplier")
    columns = (once[name].to_list() for name in names)
    instruments = tuple(
        Instrument(
            id=InstrumentId(key),
            symbol=symbol,
            exchange=exchange,
            kind=Kind.OPTION if right else Kind.FUTURE,
            asset=_ASSETS[asset],
            tick=TICK,
            lot=Qty(lot),
            multiplier=multiplier,
            name=underlying,
            underlying=underlying,
            expiry=TradingDay(expiry),
            strike=None if strike_px is None else Px(strike_px),
            right=_RIGHTS[right],
        )
        for key, symbol, underlying, expiry, strike_px, right, lot, asset, multiplier in zip(*columns, strict=True)
    )
    return _numbered(frame, once, "id"), instruments


_ASSETS = {str(asset): asset for asset in Asset}
_RIGHTS: dict[str, Right | None] = {"CE": Right.CALL, "PE": Right.PUT, "": None}


def contract_id(exchange: Exchange) -> pl.Expr:
    """Return `future_id` or `option_id` for each row of `underlying`, `expiry`, `right`, `strike_px`."""
    expiry = pl.col("expiry").cast(pl.Date).dt.strftime("%Y-%m-%d")
    head = pl.concat_str(pl.lit(f"{exchange}:"), "underlying", pl.lit(":"), expiry, pl.lit(":"))
    option = pl.concat_str(head, "right", pl.lit(":"), strike_text())
    return pl.when(pl.col("right") != "").then(option).otherwise(pl.concat_str(head, pl.lit("FUT")))


def strike_text() -> pl.Expr:
    """Return `format_strike` of the column `strike_px`, for strikes that are not negative."""
    whole = (pl.col("strike_px") // RUPEE).cast(pl.String)
    rest = (pl.col("strike_px") % RUPEE).cast(pl.String).str.zfill(4).str.strip_chars_end("0")
    return pl.when(rest == "").then(whole).otherwise(pl.concat_str(whole, pl.lit("."), rest))


def trading_symbols() -> pl.Expr:
    """Return Kite's trading symbols ("NIFTY20JAN12000CE"; weekly "NIFTY2010912000CE") for files that print none.

    An expiry is the monthly one if the file lists no later one of its underlying in that month, so the frame must hold
    a whole day of contracts. Columns as in `contracts`, with `strike_px`.
    """
    date = pl.col("expiry").cast(pl.Date)
    month = date.dt.strftime("%y%b").str.to_uppercase()
    letter = date.dt.month().replace_strict({10: "O", 11: "N", 12: "D"}, default=date.dt.month().cast(pl.String))
    week = pl.concat_str(date.dt.strftime("%y"), letter, date.dt.strftime("%d"))
    is_monthly = pl.col("expiry") == pl.col("expiry").max().over("underlying", date.dt.strftime("%Y%m"))
    tail = pl.when(pl.col("right") != "").then(pl.concat_str(strike_text(), "right")).otherwise(pl.lit("FUT"))
    return pl.concat_str("underlying", pl.when(is_monthly).then(month).otherwise(week), tail)


def _numbered(frame: pl.DataFrame, once: pl.DataFrame, key: str) -> pl.DataFrame:
    numbers = once.select(key).with_row_index("inst")
    return frame.join(numbers, on=key, how="left", maintain_order="left")


def all_instruments(groups: Sequence[Sequence[Instrument]]) -> tuple[Instrument, ...]:
    """Join instruments of several readings, each id once, the first one kept."""
    return tuple({one.id: one for group in reversed(groups) for one in group}.values())

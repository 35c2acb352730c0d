"""Instruments as people type them on the command line or as sources write them in a column."""

import re

from manjha.adapters.formats import naming
from manjha.domain.errors import DataError, UsageError
from manjha.domain.instrument import Asset, Exchange, Instrument, Kind, Right, future_id, option_id
from manjha.domain.moments import TradingDay, parse_day
from manjha.domain.money import Px, Qty, parse_px

FORMS = "Give --instrument as NSE:RELIANCE, 'NSE:NIFTY 50', NFO:NIFTY:2024-01-25:FUT or NFO:NIFTY:2024-01-25:CE:22000."
_DERIVATIVE = (Exchange.NFO, Exchange.BFO, Exchange.CDS, Exchange.BCD, Exchange.MCX)


def instrument_typed(text: str) -> Instrument:
    """Return what `--instrument` names. Raises `UsageError` for what names none."""
    exchange_text, colon, rest = text.strip().partition(":")
    if not colon:
        exchange_text, rest = "NSE", text.strip()
    try:
        exchange = Exchange(exchange_text.upper())
    except ValueError:
        raise UsageError(f"unknown exchange in {text!r}", hint=FORMS) from None
    if not rest.strip():
        raise UsageError(f"no instrument in {text!r}", hint=FORMS)
    if exchange in _DERIVATIVE:
        return _contract(exchange, rest, text)
    if rest.startswith("#"):
        return naming.index(exchange, rest[1:])
    found = naming.index_named(rest)
    if found is not None and found.exchange == exchange:
        return found
    symbol = rest.strip().upper()
    return naming.share(exchange, symbol, isin=symbol)


def contract(
    exchange: Exchange, underlying: str, expiry: TradingDay, right: Right | None = None, strike: Px | None = None
) -> Instrument:
    """Return a contract whose lot and tick no file has told: the instrument dump or the dated rules fill them in."""
    if right is not None and strike is not None:
        key, kind = option_id(exchange, underlying, expiry, right, strike), Kind.OPTION
    else:
        key, kind = future_id(exchange, underlying, expiry), Kind.FUTURE
    return Instrument(
        id=key,
        symbol=key.partition(":")[2],
        exchange=exchange,
        kind=kind,
        asset=asset_of(exchange, underlying),
        tick=naming.TICK,
        lot=Qty(1),
        name=underlying,
        underlying=underlying,
        expiry=expiry,
        strike=strike if kind is Kind.OPTION else None,
        right=right if kind is Kind.OPTION else None,
    )


def asset_of(exchange: Exchange, underlying: str) -> Asset:
    """Return what a derivative is on, by its exchange and underlying."""
    if exchange is Exchange.MCX:
        return Asset.COMMODITY
    if exchange in (Exchange.CDS, Exchange.BCD):
        return Asset.CURRENCY
    return Asset.INDEX if underlying in naming.INDEX_UNDERLYINGS else Asset.EQUITY


def instrument_written(symbol: str, exchange: Exchange = Exchange.NSE) -> Instrument:
    """Return what a symbol in a column names: "RELIANCE", "RELIANCE.NS", "NSE:SBIN", "^NSEI", "NIFTY", "CDSL-BE"."""
    text = symbol.strip()
    if ":" in text:
        return instrument_typed(text)
    for suffix, place in ((".NS", Exchange.NSE), (".BO", Exchange.BSE)):
        if text.upper().endswith(suffix):
            text, exchange = text[: -len(suffix)], place
    found = naming.index_named(text)
    if found is not None:
        return found
    share, dash, series = text.upper().rpartition("-")
    if dash and series in naming.SHARE_SERIES:
        return naming.share(exchange, share, series=series)
    return naming.share(exchange, text.upper())


def _contract(exchange: Exchange, rest: str, text: str) -> Instrument:
    parts = rest.split(":")
    try:
        if len(parts) == 3 and parts[2].upper() == "FUT":
            return contract(exchange, parts[0].upper(), parse_day(parts[1]))
        if len(parts) == 4:
            return contract(
                exchange, parts[0].upper(), parse_day(parts[1]), Right(parts[2].upper()), parse_px(parts[3])
            )
    except (DataError, ValueError) as error:
        raise UsageError(f"{text!r} names no contract: {error}", hint=FORMS) from None
    raise UsageError(f"{text!r} names no contract with its expiry", hint=FORMS)


def underlying_in(symbol: str) -> str:
    """Return the underlying at the front of a contract's symbol: "NIFTY29FEB2423000CE" gives "NIFTY"."""
    found = re.match(r"[A-Za-z&\-]+", symbol.strip())
    return found[0].upper() if found else ""

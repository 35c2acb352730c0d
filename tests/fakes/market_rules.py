"""The shipped rules, loaded once for all tests, and instruments to ask them about."""

from functools import cache

from manjha.adapters.files.rule_tables import load_rules
from manjha.domain.instrument import Asset, Exchange, Instrument, Kind, Right, cash_id, future_id, index_id, option_id
from manjha.domain.moments import TradingDay, parse_day
from manjha.domain.money import Px, Qty, parse_px
from manjha.market.rules import MarketRules

PAISE_5 = Px(500)


@cache
def shipped_rules() -> MarketRules:
    return load_rules()


def share(
    symbol: str = "SBIN",
    *,
    exchange: Exchange = Exchange.NSE,
    kind: Kind = Kind.EQUITY,
    series: str = "",
    fno: bool = False,
) -> Instrument:
    return Instrument(
        id=cash_id(exchange, symbol),
        symbol=symbol,
        exchange=exchange,
        kind=kind,
        asset=Asset.EQUITY,
        tick=PAISE_5,
        series=series,
        has_derivatives=fno,
    )


def index(name: str = "NIFTY 50") -> Instrument:
    return Instrument(
        id=index_id(Exchange.NSE, name),
        symbol=name,
        exchange=Exchange.NSE,
        kind=Kind.INDEX,
        asset=Asset.INDEX,
        tick=PAISE_5,
    )


def future(
    underlying: str = "NIFTY",
    expiry: str = "2026-12-29",
    *,
    exchange: Exchange = Exchange.NFO,
    asset: Asset = Asset.INDEX,
    lot: int = 1,
) -> Instrument:
    day = parse_day(expiry)
    return Instrument(
        id=future_id(exchange, underlying, day),
        symbol=f"{underlying} FUT",
        exchange=exchange,
        kind=Kind.FUTURE,
        asset=asset,
        tick=PAISE_5,
        lot=Qty(lot),
        underlying=underlying,
        expiry=day,
    )


def option(
    underlying: str = "NIFTY",
    strike: str = "26000",
    right: Right = Right.CALL,
    *,
    expiry: str = "2026-12-29",
    exchange: Exchange = Exchange.NFO,
    asset: Asset = Asset.INDEX,
) -> Instrument:
    day = parse_day(expiry)
    return Instrument(
        id=option_id(exchange, underlying, day, right, parse_px(strike)),
        symbol=f"{underlying}{strike}{right}",
        exchange=exchange,
        kind=Kind.OPTION,
        asset=asset,
        tick=PAISE_5,
        underlying=underlying,
        expiry=day,
        strike=parse_px(strike),
        right=right,
    )


def day(text: str) -> TradingDay:
    return parse_day(text)

"""Quotes over HTTP: last prices, the day's prices, and the five levels of depth (2.9)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from manjha.domain.moments import TsNs
from manjha.exchange.errors import bad_input
from manjha.exchange.market.depth import Level, depth_of
from manjha.exchange.market.listing import INDICES, Listed, Listing
from manjha.exchange.market.market import Market, Standing
from manjha.exchange.wire import average_of, rupees, stamp, stamp_or_none

FULL_MAX, SHORT_MAX = 500, 1000
"""Instruments of one request: of whole quotes, and of the short ones."""


def named(listing: Listing, key: str) -> Listed | None:
    """Return the instrument of "NSE:MANJHA", of a token as text, or of "INDICES:" and an index; None for none."""
    if key.isdecimal():
        return listing.by_token.get(int(key))
    exchange, _, symbol = key.partition(":")
    if exchange == INDICES:
        return next((one for one in listing.all if one.segment == INDICES and one.symbol == symbol), None)
    return listing.by_key.get(key)


def quoted(
    market: Market, keys: Sequence[str], most: int, show: Callable[[Listed, Standing], dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return what is shown of each key, under the key as it was asked for; what is unknown or has no data is missing.

    Raises
    ------
    KiteError
        No key, or more than `most`.
    """
    if not keys:
        raise bad_input("Missing or empty field `i`")
    if len(keys) > most:
        raise bad_input(f"Maximum allowed instruments exceeded: {most} are allowed.")
    return {key: show(listed, standing) for key, listed, standing in _found(market, keys)}


def _found(market: Market, keys: Sequence[str]) -> Iterator[tuple[str, Listed, Standing]]:
    for key in keys:
        listed = named(market.listing, key)
        if listed is not None:
            standing = market.standings[listed.id]
            if standing.last or standing.close:
                yield key, listed, standing


def last_price(listed: Listed, standing: Standing) -> dict[str, Any]:
    """Return a row of `/quote/ltp`."""
    return {"instrument_token": listed.token, "last_price": rupees(standing.last or standing.close)}


def ohlc(listed: Listed, standing: Standing) -> dict[str, Any]:
    """Return a row of `/quote/ohlc`; `close` is the previous session's."""
    return {**last_price(listed, standing), "ohlc": _ohlc(standing)}


def full(listed: Listed, standing: Standing, now_ns: TsNs) -> dict[str, Any]:
    """Return a row of `/quote`. No open interest is simulated."""
    bids, offers = depth_of(listed.instrument, standing)
    unit = listed.unit
    return {
        "instrument_token": listed.token,
        "timestamp": stamp(now_ns),
        "last_trade_time": stamp_or_none(standing.last_ns),
        "last_price": rupees(standing.last or standing.close),
        "last_quantity": standing.last_qty // unit,
        "buy_quantity": sum(level.qty for level in bids) // unit,
        "sell_quantity": sum(level.qty for level in offers) // unit,
        "volume": standing.volume // unit,
        "average_price": average_of(standing.turnover, standing.volume),
        "oi": 0,
        "oi_day_high": 0,
        "oi_day_low": 0,
        "net_change": rupees(standing.last - standing.close) if standing.last else 0,
        "lower_circuit_limit": rupees(standing.band_low),
        "upper_circuit_limit": rupees(standing.band_high),
        "ohlc": _ohlc(standing),
        "depth": {"buy": [_level(one, unit) for one in bids], "sell": [_level(one, unit) for one in offers]},
    }


def trigger_range(listed: Listed, standing: Standing, *, buys: bool) -> dict[str, Any]:
    """Return a row of `/instruments/trigger_range`: where the stop of a cover order may be, from the last price on.

    Within the circuit limits on the far side of the last price from the entry; without limits 10 % of it.
    """
    last = standing.last or standing.close
    low, high = standing.band_low or last * 9 // 10, standing.band_high or last * 11 // 10
    tick = listed.instrument.tick
    lower, upper = (low, last - tick) if buys else (last + tick, high)
    return {"instrument_token": listed.token, "lower": rupees(lower), "upper": rupees(upper)}


def _ohlc(standing: Standing) -> dict[str, Any]:
    return {
        "open": rupees(standing.open), "high": rupees(standing.high), "low": rupees(standing.low),
        "close": rupees(standing.close),
    }  # fmt: skip


def _level(level: Level, unit: int) -> dict[str, Any]:
    return {"price": rupees(level.px), "quantity": level.qty // unit, "orders": level.orders}

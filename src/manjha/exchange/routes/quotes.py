"""Quotes and candles (fact sheet 2.9 and 2.10); apps need the plan with market data."""

from typing import Any

from manjha.domain.instrument import Instrument
from manjha.domain.moments import TradingDay
from manjha.exchange.accounts.limits import RateClass
from manjha.exchange.accounts.users import Plan
from manjha.exchange.calls import Call, Route
from manjha.exchange.errors import bad_input
from manjha.exchange.exchange import Exchange
from manjha.exchange.market import candles, quotes
from manjha.exchange.wire import flag_of


def quote(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Return whole quotes."""
    now_ns = exchange.now_ns
    return quotes.quoted(
        exchange.market, call.query.get("i", ()), quotes.FULL_MAX,
        lambda listed, standing: quotes.full(listed, standing, now_ns),
    )  # fmt: skip


def ohlc(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Return last prices and those of the day."""
    return quotes.quoted(exchange.market, call.query.get("i", ()), quotes.SHORT_MAX, quotes.ohlc)


def ltp(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Return last prices."""
    return quotes.quoted(exchange.market, call.query.get("i", ()), quotes.SHORT_MAX, quotes.last_price)


def trigger_range(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Return where the stops of cover orders may be."""
    side = call.path["transaction_type"].lower()
    if side not in ("buy", "sell"):
        raise bad_input("Invalid `transaction_type`: expected buy or sell.")
    return quotes.quoted(
        exchange.market, call.query.get("i", ()), quotes.SHORT_MAX,
        lambda listed, standing: quotes.trigger_range(listed, standing, buys=side == "buy"),
    )  # fmt: skip


def history(exchange: Exchange, call: Call) -> dict[str, Any]:
    """Return the candles of an instrument."""
    token, market = call.path["instrument_token"], exchange.market
    listed = market.listing.by_token.get(int(token)) if token.isdecimal() else None
    if listed is None:
        raise bad_input("Invalid `instrument_token`.")
    span = candles.span_of(call.path["interval"], call.asked("from"), call.asked("to"))
    words = {name: call.asked(name) for name in ("continuous", "oi")}
    if flag_of(words, "continuous"):
        candles.check_continuous(listed.instrument, span.interval)
        contracts = _contracts(exchange, listed.instrument)
        bars = candles.stitched((expiry, exchange.candles.of(one, span)) for expiry, one in contracts)
    else:
        bars = exchange.candles.of(listed.instrument, span)
    oi = flag_of(words, "oi")
    return {"candles": [candles.shown(bar, listed.unit, oi=oi) for bar in bars]}


def _contracts(exchange: Exchange, asked: Instrument) -> list[tuple[TradingDay, Instrument]]:
    """Return the futures on the same underlying up to the one that was asked for, expired ones included."""
    return [
        (one.expiry, one)
        for one in exchange.market.source.instruments
        if (one.exchange, one.kind, one.underlying) == (asked.exchange, asked.kind, asked.underlying)
        and one.expiry is not None
        and one.expiry <= (asked.expiry or one.expiry)
    ]


ROUTES = (
    Route("GET", "/quote", quote, RateClass.QUOTE, plan=Plan.CONNECT),
    Route("GET", "/quote/ohlc", ohlc, RateClass.QUOTE, plan=Plan.CONNECT),
    Route("GET", "/quote/ltp", ltp, RateClass.QUOTE, plan=Plan.CONNECT),
    Route("GET", "/instruments/trigger_range/{transaction_type}", trigger_range, plan=Plan.CONNECT),
    Route(
        "GET", "/instruments/historical/{instrument_token}/{interval}", history, RateClass.HISTORICAL,
        plan=Plan.CONNECT,
    ),
)  # fmt: skip

"""What the official clients ask for beside orders: portfolio, money, calculators, quotes, candles, triggers, alerts."""

import json
from collections.abc import Iterator

from tests.official.steps import INPUT, MANJHA, ORDER, Plain, Prices, Step, both, call, gtt, order, plainly


def portfolio_topic(prices: Prices) -> Iterator[Step]:
    """Buy, sell what is held, convert; read positions, holdings and money."""
    yield both("", {"login": "AB1234"})
    yield order("regular", price=prices.near)
    yield order("regular", tradingsymbol="PATANG", transaction_type="SELL", order_type="MARKET", market_protection=-1)
    yield both("", {"advance": 60})
    yield call("GET /portfolio/positions", "positions", "getPositions", sample="positions")
    kept: Plain = {
        "exchange": "NSE", "tradingsymbol": "MANJHA", "transaction_type": "BUY", "position_type": "day", "quantity": 4,
        "old_product": "CNC", "new_product": "MIS",
    }  # fmt: skip
    yield Step(
        "PUT /portfolio/positions",
        {"call": "convert_position", "kwargs": kept},
        {"call": "convertPosition", "args": [kept]},
        sample="convert_position",
    )
    yield call("GET /portfolio/positions", "positions", "getPositions", sample="positions")
    yield call("GET /portfolio/holdings", "holdings", "getHoldings", sample="holdings")
    yield call("GET /portfolio/holdings/auctions", "get_auction_instruments", "getAuctionInstruments")
    yield plainly("GET /portfolio/holdings/compact", sample="holdings_compact")
    yield plainly("GET /portfolio/holdings/summary", sample="holdings_summary")
    yield plainly("POST /portfolio/holdings/authorise", sample="holdings_auth")
    yield call("GET /user/margins", "margins", "getMargins", sample="margins")
    yield call("GET /user/margins/{segment}", "margins", "getMargins", "equity", sample="margins_equity")
    yield call("GET /user/margins/{segment}", "margins", "getMargins", "commodity", sample="margin_commodity")
    yield call("GET /user/margins/{segment}", "margins", "getMargins", "currency", error=INPUT)


def calculators_topic(prices: Prices) -> Iterator[Step]:
    """Ask what orders would need and cost."""
    share = {**ORDER, "variety": "regular", "price": float(prices.near), "trigger_price": 0}
    future = {
        "exchange": "NFO", "tradingsymbol": "SYNTH5026DECFUT", "transaction_type": "SELL", "variety": "regular",
        "product": "NRML", "order_type": "MARKET", "quantity": 50, "price": 0, "trigger_price": 0,
    }  # fmt: skip
    told = [share, future]
    yield both("", {"login": "AB1234"})
    yield Step(
        "POST /margins/orders", {"call": "order_margins", "args": [told]}, {"call": "orderMargins", "args": [told, ""]},
        sample="order_margins",
    )  # fmt: skip
    yield Step(
        "POST /margins/orders?mode=compact", {"http": ["POST", "/margins/orders?mode=compact", told]},
        {"call": "orderMargins", "args": [told]},
    )  # fmt: skip
    yield Step(
        "POST /margins/basket", {"call": "basket_order_margins", "args": [told]},
        {"call": "orderBasketMargins", "args": [told, True, ""]}, sample="basket_margins",
    )  # fmt: skip
    yield Step(
        "POST /margins/basket?mode=compact", {"call": "basket_order_margins", "args": [told, False, "compact"]},
        {"call": "orderBasketMargins", "args": [told, False]},
    )  # fmt: skip
    notes = [{**order, "order_id": "1", "average_price": 1500.5} for order in told]
    yield call(
        "POST /charges/orders", "get_virtual_contract_note", "getvirtualContractNote", notes,
        sample="virtual_contract_note",
    )  # fmt: skip


def market_topic(prices: Prices) -> Iterator[Step]:
    """Ask for quotes and candles."""
    del prices
    keys = ["NSE:MANJHA", "NSE:SYNTH 50", "NSE:NOBODY"]
    first, last = "2026-11-24 09:15:00", "2026-11-26 15:30:00"
    path = f"/instruments/historical/{MANJHA}/minute?from={first}&to={last}"
    yield both("", {"login": "AB1234"})
    yield call("GET /quote", "quote", "getQuote", [*keys, "NFO:SYNTH5026DECFUT"])
    yield call("GET /quote of one", "quote", "getQuote", ["NSE:MANJHA"])
    yield call("GET /quote/ohlc", "ohlc", "getOHLC", keys)
    yield call("GET /quote/ltp", "ltp", "getLTP", [*keys, str(MANJHA)])
    yield Step(
        "GET /instruments/trigger_range/{transaction_type}", {"call": "trigger_range", "args": ["BUY", ["NSE:MANJHA"]]},
        {"http": ["GET", "/instruments/trigger_range/buy?i=NSE:MANJHA", {}]},
    )  # fmt: skip
    for interval in ("minute", "60minute", "day"):
        yield Step(
            "GET /instruments/historical/{instrument_token}/{interval}",
            {"call": "historical_data", "args": [MANJHA, first, last, interval], "kwargs": {"oi": True}},
            {"call": "getHistoricalData", "args": [MANJHA, interval, first, last, False, True]},
        )
    yield both("GET …/historical/… as it is sent", {"http": ["GET", path, {}]}, sample="historical_minute")
    yield both("GET …/historical/…&oi=1 as it is sent", {"http": ["GET", f"{path}&oi=1", {}]}, sample="historical_oi")
    yield Step(
        "GET …/historical/… too long",
        {"call": "historical_data", "args": [MANJHA, "2026-01-01", "2026-11-26", "minute"]},
        {"call": "getHistoricalData", "args": [MANJHA, "minute", "2026-01-01", "2026-11-26"]},
        error=INPUT,
    )


def triggers_topic(prices: Prices) -> Iterator[Step]:
    """Create, change, read and delete triggers; one fires."""
    last, low, high = float(prices.near), float(prices.far), float(prices.above)
    yield both("", {"login": "AB1234"})
    yield gtt("POST /gtt/triggers", "single", [low], last, sample="gtt_place_order")
    yield gtt("POST /gtt/triggers", "two-leg", [low, high], last, "SELL", sample="gtt_place_order")
    # Met by the next tick: the price that was seen is above it.
    yield gtt("POST /gtt/triggers", "single", [high], high + 1, sample="gtt_place_order")
    made: Plain = {"$": [1, "trigger_id"]}
    yield gtt("PUT /gtt/triggers/{trigger_id}", "single", [low], last, number=made, sample="gtt_modify_order")
    yield both("", {"advance": 60})
    yield call("GET /gtt/triggers", "get_gtts", "getGTTs", sample="gtt_get_orders")
    yield call("GET /gtt/triggers/{trigger_id}", "get_gtt", "getGTT", {"$": [3, "trigger_id"]}, sample="gtt_get_order")
    yield call("DELETE /gtt/triggers/{trigger_id}", "delete_gtt", "deleteGTT", made, sample="gtt_delete_order")
    yield call("DELETE /gtt/triggers/{trigger_id}", "delete_gtt", "deleteGTT", made, error=INPUT)
    yield gtt("POST /gtt/triggers", "two-leg", [low, high], high + 1, "SELL", error=INPUT)
    yield call("GET /orders", "orders", "getOrders")


def alerts_topic(prices: Prices) -> Iterator[Step]:
    """Create, change, read and delete alerts, which neither client has methods for; one is raised."""
    simple = {
        "name": "SYNTH 50", "type": "simple", "lhs_exchange": "INDICES", "lhs_tradingsymbol": "SYNTH 50",
        "lhs_attribute": "LastTradedPrice", "operator": ">=", "rhs_type": "constant", "rhs_constant": "1.5",
    }  # fmt: skip
    params = {
        "product": "CNC", "order_type": "LIMIT", "transaction_type": "BUY", "quantity": 10, "price": float(prices.far),
    }  # fmt: skip
    item = {"type": "insert", "tradingsymbol": "MANJHA", "exchange": "NSE", "weight": 1, "params": params}
    basket = json.dumps({"name": "buy", "type": "alert", "tags": [], "items": [item]})
    met: Plain = {"$": [1, "uuid"]}
    yield both("", {"login": "AB1234"})
    yield plainly("POST /alerts", simple, sample="alerts_create")
    yield plainly("POST /alerts", {**simple, "type": "ato", "basket": basket}, sample="alerts_create_ato")
    yield both("", {"advance": 60})
    yield plainly("GET /alerts", sample="alerts_get")
    yield plainly("GET /alerts/{uuid}", number=met, sample="alerts_get_one")
    yield plainly("PUT /alerts/{uuid}", {**simple, "rhs_constant": "99000"}, number=met, sample="alerts_modify")
    yield plainly("GET /alerts/{uuid}/history", number=met, sample="alerts_history")
    yield plainly("DELETE /alerts?uuid={uuid}", number=met, sample="alerts_delete")

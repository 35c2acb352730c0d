"""Quotes, candles and calculators, past the wire (2.8 to 2.10)."""

from array import array
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from manjha.domain.bars import Bar
from manjha.domain.moments import MINUTE_NS, TradingDay, TsNs, at, date_from_day, parse_clock
from manjha.domain.money import RUPEE, Px, Qty, format_px
from manjha.domain.ticks import TickColumns
from manjha.exchange import calls
from manjha.exchange.errors import Kind, KiteError
from manjha.exchange.exchange import Exchange
from manjha.exchange.market import candles
from manjha.exchange.market.sources import RecordedDays, minute_bars
from manjha.exchange.news import streams
from manjha.exchange.routes.table import ROUTES
from tests.fakes.exchanges import OWNERS, Trader, an_exchange, run, session_of, synthetic

FUTURE = "SYNTH5026DECFUT"


def asked(exchange: Exchange, method: str, path: str, query: Mapping[str, Any] | None = None, **more: Any) -> Any:
    """Ask for a path of the table whose variable parts are in `more`, by a session of a given app."""
    route = next(one for one in ROUTES if (one.method, one.path) == (method, path))
    key = more.pop("key", "key")
    body = msgspec.json.encode(more.pop("body")) if "body" in more else more.pop("raw", b"")
    form = more.pop("form", {})
    session = session_of(exchange, key=key)
    words = {name: list(value) if isinstance(value, list) else [str(value)] for name, value in (query or {}).items()}
    call = calls.Call(
        method=method, path=more, query=words, form=form, body=body,
        authorization=f"token {key}:{session.access_token}", address="127.0.0.1",
    )  # fmt: skip
    return calls.answered(exchange, route, call)


def test_quotes_leave_out_what_is_unknown_and_answer_to_tokens() -> None:
    trader = Trader(an_exchange())
    token = str(trader.listed.token)
    found = asked(trader.exchange, "GET", "/quote/ltp", {"i": ["NSE:MANJHA", token, "NSE:NOBODY", "12", "nonsense"]})
    last = trader.last / RUPEE
    assert {key: row["last_price"] for key, row in found.items()} == {"NSE:MANJHA": last, token: last}
    assert set(asked(trader.exchange, "GET", "/quote/ohlc", {"i": ["INDICES:SYNTH 50"]})) == {"INDICES:SYNTH 50"}


def test_a_whole_quote_has_the_days_prices_and_five_levels() -> None:
    trader = Trader(an_exchange())
    row = asked(trader.exchange, "GET", "/quote", {"i": "NSE:MANJHA"})["NSE:MANJHA"]
    standing = trader.exchange.market.standings[trader.listed.id]
    assert (row["volume"], row["ohlc"]["close"]) == (standing.volume, standing.close / RUPEE)
    assert row["lower_circuit_limit"] < row["last_price"] < row["upper_circuit_limit"]
    assert row["ohlc"]["low"] <= row["average_price"] <= row["ohlc"]["high"]
    bids, offers = row["depth"]["buy"], row["depth"]["sell"]
    assert (len(bids), len(offers)) == (5, 5)
    assert bids[0]["price"] <= row["last_price"] <= offers[0]["price"]
    assert row["buy_quantity"] == sum(level["quantity"] for level in bids)


@pytest.mark.parametrize(("path", "most"), [("/quote", 500), ("/quote/ohlc", 1000), ("/quote/ltp", 1000)])
def test_so_many_instruments_can_be_asked_for_at_once(path: str, most: int) -> None:
    exchange = an_exchange()
    keys = [f"NSE:N{number}" for number in range(most)]
    assert asked(exchange, "GET", path, {"i": keys}) == {}
    for wrong in ([*keys, "NSE:MANJHA"], []):
        with pytest.raises(KiteError) as refused:
            asked(exchange, "GET", path, {"i": wrong})
        assert refused.value.kind is Kind.INPUT


@pytest.mark.parametrize("path", ["/quote", "/quote/ohlc", "/quote/ltp"])
def test_the_free_plan_has_no_quotes(path: str) -> None:
    with pytest.raises(KiteError, match="Insufficient permission"):
        asked(an_exchange(), "GET", path, {"i": "NSE:MANJHA"}, key="free")


def history(trader: Trader, interval: str, first: str, last: str, **words: Any) -> list[Any]:
    query = {"from": first, "to": last, "interval": "ignored", **words}
    path = "/instruments/historical/{instrument_token}/{interval}"
    told = asked(trader.exchange, "GET", path, query, instrument_token=str(trader.listed.token), interval=interval)
    return list(told["candles"])


def test_candles_of_today_are_those_of_its_ticks_and_run_on() -> None:
    trader = Trader(an_exchange("10:00:30"))
    first = history(trader, "minute", "2026-11-26 09:15:00", "2026-11-26 15:30:00")
    assert first[0][0] == "2026-11-26T09:15:00+0530"
    assert (len(first), first[-1][0]) == (46, "2026-11-26T10:00:00+0530")
    assert first[-1][4] == trader.last / RUPEE
    run(trader.exchange, 20)
    second = history(trader, "minute", "2026-11-26 09:15:00", "2026-11-26 15:30:00")
    assert second[:-1] == first[:-1]
    assert second[-1][5] > first[-1][5]


def test_a_day_that_is_over_reads_as_it_did_while_it_ran() -> None:
    trader = Trader(an_exchange("15:45"))
    words = ("minute", "2026-11-26 09:15:00", "2026-11-26 15:30:00")
    seen = history(trader, *words)
    run(trader.exchange, 24 * 3600)
    stored = history(trader, *words)
    assert [row[:5] for row in stored[: len(seen)]] == [row[:5] for row in seen]
    assert [row[0] for row in seen] == [row[0] for row in stored]


@pytest.mark.parametrize(("interval", "rows"), [("5minute", 9), ("15minute", 3), ("60minute", 1), ("day", 1)])
def test_longer_candles_are_made_of_the_minutes(interval: str, rows: int) -> None:
    trader = Trader(an_exchange("09:59:59"))
    span = "2026-11-26 09:15:00", "2026-11-26 15:30:00"
    minutes, found = history(trader, "minute", *span), history(trader, interval, *span)
    assert len(found) == rows
    assert found[0][0] == f"2026-11-26T{'00:00' if interval == 'day' else '09:15'}:00+0530"
    inside = minutes[: {"5minute": 5, "15minute": 15}.get(interval, 45)]
    assert found[0][1:] == [
        inside[0][1], max(row[2] for row in inside), min(row[3] for row in inside), inside[-1][4],
        sum(row[5] for row in inside),
    ]  # fmt: skip


def test_to_is_included_and_dates_alone_are_whole_days() -> None:
    trader = Trader(an_exchange())
    found = history(trader, "minute", "2026-11-25 09:20:00", "2026-11-25 09:22:00")
    assert [row[0][11:16] for row in found] == ["09:20", "09:21", "09:22"]
    assert [row[0][:10] for row in history(trader, "day", "2026-11-25", "2026-11-26")] == ["2026-11-25", "2026-11-26"]
    # At noon the day's candle has opened already, and is asked for all the same.
    assert len(history(trader, "day", "2026-11-25 12:00:00", "2026-11-25 12:00:00")) == 1
    assert history(trader, "week", "2026-11-25", "2026-11-26")[0][0] == "2026-11-23T00:00:00+0530"


def test_open_interest_is_a_seventh_value_where_it_is_asked_for() -> None:
    trader = Trader(an_exchange(), symbol=FUTURE)
    span = "2026-11-25 09:15:00", "2026-11-25 09:20:00"
    assert {len(row) for row in history(trader, "minute", *span)} == {6}
    assert {len(row) for row in history(trader, "minute", *span, oi="1")} == {7}


@pytest.mark.parametrize("interval", candles.INTERVALS)
def test_a_request_spans_so_many_days(interval: str) -> None:
    days = candles.INTERVALS[interval].days
    first = TradingDay(20_000)
    ends = [str(date_from_day(first + days + ahead)) for ahead in (0, 1)]
    candles.span_of(interval, str(date_from_day(first)), f"{ends[0]} 00:00:00")
    with pytest.raises(KiteError, match=f"interval exceeds max limit: {days} days"):
        candles.span_of(interval, str(date_from_day(first)), f"{ends[1]} 00:00:00")


@pytest.mark.parametrize(
    ("interval", "first", "last", "text"),
    [
        ("7minute", "2026-11-25", "2026-11-26", "Invalid `interval`"),
        ("day", "", "2026-11-26", "Missing or empty field `from`"),
        ("day", "2026-11-26", "2026-11-25", "Invalid `to`"),
        ("day", "today", "2026-11-25", "Invalid `from`"),
    ],
)
def test_what_cannot_be_read_is_refused(interval: str, first: str, last: str, text: str) -> None:
    with pytest.raises(KiteError, match=text):
        candles.span_of(interval, first, last)


def test_continuous_data_is_of_futures_by_the_day() -> None:
    future, share = Trader(an_exchange(), symbol=FUTURE), Trader(an_exchange())
    assert len(history(future, "day", "2026-11-25", "2026-11-26", continuous="1")) == 2
    for trader, interval in ((share, "day"), (future, "minute")):
        with pytest.raises(KiteError, match="continuous data is available"):
            history(trader, interval, "2026-11-24", "2026-11-26", continuous="1")


def test_contracts_are_stitched_at_their_expiry() -> None:
    def bars(px: int, days: range) -> list[Bar]:
        opens = [at(day, parse_clock("09:15")) for day in days]
        return [Bar(ts, TsNs(ts + MINUTE_NS), Px(px), Px(px), Px(px), Px(px), Qty(1)) for ts in opens]

    near, far = bars(1, range(20_000, 20_004)), bars(2, range(20_002, 20_007))
    found = candles.stitched([(TradingDay(20_009), far), (TradingDay(20_003), near)])
    assert [bar.open for bar in found] == [1, 1, 1, 1, 2, 2, 2]


def test_recorded_ticks_make_the_same_candles() -> None:
    source, days = synthetic()
    name = next(one.id for one in source.instruments if one.symbol == "MANJHA")
    ticks = [tick for tick in source.ticks(days[0]) if tick.instrument == name]
    columns = TickColumns(
        name, *(memoryview(array("q", [getattr(tick, part) for tick in ticks])) for part in ("ts_ns", "px", "volume"))
    )
    recorded = RecordedDays(tuple(source.instruments), (columns,))
    made = list(recorded.minutes(name, days[0], days[0]))
    assert made == list(minute_bars(ticks))
    known = list(source.minutes(name, days[0], days[0]))
    assert [(bar.ts_open_ns, bar.open, bar.high, bar.low, bar.close) for bar in made] == [
        (bar.ts_open_ns, bar.open, bar.high, bar.low, bar.close) for bar in known
    ]


# ---- calculators


def item(**changes: Any) -> dict[str, Any]:
    usual = {
        "exchange": "NSE", "tradingsymbol": "MANJHA", "transaction_type": "BUY", "variety": "regular",
        "product": "CNC", "order_type": "LIMIT", "quantity": 10, "price": 1500.05, "trigger_price": 0,
    }  # fmt: skip
    return {**usual, **changes}


def future(side: str = "SELL", **changes: Any) -> dict[str, Any]:
    fields = {"exchange": "NFO", "tradingsymbol": FUTURE, "product": "NRML", "quantity": 50, "order_type": "MARKET"}
    return item(**{**fields, "transaction_type": side, "price": 0, **changes})


def test_what_an_order_needs_is_what_is_blocked_for_it() -> None:
    trader = Trader(an_exchange(users=OWNERS))
    exchange = trader.exchange
    told = [item(), item(product="MIS"), future()]
    delivery, intraday, short = asked(exchange, "POST", "/margins/orders", body=told)
    assert (delivery["total"], delivery["leverage"]) == (15000.5, 1)
    assert (intraday["total"], intraday["leverage"]) == (3000.1, 5)
    assert short["total"] == pytest.approx(short["span"] + short["exposure"])
    purse = exchange.broker.assets["AB1234"].purses["equity"]
    before = purse.net
    trader.place(product="MIS", price="1500.05")
    run(exchange, 1)
    assert before - purse.net == 3000.1 * RUPEE


def test_an_order_that_closes_needs_nothing() -> None:
    trader = Trader(an_exchange(), symbol=FUTURE)
    trader.place(transaction_type="SELL", product="NRML", quantity=50, order_type="MARKET", market_protection=-1)
    run(trader.exchange, 120)
    (closing,) = asked(trader.exchange, "POST", "/margins/orders", {"mode": "compact"}, body=[future("BUY")])
    assert closing == {"type": "equity", "tradingsymbol": FUTURE, "exchange": "NFO", "total": 0}


@pytest.mark.parametrize("word", ["True", "true", "1"])
def test_a_basket_hedges_itself(word: str) -> None:
    exchange = an_exchange()
    told = [future("SELL"), future("BUY"), item()]
    found = asked(exchange, "POST", "/margins/basket", {"consider_positions": word}, body=told)
    assert found["initial"]["total"] == pytest.approx(sum(order["total"] for order in found["orders"]))
    assert (found["final"]["span"], found["final"]["exposure"]) == (0, 0)
    assert found["final"]["total"] == 15000.5


def test_a_note_in_advance_charges_what_the_trade_is_charged() -> None:
    trader = Trader(an_exchange())
    order = trader.place(product="MIS", order_type="MARKET", market_protection=-1)
    run(trader.exchange, 120)
    px = format_px(trader.order(order).value // 10)
    (note,) = asked(trader.exchange, "POST", "/charges/orders", body=[item(product="MIS", average_price=float(px))])
    charges = note["charges"]
    booked = trader.exchange.broker.assets["AB1234"].purses["equity"].portfolio.ledger.charges().total
    assert charges["total"] == pytest.approx(booked / RUPEE, abs=0.001)
    parts = ("transaction_tax", "exchange_turnover_charge", "sebi_turnover_charge", "brokerage", "stamp_duty")
    assert charges["total"] == pytest.approx(sum(charges[name] for name in parts) + charges["gst"]["total"])


@pytest.mark.parametrize(
    "told",
    [{}, [], [1], [item(product="NRML")], [item(quantity=0)], [item(tradingsymbol="NOBODY")], [item(variety="x")]],
)
def test_what_the_calculators_do_not_take(told: Any) -> None:
    with pytest.raises(KiteError) as refused:
        asked(an_exchange(), "POST", "/margins/orders", body=told)
    assert refused.value.kind is Kind.INPUT


def test_json_that_is_nested_without_end_is_refused() -> None:
    exchange, nested = an_exchange(), "[" * 20_000
    with pytest.raises(KiteError, match="parse the JSON"):
        asked(exchange, "POST", "/margins/orders", raw=nested.encode())
    with pytest.raises(KiteError, match="JSON is expected"):
        asked(exchange, "POST", "/gtt/triggers", form={"type": "single", "condition": nested, "orders": nested})
    ticker = streams.Streams(exchange)
    stream = ticker.join("key", session_of(exchange).access_token)
    ticker.take(stream, nested)
    assert "could not be read" in stream.texts[-1]

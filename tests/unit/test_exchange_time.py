"""What may be done when at the exchange: sessions, after-market orders, the closing auction, the day's end."""

from typing import Any

import pytest

from manjha.domain.moments import TsNs, at, parse_clock, parse_day
from manjha.exchange.events import DayBegan, ExchangeEvent, SessionClosed
from manjha.exchange.exchange import Exchange
from tests.fakes.exchanges import DAY, Trader, an_exchange, run

FUTURE = "SYNTH5026DECFUT"
PUT = ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING"]


def until(exchange: Exchange, clock: str, day: str = DAY) -> None:
    exchange.advance(TsNs(at(parse_day(day), parse_clock(clock))))


def trader_at(clock: str, symbol: str = "MANJHA", **changes: Any) -> Trader:
    return Trader(an_exchange(clock, **changes), symbol=symbol)


@pytest.mark.parametrize("clock", ["08:59", "15:50", "20:00"])
def test_closed_market_refuses_with_a_hint(clock: str) -> None:
    error = trader_at(clock).refusal(price="1500")
    assert (error.kind, error.code, error.data) == ("InputException", 400, {"hints": ["switch_to_amo"]})
    assert error.message.startswith("Markets are closed right now.")


def test_order_before_the_open_meets_the_first_tick() -> None:
    trader = trader_at("09:05")
    order_id = trader.place(price="1600")
    until(trader.exchange, "09:14:59")
    assert trader.was(order_id) == [*PUT, "OPEN"]
    until(trader.exchange, "09:16")
    assert trader.was(order_id)[-1] == "COMPLETE"


@pytest.mark.parametrize(
    ("clock", "taken"),
    [("08:57", True), ("08:59", False), ("12:00", False), ("15:59", False), ("16:00", True), ("23:30", True)],
)
def test_after_market_orders_in_shares_have_their_hours(clock: str, *, taken: bool) -> None:
    trader = trader_at(clock)
    if taken:
        assert trader.was(trader.place("amo", price="1500")) == ["AMO REQ RECEIVED"]
    else:
        assert "(AMO) cannot be placed now" in trader.refusal("amo", price="1500").message


def test_after_market_orders_in_futures_have_other_hours() -> None:
    assert trader_at("15:46", FUTURE).place("amo", price="24000", product="NRML", quantity=50)
    assert trader_at("09:09", FUTURE).place("amo", price="24000", product="NRML", quantity=50)
    assert "AMO" in trader_at("09:11", FUTURE).refusal("amo", price="24000", product="NRML", quantity=50).message


def test_after_market_order_goes_to_the_exchange_with_its_session() -> None:
    trader = trader_at("17:00")
    limit = trader.price(400)
    early = trader.place("amo", price=limit)
    late = trader.place("amo", order_type="SL", trigger_price=trader.price(900), price=trader.price(910))
    until(trader.exchange, "08:59:59", "2026-11-27")
    assert trader.was(early) == trader.was(late) == ["AMO REQ RECEIVED"]
    until(trader.exchange, "09:00:01", "2026-11-27")
    assert trader.was(early) == ["AMO REQ RECEIVED", *PUT, "OPEN"]
    assert trader.was(late) == ["AMO REQ RECEIVED"]
    until(trader.exchange, "09:16", "2026-11-27")
    assert trader.was(early)[-1] == "COMPLETE"
    assert trader.was(late) == ["AMO REQ RECEIVED", *PUT, "TRIGGER PENDING"]
    assert trader.order(early).row()["variety"] == "amo"


def test_after_market_order_of_friday_waits_for_monday() -> None:
    trader = Trader(an_exchange("17:00", day="2026-11-27"))
    order_id = trader.place("amo", price=trader.price(900))
    until(trader.exchange, "09:00:01", "2026-11-30")
    assert trader.was(order_id) == ["AMO REQ RECEIVED", *PUT, "OPEN"]


def test_after_market_order_can_be_changed_and_cancelled_while_it_waits() -> None:
    trader = trader_at("17:00")
    order_id = trader.place("amo", price=trader.price(0))
    trader.modify(order_id, "amo", price=trader.price(10), quantity=20)
    assert trader.was(order_id) == ["AMO REQ RECEIVED", "AMO REQ RECEIVED"]
    row = trader.order(order_id).row()
    assert (row["price"], row["quantity"], row["modified"]) == (float(trader.price(10)), 20, True)
    trader.cancel(order_id, "amo")
    assert trader.was(order_id)[-1] == "CANCELLED"
    until(trader.exchange, "09:20", "2026-11-27")
    assert order_id not in trader.exchange.book.orders


def test_intraday_orders_end_at_the_square_off_time() -> None:
    usual: dict[str, Any] = {"product": "MIS", "order_type": "MARKET", "market_protection": -1}
    assert trader_at("15:04").place(**usual)
    error = trader_at("15:05").refusal(**usual)
    assert error.message == "Intraday orders (MIS) are allowed only till 3:05 PM"
    assert trader_at("15:19", "FIRKI").place(**usual)
    assert trader_at("15:06", rules={"mis-cut-off": "off"}).place(**usual)


def test_share_with_derivatives_takes_nothing_before_its_auction() -> None:
    trader = trader_at("15:16")
    order_id = trader.place(price=trader.price(0))
    run(trader.exchange, 1)
    assert trader.was(order_id) == [*PUT, "REJECTED"]
    assert (trader.order(order_id).raw or "").startswith("16278")
    other = trader_at("15:16", "FIRKI")
    order_id = other.place(price=other.price(20))
    run(other.exchange, 10)
    assert other.was(order_id)[-1] == "COMPLETE"


def test_closing_auction_trades_at_one_price_and_takes_no_stops() -> None:
    trader = trader_at("15:21")
    stop = {"order_type": "SL", "price": trader.price(20), "trigger_price": trader.price(10)}
    assert "not allowed in the closing auction" in trader.refusal(**stop).message
    buys, high = trader.place(price=trader.price(20)), trader.place(price=trader.price(-900))
    until(trader.exchange, "15:34:59")
    assert trader.was(buys)[-1] == "OPEN"
    until(trader.exchange, "15:35:01")
    assert trader.was(buys)[-1] == "COMPLETE"
    assert trader.exchange.book.trades[buys][0].px == trader.last
    assert trader.was(high)[-1] == "CANCELLED"


def test_resting_order_cannot_become_a_stop_in_the_auction_and_takes_part_in_it() -> None:
    trader = trader_at("15:10")
    order_id = trader.place(price=trader.price(-600))
    until(trader.exchange, "15:21")
    stop = {"order_type": "SL", "price": trader.price(20), "trigger_price": trader.price(10)}
    trader.modify(order_id, **stop)
    run(trader.exchange, 1)
    assert trader.was(order_id)[-2:] == ["NOT MODIFIED", "OPEN"]
    trader.modify(order_id, price=trader.price(20))
    until(trader.exchange, "15:36")
    assert trader.was(order_id)[-1] == "COMPLETE"


def test_before_the_closing_auction_was_there_shares_traded_to_half_past_three() -> None:
    trader = Trader(an_exchange("15:21", day="2026-07-29"))
    order_id = trader.place(price=trader.price(20))
    run(trader.exchange, 10)
    assert trader.was(order_id)[-1] == "COMPLETE"


def test_day_orders_are_cancelled_when_their_instrument_closes() -> None:
    exchange = an_exchange("15:00")
    heard: list[ExchangeEvent] = []
    exchange.hearers.add(heard.append)
    share, other, future = Trader(exchange), Trader(exchange, symbol="FIRKI"), Trader(exchange, symbol=FUTURE)
    ids = [
        share.place(price=share.price(-900)),
        other.place(price=other.price(-900)),
        future.place(price=future.price(-9000), product="NRML", quantity=50),
    ]
    run(exchange, 1)
    for clock, gone in (("15:30", [1]), ("15:35", [0, 1]), ("15:40", [0, 1, 2])):
        until(exchange, clock)
        assert [at for at in range(3) if exchange.book.orders[ids[at]].status == "CANCELLED"] == gone, clock
    closes = [event for event in heard if isinstance(event, SessionClosed)]
    listing = exchange.market.listing
    assert {listing.by_token[token].symbol for token in closes[-1].tokens} == {FUTURE}


def test_book_is_empty_before_the_next_session_but_for_waiting_orders() -> None:
    trader = trader_at("15:00")
    heard: list[ExchangeEvent] = []
    trader.exchange.hearers.add(heard.append)
    day_order = trader.place(price=trader.price(20))
    until(trader.exchange, "18:00")
    waiting = trader.place("amo", price=trader.price(900))
    until(trader.exchange, "05:59", "2026-11-27")
    assert set(trader.exchange.book.orders) == {day_order, waiting}
    assert trader.exchange.book.trades_of("AB1234")
    until(trader.exchange, "06:00", "2026-11-27")
    assert set(trader.exchange.book.orders) == {waiting}
    assert trader.exchange.book.trades_of("AB1234") == []
    assert trader.exchange.book.placed == {}
    assert [event.day for event in heard if isinstance(event, DayBegan)] == [parse_day("2026-11-27")]


def test_weekend_has_no_day() -> None:
    exchange = an_exchange("17:00", day="2026-11-27")
    until(exchange, "12:00", "2026-11-29")
    assert exchange.market.day == parse_day("2026-11-27")
    assert Trader(exchange).refusal(price="1500").data == {"hints": ["switch_to_amo"]}


def test_standing_of_a_new_day_begins_with_the_close_before() -> None:
    exchange = an_exchange("17:00")
    trader = Trader(exchange)
    last = trader.last
    until(exchange, "06:01", "2026-11-27")
    standing = exchange.market.standings[trader.listed.id]
    assert (standing.close, standing.last, standing.volume) == (last, 0, 0)
    assert standing.band_low < last < standing.band_high
    until(exchange, "09:30", "2026-11-27")
    assert standing.low <= standing.last <= standing.high
    assert standing.volume > 0

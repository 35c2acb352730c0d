"""The ticker's connections: who gets what, in which mode, and what is told of orders."""

import json
from typing import Any

import pytest

from manjha.adapters.kite import packets
from manjha.adapters.kite.packets import PacketReader, Rows
from manjha.exchange.errors import KiteError
from manjha.exchange.exchange import Exchange
from manjha.exchange.news.streams import CONNECTIONS_MAX, TOKENS_MAX, Stream, Streams
from tests.fakes.exchanges import an_exchange, form, run, session_of

NAME = "NSE:MANJHA"


def a_stream(clock: str = "10:00", user: str = "AB1234", key: str = "key") -> tuple[Exchange, Streams, Stream]:
    exchange = an_exchange(clock)
    streams = Streams(exchange)
    session = session_of(exchange, user, key)
    return exchange, streams, streams.join(key, session.access_token)


def token_of(exchange: Exchange, name: str = NAME) -> int:
    return exchange.market.listing.by_key[name].token


def ask(streams: Streams, stream: Stream, action: str, value: object) -> None:
    streams.take(stream, json.dumps({"a": action, "v": value}))


def rows(streams: Streams, stream: Stream) -> Rows:
    streams.forget_packets()
    return PacketReader().read(streams.taken(stream)[0]).rows


def told(streams: Streams, stream: Stream) -> list[dict[str, Any]]:
    return [json.loads(text) for text in streams.taken(stream)[1]]


def test_who_subscribes_gets_at_once_what_is_there() -> None:
    exchange, streams, stream = a_stream()
    token = token_of(exchange)
    ask(streams, stream, "subscribe", [token])
    (row,) = rows(streams, stream)
    standing = exchange.market.standings[exchange.market.listing.by_token[token].id]
    assert (row[packets.TOKEN], row[packets.LENGTH]) == (token, packets.QUOTE)
    found = [int(row[column]) for column in (packets.LAST, packets.OPEN, packets.HIGH, packets.LOW, packets.VOLUME)]
    assert found == [standing.last, standing.open, standing.high, standing.low, standing.volume]
    assert rows(streams, stream).shape[0] == 0


@pytest.mark.parametrize(("mode", "length"), [("ltp", 8), ("quote", 44), ("full", 184)])
def test_modes(mode: str, length: int) -> None:
    exchange, streams, stream = a_stream()
    ask(streams, stream, "mode", [mode, [token_of(exchange)]])
    assert [int(row[packets.LENGTH]) for row in rows(streams, stream)] == [length]


def test_a_full_packet_has_its_stamps_and_a_depth_around_the_price() -> None:
    exchange, streams, stream = a_stream()
    ask(streams, stream, "mode", ["full", [token_of(exchange)]])
    (row,) = rows(streams, stream)
    standing = exchange.market.standings[exchange.market.listing.by_key[NAME].id]
    assert row[packets.EXCHANGE_S] == row[packets.LAST_TRADE_S] == standing.last_ns // 10**9
    levels = row[packets.DEPTH :].reshape(10, 3)
    bids, offers = levels[:5, 1].tolist(), levels[5:, 1].tolist()
    assert bids == sorted(bids, reverse=True)
    assert offers == sorted(offers)
    assert bids[0] <= standing.last < offers[0]
    assert (levels[:, 0] > 0).all()
    assert int(levels[:5, 0].sum()) == row[packets.BUY]


def test_an_index_has_packets_of_its_own() -> None:
    exchange, streams, stream = a_stream()
    index = token_of(exchange, "NSE:SYNTH 50")
    for mode, length in (("ltp", 8), ("quote", 28), ("full", 32)):
        ask(streams, stream, "mode", [mode, [index]])
        assert [int(row[packets.LENGTH]) for row in rows(streams, stream)] == [length]


def test_only_what_trades_is_sent_again_and_the_newest_of_it() -> None:
    exchange, streams, stream = a_stream()
    tokens = [one.token for one in exchange.market.listing.all]
    ask(streams, stream, "subscribe", tokens)
    rows(streams, stream)
    run(exchange, 30)
    found = rows(streams, stream)
    assert 0 < len(found) <= len(tokens)
    for row in found:
        standing = exchange.market.standings[exchange.market.listing.by_token[int(row[packets.TOKEN])].id]
        assert row[packets.LAST] == standing.last


def test_before_the_open_the_last_session_is_shown_with_an_old_stamp() -> None:
    exchange, streams, stream = a_stream("08:00")
    ask(streams, stream, "mode", ["full", [token_of(exchange)]])
    (row,) = rows(streams, stream)
    assert row[packets.LAST] == row[packets.CLOSE] > 0
    assert row[packets.EXCHANGE_S] < exchange.now_ns // 10**9 - 12 * 3_600


def test_who_unsubscribes_gets_no_more() -> None:
    exchange, streams, stream = a_stream()
    ask(streams, stream, "subscribe", [token_of(exchange)])
    ask(streams, stream, "unsubscribe", [token_of(exchange), 7])
    run(exchange, 30)
    assert len(rows(streams, stream)) == 0


def test_instruments_beyond_the_limit_are_an_error_and_the_connection_stays() -> None:
    exchange, streams, stream = a_stream()
    listing = exchange.market.listing
    first = listing.all[0]
    for extra in range(TOKENS_MAX + 5):
        listing.by_token.setdefault(2**24 + extra, first)
    ask(streams, stream, "subscribe", [2**24 + extra for extra in range(TOKENS_MAX + 5)])
    (error,) = told(streams, stream)
    assert (error["type"], "5 instruments" in error["data"]) == ("error", True)
    assert len(stream.modes) == TOKENS_MAX


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a":"subscribe"}', '{"a":1,"v":[]}', "\x00"])
def test_what_is_no_message_is_an_error_and_does_no_harm(text: str) -> None:
    _, streams, stream = a_stream()
    streams.take(stream, text)
    assert [one["type"] for one in told(streams, stream)] == ["error"]


@pytest.mark.parametrize(
    "value", ["x", 7, None, ["408065"], [[]], [1.5], ["full"], ["full", 7], ["loud", [1]], [-1, 0]]
)
@pytest.mark.parametrize("action", ["subscribe", "unsubscribe", "mode", "other"])
def test_values_that_mean_nothing_are_passed_over(action: str, value: object) -> None:
    _, streams, stream = a_stream()
    ask(streams, stream, action, value)
    assert stream.modes == {}


def test_a_wrong_login_and_a_fourth_connection_are_refused() -> None:
    _, streams, stream = a_stream()
    token = stream.session.access_token
    with pytest.raises(KiteError, match="Authentication failed"):
        streams.join("key", "wrong")
    for _ in range(CONNECTIONS_MAX - 1):
        streams.join("key", token)
    with pytest.raises(KiteError) as refused:
        streams.join("key", token)
    assert refused.value.code == 429
    streams.leave(stream)
    streams.join("key", token)


def test_an_app_without_market_data_hears_of_its_orders_alone() -> None:
    exchange, streams, stream = a_stream(key="free")
    ask(streams, stream, "subscribe", [token_of(exchange)])
    assert len(rows(streams, stream)) == 0
    place(exchange, order_type="MARKET", price=None, market_protection=-1)
    assert [one["data"]["status"] for one in told(streams, stream)] == ["COMPLETE"]


def place(exchange: Exchange, user: str = "AB1234", **changes: object) -> str:
    """Place an order, of which a cheap limit is the usual one, and let it arrive."""
    session = next(one for one in exchange.sessions.live.values() if one.user_id == user)
    last = exchange.market.standings[exchange.market.listing.by_key[NAME].id].last
    far = (last * 9 // 10) // 500 * 500 / 10_000
    order_id = exchange.desk.place("regular", form(**{"price": far, **changes}), session, exchange.now_ns)["order_id"]
    run(exchange, 5)
    return str(order_id)


def test_an_order_that_comes_to_rest_is_no_news_and_its_change_and_end_are() -> None:
    exchange, streams, stream = a_stream()
    order_id = place(exchange)
    assert told(streams, stream) == []
    exchange.desk.modify("regular", order_id, {"quantity": "20"}, stream.session, exchange.now_ns)
    run(exchange, 5)
    changed = told(streams, stream)
    assert [one["data"]["status"] for one in changed] == ["UPDATE", "OPEN"]
    assert changed[-1]["data"]["quantity"] == 20
    exchange.desk.cancel("regular", order_id, "", stream.session, exchange.now_ns)
    run(exchange, 5)
    (end,) = told(streams, stream)
    assert (end["type"], end["data"]["status"], end["data"]["order_id"]) == ("order", "CANCELLED", order_id)
    assert end["data"]["unfilled_quantity"] == 20


def test_parts_that_trade_and_a_rejection_are_news() -> None:
    exchange, streams, stream = a_stream()
    standing = exchange.market.standings[exchange.market.listing.by_key[NAME].id]
    place(exchange, price=(standing.last + 50_000) // 500 * 500 / 10_000, quantity=90_000)
    for _ in range(40):
        run(exchange, 60)
    news = [one["data"] for one in told(streams, stream)]
    assert len(news) > 2
    assert {one["status"] for one in news[:-1]} == {"UPDATE"}
    filled = [one["filled_quantity"] for one in news]
    assert filled == sorted(set(filled))


def test_news_goes_to_every_connection_of_the_account_and_to_no_other() -> None:
    exchange, streams, stream = a_stream()
    second = streams.join("key", stream.session.access_token)
    other = streams.join("key", session_of(exchange, "CD5678").access_token)
    place(exchange, order_type="MARKET", price=None, market_protection=-1)
    assert told(streams, stream) == told(streams, second) != []
    assert told(streams, other) == []


def test_the_end_of_a_login_ends_its_connections() -> None:
    exchange, streams, stream = a_stream()
    stirred: list[Stream] = []
    streams.stirs = stirred.append
    exchange.sessions.end_all(exchange.now_ns)
    assert stream.is_over
    assert stirred == [stream]

"""The official tickers, and our own feed, stream from the exchange over real sockets."""

import asyncio
import time
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from manjha.adapters.kite.feed import Clocks, KiteFeed, Stream
from manjha.adapters.kite.observed import Watched
from manjha.domain.moments import SECOND_NS, TsNs
from manjha.exchange.exchange import Exchange
from tests.fakes.exchanges import KEY, an_exchange, form, on_a_socket, session_of
from tests.official.clients import ticking

pytestmark = pytest.mark.slow
CLIENTS = ("python", "node")
SECONDS = 60


def post(root: str, path: str, fields: dict[str, Any], login: str = "") -> Any:
    headers = {"Authorization": f"token {KEY}:{login}", "X-Kite-Version": "3"} if login else {}
    return httpx2.post(root + path, data=fields, headers=headers, timeout=10).json()["data"]


def token(exchange: Exchange, name: str) -> int:
    return exchange.market.listing.by_key[name].token


def given(exchange: Exchange, root: str, **wanted: Any) -> dict[str, Any]:
    login = session_of(exchange).access_token
    address = root.replace("http:", "ws:")
    return {"root": address, "api_key": KEY, "access_token": login, "seconds": SECONDS, "orders": 0, **wanted}


@pytest.mark.parametrize("client", CLIENTS)
def test_an_official_ticker_decodes_what_the_exchange_sends(client: str) -> None:
    exchange = an_exchange()
    share, index, other = (token(exchange, f"NSE:{name}") for name in ("MANJHA", "SYNTH 50", "PATANG"))
    modes = {"full": [share, index], "ltp": [other]}
    with on_a_socket(exchange) as root, ticking(client, given(exchange, root, modes=modes)) as ticker:
        ticks = {tick["instrument_token"]: tick for tick in ticker.heard()["ticks"]}
    assert set(ticks) == {share, index, other}
    assert (ticks[share]["mode"], ticks[share]["tradable"]) == ("full", True)
    assert (ticks[index]["mode"], ticks[index]["tradable"]) == ("full", False)
    assert ticks[other]["mode"] == "ltp"
    for number, tick in ticks.items():
        standing = exchange.market.standings[exchange.market.listing.by_token[number].id]
        assert tick["last_price"] == standing.last / 10_000
    standing = exchange.market.standings[exchange.market.listing.by_token[share].id]
    prices = {name: getattr(standing, name) / 10_000 for name in ("open", "high", "low", "close")}
    assert ticks[share]["ohlc"] == prices
    assert ticks[share]["volume_traded"] == standing.volume
    assert len(ticks[share]["depth"]["buy"]) == len(ticks[share]["depth"]["sell"]) == 5


@pytest.mark.parametrize("client", CLIENTS)
def test_an_official_ticker_hears_of_orders(client: str) -> None:
    exchange = an_exchange()
    with on_a_socket(exchange) as root:
        wanted = given(exchange, root, modes={"ltp": [token(exchange, "NSE:MANJHA")]}, orders=1)
        with ticking(client, wanted) as ticker:
            ticker.connected()
            fields = form(order_type="MARKET", price=None, market_protection=-1)
            placed = post(root, "/orders/regular", fields, wanted["access_token"])
            post(root, "/simulation/advance", {"seconds": 10})
            (order,) = ticker.heard()["orders"]
    assert (order["order_id"], order["status"]) == (placed["order_id"], "COMPLETE")
    assert order["user_id"] == "AB1234"


def test_a_wrong_login_is_refused_at_the_handshake(capfd: pytest.CaptureFixture[str]) -> None:
    exchange = an_exchange()
    with on_a_socket(exchange) as root:
        wanted = given(exchange, root, modes={}) | {"access_token": "wrong"}
        with ticking("python", wanted) as ticker:
            heard = ticker.heard()
        query = urlencode({"api_key": KEY, "access_token": "wrong"})
        upgrade = {
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }  # fmt: skip
        reply = httpx2.get(f"{root}/?{query}", headers=upgrade, timeout=10)
    assert heard["ticks"] == []
    assert "403" in heard["closed"][0][1]
    assert (reply.status_code, reply.json()) == (403, {"status": "error", "message": "Authentication failed."})
    assert "handshake" not in capfd.readouterr().err


def test_our_own_feed_takes_ticks_and_hints_from_the_exchange() -> None:
    exchange = an_exchange()
    login = session_of(exchange).access_token
    share = exchange.market.listing.by_key["NSE:MANJHA"]

    async def case(root: str) -> tuple[Any, list[str]]:
        stream = Stream(root.replace("http:", "ws:"), lambda: (KEY, login), lambda: False)
        # The exchange's time stands: what it shows is of its own now.
        clocks = Clocks(lambda: TsNs(exchange.now_ns), time.monotonic)
        feed = KiteFeed(stream, {share.token: Watched(share.id)}, clocks)
        async with asyncio.timeout(SECONDS):
            hints, ticks = feed.hints(), feed.ticks()
            first, tick = await anext(hints), await anext(ticks)
            fields = form(order_type="MARKET", price=None, market_protection=-1)
            placed = await asyncio.to_thread(post, root, "/orders/regular", fields, login)
            await asyncio.to_thread(post, root, "/simulation/advance", {"seconds": 600})
            heard = [first, await anext(hints)]
            await feed.close()
        assert heard == ["", placed["order_id"]]
        return tick, heard

    with on_a_socket(exchange) as root:
        tick, _ = asyncio.run(case(root))
    assert tick.instrument == share.id
    assert abs(tick.ts_ns - exchange.now_ns) < 3_600 * SECOND_NS


def test_a_connection_ends_with_its_login() -> None:
    exchange = an_exchange()
    with on_a_socket(exchange) as root:
        wanted = given(exchange, root, modes={})
        with ticking("python", wanted) as ticker:
            ticker.connected()
            post(root, "/simulation/end-sessions", {})
            heard = ticker.heard()
    assert heard["closed"]

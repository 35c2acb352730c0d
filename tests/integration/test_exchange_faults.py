"""Faults over real sockets: what our transport makes of each, what the exchange did, what the Python client says."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx2
import pytest

from manjha.adapters.kite.feed import Clocks, KiteFeed, Stream
from manjha.adapters.kite.limits import Limits, RateClass
from manjha.adapters.kite.link import Pace
from manjha.adapters.kite.observed import Watched
from manjha.adapters.kite.rest import KiteRest, Login, Sending
from manjha.adapters.kite.transport import Patience, Transport
from manjha.domain.broker import Outcome, OutcomeUnknown, Sent, Turned
from manjha.domain.errors import SourceError
from manjha.domain.moments import TsNs
from manjha.domain.outcomes import outcome_of
from manjha.exchange.exchange import Exchange
from manjha.exchange.trouble.faults import read_plan
from manjha.ports.gateway import no_objection
from tests.fakes.exchanges import KEY, SECRET, an_exchange, form, on_a_socket, session_of
from tests.official.clients import driven

pytestmark = pytest.mark.slow

T = TypeVar("T")
PATIENCE = Patience(2.0, 0.4)
SECONDS = 30
ORDER = form(price=1440)
PLACING = {"method": "POST", "path": "/orders/*"}


async def pause(seconds: float) -> None:
    await asyncio.sleep(seconds)


def armed(*faults: dict[str, Any], **plan: Any) -> Exchange:
    exchange = an_exchange()
    exchange.mishaps.arm(read_plan({"requests": list(faults), **plan}), exchange.now_ns)
    return exchange


def asking(exchange: Exchange, case: Callable[[KiteRest, str], Awaitable[T]], login: str = "") -> T:
    token = login or session_of(exchange).access_token

    async def asked(root: str) -> T:
        one, other = transports = [Transport(root, PATIENCE) for _ in range(2)]
        rest = KiteRest(one, other, Login(KEY, lambda: token), Limits(time.monotonic, pause))
        try:
            async with asyncio.timeout(SECONDS):
                return await case(rest, root)
        finally:
            for transport in transports:
                await transport.close()

    with on_a_socket(exchange) as root:
        return asyncio.run(asked(root))


async def place(rest: KiteRest, root: str = "") -> Outcome:
    return outcome_of(await rest.order(Sending("POST", "/orders/regular", ORDER, no_objection)))


@pytest.mark.parametrize(
    ("fault", "landed", "words"),
    [
        ({"what": "silence"}, 0, "no answer within"),
        ({"what": "silence", "after": True}, 1, "no answer within"),
        ({"what": "reset"}, 0, "Connection reset by peer"),
        ({"what": "reset", "after": True}, 1, "Connection reset by peer"),
        ({"what": "cut"}, 1, "closed before the answer was whole"),
        ({"what": "error", "status": 500}, 0, "The simulated broker fails"),
        ({"what": "error", "status": 504, "after": True}, 1, "The simulated broker fails"),
        ({"what": "error", "status": 503, "after": True, "message": "Gateway is gone"}, 1, "Gateway is gone"),
        ({"what": "error", "status": 400, "kind": "InputException", "after": True}, 1, "order timed out"),
        ({"what": "page", "status": 502}, 0, "an answer that cannot be read"),
        ({"what": "page", "status": 502, "after": True}, 1, "an answer that cannot be read"),
        ({"what": "delay", "seconds": 60, "after": True}, 1, "no answer within"),
    ],
)  # fmt: skip
def test_an_order_of_which_nobody_can_tell_whether_it_landed(fault: dict[str, Any], landed: int, words: str) -> None:
    exchange = armed({**PLACING, **fault})
    outcome = asking(exchange, place)
    assert isinstance(outcome, OutcomeUnknown)
    assert words in str(outcome)
    assert len(exchange.book.orders) == landed


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": 429}, "Too many requests"),
        ({"status": 403}, "or `access_token`."),
        ({"status": 403, "kind": "PermissionException", "message": "No IPs configured for this app."}, "No IPs"),
    ],
)
def test_an_order_that_is_refused_for_sure(fault: dict[str, Any], words: str) -> None:
    exchange = armed({**PLACING, "what": "error", **fault})
    outcome = asking(exchange, place)
    assert isinstance(outcome, Turned)
    assert words in str(outcome)
    assert not exchange.book.orders


def test_after_a_fault_the_next_order_is_served_as_usual() -> None:
    exchange = armed({**PLACING, "what": "reset"})

    async def twice(rest: KiteRest, _root: str) -> list[Outcome]:
        return [await place(rest), await place(rest)]

    lost, taken = asking(exchange, twice)
    assert isinstance(lost, OutcomeUnknown)
    assert isinstance(taken, Sent)
    assert list(exchange.book.orders) == [taken.broker_id]


def test_an_order_lands_83_seconds_after_its_client_gave_up() -> None:
    exchange = armed({**PLACING, "what": "delay", "seconds": 83})
    began_ns = exchange.now_ns

    async def given_up(rest: KiteRest, root: str) -> list[int]:
        assert isinstance(await place(rest), OutcomeUnknown)
        found = []
        for seconds in (82, 1):
            await asyncio.to_thread(httpx2.post, f"{root}/simulation/advance", data={"seconds": seconds})
            found.append(len(await rest.get("/orders", RateClass.OTHER, list[dict[str, Any]])))
        return found

    assert asking(exchange, given_up) == [0, 1]
    (order,) = exchange.book.orders.values()
    assert order.placed_ns - began_ns == 83 * 10**9


def test_a_delay_shorter_than_the_clients_patience_is_an_answer() -> None:
    exchange = armed({**PLACING, "what": "delay", "seconds": 5})

    async def waited(rest: KiteRest, root: str) -> Outcome:
        placing = asyncio.ensure_future(place(rest))
        # Asked over another connection: what it answers shows that the order has been taken in before.
        await rest.get("/orders", RateClass.OTHER, list[dict[str, Any]])
        await asyncio.to_thread(httpx2.post, f"{root}/simulation/advance", data={"seconds": 5})
        return await placing

    assert isinstance(asking(exchange, waited), Sent)


@pytest.mark.parametrize("what", ["silence", "reset", "cut", "page", "error"])
def test_a_read_that_fails_is_an_error_and_never_an_empty_book(what: str) -> None:
    exchange = armed({"what": what, "path": "/orders"})

    async def read(rest: KiteRest, _root: str) -> Any:
        with pytest.raises(SourceError):
            await rest.get("/orders", RateClass.OTHER, list[dict[str, Any]])
        return await rest.get("/orders", RateClass.OTHER, list[dict[str, Any]])

    assert asking(exchange, read) == []


def test_a_plan_comes_over_http_and_goes() -> None:
    with on_a_socket(an_exchange()) as root:
        address = f"{root}/simulation/faults"
        bad = httpx2.post(address, json={"requests": [{"what": "explode"}]})
        assert bad.status_code == 400
        assert "Invalid enum value 'explode'" in bad.json()["message"]
        assert httpx2.post(address, content=b"{", headers={"content-type": "application/json"}).status_code == 400
        plan = {"requests": [{"what": "error", "status": 503, "path": "*", "times": 0}]}
        shown = httpx2.post(address, json=plan).json()["data"]
        assert (shown["requests"][0]["what"], shown["requests"][0]["struck"]) == ("error", 0)
        assert httpx2.get(f"{root}/connect/login").status_code == 503
        assert httpx2.get(address).json()["data"]["requests"][0]["struck"] == 1
        assert httpx2.delete(address).json()["data"]["requests"] == []
        assert httpx2.get(f"{root}/connect/login").status_code == 400


def test_what_the_official_python_client_makes_of_faults() -> None:
    faults: list[dict[str, Any]] = [
        {"what": "silence", "after": True},
        {"what": "reset", "after": True},
        {"what": "cut"},
        {"what": "page", "status": 502},
        {"what": "error", "status": 429},
        {"what": "error", "status": 403},
        {"what": "error", "status": 503, "after": True},
    ]
    exchange = armed(*({**PLACING, **fault} for fault in faults))
    order = {"call": "place_order", "args": ["regular"], "kwargs": ORDER}
    steps: list[dict[str, Any]] = [{"login": "AB1234"}, {"set": {"timeout": 1}}]
    steps += [*([order] * len(faults)), {"call": "orders"}]
    with on_a_socket(exchange) as root:
        told = driven("python", root, steps, key=KEY, secret=SECRET)
    errors = [step.get("error", step.get("gave")) for step in told.steps[2 : 2 + len(faults)]]
    assert errors == [
        "ReadTimeout", "ConnectionError", "ChunkedEncodingError", "DataException", "NetworkException", "TokenException",
        "NetworkException",
    ]  # fmt: skip
    assert told.hooked == 1
    assert len(told.gave(2 + len(faults))) == 4


@pytest.mark.parametrize(
    ("what", "pace", "is_open"),
    [
        ("silent", Pace(silence=1.5, first=0.01), False),
        ("heartbeat", Pace(stall=0.5, rarely=1, first=0.01), True),
    ],
)
def test_our_feed_leaves_a_connection_that_says_nothing_and_hears_on_the_next(
    what: str, pace: Pace, *, is_open: bool
) -> None:
    exchange = armed(streams=[{"what": what}])
    login = session_of(exchange).access_token
    share = exchange.market.listing.by_key["NSE:MANJHA"]

    async def case(rest: KiteRest, root: str) -> list[str]:
        stream = Stream(root.replace("http:", "ws:"), lambda: (KEY, login), lambda: is_open)
        clocks = Clocks(lambda: TsNs(exchange.now_ns), time.monotonic)
        feed = KiteFeed(stream, {share.token: Watched(share.id)}, clocks, pace)
        hints = feed.hints()
        heard = [await anext(hints), await anext(hints)]
        fields = form(order_type="MARKET", price=0, market_protection=-1)
        placed = await rest.order(Sending("POST", "/orders/regular", fields, no_objection))
        await asyncio.to_thread(httpx2.post, f"{root}/simulation/advance", data={"seconds": 60})
        while not heard[-1]:
            heard.append(await anext(hints))
        await feed.close()
        assert heard[-1] == placed.broker_id
        return heard

    assert asking(exchange, case, login)[:2] == ["", ""]

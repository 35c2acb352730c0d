"""An account at Kite over real sockets: what each kind of answer proves, and reads that are errors and not empty."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar
from urllib.parse import parse_qs

import msgspec
import pytest

from manjha.adapters.kite.gateway import KiteGateway
from manjha.adapters.kite.limits import ON_THE_WAY, ORDERS, ORDERS_A_MINUTE, OTHERS, Limits, RateClass
from manjha.adapters.kite.rest import KiteRest, Login
from manjha.adapters.kite.transport import Patience, Transport
from manjha.domain.broker import Outcome, OutcomeUnknown, Sent, Turned, Unsent
from manjha.domain.commands import Approved, CancelOrder, ModifyOrder, SubmitOrder
from manjha.domain.errors import SourceError
from manjha.domain.instrument import InstrumentId
from manjha.domain.money import Px, Qty
from manjha.domain.orders import OrderId, OrderType
from tests.fakes.raw_server import RawServer, Reply, answer, silence, writes
from tests.unit.test_kite_mapping import NAMES, TAG, order

T = TypeVar("T")
NUMBER = "1953341975595868160"
PLACED = answer(b'{"status":"success","data":{"order_id":"%s"}}' % NUMBER.encode())
HTML = answer(b"<html>Bad Gateway</html>", 502, content_type="text/html")


class Clock:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def seconds(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


async def no_hints() -> AsyncIterator[str]:
    yield ""


def refused(status: int, kind: str, words: str) -> bytes:
    return answer(msgspec.json.encode({"status": "error", "message": words, "error_type": kind, "data": None}), status)


def at_kite(case: Callable[[KiteGateway], Awaitable[T]], *replies: Reply, login: str = "today") -> tuple[T, RawServer]:
    async def timed() -> tuple[T, RawServer]:
        async with asyncio.timeout(20), RawServer(*replies).running() as server:
            clock = Clock()
            one, other = transports = [Transport(server.base, Patience(2.0, 0.1)) for _ in range(2)]
            rest = KiteRest(one, other, Login("key", lambda: login), Limits(clock.seconds, clock.pause))
            try:
                return await case(KiteGateway(rest, NAMES, lambda _id: order(OrderType.SL), no_hints)), server
            finally:
                for transport in transports:
                    await transport.close()

    return asyncio.run(timed())


async def place(gateway: KiteGateway) -> Outcome:
    return await gateway.submit(Approved(SubmitOrder(order(OrderType.LIMIT, limit=Px(1_500_000)), TAG)))


def test_an_order_that_is_taken_has_the_brokers_number() -> None:
    outcome, server = at_kite(place, writes(PLACED))
    assert outcome == Sent(NUMBER)
    (sent,) = server.sent
    assert (sent.method, sent.target) == ("POST", "/orders/regular")
    assert (sent.headers["x-kite-version"], sent.headers["authorization"]) == ("3", "token key:today")
    assert parse_qs(sent.body.decode())["tag"] == [TAG]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refused(400, "MarginException", "Insufficient funds."), Turned),
        (refused(400, "InputException", "Tick size for this script is 0.05."), Turned),
        (refused(400, "HoldingException", "no holdings"), Turned),
        (refused(400, "InputException", "Your order timed out. Please check the order book."), OutcomeUnknown),
        (refused(400, "OrderException", "something"), OutcomeUnknown),
        (refused(403, "TokenException", "Incorrect `api_key` or `access_token`."), Turned),
        (refused(403, "PermissionException", "No IPs configured for this app."), Turned),
        (refused(429, "NetworkException", "Too many requests"), Turned),
        (refused(500, "GeneralException", "?"), OutcomeUnknown),
        (refused(503, "NetworkException", "?"), OutcomeUnknown),
        (HTML, OutcomeUnknown),
        (answer(b"<html>welcome</html>", 200, content_type="text/html"), OutcomeUnknown),
        (answer(b'{"status":"success","data":{}}'), OutcomeUnknown),
        (answer(b'{"status":"success","data":{"order_id":7}}'), OutcomeUnknown),
        (answer(b'{"status":"error","data":{"order_id":"7"}}'), OutcomeUnknown),
        (answer(b"", 307, location="/orders/regular"), OutcomeUnknown),
        (answer(b"\xff\xfe", 200), OutcomeUnknown),
    ],
)
def test_what_an_answer_proves(reply: bytes, kind: type) -> None:
    outcome, server = at_kite(place, writes(reply))
    assert type(outcome) is kind
    assert len(server.sent) == 1


def test_a_lost_login_and_a_foreign_address_stop_the_session() -> None:
    for kind in ("TokenException", "PermissionException"):
        outcome, _ = at_kite(place, writes(refused(403, kind, "no")))
        assert isinstance(outcome, Turned)
        assert outcome.is_session


@pytest.mark.parametrize("reply", [silence, writes(b"", closes=True), writes(PLACED[:-5], closes=True)])
def test_an_order_without_an_answer_is_not_known_and_not_sent_again(reply: Reply) -> None:
    outcome, server = at_kite(place, reply)
    assert isinstance(outcome, OutcomeUnknown)
    assert len(server.sent) == 1


def test_what_cannot_be_sent_never_leaves() -> None:
    async def unlisted(gateway: KiteGateway) -> Outcome:
        return await gateway.submit(Approved(SubmitOrder(order(instrument=InstrumentId("NSE:GONE")), TAG)))

    outcome, server = at_kite(unlisted)
    assert outcome == Unsent("Kite does not list NSE:GONE today")
    outcome, server = at_kite(place, login="")
    assert isinstance(outcome, Unsent)
    assert "access token" in outcome.reason
    assert server.sent == []


def test_what_the_last_look_objects_to_never_leaves_and_the_connection_is_kept() -> None:
    async def twice(gateway: KiteGateway) -> list[Outcome]:
        command = Approved(SubmitOrder(order(OrderType.LIMIT, limit=Px(1_500_000)), TAG))
        late = await gateway.submit(command, lambda: "another process has taken the account over")
        return [late, await place(gateway)]

    outcomes, server = at_kite(twice, writes(PLACED))
    assert outcomes == [Unsent("another process has taken the account over"), Sent(NUMBER)]
    assert (len(server.sent), server.connections) == (1, 1)


def test_a_change_and_a_cancel_go_to_the_orders_own_path() -> None:
    async def both(gateway: KiteGateway) -> list[Outcome]:
        changed = await gateway.modify(Approved(ModifyOrder(OrderId("r-1"), Qty(20), Px(1_000), Px(900))), NUMBER)
        return [changed, await gateway.cancel(Approved(CancelOrder(OrderId("r-1"))), NUMBER)]

    outcomes, server = at_kite(both, writes(PLACED))
    assert outcomes == [Sent(NUMBER)] * 2
    assert [(one.method, one.target) for one in server.sent] == [
        ("PUT", f"/orders/regular/{NUMBER}"), ("DELETE", f"/orders/regular/{NUMBER}"),
    ]  # fmt: skip
    assert parse_qs(server.sent[0].body.decode())["trigger_price"] == ["0.09"]


def test_more_orders_than_the_exchange_allows_never_leave() -> None:
    async def many(gateway: KiteGateway) -> list[Outcome]:
        return [await place(gateway) for _ in range(ORDERS + 2)]

    outcomes, server = at_kite(many, writes(PLACED))
    assert [type(one) for one in outcomes] == [Sent] * ORDERS + [Unsent] * 2
    assert len(server.sent) == ORDERS


def test_an_empty_book_is_empty_and_a_failed_read_is_an_error() -> None:
    found, _ = at_kite(lambda gateway: gateway.orders(), writes(answer(b'{"status":"success","data":[]}')))
    assert found == ()
    for reply in (HTML, answer(b'{"status":"success","data":null}'), answer(b'{"status":"success"}'), answer(b"[]")):
        with pytest.raises(SourceError):
            at_kite(lambda gateway: gateway.orders(), writes(reply))
    with pytest.raises(SourceError, match="no answer"):
        at_kite(lambda gateway: gateway.orders(), silence)


def test_a_refused_read_says_what_to_do_and_shows_no_secret() -> None:
    words = "Incorrect `api_key` or `access_token` today."
    with pytest.raises(SourceError, match="TokenException") as found:
        at_kite(lambda gateway: gateway.trades(), writes(refused(403, "TokenException", words)))
    assert "manjha login" in found.value.hint
    assert "today" not in found.value.message


def test_positions_and_holdings_are_read_together() -> None:
    row = {"exchange": "NSE", "tradingsymbol": "PATANG", "product": "CNC", "quantity": -30, "multiplier": 1}
    held = {"exchange": "NSE", "tradingsymbol": "PATANG", "product": "CNC", "quantity": 100, "t1_quantity": 0}
    bodies = ({"net": [row], "day": []}, [held])
    replies = [writes(answer(msgspec.json.encode({"status": "success", "data": one}))) for one in bodies]
    found, _ = at_kite(lambda gateway: gateway.positions(), *replies)
    assert [one.qty for one in found] == [70]


def test_who_reads_waits_for_room() -> None:
    clock = Clock()
    limits = Limits(clock.seconds, clock.pause)

    async def read(count: int, kind: RateClass) -> float:
        for _ in range(count):
            await limits.read(kind)
        return clock.now

    assert asyncio.run(read(1, RateClass.QUOTE)) == 0
    assert asyncio.run(read(2, RateClass.QUOTE)) == 2.5
    assert asyncio.run(read(3, RateClass.HISTORICAL)) == 2.5
    assert asyncio.run(read(1, RateClass.HISTORICAL)) == 3.75


@pytest.mark.parametrize("slow", range(OTHERS + 1))
def test_reads_that_are_longer_on_their_way_than_later_ones_are_within_the_limit_where_they_arrive(slow: int) -> None:
    clock = Clock()
    limits = Limits(clock.seconds, clock.pause)
    arrived: list[float] = []

    async def read_on() -> None:
        for count in range(60):
            await limits.read(RateClass.OTHER)
            arrived.append(clock.now + (ON_THE_WAY if count % (OTHERS + 1) == slow else 0.0))

    asyncio.run(read_on())
    for at in arrived:
        assert sum(at <= one < at + 1 - 1e-9 for one in arrived) <= OTHERS


def test_no_second_and_no_minute_has_more_orders_than_allowed() -> None:
    clock = Clock()
    limits = Limits(clock.seconds, clock.pause)
    left: list[float] = []
    for step in range(3_000):
        clock.now = step * 0.05
        if not limits.order():
            left.append(clock.now)
    for at in left:
        assert sum(at <= one < at + 1 - 1e-9 for one in left) <= ORDERS
        assert sum(at <= one < at + 60 - 1e-9 for one in left) <= ORDERS_A_MINUTE
    assert len(left) > 2 * ORDERS_A_MINUTE

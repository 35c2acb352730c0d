"""Answers of Kite that are not what they should be, by chance: read or refused in words, never a crash."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manjha.adapters.kite.account import funds, held_rows, order_rows, profile
from manjha.adapters.kite.gateway import KiteGateway
from manjha.adapters.kite.limits import Limits
from manjha.adapters.kite.mapping import Listed, Names
from manjha.adapters.kite.rest import KiteRest, Login, Sending
from manjha.adapters.kite.transport import Patience, Request, Told, Transport
from manjha.domain.errors import SourceError
from manjha.domain.events import BrokerRead
from manjha.domain.instrument import InstrumentId
from manjha.domain.moments import TsNs
from manjha.domain.money import PX_MAX, QTY_MAX
from manjha.domain.outcomes import Answer
from manjha.engine.journaling import entry_of, value_of
from manjha.ports.gateway import no_objection
from tests.fakes.raw_server import RawServer, answer, writes

ORDER = {
    "order_id": "220303000308932", "status": "OPEN", "exchange": "NSE", "tradingsymbol": "PATANG",
    "transaction_type": "BUY", "order_type": "SL", "product": "MIS", "quantity": 10, "filled_quantity": 4,
    "price": 150.05, "trigger_price": 150.0, "average_price": 150.0, "order_timestamp": "2026-11-30 09:16:39",
    "exchange_timestamp": None, "exchange_update_timestamp": "2026-11-30 09:16:40", "status_message": None,
    "status_message_raw": None, "placed_by": "AB1234", "tag": "K0010AB00001012345ZZ", "tags": [], "variety": "regular",
}  # fmt: skip
TRADE = {
    "trade_id": "10000000", "order_id": "220303000308932", "exchange": "NSE", "tradingsymbol": "PATANG",
    "transaction_type": "BUY", "product": "MIS", "quantity": 4, "average_price": 150.0,
    "fill_timestamp": "2026-11-30 09:16:40", "exchange_timestamp": "2026-11-30 09:16:40",
}  # fmt: skip
POSITION = {
    "exchange": "NSE", "tradingsymbol": "PATANG", "product": "MIS", "quantity": -4, "multiplier": 1,
    "average_price": 150.0, "last_price": 151.0, "pnl": 4.0,
}  # fmt: skip
HOLDING = {
    "exchange": "NSE", "tradingsymbol": "PATANG", "quantity": 3, "product": "CNC", "t1_quantity": 1, "isin": "INE",
}  # fmt: skip
LEDGER = {
    "enabled": True, "net": 99_725.05, "utilised": {"debits": 275.0},
    "available": {"cash": 100_000, "opening_balance": 100_000, "live_balance": 99_725.05, "collateral": 0.0},
}  # fmt: skip
DATA: dict[str, Any] = {
    "/orders": [ORDER], "/trades": [TRADE], "/portfolio/positions": {"net": [POSITION], "day": [POSITION]},
    "/portfolio/holdings": [HOLDING], "/user/margins": {"equity": LEDGER, "commodity": LEDGER},
    "/user/profile": {"user_id": "AB1234", "user_name": "Asha", "exchanges": ["NSE"], "products": ["CNC"]},
}  # fmt: skip

WHOLE = st.sampled_from([0, -1, 1, 2**31, 2**63 - 1, 2**63, -(2**64), 10**40])
BROKEN = st.sampled_from([0.0, -0.05, 0.5, 1e-9, 1e15, -1e308, 1e308])
WORD = st.sampled_from(["", "SOON", "BUY", "NaN", "2026-13-45 99:00:00", "9" * 400, "<html>", "\u0000", "ठीक"])
ODD = st.one_of(WHOLE, BROKEN, WORD, st.none(), st.booleans(), st.just([]), st.just({}), st.text(max_size=8))


def changed(draw: st.DrawFn, value: Any) -> Any:
    """Return a document with one place changed, left out, or said twice."""
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        name = draw(st.sampled_from(sorted(value)))
        if draw(st.integers(0, 5)) == 0:
            return {key: one for key, one in value.items() if key != name}
        return value | {name: changed(draw, value[name])}
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        return [changed(draw, value[0]), *value]
    return draw(ODD)


@st.composite
def bodies(draw: st.DrawFn, data: Any) -> bytes:
    """Return an answer: of the right shape but for a few places, cut off, or nothing of the kind."""
    for _ in range(draw(st.integers(1, 3))):
        data = changed(draw, data)
    envelope = {"status": "success", "data": data}
    if draw(st.integers(0, 9)) == 0:
        envelope = changed(draw, envelope)
    body = json.dumps(envelope).encode()
    match draw(st.integers(0, 11)):
        case 0:
            return body[: draw(st.integers(0, len(body)))]
        case 1:
            return NO_ANSWERS[draw(st.integers(0, len(NO_ANSWERS) - 1))]
    return body


class Hidden(NamedTuple):
    """An answer that is shown by its beginning: some are long."""

    body: bytes

    def __repr__(self) -> str:
        return repr(self.body[:2_000])


def hidden(data: Any) -> st.SearchStrategy[Hidden]:
    return bodies(data).map(Hidden)


NO_ANSWERS = (b"", b"null", b"[]", b"<!doctype html><p>Bad gateway", b"\xff\xfe{", b'{"data":NaN}', b"[" * 20_000,
              b'{"status":"success","data":' + b'{"a":' * 20_000)  # fmt: skip


class Played:
    """A transport that answers what a test says."""

    def __init__(self, bodies: dict[str, bytes], status: int = 200) -> None:
        self._bodies = bodies
        self._status = status

    async def ask(self, request: Request, headers: dict[str, str], **_: Any) -> Told:
        assert headers
        return Told(100, self._status, self._bodies.get(request.target, b""))


def a_rest(played: Any) -> KiteRest:
    transport = cast("Transport", played)
    return KiteRest(transport, transport, Login("key", lambda: "token"), Limits(lambda: 0.0, _no_pause))


async def _no_pause(_seconds: float) -> None:
    return


def read(bodies: dict[str, bytes]) -> BrokerRead:
    """Read the account as the outbox does."""

    async def all_of_it() -> BrokerRead:
        share = InstrumentId("NSE:INE0PATANG01")
        names = Names({share: Listed("NSE", "PATANG")}, ())
        gateway = KiteGateway(a_rest(Played(bodies)), names, lambda _: pytest.fail("nothing is sent"), _no_hints)
        orders, trades, positions = await gateway.orders(), await gateway.trades(), await gateway.positions()
        return BrokerRead(orders, trades, TsNs(1), positions=positions)

    return asyncio.run(all_of_it())


def _no_hints() -> Any:
    pytest.fail("no hints are asked for")


@pytest.mark.parametrize("path", ["/orders", "/trades", "/portfolio/positions", "/portfolio/holdings"])
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_read_of_the_account_is_sound_or_refused(path: str, data: st.DataObject) -> None:
    right = {one: json.dumps({"status": "success", "data": value}).encode() for one, value in DATA.items()}
    try:
        found = read(right | {path: data.draw(hidden(DATA[path])).body})
    except SourceError:
        return
    assert value_of(entry_of(found, TsNs(1))) == found
    for order in found.orders:
        assert 0 <= order.filled <= QTY_MAX
        assert 0 <= order.qty <= QTY_MAX
        assert 0 <= order.limit <= PX_MAX
        assert 0 <= order.trigger <= PX_MAX
    for trade in found.trades:
        assert 0 < trade.qty <= QTY_MAX
        assert 0 < trade.px <= PX_MAX
    for position in found.positions or ():
        assert abs(position.qty) <= QTY_MAX


READS: dict[str, Callable[[KiteRest], Awaitable[object]]] = {
    "/orders": order_rows, "/portfolio/positions": held_rows, "/user/margins": funds, "/user/profile": profile,
}  # fmt: skip


@pytest.mark.parametrize("path", READS)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_what_people_are_shown_is_read_or_refused(path: str, data: st.DataObject) -> None:
    played = Played({path: data.draw(hidden(DATA[path])).body})

    async def asked() -> object:
        return await READS[path](a_rest(played))

    try:
        asyncio.run(asked())
    except SourceError:
        return


@settings(max_examples=300, deadline=None)
@given(
    told=hidden({"order_id": "151220000000000"}), status=st.sampled_from([0, 200, 201, 302, 400, 403, 429, 502, 599])
)
def test_an_answer_to_an_order_is_always_told(told: Hidden, status: int) -> None:
    async def sent() -> Answer:
        rest = a_rest(Played({"/orders/regular": told.body}, status))
        return await rest.order(Sending("POST", "/orders/regular", {"quantity": "1"}, no_objection))

    found = asyncio.run(sent())
    assert found.written == 100
    # A number is believed only where the answer says that it was taken.
    assert not found.broker_id or status == 200


@settings(max_examples=200, deadline=None)
@given(values=st.lists(st.text(max_size=8), max_size=4))
def test_a_form_is_written_as_forms_are(values: list[str]) -> None:
    fields, sent = {f"field_{at}": value for at, value in enumerate(values)}, list[Request]()

    class Kept(Played):
        async def ask(self, request: Request, headers: dict[str, str], **how: Any) -> Told:
            sent.append(request)
            return await super().ask(request, headers, **how)

    asyncio.run(a_rest(Kept({})).order(Sending("POST", "/orders/regular", fields, no_objection)))
    assert sent[0].body == urlencode(fields).encode()


HEADS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n", b"HTTP/9.9 what\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n", b"",
    ]
)  # fmt: skip
LENGTHS = st.sampled_from(
    [
        b"Content-Length: 12\r\n", b"Content-Length: -1\r\n", b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length: 3\r\nContent-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: gzip\r\nContent-Length: 12\r\n", b"X: " + b"y" * 70_000 + b"\r\n", b"",
    ]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(heads=st.lists(HEADS, max_size=2), lengths=LENGTHS, rest=st.binary(max_size=40), keeps=st.booleans())
def test_any_bytes_of_a_server_end_as_an_answer_in_words(
    heads: list[bytes], lengths: bytes, rest: bytes, *, keeps: bool
) -> None:
    part = b"".join(heads) + lengths + b"\r\n" + rest

    async def asked() -> tuple[Told, Told]:
        async with RawServer(writes(part, closes=not keeps), writes(answer(OTHER))).running() as server:
            transport = Transport(server.base, Patience(connect=2.0, answer=0.05))
            try:
                first = await transport.ask(Request("POST", "/orders/regular", b"quantity=1"), {})
                return first, await transport.ask(Request("GET", "/orders"), {})
            finally:
                await transport.close()

    first, second = asyncio.run(asked())
    assert first.written > 0
    assert first.status >= 200 or (first.status, bool(first.words)) == (0, True)
    # What one answer left behind is never read as the next one's.
    assert second.status == 0 or second.body == OTHER


OTHER = b'{"status":"success","data":"another"}'


def test_what_announces_an_answer_is_not_the_answer() -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Encoding: gzip\r\n\r\n"

    async def asked() -> list[Told]:
        async with RawServer(writes(hint, answer()), writes(answer(OTHER))).running() as server:
            transport = Transport(server.base)
            found = [await transport.ask(Request("GET", path), {}) for path in ("/orders", "/trades")]
            await transport.close()
            assert server.connections == 1
            return found

    first, second = asyncio.run(asked())
    assert (first.status, first.body) == (200, b'{"status":"success","data":true}')
    assert (second.status, second.body) == (200, OTHER)


def test_what_comes_unasked_is_not_the_next_answer() -> None:
    unasked = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 2\r\n\r\nno"

    async def asked() -> tuple[Told, Told, int]:
        async with RawServer(writes(answer() + unasked), writes(answer(OTHER))).running() as server:
            transport = Transport(server.base)
            first = await transport.ask(Request("GET", "/orders"), {})
            second = await transport.ask(Request("GET", "/trades"), {})
            await transport.close()
            return first, second, server.connections

    first, second, connections = asyncio.run(asked())
    assert (first.status, second.status, second.body, connections) == (200, 200, OTHER, 2)


def test_a_read_that_comes_too_often_is_asked_again_and_an_order_never() -> None:
    busy = answer(b'{"status":"error","error_type":"NetworkException","message":"Too many requests"}', 429)
    right = answer(json.dumps({"status": "success", "data": DATA["/user/profile"]}).encode())

    async def asked() -> tuple[str, int, int]:
        async with RawServer(writes(busy), writes(busy), writes(right), writes(busy)).running() as server:
            transport = Transport(server.base)
            rest = KiteRest(transport, transport, Login("key", lambda: "token"), Limits(lambda: 0.0, _no_pause))
            found = await profile(rest)
            read = len(server.sent)
            told = await rest.order(Sending("POST", "/orders/regular", {"quantity": "1"}, no_objection))
            await transport.close()
            assert told.status == 429
            return found.user_id, read, len(server.sent)

    assert asyncio.run(asked()) == ("AB1234", 3, 4)

"""What Kite wants for an order: what is asked, what is understood, and everything else is no answer."""

import asyncio
from typing import Any

import msgspec
import pytest

from manjha.adapters.kite.limits import Limits
from manjha.adapters.kite.margins import KiteMargins
from manjha.adapters.kite.rest import KiteRest, Login
from manjha.adapters.kite.transport import Patience, Transport
from manjha.domain.broker import MarginSeen
from manjha.domain.errors import SourceError
from manjha.domain.instrument import InstrumentId
from manjha.domain.money import RUPEE, Cash, Px, Qty
from manjha.domain.orders import Order, OrderType
from tests.fakes.raw_server import RawServer, Sent, answer
from tests.unit.test_kite_mapping import LEAD, NAMES, order

FUNDS = {
    "equity": {"enabled": True, "net": 99_725.05, "available": {"cash": 245_431.6}},
    "commodity": {"enabled": True, "net": 100.5},
}
ROW = {"type": "equity", "tradingsymbol": "X", "exchange": "NFO", "total": 961.4}


def told(rows: Any, funds: Any = FUNDS, asked: Order | None = None) -> tuple[MarginSeen, Sent]:
    """Ask about an order; return the answer, and what the calculator was asked."""

    async def reply(sent: Sent, writer: asyncio.StreamWriter) -> None:
        data = rows if sent.target.startswith("/margins") else funds
        writer.write(answer(msgspec.json.encode({"status": "success", "data": data})))
        await writer.drain()

    async def lived() -> tuple[MarginSeen, Sent]:
        async with asyncio.timeout(20), RawServer(reply).running() as server:
            one, other = transports = [Transport(server.base, Patience(2.0, 0.1)) for _ in range(2)]
            rest = KiteRest(one, other, Login("key", lambda: "today"), Limits(asyncio.get_running_loop().time))
            try:
                seen = await KiteMargins(rest, NAMES).margin(asked or order(OrderType.LIMIT, limit=Px(1_500_000)))
            finally:
                for transport in transports:
                    await transport.close()
            return seen, next(sent for sent in server.sent if sent.target.startswith("/margins"))

    return asyncio.run(lived())


def test_what_is_wanted_and_what_is_free_are_told_exactly() -> None:
    seen, sent = told([ROW])
    assert seen == MarginSeen(Cash(961_4000), Cash(99_725_0500))
    assert (sent.method, sent.target) == ("POST", "/margins/orders?mode=compact")
    assert sent.headers["content-type"] == "application/json"
    (item,) = msgspec.json.decode(sent.body)
    assert item | {"exchange": "", "tradingsymbol": ""} == {
        "exchange": "", "tradingsymbol": "", "transaction_type": "BUY", "variety": "regular", "product": "MIS",
        "order_type": "LIMIT", "quantity": 10, "price": 150.0, "trigger_price": 0.0,
    }  # fmt: skip


def test_the_ledger_is_the_one_that_the_margin_is_taken_from() -> None:
    seen, _ = told([ROW | {"type": "commodity"}])
    assert seen.available == 100 * RUPEE + RUPEE // 2


def test_an_order_that_frees_margin_needs_none() -> None:
    assert told([ROW | {"total": -5.0}])[0].required == 0


@pytest.mark.parametrize(
    ("rows", "funds", "why"),
    [
        ([], FUNDS, "asked for the margin of one order, and told 0"),
        ([ROW, ROW], FUNDS, "told 2"),
        ([{"type": "equity"}], FUNDS, "not what it should be"),
        ([ROW | {"total": None}], FUNDS, "not what it should be"),
        ([ROW], {"equity": {"enabled": False}}, "names the ledger 'equity'"),
        ([ROW], [], "not what it should be"),
    ],
)
def test_what_cannot_be_understood_is_no_answer(rows: Any, funds: Any, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        told(rows, funds)


def test_what_kite_does_not_list_today_cannot_be_asked_about() -> None:
    asked = msgspec.structs.replace(order(OrderType.LIMIT, limit=Px(1)), instrument=InstrumentId("NSE:UNLISTED"))
    with pytest.raises(SourceError, match="does not list NSE:UNLISTED today"):
        told([ROW], asked=asked)


def test_lots_are_asked_about_where_kite_counts_lots_and_a_part_of_one_is_not() -> None:
    asked = order(OrderType.LIMIT, instrument=LEAD.id, qty=Qty(3_000), limit=Px(1_810_000))
    (item,) = msgspec.json.decode(told([ROW], asked=asked)[1].body)
    assert (item["tradingsymbol"], item["quantity"], item["price"]) == ("LEADMINI26DECFUT", 3, 181.0)
    with pytest.raises(SourceError, match="no whole number of lots"):
        told([ROW], asked=msgspec.structs.replace(asked, qty=Qty(3_500)))

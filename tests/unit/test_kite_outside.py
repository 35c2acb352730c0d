"""An account seen by one who placed none of its orders: how a cancel is addressed stands in the order book."""

import asyncio

import msgspec
import pytest

from manjha.adapters.kite.limits import Limits
from manjha.adapters.kite.mapping import Names
from manjha.adapters.kite.outside import OutsideAccount
from manjha.adapters.kite.rest import KiteRest, Login
from manjha.adapters.kite.transport import Patience, Transport
from manjha.domain.broker import Outcome, Sent, Unsent
from manjha.domain.commands import Approved, CancelOrder
from manjha.domain.orders import OrderId
from tests.fakes.raw_server import RawServer, answer, writes

ROW = {
    "order_id": "7", "status": "OPEN", "exchange": "NSE", "tradingsymbol": "PATANG", "transaction_type": "BUY",
    "order_type": "LIMIT", "product": "MIS", "quantity": 5,
}  # fmt: skip
TAKEN = writes(answer(b'{"status":"success","data":{"order_id":"7"}}'))


def cancelled(row: dict[str, object], number: str = "7") -> tuple[Outcome, list[str]]:
    """Read an order book of one row, cancel an order; return the outcome and what was asked beside the book."""

    async def lived() -> tuple[Outcome, list[str]]:
        book = writes(answer(msgspec.json.encode({"status": "success", "data": [row]})))
        async with asyncio.timeout(20), RawServer(book, TAKEN).running() as server:
            one, other = transports = [Transport(server.base, Patience(2.0, 0.1)) for _ in range(2)]
            rest = KiteRest(one, other, Login("key", lambda: "today"), Limits(asyncio.get_running_loop().time))
            account = OutsideAccount(rest)
            try:
                await account.orders(Names({}, ()))
                outcome = await account.cancel(Approved(CancelOrder(OrderId("T"))), number)
                return outcome, [f"{sent.method} {sent.target}" for sent in server.sent[1:]]
            finally:
                for transport in transports:
                    await transport.close()

    return asyncio.run(lived())


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "/orders/regular/7"),
        ({"variety": "amo"}, "/orders/amo/7"),
        ({"variety": "co", "parent_order_id": "6"}, "/orders/co/7?parent_order_id=6"),
        ({"variety": "iceberg", "parent_order_id": "6"}, "/orders/iceberg/7"),
        ({"variety": "of-tomorrow"}, "/orders/of-tomorrow/7"),
    ],
)
def test_an_order_is_cancelled_by_the_variety_that_the_book_shows(fields: dict[str, object], path: str) -> None:
    assert cancelled(ROW | fields) == (Sent("7"), [f"DELETE {path}"])


def test_an_order_that_the_book_has_not_shown_is_not_guessed_at() -> None:
    outcome, asked = cancelled(ROW, "8")
    assert outcome == Unsent("the order book has shown no order 8, tag T")
    assert asked == []

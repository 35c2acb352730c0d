"""Shares that need authorisation: refused, authorised on the page as a person would, sold; over real sockets."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from manjha.exchange.accounts.holdings import isin_of
from tests.fakes.exchanges import OWNERS, Trader, an_exchange, form, on_a_socket
from tests.integration.test_exchange_shell import Wire

pytestmark = pytest.mark.slow


def test_a_sale_waits_for_the_page() -> None:
    exchange = an_exchange(users=OWNERS, rules={"holdings": "on", "demat-authorisation": "on"})
    trader = Trader(exchange)
    sale = form(transaction_type="SELL", quantity=10, price=trader.price(0))
    with on_a_socket(exchange) as root, Wire(root, trader.session.access_token) as wire:
        code, _, body = wire.ask("POST", "/orders/regular", sale)
        told = json.loads(body)
        assert (code, told["message"]) == (428, "10 quantity needs authorisation at depository.")
        fields: dict[str, Any] = {"isin": isin_of(trader.listed), "quantity": 10}
        number = wire.data("POST", "/portfolio/holdings/authorise", fields)["request_id"]
        page = f"/connect/portfolio/authorise/holdings/key/{number}"
        code, _, body = wire.ask("GET", page)
        assert (code, b"This is a simulation" in body) == (200, True)
        code, headers, _ = wire.ask("POST", page, {})
        landed = urlsplit(headers["location"])
        assert (code, landed.path, landed.query) == (303, f"{page}/finish", "status=success")
        assert wire.ask("GET", headers["location"])[0] == 200
        assert wire.data("POST", "/orders/regular", sale)["order_id"]
        code, _, _ = wire.ask("POST", "/orders/regular", sale)
        assert code == 428

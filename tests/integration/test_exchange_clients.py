"""The official clients live their stories at the exchange, over real sockets; the page about them is true."""

from typing import Any

import pytest

from tests.conftest import shared_folder
from tests.fakes.exchanges import APP, KEY, OWNERS, SECRET, Trader, an_exchange, on_a_socket, replaced
from tests.fakes.wire_shapes import differences, sample
from tests.official.clients import Driven, driven
from tests.official.steps import Step
from tests.official.stories import PAGE, TOPICS, page, prices_of

# What a simulated exchange has no use for, or older samples lack; every other difference is a fault.
KNOWN = {
    "orders": {"[].auction_number is missing", "[].terminal_id is missing"},
    "autoslice_response": {".children[].error is missing"},
}


@pytest.mark.slow
@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("client", ["python", "node"])
def test_client_lives_its_story(client: str, topic: str) -> None:
    exchange = an_exchange(TOPICS[topic].clock, apps=replaced(APP, refreshes=True), users=OWNERS)
    steps = list(TOPICS[topic].story(prices_of(Trader(exchange))))
    with on_a_socket(exchange) as root:
        told = driven(client, root, [_plain(step, client) for step in steps], key=KEY, secret=SECRET)
    assert len(told.steps) == len(steps)
    for number, step in enumerate(steps):
        _check(told, number, step, client)
    refused_tokens = sum(step.error is not None and step.error[0] == "TokenException" for step in steps)
    assert told.hooked == refused_tokens


def _plain(step: Step, client: str) -> dict[str, Any]:
    return step.python if client == "python" else step.node


def _check(told: Driven, number: int, step: Step, client: str) -> None:
    if step.error is not None:
        found, kind = told.steps[number], step.error[0]
        # The Python client knows fewer kinds, and gives the code; the other gives the body itself.
        assert found.get("error") == kind, (number, found)
        assert client == "node" or found["code"] == step.error[1]
        return
    gave = told.gave(number)
    if step.sample and shared_folder().is_dir():
        reply = gave[step.under] if step.under else gave
        assert set(differences(reply, sample(shared_folder(), step.sample))) <= KNOWN.get(step.sample, set()), number


@pytest.mark.slow
@pytest.mark.parametrize("client", ["python", "node"])
def test_what_traded_reads_the_same_everywhere(client: str) -> None:
    exchange = an_exchange()
    steps = list(TOPICS["orders"].story(prices_of(Trader(exchange))))
    with on_a_socket(exchange) as root:
        told = driven(client, root, [_plain(step, client) for step in steps], key=KEY, secret=SECRET)
    orders, history, trades, of_order = (told.gave(number) for number in (11, 12, 13, 14))
    first, second, market, stop = orders
    assert [order["status"] for order in orders] == ["COMPLETE", "CANCELLED", "COMPLETE", "TRIGGER PENDING"]
    assert (first["tag"], second["quantity"], stop["order_type"]) == ("first", 12, "SL")
    assert (market["order_type"], market["tags"]) == ("LIMIT", ["mktp", "mktp:0.50"])
    assert [row["status"] for row in history] == [
        "PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN", "MODIFY VALIDATION PENDING",
        "MODIFY PENDING", "MODIFIED", "OPEN", "CANCEL PENDING", "CANCELLED",
    ]  # fmt: skip
    assert {trade["order_id"] for trade in trades} == {first["order_id"], market["order_id"]}
    assert of_order == [trade for trade in trades if trade["order_id"] == first["order_id"]]
    assert sum(trade["quantity"] for trade in of_order) == 10


@pytest.mark.slow
@pytest.mark.parametrize("client", ["python", "node"])
def test_login_leads_to_the_apps_own_address(client: str) -> None:
    exchange = an_exchange()
    with on_a_socket(exchange) as root:
        told = driven(client, root, [{"login": "CD5678"}], key=KEY, secret=SECRET)
    landed = told.gave(0)["landed"]
    assert (landed["status"], landed["action"], landed["from"]) == ("success", "login", "kite")
    assert len(landed["request_token"]) == 32
    assert told.gave(0)["session"]["user_id"] == "CD5678"
    assert APP.redirect_url.startswith("http://127.0.0.1:1/landed")


def test_page_about_the_clients_is_made_from_the_stories() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "run `python -m tests.official.stories`"

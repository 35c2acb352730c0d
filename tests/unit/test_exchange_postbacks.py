"""Postbacks: whom they reach, that they are signed, and that what is not taken is lost."""

import json

import httpx2

from manjha.adapters.kite.postback import KitePostback
from manjha.domain.secret import Secret
from manjha.exchange.accounts.users import App
from manjha.exchange.exchange import Exchange
from manjha.exchange.news.postbox import LETTERS_MAX, Postbox
from tests.fakes.exchanges import APP, KEY, SECRET, an_exchange, form, on_a_socket, replaced, run, session_of
from tests.fakes.postback_receiver import Receiver, receiving

URL = "http://127.0.0.1:1/postback"
MARKET = form(order_type="MARKET", price=None, market_protection=-1)
OTHER = App(api_key="other", api_secret=SECRET, number=3)


def an_exchange_that_tells(url: str = URL) -> Exchange:
    return an_exchange(apps=[*replaced(APP, postback_url=url), OTHER])


def place(exchange: Exchange, key: str = KEY) -> str:
    session = session_of(exchange, key=key)
    return str(exchange.desk.place("regular", MARKET, session, exchange.now_ns)["order_id"])


def heard(box: Postbox) -> list[dict[str, object]]:
    letters = []
    while letter := box.taken():
        assert letter.url == URL
        letters.append(json.loads(letter.body))
    return letters


def test_an_app_hears_of_its_own_orders_alone() -> None:
    exchange = an_exchange_that_tells()
    box = Postbox(exchange)
    order_id, _ = place(exchange), place(exchange, OTHER.api_key)
    run(exchange, 30)
    assert [(one["order_id"], one["status"]) for one in heard(box)] == [(order_id, "COMPLETE")]


def test_an_app_hears_also_when_its_user_has_logged_out() -> None:
    exchange = an_exchange_that_tells()
    box = Postbox(exchange)
    place(exchange)
    exchange.sessions.end_all(exchange.now_ns)
    run(exchange, 30)
    assert [one["status"] for one in heard(box)] == ["COMPLETE"]


def test_our_verifier_takes_what_is_signed_with_the_apps_secret_only() -> None:
    exchange = an_exchange_that_tells()
    box = Postbox(exchange)
    order_id = place(exchange)
    run(exchange, 30)
    letter = box.taken()
    assert letter is not None
    assert KitePostback(Secret(SECRET), "AB1234").received(letter.body) == order_id
    assert KitePostback(Secret("another"), "AB1234").received(letter.body) is None


def test_what_finds_no_room_is_lost_and_counted() -> None:
    exchange = an_exchange_that_tells()
    box = Postbox(exchange)
    session = session_of(exchange)
    for _ in range(LETTERS_MAX + 3):
        exchange.desk.place("regular", MARKET, session, exchange.now_ns)
    run(exchange, 600)
    assert len(heard(box)) == LETTERS_MAX
    assert box.lost >= 3


def trade(root: str, login: str) -> str:
    headers = {"Authorization": f"token {KEY}:{login}", "X-Kite-Version": "3"}
    placed = httpx2.post(f"{root}/orders/regular", data=MARKET, headers=headers, timeout=10).json()["data"]
    httpx2.post(f"{root}/simulation/advance", data={"seconds": 30}, timeout=10)
    return str(placed["order_id"])


def received_id(receiver: Receiver) -> str | None:
    return KitePostback(Secret(SECRET), "AB1234").received(receiver.next())


def test_postbacks_reach_a_server_and_a_refused_one_is_not_sent_again() -> None:
    with receiving(500, 200) as receiver:
        exchange = an_exchange_that_tells(receiver.url)
        login = session_of(exchange).access_token
        with on_a_socket(exchange) as root:
            orders = [trade(root, login), trade(root, login)]
            # The first was answered with 500: what comes next is news of the second order.
            assert [received_id(receiver), received_id(receiver)] == orders
        assert receiver.is_empty


def test_an_address_where_nobody_listens_harms_nothing() -> None:
    exchange = an_exchange_that_tells()
    login = session_of(exchange).access_token
    with on_a_socket(exchange) as root:
        orders = [trade(root, login), trade(root, login)]
    assert [exchange.book.orders[one].status for one in orders] == ["COMPLETE", "COMPLETE"]

"""`Idempotency-Key`: a thousand requests under one key are one intent; an answer stays what it was for a day."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from manjha.app.bootstrap import system_clock, unit_of_work
from manjha.app.settings import load_settings
from manjha.app.trading.account_parts import places
from manjha.domain.controls import Answer, ManualOrder
from manjha.domain.moments import HOUR_NS, TsNs
from manjha.services.once_only import Given, KeyUsed, OnceOnly
from tests.fakes.answering_trader import AnsweringTrader
from tests.fakes.api import ROOT, by
from tests.fakes.served import Served, served

TIMES, AT_ONCE = 1_000, 100
ORDER = {"instrument": "NSE:PATANG", "side": "BUY", "qty": 10, "product": "MIS"}


@pytest.fixture
def trader() -> Iterator[AnsweringTrader]:
    home = places(load_settings(), "AB1234")
    home.folder.mkdir(parents=True)
    (home.folder / "traded-at").write_text("paper\n")
    made = AnsweringTrader(home.control)
    thread = threading.Thread(target=made.run)
    thread.start()
    assert made.is_open.wait(20)
    yield made
    made.end()
    thread.join()


@pytest.fixture
def api(trader: AnsweringTrader) -> Iterator[Served]:
    del trader
    with served() as made:
        yield made


def orders(trader: AnsweringTrader) -> list[ManualOrder]:
    return [each.control for each in trader.seen if isinstance(each.control, ManualOrder)]


async def asked(api: Served, bodies: list[dict[str, Any]], key: str) -> list[httpx2.Response]:
    headers = by("trade") | {"idempotency-key": key}
    limits = httpx2.Limits(max_connections=AT_ONCE)
    async with httpx2.AsyncClient(base_url=api.root + ROOT, limits=limits, timeout=120) as client:
        return list(
            await asyncio.gather(
                *(client.post("/accounts/AB1234/orders", json=body, headers=headers) for body in bodies)
            )
        )


@pytest.mark.failure("F75")
def test_a_thousand_requests_at_once_under_one_key_are_one_intent(trader: AnsweringTrader, api: Served) -> None:
    answers = asyncio.run(asked(api, [ORDER] * TIMES, "double-click"))
    assert {(each.status_code, each.text) for each in answers} == {(201, '{"seq":1}')}
    assert sum("idempotency-replayed" not in each.headers for each in answers) == 1
    assert len(orders(trader)) == 1


def test_of_two_wishes_under_one_key_the_first_is_done_and_the_other_refused(
    trader: AnsweringTrader, api: Served
) -> None:
    answers = asyncio.run(asked(api, [ORDER, ORDER | {"qty": 11}] * 20, "mixed"))
    assert sorted({each.status_code for each in answers}) == [201, 409]
    assert {each.json()["code"] for each in answers if each.status_code == 409} == {"conflict"}
    assert len(orders(trader)) == 1


def test_a_key_is_of_whoever_asks(trader: AnsweringTrader, api: Served) -> None:
    assert api("POST", "/accounts/AB1234/orders", "trade", key="mine", json=ORDER).status_code == 201
    assert api("POST", "/accounts/AB1234/orders", "all", key="mine", json=ORDER | {"qty": 3}).status_code == 201
    assert [each.qty for each in orders(trader)] == [10, 3]


def test_no_key_no_order(trader: AnsweringTrader, api: Served) -> None:
    for headers in ({}, {"idempotency-key": ""}, {"idempotency-key": "k" * 256}, {"idempotency-key": "two words"}):
        answer = api.http.post("/accounts/AB1234/orders", json=ORDER, headers=by("trade") | headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert orders(trader) == []


def test_after_a_crash_between_intent_and_answer_it_is_asked_again_under_the_same_key_of_ours() -> None:
    records = unit_of_work(load_settings())
    keys: list[str] = []

    def cut_off(own: str) -> Given:
        keys.append(own)
        raise KeyboardInterrupt

    def does(own: str) -> Given:
        keys.append(own)
        return Given(201, '{"seq":7}')

    with pytest.raises(KeyboardInterrupt):
        OnceOnly(records, system_clock()).answer("me", "k", b"order", cut_off)
    # Another process, that knows nothing but the database.
    later = OnceOnly(unit_of_work(load_settings()), system_clock())
    with pytest.raises(KeyUsed):
        later.answer("me", "k", b"another order", does)
    assert later.answer("me", "k", b"order", does) == Given(201, '{"seq":7}')
    assert later.answer("me", "k", b"order", does) == Given(201, '{"seq":7}', is_again=True)
    assert keys == [keys[0]] * 2


def test_a_key_holds_for_a_day() -> None:
    class Hands:
        now = TsNs(10**18)

        def now_ns(self) -> TsNs:
            return self.now

        def wait_until(self, ts_ns: TsNs) -> None:
            raise AssertionError(ts_ns)

    clock, keys = Hands(), list[str]()
    once = OnceOnly(unit_of_work(load_settings()), clock)

    def does(own: str) -> Given:
        keys.append(own)
        return Given(200, str(len(keys)))

    assert once.answer("me", "k", b"order", does).body == "1"
    clock.now = TsNs(clock.now + 24 * HOUR_NS)
    assert once.answer("me", "k", b"order", does) == Given(200, "1", is_again=True)
    clock.now = TsNs(clock.now + 1)
    assert once.answer("me", "k", b"another order", does).body == "2"
    assert len(set(keys)) == 2


def test_what_failed_for_a_while_is_tried_again(trader: AnsweringTrader, api: Served) -> None:
    del trader
    folder = places(load_settings(), "AWAY").folder
    folder.mkdir(parents=True)
    (folder / "traded-at").write_text("paper\n")
    first = api("POST", "/accounts/AWAY/orders", key="patient", json=ORDER)
    assert (first.status_code, first.json()["code"]) == (503, "trader-away")
    here = AnsweringTrader(places(load_settings(), "AWAY").control)
    thread = threading.Thread(target=here.run)
    thread.start()
    assert here.is_open.wait(20)
    try:
        assert api("POST", "/accounts/AWAY/orders", key="patient", json=ORDER).status_code == 201
        assert api("POST", "/accounts/AWAY/orders", key="patient", json=ORDER).json() == {"seq": 1}
        assert len(orders(here)) == 1
    finally:
        here.end()
        thread.join()


def test_too_much_at_once_is_no_refusal(trader: AnsweringTrader, api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        trader, "_answered", lambda request: Answer(request.key, refused="64 requests wait already", later=True)
    )
    answer = api("POST", "/accounts/AB1234/orders", key="crowd", json=ORDER)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "1")
    monkeypatch.undo()
    assert api("POST", "/accounts/AB1234/orders", key="crowd", json=ORDER).status_code == 201

"""The stream over a real server and a real paper trader: whole, resumed, cut off, ended with its token."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from manjha.api.streaming import hub
from manjha.api.streaming.events import Event, Topic
from manjha.api.streaming.hub import Listener, Wanted, format_place, framed, parse_place
from manjha.app.settings import Settings, load_settings
from manjha.services.identity.caller import Caller, UnknownCallerError
from tests.fakes.api import ROOT, KnownCallers, by
from tests.fakes.served import Served, furnish, served
from tests.integration.test_api_trading import begin, end, until

ALL = "orders,trades,positions,sessions,kill,notifications"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = load_settings({"MANJHA_HOME": str(tmp_path_factory.mktemp("streamed") / "home")})
    furnish(made)
    return made


@contextmanager
def listening(api: Served, scope: str = "read", **asked: str) -> Iterator[Iterator[dict[str, Any]]]:
    """Give the events of a stream, each with its id and name."""
    words = {"topics": ALL} | asked
    with (
        httpx2.Client(base_url=api.root + ROOT, timeout=60) as http,
        http.stream("GET", "/stream", params=words, headers=by(scope)) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines) == ": listening"
        yield _events(lines)


def _events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    held: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(": ")
        if colon and name:
            held[name] = value
        elif not line and held:
            found = json.loads(held["data"]) if held["event"] != "end" else {"why": held["data"]}
            yield found | {"id": held.get("id", ""), "event": held["event"]}
            held = {}


def heard(events: Iterator[dict[str, Any]], topic: str) -> dict[str, Any]:
    return next(each for each in events if each.get("topic") == topic)


def test_what_a_session_does_is_heard_and_after_a_restart_of_the_api_nothing_is_lost(settings: Settings) -> None:
    with served(settings) as first:
        with listening(first) as events:
            begin(first, "HEARD", "400")
            assert heard(events, "sessions")["data"] | {"time": ""} == {
                "session": "HEARD-20240131", "what": "begun", "strategy": "keen", "time": "",
            }  # fmt: skip
            order = heard(events, "orders")
            assert (order["account"], order["data"]["strategy"]) == ("HEARD", "keen")
            place = heard(events, "trades")["id"]
        before = parse_place(place)
        assert before is not None
    # The trader goes on while no API runs.
    with served(settings) as second:
        until(lambda: len(second.get("/accounts/HEARD/trades", limit=1000)["items"]) >= 6)
        with listening(second, after=place) as events:
            resumed: list[dict[str, Any]] = [next(events)]
            assert second("POST", "/kill-switch", json={"reason": "a drill", "level": "flatten"}).status_code == 200
            while resumed[-1].get("topic") != "kill":
                resumed.append(next(events))
            assert resumed[-1]["data"]["reason"] == "a drill"
        end(second, "HEARD")
        trades = second.get("/accounts/HEARD/trades", limit=1000)["items"]
        with listening(second, after=place) as events:
            again: list[dict[str, Any]] = []
            while [each["data"]["id"] for each in again if each["topic"] == "trades"] != [
                each["id"] for each in trades if each["seq"] > before["HEARD"]
            ]:
                again.append(next(events))
        assert [each["seq"] for each in again] == sorted(each["seq"] for each in again)
        proved = {"reason": "over", "account_in_words": "paper"}
        assert second("POST", "/kill-switch/lift", "trade+proved", json=proved).status_code == 200


def test_prices_are_told_as_they_come_and_who_trades(settings: Settings) -> None:
    with served(settings) as api:
        begin(api, "TICKS", "200")
        with listening(api, topics="ticks,health", accounts="TICKS") as events:
            tick = heard(events, "ticks")
            assert tick["data"]["instrument"] == heard(events, "ticks")["data"]["instrument"]
            assert float(tick["data"]["price"]) > 0
            end(api, "TICKS")
            while (found := heard(events, "health"))["data"]["trader"]:
                pass
            assert found["account"] == "TICKS"


def test_what_becomes_of_a_job_is_heard_and_resumed_after_the_last_event(settings: Settings) -> None:
    asked = {"strategy": "buy-and-hold", "instruments": ["NSE:PATANG"], "terms": {"interval": "1m"}}
    with served(settings) as api:
        with httpx2.Client(base_url=api.root + ROOT) as http, listening(api, topics="jobs") as events:
            made = http.post("/backtests", json=asked, headers=by("trade") | {"Idempotency-Key": "one"})
            assert made.status_code == 202, made.text
            first = heard(events, "jobs")
            assert (first["data"]["id"], first["data"]["state"], first["account"]) == (made.json()["id"], "queued", "")
            http.post(f"/jobs/{made.json()['id']}/cancel", headers=by("trade"))
            last = heard(events, "jobs")
            assert last["data"]["state"] == "cancelled"
        with listening(api, topics="jobs", after=first["id"]) as events:
            assert heard(events, "jobs") == last


class Fickle(KnownCallers):
    """Callers whose tokens can be revoked."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()

    def authenticate(self, bearer: str, address: str) -> Caller:
        if bearer in self.revoked:
            raise UnknownCallerError("nobody has this token")
        return super().authenticate(bearer, address)


def _code_at_the_end(web: ClientConnection) -> int | None:
    """Hear a WebSocket to its end, and return the code with which it ended."""
    try:
        while True:
            web.recv(20)
    except ConnectionClosed as closed:
        return None if closed.rcvd is None else closed.rcvd.code


def test_a_stream_ends_with_its_token_and_others_go_on(settings: Settings) -> None:
    callers = Fickle()
    with served(settings, identity=callers) as api:
        address = api.root.replace("http", "ws") + f"{ROOT}/stream?topics=health"
        with (
            listening(api, "read", topics="health") as events,
            connect(address, additional_headers=by("read")) as web,
            connect(address, additional_headers=by("all")) as other,
        ):
            callers.revoked.add("read")
            assert {each["event"] for each in events} <= {"health", "end"}
            assert _code_at_the_end(web) == 1008
            assert other.ping().wait(20)


def test_a_websocket_tells_the_same(settings: Settings) -> None:
    with served(settings) as api:
        begin(api, "WEB", "400")
        until(lambda: api.get("/accounts/WEB/trades", limit=1)["items"])
        end(api, "WEB")
        with listening(api, accounts="WEB", after="WEB:1", topics="trades") as events:
            first = next(events)
        address = f"{api.root.replace('http', 'ws')}{ROOT}/stream?topics=trades&accounts=WEB&after=WEB:1"
        with connect(address, additional_headers=by("read")) as web:
            told = json.loads(web.recv(20))
        assert told["data"] == first["data"]
        assert parse_place(told["id"])["WEB"] == parse_place(first["id"])["WEB"] == told["seq"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("headers", "words", "status"),
    [
        ({}, "topics=health", 401),
        (by("wrong"), "topics=health", 401),
        (by("trade"), "topics=health", 403),
        (by("read") | {"origin": "https://evil.example"}, "topics=health", 403),
        (by("read"), "topics=everything", 422),
        (by("read"), "topics=ticks", 422),
        (by("read"), "topics=health&after=x", 422),
        (by("read"), "topics=health&more=1", 422),
        (by("read"), "", 422),
    ],
)
def test_whoever_may_not_listen_is_told_why(
    settings: Settings, headers: dict[str, str], words: str, status: int
) -> None:
    with served(settings) as api:
        address = f"{api.root.replace('http', 'ws')}{ROOT}/stream?{words}"
        with pytest.raises(InvalidStatus) as refused, connect(address, additional_headers=headers):
            pass
        assert refused.value.response.status_code == status
        if "origin" not in headers:
            plain = api.http.get(f"/stream?{words}", headers=headers)
            assert (plain.status_code, plain.headers["content-type"]) == (status, "application/problem+json")


def test_who_does_not_take_what_is_said_is_cut_off_and_memory_stays_bounded() -> None:
    listener = Listener(Wanted(frozenset({Topic.ORDERS, Topic.TICKS})), "read", "")
    places = {"A": 0}
    orders = framed([Event(Topic.ORDERS, "A", seq, "", b"{}") for seq in range(1, hub.WAITING_MAX + 1)], places)
    (tick,) = framed([Event(Topic.TICKS, "A", 0, "NSE:A", b"{}")], places)
    for frame in orders:
        listener.hear(frame)
        listener.hear(tick)
    assert listener.ended.is_set()
    assert listener.why == "too slow"
    assert listener.waiting.qsize() == 1


def test_of_a_row_that_tells_several_things_the_last_one_moves_the_place() -> None:
    places = {"A": 3, "B": 9}
    events = [Event(Topic.ORDERS, "A", seq, "", b"{}") for seq in (4, 5, 5, 7)]
    ids = [frame.text.split('"')[3] for frame in framed(events, places)]
    assert ids == ["A:4,B:9", "A:4,B:9", "A:5,B:9", "A:7,B:9"]
    assert parse_place(format_place(places)) == places == {"A": 7, "B": 9}

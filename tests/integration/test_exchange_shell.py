"""The exchange's shell over real sockets: what is not a call of a client, and how answers are carried."""

import gzip
import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from manjha.domain.errors import UsageError
from manjha.exchange.serving import listening
from tests.fakes.exchanges import KEY, an_exchange, form, on_a_socket, session_of

Answer = tuple[int, dict[str, str], bytes]


class Wire:
    """Asks an exchange plainly."""

    def __init__(self, root: str, token: str) -> None:
        self.connection = http.client.HTTPConnection(root.removeprefix("http://"))
        self.usual = {"X-Kite-Version": "3", "Authorization": f"token {KEY}:{token}"}

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def ask(
        self, method: str, path: str, fields: dict[str, Any] | None = None, *, header: str = "", encoding: str = ""
    ) -> Answer:
        body = None if fields is None else urlencode(fields)
        sent = {**self.usual, "Accept-Encoding": encoding} | ({"Authorization": header} if header else {})
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        self.connection.request(method, path, body, sent)
        reply = self.connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()

    def data(self, method: str, path: str, fields: dict[str, Any] | None = None) -> Any:
        code, _, body = self.ask(method, path, fields)
        assert code == 200, body
        return json.loads(body)["data"]


@pytest.fixture
def wire() -> Iterator[Wire]:
    exchange = an_exchange()
    token = session_of(exchange).access_token
    with on_a_socket(exchange) as root, Wire(root, token) as made:
        yield made


def test_success_and_error_are_json_in_their_envelopes(wire: Wire) -> None:
    code, headers, body = wire.ask("GET", "/user/profile")
    assert (code, headers["content-type"], json.loads(body)["status"]) == (200, "application/json", "success")
    code, headers, body = wire.ask("GET", "/user/profile", header="token a:b")
    assert (code, headers["content-type"]) == (403, "application/json")
    assert json.loads(body) == {
        "status": "error", "message": "Incorrect `api_key` or `access_token`.", "error_type": "TokenException",
        "data": None,
    }  # fmt: skip


@pytest.mark.parametrize(("method", "path", "code"), [("GET", "/nothing", 404), ("PATCH", "/orders", 405)])
def test_what_is_not_there_is_told_as_json(wire: Wire, method: str, path: str, code: int) -> None:
    found, headers, body = wire.ask(method, path)
    assert (found, headers["content-type"]) == (code, "application/json")
    assert json.loads(body)["error_type"] == "GeneralException"


def test_closed_market_gives_its_hint_as_data() -> None:
    exchange = an_exchange("08:59")
    token = session_of(exchange).access_token
    with on_a_socket(exchange) as root, Wire(root, token) as wire:
        code, _, body = wire.ask("POST", "/orders/regular", form(price="1500"))
    assert (code, json.loads(body)["data"]) == (400, {"hints": ["switch_to_amo"]})


def test_dump_is_exactly_text_csv_and_gzipped_where_that_is_understood(wire: Wire) -> None:
    _, headers, plain = wire.ask("GET", "/instruments")
    assert headers["content-type"] == "text/csv"
    assert "content-encoding" not in headers
    _, headers, packed = wire.ask("GET", "/instruments", encoding="gzip")
    assert (headers["content-type"], headers["content-encoding"]) == ("text/csv", "gzip")
    assert gzip.decompress(packed) == plain


def test_unknown_and_repeated_fields_are_ignored(wire: Wire) -> None:
    fields = {**form(price="1500"), "variety": "regular", "order_id": "5", "whatever": "1"}
    placed = wire.data("POST", "/orders/regular", fields)["order_id"]
    wire.data("POST", "/simulation/advance", {"seconds": 1})
    gone = wire.data("DELETE", f"/orders/regular/{placed}?variety=regular&order_id={placed}")
    assert gone == {"order_id": placed}


def test_variety_in_capitals_is_redirected(wire: Wire) -> None:
    code, headers, _ = wire.ask("POST", "/orders/REGULAR", form(price="1500"))
    assert (code, headers["location"]) == (307, "/orders/regular")


def test_login_page_says_that_it_is_a_simulation_and_escapes(wire: Wire) -> None:
    code, headers, body = wire.ask("GET", f"/connect/login?v=3&api_key={KEY}&redirect_params=a%3D%22%3E%3Cb")
    assert (code, headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = body.decode()
    assert "This is a simulation." in text
    assert '<option value="CD5678">' in text
    assert "<b" not in text.partition("<h1>")[2].replace("<button", "")


def test_login_hands_redirect_params_on(wire: Wire) -> None:
    fields = {"api_key": KEY, "user_id": "AB1234", "redirect_params": "some=X&more=Y"}
    code, headers, _ = wire.ask("POST", "/connect/login", fields)
    landed = parse_qs(urlsplit(headers["location"]).query)
    assert code == 302
    assert (landed["some"], landed["more"], landed["from"], landed["status"]) == (["X"], ["Y"], ["kite"], ["success"])


def test_unknown_app_and_user_cannot_log_in(wire: Wire) -> None:
    assert wire.ask("GET", "/connect/login?v=3&api_key=nobody")[0] == 400
    assert wire.ask("GET", "/connect/login?v=3")[0] == 400
    assert wire.ask("POST", "/connect/login", {"api_key": KEY, "user_id": "ZZ"})[0] == 403


def test_auto_login_goes_straight_on() -> None:
    with on_a_socket(an_exchange(auto_login=True)) as root, Wire(root, "") as wire:
        code, headers, _ = wire.ask("GET", f"/connect/login?v=3&api_key={KEY}&user_id=CD5678")
        free = wire.ask("GET", "/connect/login?v=3&api_key=free")[1]["location"]
        page = wire.ask("GET", free)[2].decode()
    assert (code, urlsplit(headers["location"]).netloc) == (302, "127.0.0.1:1")
    assert urlsplit(free).path == "/connect/received"
    assert parse_qs(urlsplit(free).query)["request_token"][0] in page


def test_time_stands_until_it_is_let_pass(wire: Wire) -> None:
    before = wire.data("GET", "/simulation")
    assert before == wire.data("GET", "/simulation")
    after = wire.data("POST", "/simulation/advance", {"seconds": 90})
    assert (before["now"], after["now"]) == ("2026-11-26 10:00:00", "2026-11-26 10:01:30")
    assert wire.ask("POST", "/simulation/advance", {"seconds": -1})[0] == 400


def test_sessions_can_be_ended_by_a_test(wire: Wire) -> None:
    assert wire.data("POST", "/simulation/end-sessions", {}) == {"ended": 1}
    assert wire.ask("GET", "/orders")[0] == 403


def test_time_that_does_not_wait_comes_to_the_last_day() -> None:
    exchange = an_exchange()
    heard = []
    exchange.tick_hearers.append(lambda tick: heard.append(tick.ts_ns))
    with on_a_socket(exchange, speed=0, stands=False) as root, Wire(root, "") as wire:
        while exchange.next_ns() is not None:
            wire.data("GET", "/simulation")
    assert len(heard) > 100_000
    assert heard == sorted(heard)


def test_exchange_that_has_broken_down_answers_nothing_any_more() -> None:
    exchange = an_exchange()
    broken = threading.Event()

    def breaks(tick: object) -> None:
        broken.set()
        raise RuntimeError("planted")

    with on_a_socket(exchange, speed=0, stands=False) as root, Wire(root, "") as wire:
        exchange.tick_hearers.append(breaks)
        assert broken.wait(20)
        code, headers, body = wire.ask("GET", "/simulation")
        assert (code, headers["content-type"]) == (500, "application/json")
        assert json.loads(body)["error_type"] == "GeneralException"
        with Wire(root, "") as another:
            assert another.ask("GET", "/instruments")[0] == 500


def test_limits_answer_429_over_the_wire() -> None:
    exchange = an_exchange(limits=True)
    token = session_of(exchange).access_token
    with on_a_socket(exchange) as root, Wire(root, token) as wire:
        codes = [wire.ask("GET", "/orders")[0] for _ in range(30)]
    assert codes[:10] == [200] * 10
    assert 429 in codes


def test_port_that_is_taken_is_said_to_be() -> None:
    with listening("127.0.0.1", 0) as first, pytest.raises(UsageError, match="cannot listen"):
        listening("127.0.0.1", first.getsockname()[1])

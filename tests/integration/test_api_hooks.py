"""Messages of programs outside: signals that are proved or not, and postbacks of Kite."""

import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from manjha.adapters.kite.postback import KitePostback
from manjha.app.bootstrap import bar_store, instrument_book, market_rules, system_clock, unit_of_work
from manjha.app.settings import load_settings
from manjha.app.trading.account_parts import places
from manjha.domain.controls import ManualOrder
from manjha.domain.moments import MINUTE_NS, SECOND_NS, TsNs, parse_day
from manjha.domain.orders import OrderType
from manjha.domain.secret import Secret
from manjha.services.hooks import OVERLAP_NS, Hooks, signature_of
from manjha.services.synthetic_market import seed_store
from tests.fakes.answering_trader import AnsweringTrader
from tests.fakes.served import Served, served

NAME = "NSE:PATANG"
FORGERIES = 100_000
SIGNAL = {"instrument": NAME, "side": "BUY", "qty": 5}


class Box:
    """Secrets in memory."""

    name = "a box"

    def __init__(self) -> None:
        self.held: dict[str, Secret] = {}

    def get(self, name: str) -> Secret | None:
        return self.held.get(name)

    def put(self, name: str, value: Secret) -> None:
        self.held[name] = value

    def delete(self, name: str) -> bool:
        return self.held.pop(name, None) is not None

    def names(self) -> list[str]:
        return sorted(self.held)


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = system_clock().now_ns()

    def now_ns(self) -> TsNs:
        return self.now

    def wait_until(self, ts_ns: TsNs) -> None:
        raise AssertionError(ts_ns)

    def stamp(self, seconds: int = 0) -> str:
        return str(self.now // SECOND_NS + seconds)


@pytest.fixture
def trader() -> Iterator[AnsweringTrader]:
    settings = load_settings()
    span = parse_day("2025-12-29"), parse_day("2025-12-30")
    seed_store(bar_store(settings), instrument_book(settings), market_rules(settings), 7, span)
    home = places(settings, "AB1234")
    home.folder.mkdir(parents=True)
    (home.folder / "traded-at").write_text("paper\n")
    made = AnsweringTrader(home.control)
    thread = threading.Thread(target=made.run)
    thread.start()
    assert made.is_open.wait(20)
    yield made
    made.end()
    thread.join()


class Outside:
    """A program outside, and the API that it sends to."""

    def __init__(self, api: Served, clock: Hands) -> None:
        self.api, self.clock = api, clock
        self._count = 0

    def make(self, **words: Any) -> tuple[dict[str, Any], str]:
        asked = {
            "name": f"hook {self._count}", "account": "AB1234", "strategy": "tv", "instruments": [NAME],
            "product": "MIS", "qty_max": 10, "per_minute": 60,
        } | words  # fmt: skip
        self._count += 1
        answer = self.api("POST", "/hooks", "admin", json=asked)
        assert answer.status_code == 201, answer.text
        return answer.json()["hook"], answer.json()["secret"]

    def send(self, hook: str, secret: str, words: Any = SIGNAL, **changes: str) -> int:
        self._count += 1
        body = json.dumps(words).encode()
        time, nonce = changes.get("time", self.clock.stamp()), changes.get("nonce", f"nonce-{self._count:04}")
        signature = changes.get("signature", signature_of(secret, time, nonce, body))
        headers = {"x-manjha-timestamp": time, "x-manjha-nonce": nonce, "x-manjha-signature": signature}
        answer = self.api.http.post(f"/hooks/signals/{hook}", content=body, headers=headers)
        assert answer.content == b""
        return answer.status_code


@pytest.fixture
def outside(trader: AnsweringTrader) -> Iterator[Outside]:
    del trader
    clock = Hands()
    hooks = Hooks(unit_of_work(load_settings()), Box(), clock)
    with served(hooks=hooks, clock=clock) as api:
        yield Outside(api, clock)


def orders(trader: AnsweringTrader) -> list[ManualOrder]:
    return [each.control for each in trader.seen if isinstance(each.control, ManualOrder)]


def test_a_signed_signal_is_an_order_of_its_strategy_and_no_other_message_is(
    trader: AnsweringTrader, outside: Outside
) -> None:
    hook, secret = outside.make()
    assert outside.send(hook["id"], secret, SIGNAL | {"limit": "100.05"}, nonce="the-first-one") == 202
    (order,) = orders(trader)
    assert (order.strategy, order.instrument, order.qty, order.type) == ("tv", NAME, 5, OrderType.LIMIT)
    body = json.dumps(SIGNAL).encode()
    signed = signature_of(secret, outside.clock.stamp(), "another-one", body)
    refused = {
        "replayed": outside.send(hook["id"], secret, SIGNAL | {"limit": "100.05"}, nonce="the-first-one"),
        "old": outside.send(hook["id"], secret, time=outside.clock.stamp(-61)),
        "early": outside.send(hook["id"], secret, time=outside.clock.stamp(62)),
        "no time": outside.send(hook["id"], secret, time="now"),
        "cut": outside.send(hook["id"], secret, nonce="another-one", signature=signed[:-1]),
        "altered": outside.send(hook["id"], secret, SIGNAL | {"qty": 6}, nonce="another-one", signature=signed),
        "short nonce": outside.send(hook["id"], secret, nonce="short"),
        "none": outside.send(hook["id"], secret, signature=""),
        "other secret": outside.send(hook["id"], secret + "x"),
        "nobody": outside.send("h-nobody", secret),
    }
    assert set(refused.values()) == {403}, refused
    assert len(orders(trader)) == 1


def test_a_restart_of_the_api_does_not_forget_what_was_heard(trader: AnsweringTrader) -> None:
    clock, box = Hands(), Box()
    with served(hooks=Hooks(unit_of_work(load_settings()), box, clock), clock=clock) as api:
        first = Outside(api, clock)
        hook, secret = first.make()
        assert first.send(hook["id"], secret, nonce="the-first-one") == 202
    with served(hooks=Hooks(unit_of_work(load_settings()), box, clock), clock=clock) as api:
        assert Outside(api, clock).send(hook["id"], secret, nonce="the-first-one") == 403
    assert len(orders(trader)) == 1


@pytest.mark.parametrize(
    "words",
    [
        SIGNAL | {"qty": 11},
        SIGNAL | {"qty": 0},
        SIGNAL | {"qty": 1.5},
        SIGNAL | {"instrument": "NSE:OTHER"},
        SIGNAL | {"side": "HOLD"},
        SIGNAL | {"limit": "-1"},
        SIGNAL | {"limit": "1e3x"},
        SIGNAL | {"strategy": "mine"},
        [],
    ],
)
def test_what_a_hook_may_not_order_is_not_ordered(trader: AnsweringTrader, outside: Outside, words: Any) -> None:
    hook, secret = outside.make()
    assert outside.send(hook["id"], secret, words) == 422
    assert orders(trader) == []


def test_a_tool_that_cannot_sign_has_the_secret_in_its_body(trader: AnsweringTrader, outside: Outside) -> None:
    hook, secret = outside.make(proof="secret-in-body")
    words = SIGNAL | {"secret": secret, "time": outside.clock.stamp()}
    assert outside.send(hook["id"], "", words, signature="") == 202
    assert outside.send(hook["id"], "", words, signature="") == 403
    assert outside.send(hook["id"], "", words | {"secret": secret[:-1]}, signature="") == 403
    assert outside.send(hook["id"], "", words | {"time": outside.clock.stamp(-90)}, signature="") == 403
    assert outside.send(hook["id"], "", SIGNAL | {"secret": secret}, signature="") == 403
    # A signature proves nothing to this one.
    assert outside.send(hook["id"], secret, SIGNAL) == 403
    assert len(orders(trader)) == 1


def test_a_new_secret_overlaps_with_the_one_before(outside: Outside) -> None:
    hook, first = outside.make()
    answer = outside.api("POST", f"/hooks/{hook['id']}/rotate", "admin")
    second = answer.json()["secret"]
    assert [outside.send(hook["id"], each) for each in (first, second)] == [202, 202]
    outside.clock.now = TsNs(outside.clock.now + OVERLAP_NS)
    assert [outside.send(hook["id"], each) for each in (first, second)] == [403, 202]


def test_a_hook_has_a_rate_of_its_own(trader: AnsweringTrader, outside: Outside) -> None:
    hook, secret = outside.make(per_minute=3)
    other, others = outside.make()
    assert [outside.send(hook["id"], secret) for _ in range(5)] == [202, 202, 202, 429, 429]
    assert outside.send(other["id"], others) == 202
    outside.clock.now = TsNs(outside.clock.now + MINUTE_NS)
    assert outside.send(hook["id"], secret) == 202
    assert len(orders(trader)) == 5


def test_hooks_are_changed_switched_off_and_taken_out_and_never_show_their_secret(outside: Outside) -> None:
    hook, secret = outside.make()
    assert secret not in outside.api("GET", "/hooks", "admin").text
    words = {name: each for name, each in hook.items() if name not in ("id", "made", "made_by")}
    off = outside.api("PUT", f"/hooks/{hook['id']}", "admin", json=words | {"is_on": False})
    assert (off.status_code, off.json()["version"]) == (200, 2)
    stale = outside.api("PUT", f"/hooks/{hook['id']}", "admin", json=words)
    assert (stale.status_code, stale.json()["code"]) == (409, "conflict")
    assert outside.send(hook["id"], secret) == 403
    assert outside.api("PUT", f"/hooks/{hook['id']}", "admin", json=words | {"version": 2}).status_code == 200
    assert outside.send(hook["id"], secret) == 202
    same = {name: each for name, each in words.items() if name != "version"}
    assert outside.api("POST", "/hooks", "admin", json=same).json()["code"] == "cannot-be"
    assert outside.api("DELETE", f"/hooks/{hook['id']}", "admin").status_code == 204
    assert outside.send(hook["id"], secret) == 403


def test_what_is_too_large_is_not_looked_at(outside: Outside) -> None:
    hook, secret = outside.make()
    assert outside.send(hook["id"], secret, SIGNAL | {"secret": "x" * 16_384}) == 413
    assert outside.api.http.post("/hooks/kite/postback", content=b"x" * 16_385).status_code == 413


def test_a_refusal_of_the_gate_is_a_status(
    trader: AnsweringTrader, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, secret = outside.make()
    refused = msgspec.structs.replace
    begun = trader._answered
    monkeypatch.setattr(trader, "_answered", lambda request: refused(begun(request), refused="the gate says no"))
    assert outside.send(hook["id"], secret) == 409


def postback(secret: str, **changes: Any) -> dict[str, Any]:
    told = {
        "user_id": "AB1234", "order_id": "151220000000000", "order_timestamp": "2026-11-30 09:15:00",
        "status": "COMPLETE", "filled_quantity": 5,
    } | changes  # fmt: skip
    proof = f"{told['order_id']}{told['order_timestamp']}{secret}".encode()
    return {"checksum": hashlib.sha256(proof).hexdigest()} | told


def test_postbacks_are_believed_once_and_answered_without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("API_KEY", "key"), ("API_SECRET", "canary-secret")):
        monkeypatch.setenv(f"MANJHA_KITE_{name}", value)
    monkeypatch.setenv("MANJHA_ACCOUNT", "AB1234")
    with served() as api:

        def send(told: Any) -> int:
            answer = api.http.post("/hooks/kite/postback", json=told)
            assert answer.content == b""
            return answer.status_code

        assert send(postback("canary-secret")) == 200
        assert send(postback("canary-secret")) == 403
        assert send(postback("wrong")) == 403
        assert send(postback("canary-secret", user_id="XY9999")) == 403
        assert send([]) == 403
        assert api.http.post("/hooks/kite/postback", content=b"\xff" * 99).status_code == 403


@pytest.mark.slow
def test_a_hundred_thousand_forgeries_change_nothing(trader: AnsweringTrader) -> None:
    """What is judged is judged by the receiver that the address asks; over HTTP each would take a millisecond more."""
    receiver = KitePostback(Secret("secret"), "AB1234")
    told = postback("another secret")
    for number in range(FORGERIES):
        kind = number % 5
        body = told | {"order_id": str(number)}
        if kind == 1:
            body = postback("secret", user_id=f"XY{number}")
        elif kind == 2:
            body = postback("another secret", order_id=str(number), status="CANCELLED")
        elif kind == 3:
            body = {name: each for name, each in body.items() if name != "checksum"}
        elif kind == 4:
            body = body | {"checksum": body["checksum"].upper()}
        assert receiver.received(json.dumps(body).encode()) is None
    assert sum(receiver.refused.values()) == FORGERIES
    assert trader.seen == []

"""`login`, `logout`, `doctor`, `orders`, `positions` and `funds` against an exchange on a socket."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from manjha.app.cli.errors import FAULTY, OK, SOURCE, USAGE
from manjha.exchange.exchange import Exchange
from tests.fakes.exchanges import form
from tests.fakes.kite_desk import ACCOUNT, LIMITS, Desk, a_desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    with a_desk(tmp_path, monkeypatch, capfd) as made:
        yield made


def place(exchange: Exchange) -> None:
    """Buy at the market, past the wire."""
    session = next(iter(exchange.sessions.live.values()))
    asked = form(order_type="MARKET", product="MIS", market_protection="-1")
    exchange.desk.place("regular", asked, session, exchange.now_ns)


def test_a_login_in_the_browser_is_kept_and_logout_ends_it_at_both_ends(desk: Desk) -> None:
    assert desk("login", "--json") == OK
    assert json.loads(desk.said) == {
        "user_id": ACCOUNT, "user_name": "Asha Bose", "expires": "2026-11-27T06:00:00+05:30",
    }  # fmt: skip
    assert "redirect_params=" in desk.erred
    (session,) = desk.exchange.sessions.live.values()
    everything = b"".join(path.read_bytes() for path in desk.home.rglob("*") if path.is_file())
    assert session.access_token.encode() not in everything
    assert session.access_token not in desk.said + desk.erred

    assert desk("logout") == OK
    assert not desk.exchange.sessions.live
    assert desk("logout") == USAGE
    assert "nobody is logged in" in desk.erred
    assert desk("orders") == SOURCE
    assert desk.erred.count("manjha login") == 1


def test_a_logout_that_kite_does_not_take_is_said_and_forgotten_here(desk: Desk) -> None:
    desk("login")
    desk.exchange.sessions.end_all(desk.exchange.now_ns)
    assert desk("logout", "--json") == FAULTY
    assert json.loads(desk.said) == {"user_id": ACCOUNT, "ended_at_kite": False}
    assert desk("funds") == SOURCE


def test_without_a_key_of_the_seal_nothing_is_asked_of_anybody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MANJHA_SEAL_KEY")
    assert desk("login") == USAGE
    assert 'export MANJHA_SEAL_KEY="$(manjha login --new-seal-key)"' in desk.erred
    assert "connect/login" not in desk.erred
    assert not desk.exchange.sessions.asked
    assert desk("login", "--new-seal-key") == OK
    monkeypatch.setenv("MANJHA_SEAL_KEY", desk.said.strip())
    assert desk("login") == OK


def test_wrong_secret_and_pasted_rubbish_keep_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANJHA_KITE_API_SECRET", "wrong")
    assert desk("login") == SOURCE
    assert "Invalid `checksum`" in desk.erred
    monkeypatch.setattr("sys.stdin", io.StringIO("no token!\n"))
    assert desk("login", "--paste", "--no-browser") == USAGE
    assert "request token" in desk.erred
    assert not (desk.home / "secrets.sealed").exists()


def test_orders_positions_and_funds_are_what_the_exchange_has(desk: Desk) -> None:
    desk("login")
    assert desk("orders") == OK
    assert "No order was placed today" in desk.erred
    place(desk.exchange)
    assert desk("orders", "--json") == OK
    (row,) = json.loads(desk.said)
    (order,) = desk.exchange.book.orders.values()
    assert (row["order"], row["instrument"], row["side"], row["qty"]) == (order.order_id, "NSE:MANJHA", "BUY", 10)
    assert desk("positions", "--json") == OK
    assert all(one["instrument"] == "NSE:MANJHA" for one in json.loads(desk.said))
    assert desk("funds", "--json") == OK
    equity = next(one for one in json.loads(desk.said) if one["segment"] == "equity")
    assert equity["cash"] == "10000000000.00"
    assert desk("funds") == OK
    assert "equity" in desk.said


def test_doctor_says_what_is_missing_and_what_to_do(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert desk("doctor", "--json") == FAULTY
    lines = {one["check"]: one for one in json.loads(desk.said)}
    assert lines["login"]["is"] == "fail"
    assert "manjha login" in lines["login"]["remedy"]
    assert lines["limits"]["is"] == "fail"
    assert all(one["remedy"] for one in lines.values() if one["is"] != "ok")

    desk("login")
    desk.seed()
    for name, value in LIMITS.items():
        monkeypatch.setenv(f"MANJHA_RISK_{name}", value)
    assert desk("doctor", "--account", ACCOUNT) == OK
    assert "cannot be known before an order" in desk.said
    assert desk("kill", "--reason", "a test") == OK
    assert desk("doctor", "--account", "CD5678", "--json") == FAULTY
    lines = {one["check"]: one for one in json.loads(desk.said)}
    assert lines["kill switch"]["is"] == "warn"
    assert "AB1234's" in lines["profile"]["found"]
    monkeypatch.setenv("MANJHA_SEAL_KEY", "short")
    assert desk("doctor", "--json") == FAULTY
    assert {one["check"]: one["is"] for one in json.loads(desk.said)}["secrets"] == "fail"


def test_live_trading_refuses_before_anything_is_sent(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("trade", "--live", "-s", "sma_cross", "--instrument", "NSE:MANJHA", "-i", "1m", "--product", "MIS")
    desk.seed()
    assert desk(*words, "--account", ACCOUNT) == USAGE
    assert "expected the id of the account" in desk.erred
    assert desk(*words, "--account", ACCOUNT, "--yes-account", ACCOUNT) == USAGE
    assert "trading with real money needs" in desk.erred
    for name, value in LIMITS.items():
        monkeypatch.setenv(f"MANJHA_RISK_{name}", value)
    assert desk(*words, "--account", ACCOUNT, "--yes-account", ACCOUNT) == SOURCE
    assert "nobody is logged in" in desk.erred
    desk("login")
    assert desk(*words, "--account", "CD5678", "--yes-account", "CD5678") == USAGE
    assert "the login at Kite is AB1234's" in desk.erred
    paper = ("trade", *words[2:], "--account", ACCOUNT, "--speed", 0)
    day = "2026-11-25"
    assert desk(*paper, "--from", day, "--to", day) == OK
    assert desk(*words, "--account", ACCOUNT, "--yes-account", ACCOUNT) == USAGE
    assert "is traded at paper here" in desk.erred
    assert desk(*words, "--account", ACCOUNT, "--from", day) == USAGE
    assert not desk.exchange.book.orders

"""Sessions, orders, positions and the kill switch over HTTP, with a paper trader in a process of its own."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from manjha.app.cli.demo import INSTRUMENT
from manjha.app.settings import Settings, load_settings
from tests.fakes.served import DAY, SESSION, Served, furnish, served

PATIENCE_S = 60


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("served") / "home"
    made = load_settings({"MANJHA_HOME": str(home)})
    furnish(made)
    return made


@pytest.fixture
def api(settings: Settings) -> Iterator[Served]:
    with served(settings) as made:
        yield made
        for account in made.get("/accounts"):
            end(made, account["id"])


def until(what: Callable[[], Any]) -> Any:
    """Return what is there once it is."""
    pause = threading.Event()
    for _ in range(PATIENCE_S * 10):
        found = what()
        if found:
            return found
        pause.wait(0.1)
    raise AssertionError("it did not come to be")


def end(api: Served, account: str) -> None:
    if api("POST", f"/accounts/{account}/sessions/current/stop").status_code == 202:
        until(lambda: api.get(f"/accounts/{account}/sessions/current")["trader"] is None)


def begin(api: Served, account: str, speed: str = "400", **words: Any) -> None:
    answer = api("POST", f"/accounts/{account}/sessions", json=SESSION | {"speed": speed} | words)
    assert answer.status_code == 201, answer.text
    assert answer.json()["trader"]["pid"]
    assert answer.json()["traded_at"] == "paper"


def test_a_day_on_paper_adds_up_to_what_its_trader_tells(api: Served) -> None:
    begin(api, "WHOLE")
    (first,) = until(lambda: api.get("/accounts/WHOLE/orders", limit=1)["items"])
    one = api.get(f"/accounts/WHOLE/orders/{first['id']}")
    assert one["order"]["id"] == first["id"]
    assert (first["name"], first["side"], first["strategy"], first["qty"]) == (INSTRUMENT, "BUY", "keen", 10)
    until(lambda: len(api.get("/accounts/WHOLE/trades")["items"]) >= 4)
    end(api, "WHOLE")
    trades = api.get("/accounts/WHOLE/trades", limit=1000)["items"]
    orders = api.get("/accounts/WHOLE/orders", limit=1000)["items"]
    cursor: Any = ""
    seen = list[Any]()
    while cursor is not None:
        page = api.get("/accounts/WHOLE/orders", limit=1, cursor=cursor)
        cursor, seen = page["next"], seen + page["items"]
    assert seen == orders
    assert sum(each["qty"] for each in trades) == sum(each["filled"] for each in orders)
    (bill,) = api.get("/accounts/WHOLE/charges")
    lines = sum(_paisa(each["charges"]["total"]) for each in trades)
    assert lines == _paisa(bill["booked"]["total"]) > 0
    told = api.get("/accounts/WHOLE/pnl", day=DAY)
    (positions,) = api.get("/accounts/WHOLE/positions", flat="true")
    assert told["realised"] == positions["realised"] == told["strategies"][0]["realised_day"]
    (session,) = api.get("/accounts/WHOLE/sessions")["items"]
    assert (session["strategy"], session["orders"], session["trades"]) == ("keen", len(orders), len(trades))
    assert api("POST", "/accounts/WHOLE/journal/verify", "read").json()["is_whole"] is True
    kinds = {note["kind"] for note in api.get("/accounts/WHOLE/notifications", limit=1000)["items"]}
    assert kinds == {"order"}


def _paisa(rupees: str) -> int:
    whole, _, rest = rupees.partition(".")
    return int(whole) * 10_000 + int(rest.ljust(4, "0"))


def test_an_order_by_hand_is_placed_once_changed_and_cancelled(api: Served) -> None:
    begin(api, "HAND", "200")
    status = until(lambda: api.get("/accounts/HAND/sessions/current")["status"])
    assert status["strategy"] == "keen"
    px = until(lambda: _price(api, "HAND"))
    order = {"instrument": INSTRUMENT, "side": "BUY", "qty": 7, "product": "MIS", "limit": f"{px - 2}.00"}
    placed = api("POST", "/accounts/HAND/orders", key="once", json=order)
    assert placed.status_code == 201, placed.text
    again = api("POST", "/accounts/HAND/orders", key="once", json=order)
    assert (again.json(), again.headers["idempotency-replayed"]) == (placed.json(), "true")
    other = api("POST", "/accounts/HAND/orders", key="once", json=order | {"qty": 8})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    (mine,) = _by_hand(api)
    assert (mine["qty"], mine["is_open"]) == (7, True)

    changed = api("PATCH", f"/accounts/HAND/orders/{mine['id']}", json={"limit": f"{px - 3}.00"})
    assert changed.status_code == 200, changed.text
    assert until(lambda: _by_hand(api)[0]["limit"] == f"{px - 3}.00")
    for key in ("first", "first"):
        assert api("DELETE", f"/accounts/HAND/orders/{mine['id']}", key=key).status_code == 200
    assert until(lambda: _by_hand(api)[0]["phase"] == "cancelled")
    late = api("DELETE", f"/accounts/HAND/orders/{mine['id']}")
    assert (late.status_code, late.json()["code"]) == (409, "refused")
    assert late.json()["detail"] == f"no open order has this id: {mine['id']}"


def _price(api: Served, account: str) -> int:
    """Return the newest price in whole rupees, once a bar has closed."""
    rows = api.get(f"/accounts/{account}/journal", limit=1000)["items"]
    if not any(row["kind"] == "MarketAdvanced" for row in rows):
        return 0
    bars = api.get("/bars", instrument=INSTRUMENT, interval="1m", **{"from": DAY, "to": DAY})["items"]
    return int(bars[0]["open"].partition(".")[0])


def _by_hand(api: Served) -> list[dict[str, Any]]:
    return [each for each in api.get("/accounts/HAND/orders", limit=1000)["items"] if each["strategy"] == "MANUAL"]


def test_the_gate_refuses_in_its_own_words_and_the_refusal_is_the_answer(api: Served) -> None:
    begin(api, "GATE", "30")
    wild = {"instrument": "NSE:NOBODY", "side": "SELL", "qty": 1, "product": "MIS"}
    answers = [api("POST", "/accounts/GATE/orders", key="same", json=wild) for _ in range(2)]
    assert {(each.status_code, each.json()["code"]) for each in answers} == {(409, "refused")}
    assert answers[0].json()["detail"].startswith("NSE:NOBODY is not in this run")
    assert answers[0].json() == answers[1].json()
    taken = api("POST", "/accounts/GATE/sessions", json=SESSION)
    assert (taken.status_code, taken.json()["code"]) == (409, "account-held")


def test_a_session_is_paused_changed_and_goes_on(api: Served) -> None:
    begin(api, "PAUSE", "60")
    root = "/accounts/PAUSE/sessions/current"
    assert api("POST", f"{root}/pause", json={"reason": "lunch"}).status_code == 200
    assert api.get(root)["status"]["trading"] is False
    assert api("POST", f"{root}/resume", json={}).status_code == 200
    assert api.get(root)["status"]["trading"] is True
    changed = api("PUT", f"{root}/parameters", json={"strategy": "keen", "parameters": {"every": 99}})
    assert (changed.status_code, changed.json()["code"]) == (409, "refused")
    reasons = [
        row["value"]["reason"]
        for row in api.get("/accounts/PAUSE/journal", kind="TradingSwitched")["items"]
    ]  # fmt: skip
    assert any(reason.endswith("trade: lunch") for reason in reasons)


def test_the_kill_switch_works_with_a_trader_and_without(api: Served) -> None:
    begin(api, "KILL", "400")
    until(lambda: api.get("/accounts/KILL/orders", limit=1)["items"])
    thrown = api("POST", "/kill-switch", json={"reason": "a drill", "level": "flatten"})
    assert thrown.status_code == 200, thrown.text
    assert thrown.json()["in_force"] == [{"level": "flatten", "strategy": "", "instrument": ""}]
    until(lambda: "flatten" in api.get("/accounts/KILL/sessions/current")["status"]["kill switch"])
    until(
        lambda: (
            not api.get("/accounts/KILL/positions") and not api.get("/accounts/KILL/orders", only_open="true")["items"]
        )
    )
    end(api, "KILL")
    assert api("POST", "/kill-switch", json={"reason": "dead too", "level": "no-new"}).status_code == 200
    lift = {"reason": "over", "account_in_words": "paper"}
    assert api("POST", "/kill-switch/lift", json=lift).json()["code"] == "step-up-needed"
    wrong = api("POST", "/kill-switch/lift", "trade+proved", json=lift | {"account_in_words": "other"})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "refused")
    assert api("POST", "/kill-switch/lift", "trade+proved", json=lift).json()["in_force"] == []
    assert [each["level"] for each in api.get("/kill-switch")["history"]] == ["off", "no-new", "flatten"]


def test_a_restart_of_the_api_finds_the_session_again(settings: Settings) -> None:
    with served(settings) as first:
        begin(first, "AGAIN", "120")
        pid = first.get("/accounts/AGAIN")["trader"]["pid"]
        until(lambda: first.get("/accounts/AGAIN/orders", limit=1)["items"])
        before = first.get("/accounts/AGAIN/orders", limit=1000)["items"]
    with served(settings) as second:
        assert second.get("/accounts/AGAIN")["trader"]["pid"] == pid
        after = second.get("/accounts/AGAIN/orders", limit=1000)["items"]
        assert [each["id"] for each in after][: len(before)] == [each["id"] for each in before]
        assert second("POST", "/accounts/AGAIN/sessions/current/pause", json={}).status_code == 200
        end(second, "AGAIN")


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        ({"strategy": "nobody"}, 404, "not-found"),
        ({"strategy": "../../evil"}, 422, "invalid"),
        ({"instruments": ["NSE:NOBODY"]}, 404, "not-found"),
        ({"parameters": {"every": 999}}, 422, "cannot-be"),
        ({"from": "2023-01-02", "to": "2023-01-02"}, 409, "not-started"),
        ({"size": "--live"}, 409, "not-started"),
        ({"speed": "fast"}, 422, "invalid"),
    ],
)  # fmt: skip
def test_what_cannot_be_traded_is_refused_before_anything_is(
    api: Served, settings: Settings, words: dict[str, Any], status: int, code: str
) -> None:
    answer = api("POST", "/accounts/WRONG/sessions", json=SESSION | words)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert not Path(settings.home / "accounts" / "WRONG" / "journal.db").exists()


def test_real_money_wants_a_proof_and_the_account_in_words(api: Served) -> None:
    asked = {"strategy": "keen", "instruments": [INSTRUMENT], "account_in_words": "AB1234"}
    assert api("POST", "/accounts/AB1234/sessions/live", json=asked).json()["code"] == "step-up-needed"
    other = api("POST", "/accounts/AB1234/sessions/live", "trade+proved", json=asked | {"account_in_words": "AB"})
    assert (other.status_code, other.json()["code"]) == (409, "refused")
    bare = api("POST", "/accounts/AB1234/sessions/live", "trade+proved", json=asked)
    assert (bare.status_code, bare.json()["code"]) == (409, "not-started")
    assert "trading with real money needs" in bare.json()["detail"]


def test_nobody_trades_an_account_that_nobody_trades(api: Served) -> None:
    assert api("POST", "/accounts/NONE/sessions/current/stop").status_code == 404
    begin(api, "GONE")
    end(api, "GONE")
    answer = api("POST", "/accounts/GONE/sessions/current/pause", json={})
    assert (answer.status_code, answer.json()["code"]) == (503, "trader-away")

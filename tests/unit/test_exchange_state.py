"""Saving the exchange: what a file must be to be taken back, and when it is written."""

from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from manjha.app.exchange import kept, restore_from
from manjha.domain.errors import DataError, UsageError
from manjha.exchange.accounts.users import User
from manjha.exchange.application import create_app
from manjha.exchange.clock import Time
from manjha.exchange.saved import restore, saved
from manjha.exchange.serving import served
from tests.fakes.exchanges import an_exchange, form, on_a_socket, run, session_of, statuses

MARKET = form(order_type="MARKET", price=None, market_protection=-1)


def changed(body: bytes, **fields: Any) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(body), **fields})


def test_an_order_that_is_to_trade_at_once_or_not_at_all_stays_one() -> None:
    exchange = an_exchange()
    asked = form(price="1450.00", validity="IOC")
    order_id = exchange.desk.place("regular", asked, session_of(exchange), exchange.now_ns)["order_id"]
    run(exchange, 0.012)
    assert exchange.book.orders[order_id].status == "OPEN"
    other = an_exchange()
    restore(other, saved(exchange))
    run(other, 60)
    assert statuses(other, order_id)[-1] == "CANCELLED"


def test_a_session_outlives_the_end() -> None:
    exchange = an_exchange()
    session = session_of(exchange)
    other = an_exchange("06:30")
    restore(other, saved(exchange))
    assert other.now_ns == exchange.now_ns
    assert other.sessions.of_token("key", session.access_token, other.now_ns) == session


def test_what_is_no_state_is_refused() -> None:
    body = saved(an_exchange())
    for bad in (b"", b"{}", body[:-1], changed(body, now_ns="noon")):
        with pytest.raises(DataError, match="cannot be read"):
            restore(an_exchange(), bad)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 99}, "version 99"),
        ({"parts": {}}, "the state has the parts"),
    ],
)
def test_a_state_of_another_version_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        restore(an_exchange(), changed(saved(an_exchange()), **changes))


def test_a_state_of_another_exchange_is_refused() -> None:
    body = saved(an_exchange())
    with pytest.raises(UsageError, match="other days, apps, users or rules"):
        restore(an_exchange(users=[User(user_id="XX0001")]), body)
    with pytest.raises(UsageError, match="other days, apps, users or rules"):
        restore(an_exchange(rules={"tick": "off"}), body)


def test_a_state_of_other_ticks_is_refused() -> None:
    exchange = an_exchange()
    body = saved(exchange)
    state = msgspec.json.decode(body)
    state["market"]["taken"] -= 10
    with pytest.raises(UsageError, match="another market"):
        restore(an_exchange(), msgspec.json.encode(state))


def test_what_nobody_does_any_more_is_refused() -> None:
    state = msgspec.json.decode(saved(an_exchange()))
    state["agenda"]["entries"][0]["kind"] = "PartyDue"
    with pytest.raises(UsageError, match="nobody here does what is due in the saved state: PartyDue"):
        restore(an_exchange(), msgspec.json.encode(state))


def test_a_served_exchange_is_saved_on_demand_and_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "exchange.json"
    exchange = an_exchange()
    restore_from(exchange, file)
    chore = kept(exchange, file)
    time = Time(exchange, lambda: 0, exchange.now_ns, 1, stands=True)
    with served(create_app(exchange, time, chores=[chore])) as root:
        assert not file.exists()
        told = httpx2.post(f"{root}/simulation/save").json()["data"]
        assert told["bytes"] == file.stat().st_size
        order_id = exchange.desk.place("regular", MARKET, session_of(exchange), exchange.now_ns)["order_id"]
        assert order_id not in file.read_text()
    assert file.read_bytes() == saved(exchange)
    other = an_exchange()
    restore_from(other, file)
    run(other, 30)
    assert statuses(other, order_id)[-1] == "COMPLETE"


def test_without_a_file_nothing_is_saved(tmp_path: Path) -> None:
    with on_a_socket(an_exchange()) as root:
        answer = httpx2.post(f"{root}/simulation/save")
    assert answer.status_code == 400
    assert "--state" in answer.json()["message"]
    with pytest.raises(UsageError, match="no folder"):
        kept(an_exchange(), tmp_path / "absent" / "exchange.json")
    with pytest.raises(UsageError, match="no state can be read"):
        restore_from(an_exchange(), tmp_path)

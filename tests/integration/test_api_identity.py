"""Who is let in over HTTP: real tokens, a real session, proofs, revocation, attempts, the log of it all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from manjha.api.application import create_api
from manjha.app.settings import load_settings
from manjha.services.identity.caller import Scope
from manjha.services.identity.sessions import STEP_UP_NS
from manjha.services.identity.tokens import Wanted
from tests.fakes.access import PASSWORD, House, house_in
from tests.fakes.api import ROOT, known_parts


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with house_in(tmp_path) as made:
        yield made


@pytest.fixture
def client(house: House) -> Iterator[TestClient]:
    parts = msgspec.structs.replace(
        known_parts(load_settings()),
        identity=house.identity,
        access=house.access,
        clock=house.clock,
        records=house.desk.work,
    )
    with TestClient(create_api(parts), base_url="http://127.0.0.1", raise_server_exceptions=False) as made:
        yield made


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def token_of(house: House, *scopes: Scope, name: str = "script") -> str:
    wanted = Wanted(name=name, scopes=frozenset(scopes), days=30, addresses=())
    return house.access.tokens.make(wanted, "test").text


def logged_in(client: TestClient, house: House) -> Any:
    house.access.passwords.set_here(PASSWORD, "test")
    answer = client.post(f"{ROOT}/session", json={"password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return answer.json()


def proved(client: TestClient, house: House) -> Any:
    """Return the keys of a session whose owner has just proved who they are."""
    access = bearer(logged_in(client, house)["access"])
    answer = client.post(f"{ROOT}/session/step-up", json={"password": PASSWORD}, headers=access)
    assert answer.status_code == 200, answer.text
    return answer.json()


def status(client: TestClient, access: str, path: str = "/session") -> int:
    return client.get(ROOT + path, headers=bearer(access)).status_code


def test_a_password_is_set_by_a_link_that_is_good_once(client: TestClient, house: House) -> None:
    body = {"link": house.access.passwords.make_link("test"), "password": PASSWORD}
    assert client.post(f"{ROOT}/session/password", json=body).status_code == 204
    assert client.post(f"{ROOT}/session/password", json=body).status_code == 401
    assert client.post(f"{ROOT}/session", json={"password": PASSWORD}).status_code == 200


def test_a_session_goes_on_by_its_refresh_and_a_used_one_ends_it_for_everybody(
    client: TestClient, house: House
) -> None:
    first = logged_in(client, house)
    assert client.get(f"{ROOT}/session", headers=bearer(first["access"])).json()["name"] == "owner"
    second = client.post(f"{ROOT}/session/refresh", json={"refresh": first["refresh"]}).json()
    assert status(client, second["access"]) == 200
    stolen = client.post(f"{ROOT}/session/refresh", json={"refresh": first["refresh"]})
    assert stolen.status_code == 401
    assert status(client, second["access"]) == status(client, first["access"]) == 401
    assert client.post(f"{ROOT}/session/refresh", json={"refresh": second["refresh"]}).status_code == 401


def test_what_is_dangerous_wants_a_proof_that_is_minutes_old(client: TestClient, house: House) -> None:
    keys, asked = logged_in(client, house), {"name": "dashboard", "scopes": ["read"]}

    def made(access: str) -> tuple[int, str]:
        answer = client.post(f"{ROOT}/tokens", json=asked, headers=bearer(access))
        return answer.status_code, answer.json().get("code", "")

    assert made(keys["access"]) == (403, "step-up-needed")
    wrong = client.post(f"{ROOT}/session/step-up", json={"password": "wrong"}, headers=bearer(keys["access"]))
    assert wrong.status_code == 401
    keys = client.post(
        f"{ROOT}/session/step-up", json={"password": PASSWORD}, headers=bearer(keys["access"])
    ).json()  # fmt: skip
    assert made(keys["access"])[0] == 201
    house.clock.now += STEP_UP_NS
    keys = client.post(f"{ROOT}/session/refresh", json={"refresh": keys["refresh"]}).json()
    assert made(keys["access"]) == (403, "step-up-needed")


def test_a_token_alone_never_makes_another(client: TestClient, house: House) -> None:
    text = token_of(house, *Scope)
    answer = client.post(f"{ROOT}/tokens", json={"name": "more", "scopes": ["admin"]}, headers=bearer(text))
    assert (answer.status_code, answer.json()["code"]) == (403, "step-up-needed")
    step_up = client.post(f"{ROOT}/session/step-up", json={"password": PASSWORD}, headers=bearer(text))
    assert (step_up.status_code, step_up.json()["code"]) == (409, "session-needed")


def test_a_token_is_shown_once_rotated_and_revoked_at_once(client: TestClient, house: House) -> None:
    keys = bearer(proved(client, house)["access"])
    made = client.post(f"{ROOT}/tokens", json={"name": "dashboard", "scopes": ["read"]}, headers=keys).json()
    assert status(client, made["token"], "/version") == 200
    listed = client.get(f"{ROOT}/tokens", headers=keys)
    assert made["token"].rpartition("_")[2] not in listed.text
    rotated = client.post(f"{ROOT}/tokens/{made['about']['id']}/rotate", headers=keys).json()
    assert [status(client, one["token"], "/version") for one in (made, rotated)] == [200, 200]
    assert client.delete(f"{ROOT}/tokens/{rotated['about']['id']}", headers=keys).status_code == 200
    assert status(client, rotated["token"], "/version") == 401
    assert client.delete(f"{ROOT}/tokens/none", headers=keys).status_code == 404


def test_too_many_wrong_passwords_are_not_looked_at_any_more(client: TestClient, house: House) -> None:
    house.access.passwords.set_here(PASSWORD, "test")
    codes = [client.post(f"{ROOT}/session", json={"password": f"wrong {number}"}).status_code for number in range(30)]
    assert set(codes) == {401, 429}
    assert codes.count(401) <= 10
    answer = client.post(f"{ROOT}/session", json={"password": PASSWORD}, headers={"x-forwarded-for": "198.51.100.9"})
    assert (answer.status_code, answer.json()["code"]) == (429, "too-many-attempts")
    assert int(answer.headers["retry-after"]) > 0


def test_the_log_tells_of_it_all_and_is_whole(client: TestClient, house: House) -> None:
    keys = bearer(proved(client, house)["access"])
    client.post(f"{ROOT}/session", json={"password": "wrong"})
    client.post(f"{ROOT}/tokens", json={"name": "dashboard", "scopes": ["read"]}, headers=keys)
    cursor: Any = ""
    rows = list[Any]()
    while cursor is not None:
        page = client.get(f"{ROOT}/audit-log", params={"limit": 2, "cursor": cursor}, headers=keys).json()
        cursor, rows = page["next"], rows + page["items"]
    assert [row["seq"] for row in rows] == list(range(len(rows), 0, -1))
    assert PASSWORD not in str(rows)
    assert {row["kind"].partition(".")[0] for row in rows} >= {"session", "token", "password"}
    state = client.post(f"{ROOT}/audit-log/verify", headers=keys).json()
    assert (state["faults"], state["head"].partition(":")[0]) == ([], str(len(rows)))


def test_the_kill_switch_and_settings_stand_in_the_log_too(client: TestClient, house: House) -> None:
    keys = bearer(proved(client, house)["access"])
    thrown = client.post(f"{ROOT}/kill-switch", json={"level": "no-new", "reason": "a try"}, headers=keys)
    lift = {"reason": "all is well", "account_in_words": load_settings().account}
    lifted = client.post(f"{ROOT}/kill-switch/lift", json=lift, headers=keys)
    change = client.put(f"{ROOT}/limits/order_qty_max", json={"value": 500, "version": 0}, headers=keys)
    assert [each.status_code for each in (thrown, lifted, change)] == [200, 200, 200], change.text
    rows = client.get(f"{ROOT}/audit-log", headers=keys).json()["items"]
    seen = {row["kind"]: row["details"] for row in rows}
    assert seen["kill.thrown"]["level"] == "no-new"
    assert seen["kill.lifted"]["reason"] == "all is well"
    assert seen["setting.changed"] == {"key": "risk.order_qty_max", "value": "500"}


def test_after_logging_out_nothing_of_the_session_lets_in(client: TestClient, house: House) -> None:
    keys = logged_in(client, house)
    assert client.delete(f"{ROOT}/session", headers=bearer(keys["access"])).status_code == 204
    assert status(client, keys["access"]) == 401
    assert client.post(f"{ROOT}/session/refresh", json={"refresh": keys["refresh"]}).status_code == 401

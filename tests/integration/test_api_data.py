"""Health, instruments, bars and strategies over HTTP, from a real home with a synthetic market in it."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from manjha.api.routes.bars import BINARY, COLUMNS
from manjha.app.bootstrap import bar_store, instrument_book, market_rules
from manjha.app.settings import load_settings
from manjha.domain.bars import MINUTE
from manjha.domain.moments import parse_day
from manjha.domain.money import format_px
from manjha.services.stored import load_bars
from manjha.services.synthetic_market import seed_store
from tests.fakes.api import ROOT, api_of, by

NAME = "NSE:PATANG"
FIRST, LAST = "2025-12-22", "2025-12-30"


@pytest.fixture
def client() -> Iterator[TestClient]:
    settings = load_settings()
    span = parse_day(FIRST), parse_day(LAST)
    seed_store(bar_store(settings), instrument_book(settings), market_rules(settings), 7, span)
    with api_of(settings) as made:
        yield made


def get(client: TestClient, path: str, **query: object) -> Any:
    answer = client.get(
        ROOT + path, params={name.rstrip("_"): str(one) for name, one in query.items()}, headers=by("read")
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_health_is_public_and_minimal(client: TestClient) -> None:
    for path in ("/health/live", "/health/ready"):
        answer = client.get(ROOT + path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_says_no_without_saying_why() -> None:
    with api_of(ready=lambda: ["/a/path: gone"]) as client:
        answer = client.get(ROOT + "/health/ready")
        assert (answer.status_code, answer.json()) == (503, {"status": "not-ready"})


def test_instruments_are_found_by_part_of_a_name_and_paged(client: TestClient) -> None:
    every: list[dict[str, str]] = get(client, "/instruments", limit=1000)["items"]
    assert [each["id"] for each in every] == sorted(each["id"] for each in every)
    cursor: Any = ""
    seen = list[Any]()
    while cursor is not None:
        page = get(client, "/instruments", limit=1, cursor=cursor)
        cursor, seen = page["next"], seen + page["items"]
    assert seen == every
    assert [each["name"] for each in get(client, "/instruments", q="patan")["items"]] == [NAME]
    assert get(client, f"/instruments/{NAME}") == get(client, "/instruments", q="PATANG")["items"][0]


def test_bars_in_pages_are_the_stored_ones(client: TestClient) -> None:
    settings = load_settings()
    stored = load_bars(
        bar_store(settings), instrument_book(settings).find(NAME), MINUTE, (parse_day(FIRST), parse_day("2025-12-23"))
    )
    cursor: Any = ""
    rows = list[Any]()
    while cursor is not None:
        page = get(
            client, "/bars", instrument=NAME, interval="1m", from_=FIRST, to="2025-12-23", limit=333, cursor=cursor
        )
        cursor, rows = page["next"], rows + page["items"]
    assert [row["close"] for row in rows] == [format_px(px) for px in stored.close]
    assert rows[0]["open_time"] == "2025-12-22T09:15:00+05:30"


def test_a_chart_has_no_more_points_than_asked_for_and_loses_no_extreme(client: TestClient) -> None:
    whole = get(client, "/bars/chart", instrument=NAME, interval="1m")
    few = get(client, "/bars/chart", instrument=NAME, interval="1m", points=50)
    assert few["count"] == len(few["close"]) <= 50 < whole["count"]
    assert (max(few["high"]), min(few["low"])) == (max(whole["high"]), min(whole["low"]))
    assert (few["open"][0], few["close"][-1]) == (whole["open"][0], whole["close"][-1])
    assert sum(few["volume"]) == sum(whole["volume"])


def test_a_chart_in_bytes_is_the_chart_in_words(client: TestClient) -> None:
    told = get(client, "/bars/chart", instrument=NAME, interval="1m")
    answer = client.get(
        f"{ROOT}/bars/chart", params={"instrument": NAME, "interval": "1m"}, headers={**by("read"), "accept": BINARY}
    )
    size = int.from_bytes(answer.content[:4], "little")
    head = json.loads(answer.content[4 : 4 + size])
    columns = np.frombuffer(answer.content[4 + size :], "<i8").reshape(len(COLUMNS), head["count"])
    assert {name: column.tolist() for name, column in zip(head["columns"], columns, strict=True)} == {
        name: told[name] for name in COLUMNS
    }


def test_a_chart_that_is_still_the_newest_is_not_sent_again(client: TestClient) -> None:
    asked, path = {"instrument": NAME, "interval": "1m"}, f"{ROOT}/bars/chart"
    first = client.get(path, params=asked, headers=by("read"))
    again = client.get(path, params=asked, headers={**by("read"), "if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(path, params=asked | {"points": "9"}, headers=by("read"))
    assert other.headers["etag"] != first.headers["etag"]


def test_series_and_gaps(client: TestClient) -> None:
    found = [each for each in get(client, "/series", instrument=NAME) if each["interval"] == "1m"]
    assert len(found) == 1
    assert found[0]["first"].startswith(FIRST)
    told = get(client, "/gaps", instrument=NAME, interval="1m")
    assert (told["missing_bars"], told["gaps"]) == (0, [])


def test_strategies_tell_their_parameters_and_check_values(client: TestClient) -> None:
    every: list[dict[str, str]] = get(client, "/strategies")
    one = get(client, f"/strategies/{every[0]['name']}")
    assert one in every
    bound = client.post(
        f"{ROOT}/strategies/sma-cross/validate", json={"parameters": {"fast": 7}}, headers=by("read")
    ).json()
    assert bound["parameters"]["fast"] == 7
    assert set(bound["parameters"]) == {each["name"] for each in get(client, "/strategies/sma-cross")["parameters"]}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/nowhere", 404, "not-found"),
        ("/instruments/NSE:PATTANG", 404, "not-found"),
        ("/strategies/..%2F..%2Fetc%2Fpasswd", 404, "not-found"),
        ("/strategies/evil.py", 404, "not-found"),
        ("/bars?instrument=NSE:PATANG&interval=7h", 422, "cannot-be"),
        ("/bars?instrument=NSE:PATANG&interval=1m&from=2025-02-30", 422, "bad-data"),
        ("/bars?instrument=NSE:PATANG&interval=1m&limit=0", 422, "invalid"),
        ("/bars?instrument=NSE:PATANG&interval=1m&cursor=%F0%9F%98%80", 422, "bad-cursor"),
        ("/bars?instrument=NSE:PATANG&interval=1m&other=1", 422, "invalid"),
        ("/bars", 422, "invalid"),
    ],
)  # fmt: skip
def test_wrong_requests_are_answered_by_a_problem_document(
    client: TestClient, path: str, status: int, code: str
) -> None:
    answer = client.get(ROOT + path, headers=by("read"))
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code)
    assert told["detail"]
    assert told["hint"]


def test_what_was_sent_is_not_repeated(client: TestClient) -> None:
    answer = client.post(
        f"{ROOT}/strategies/sma-cross/validate", json={"parameters": {"fast": ["canary"]}}, headers=by("read")
    )
    assert answer.status_code == 422
    assert "canary" not in answer.text


def test_a_body_that_is_too_large_is_refused(client: TestClient) -> None:
    body = b'{"parameters": {"fast": "' + b"x" * (1 << 20) + b'"}}'

    def parts() -> Iterator[bytes]:
        yield from (body[at : at + 65536] for at in range(0, len(body), 65536))

    for sent in (body, parts()):
        answer = client.post(f"{ROOT}/strategies/sma-cross/validate", content=sent, headers=by("read"))
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b'{"parameters": NaN}', b"null", b"[]"])
def test_unreadable_bodies_are_no_server_error(client: TestClient, body: bytes) -> None:
    answer = client.post(
        f"{ROOT}/strategies/sma-cross/validate",
        content=body,
        headers={**by("read"), "content-type": "application/json"},
    )
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_our_own_bug_is_answered_without_internals() -> None:
    class Broken:
        def all(self) -> object:
            raise RuntimeError("/srv/somebody/secret.py broke")

    told: list[str] = []
    with api_of(strategies=Broken(), log=lambda reference, error: told.append(f"{reference} {error}")) as client:
        answer = client.get(f"{ROOT}/strategies", headers=by("read"))
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "somebody" not in answer.text
    assert told == [f"{answer.json()['reference']} /srv/somebody/secret.py broke"]

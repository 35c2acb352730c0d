"""Jobs over HTTP: asked for, looked at, stopped, downloaded."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from manjha.api import job_bodies
from manjha.app.bootstrap import job_folders
from manjha.app.jobs.kinds import TABLE
from manjha.app.settings import load_settings
from tests.fakes.api import ROOT, api_of, by
from tests.fakes.job_home import SEARCH, api_here, begun, desk_ends, done_here
from tests.fakes.searched_home import Home, days_of_alpha

BODIES: dict[str, type[BaseModel]] = {
    "backtest": job_bodies.AskedBacktest,
    "sweep": job_bodies.AskedSweep,
    "optimisation": job_bodies.AskedOptimisation,
    "walk-forward": job_bodies.AskedWalkForward,
    "validation": job_bodies.AskedValidation,
    "bias-check": job_bodies.AskedBiasCheck,
    "data-fetch": job_bodies.AskedFetch,
    "data-import": job_bodies.AskedImport,
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    return Home(tmp_path, monkeypatch, capsys)


@pytest.fixture
def client(home: Home) -> Iterator[TestClient]:
    del home
    with api_here() as made:
        yield made


@pytest.mark.parametrize("kind", TABLE)
def test_a_body_has_the_fields_of_its_kind_with_the_same_defaults(kind: str) -> None:
    asked = {field.name: field for field in msgspec.structs.fields(TABLE[kind].asked)}
    body = BODIES[kind].model_fields
    assert set(body) - ({"name"} if kind == "data-import" else set()) == set(asked)
    for name, field in asked.items():
        if field.required or name in ("terms", "instruments"):
            continue
        default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        assert msgspec.json.encode(default) == msgspec.json.encode(body[name].default), name


def test_a_job_that_is_asked_for_waits_and_says_where_it_is(client: TestClient) -> None:
    answer = client.post(f"{ROOT}/sweeps", json=SEARCH)
    job = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (202, f"{ROOT}/jobs/{job['id']}")
    assert (job["kind"], job["state"], job["by"], job["result"], job["artefacts"]) == (
        "sweep",
        "queued",
        "all",
        None,
        [],
    )
    assert job["asked"]["terms"]["cash"] == "5 lakh"
    assert client.get(answer.headers["location"]).json() == job
    assert client.get(f"{ROOT}/sweeps").json()["items"] == [job]
    assert client.get(f"{ROOT}/backtests").json()["items"] == []


def test_the_same_key_gives_the_same_job_and_another_body_is_refused(client: TestClient) -> None:
    key = {"Idempotency-Key": "once"}
    first = client.post(f"{ROOT}/sweeps", json=SEARCH, headers=key)
    again = client.post(f"{ROOT}/sweeps", json=SEARCH, headers=key)
    assert (again.status_code, again.json()) == (202, first.json())
    other = client.post(f"{ROOT}/sweeps", json=SEARCH | {"seed": 1}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "cannot-be")
    assert len(client.get(f"{ROOT}/jobs").json()["items"]) == 1


@pytest.mark.parametrize(
    ("resource", "body", "words"),
    [
        ("sweeps", SEARCH | {"strategy": "sma-cros"}, "unknown strategy 'sma-cros'"),
        ("sweeps", SEARCH | {"strategy": "/etc/passwd.py"}, "match pattern"),
        ("sweeps", SEARCH | {"instruments": ["NSE:OMEGA"]}, "NSE:OMEGA"),
        ("sweeps", SEARCH | {"ranges": ["quick=1:2:1"]}, "quick"),
        ("sweeps", SEARCH | {"ranges": ["fast=900:901:1"]}, "fast"),
        ("sweeps", SEARCH | {"objective": "luck"}, "luck"),
        ("sweeps", SEARCH | {"terms": {"interval": "1m"}}, "1m"),
        ("sweeps", SEARCH | {"terms": {"from": "2031-01-01"}}, "NSE:ALPHA"),
        ("sweeps", SEARCH | {"terms": {"cash": "lots"}}, "lots"),
        ("sweeps", SEARCH | {"jobs": 64}, "Extra inputs"),
        ("sweeps", SEARCH | {"seed": "7"}, "valid integer"),
        ("optimisations", SEARCH | {"sampler": "dice"}, "dice"),
        ("optimisations", SEARCH | {"storage": "postgresql://x"}, "Extra inputs"),
        ("walk-forwards", SEARCH | {"sample": "dice:3"}, "dice:3"),
        ("validations", {"study": "never"}, "never"),
        ("validations", {}, "expected a strategy and an instrument"),
        ("bias-checks", {"instruments": ["NSE:ALPHA"]}, "expected a strategy or an indicator"),
        ("backtests", {"strategy": "sma-cross", "instruments": ["NSE:ALPHA"], "params": {"fast": 0}}, "fast"),
        ("backtests", {"strategy": "sma-cross", "instruments": ["NSE:ALPHA"], "ticks": ["/etc/passwd"]}, "synthetic"),
        ("data/fetches", {"source": "moon", "instruments": ["X"], "from": "2024-01-01", "to": "2024-01-02"}, "moon"),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_nothing_waits(
    client: TestClient, resource: str, body: dict[str, object], words: str
) -> None:
    answer = client.post(f"{ROOT}/{resource}", json=body)
    assert (answer.status_code, words in answer.text) == (422, True), answer.text
    assert client.get(f"{ROOT}/jobs").json()["items"] == []


def test_lists_come_in_pages_newest_first_and_by_state(client: TestClient) -> None:
    jobs = [begun(client, "sweeps", SEARCH | {"seed": seed}) for seed in range(3)]
    client.post(f"{ROOT}/jobs/{jobs[1]}/cancel")
    first = client.get(f"{ROOT}/jobs", params={"limit": 2}).json()
    rest = client.get(f"{ROOT}/jobs", params={"limit": 2, "cursor": first["next"]}).json()
    assert [job["id"] for job in first["items"] + rest["items"]] == jobs[::-1]
    assert rest["next"] is None
    found = client.get(f"{ROOT}/jobs", params={"state": "cancelled", "kind": "sweep", "mine": True}).json()["items"]
    assert [job["id"] for job in found] == [jobs[1]]


def test_a_cancelled_job_is_resumed_and_one_that_ended_is_forgotten(client: TestClient) -> None:
    job = begun(client, "sweeps", SEARCH)
    assert client.delete(f"{ROOT}/jobs/{job}").status_code == 422
    assert client.post(f"{ROOT}/jobs/{job}/cancel").json()["state"] == "cancelled"
    again = client.post(f"{ROOT}/jobs/{job}/resume")
    assert (again.status_code, again.json()["state"]) == (202, "queued")
    client.post(f"{ROOT}/jobs/{job}/cancel")
    assert client.delete(f"{ROOT}/jobs/{job}").status_code == 204
    assert client.get(f"{ROOT}/jobs/{job}").status_code == 404


@pytest.mark.parametrize("name", ["x", "..", "%2e%2e%2fplace", "0" * 24])
def test_what_is_no_job_is_not_found(client: TestClient, name: str) -> None:
    for how, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/resume"), ("DELETE", "")):
        assert client.request(how, f"{ROOT}/jobs/{name}{path}").status_code in (404, 405)
    assert client.get(f"{ROOT}/jobs/{name}/artefacts/result.json").status_code == 404


def test_a_full_queue_refuses_with_words(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    del home
    monkeypatch.setenv("MANJHA_JOBS_QUEUE_PER_CALLER", "1")
    with api_here() as client:
        begun(client, "sweeps", SEARCH)
        answer = client.post(f"{ROOT}/sweeps", json=SEARCH)
        assert (answer.status_code, answer.json()["code"]) == (429, "queue-full")


def test_an_upload_is_read_by_its_content_and_its_path_is_nothing_to_us(client: TestClient, home: Home) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../etc/BETA.csv", "date,open")
        archive.writestr("days/BETA.csv", days_of_alpha(30).replace("ALPHA", "BETA"))
    answer = client.post(f"{ROOT}/data/imports", params={"name": "../../.hidden/2024.zip"}, content=packed.getvalue())
    assert answer.status_code == 202, answer.text
    outcome, result = done_here(answer.json()["id"])
    assert (outcome.summary["added"], outcome.summary["failed"]) == (30, 0)
    assert [report["file"] for report in result["files"]] == ["000/2024.zip!days/BETA.csv"]
    assert str(home.folder) not in str(result)
    again, _ = done_here(answer.json()["id"])
    assert (again.summary["added"], again.summary["unchanged"]) == (0, 30)


def test_an_upload_is_bounded_and_an_empty_one_is_none(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    del home
    monkeypatch.setenv("MANJHA_JOBS_UPLOAD_MB", "1")
    with api_here() as client:
        large = client.post(f"{ROOT}/data/imports", content=b"x" * ((1 << 20) + 1))
        assert (large.status_code, large.json()["code"]) == (413, "too-large")
        assert client.post(f"{ROOT}/data/imports").status_code == 422
        odd = client.post(f"{ROOT}/data/imports", params={"unit": "gold"}, content=b"x")
        assert (odd.status_code, "rupees or paise" in odd.text) == (422, True)
    assert job_folders(load_settings()).strays() == []


def test_what_was_made_is_downloaded_and_may_do_nothing_in_a_browser(client: TestClient) -> None:
    job = begun(client, "backtests", {"strategy": "sma-cross", "instruments": ["NSE:ALPHA"], "band": False})
    outcome, _ = done_here(job)
    desk_ends(job, outcome)
    listed = {one["name"]: one for one in client.get(f"{ROOT}/jobs/{job}").json()["artefacts"]}
    assert set(listed) == {"report.html", "trades.csv", "equity.csv", "result.json"}
    page = client.get(f"{ROOT}/jobs/{job}/artefacts/report.html")
    assert (page.headers["etag"], len(page.content)) == (
        f'"{listed["report.html"]["sha256"]}"',
        listed["report.html"]["size"],
    )
    assert page.headers["content-disposition"].startswith("attachment")
    assert page.headers["content-security-policy"] == "sandbox"
    for name in ("worker.log", "..%2fworker.log", "RESULT.JSON"):
        assert client.get(f"{ROOT}/jobs/{job}/artefacts/{name}").status_code == 404


def test_who_may_only_read_begins_nothing_and_data_is_the_admins(home: Home) -> None:
    del home
    with api_of() as client:
        assert client.post(f"{ROOT}/sweeps", json=SEARCH, headers=by("read")).status_code == 403
        assert client.post(f"{ROOT}/sweeps", json=SEARCH, headers=by("trade")).status_code == 202
        for scope in ("read", "trade", "hook"):
            assert client.post(f"{ROOT}/data/imports", content=b"x", headers=by(scope)).status_code == 403


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/backtests", "GET, POST"),
        ("/jobs/x", "DELETE, GET"),
        ("/data/imports", "GET, POST"),
        ("/jobs/x/cancel", "POST"),
    ],
)
def test_an_address_that_does_not_know_a_method_names_all_that_it_knows(
    client: TestClient, path: str, methods: str
) -> None:
    answer = client.patch(f"{ROOT}{path}")
    assert (answer.status_code, answer.headers["allow"]) == (405, methods)

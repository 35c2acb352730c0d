"""What Prometheus is told of the API: routes by their template, and no series for what people make up."""

import socket
import urllib.error
import urllib.request
from contextlib import nullcontext
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from manjha.api.metrics import HttpFigures, Measured
from manjha.app.bootstrap import system_clock, unit_of_work
from manjha.app.observing.exposed import exposed, new_registry
from manjha.app.observing.served import observed_api
from manjha.app.serving.reach import Reach
from manjha.app.serving.server import server_of
from manjha.app.settings import load_settings
from manjha.domain.errors import UsageError
from manjha.services.identity.access import access_of
from manjha.services.identity.credentials import KeyRing
from manjha.services.identity.desk import desk_of
from tests.fakes.access import MemorySecrets


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    return registry.get_sample_value(name, labels) or 0.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_the_api_counts_by_template_and_what_no_route_is_for_is_one_series(tmp_path: Path) -> None:
    port = free_port()
    settings = load_settings({"MANJHA_HOME": str(tmp_path), "MANJHA_METRICS_API_PORT": str(port)})
    keys = MemorySecrets()
    with observed_api(settings) as observed:
        access, _ = access_of(desk_of(unit_of_work(settings), system_clock(), KeyRing(keys, nullcontext), keys))
        served = server_of(settings, access, Reach("127.0.0.1"), observed)
        client = TestClient(served.config.app)  # type: ignore[arg-type]
        assert client.get("/api/v1/health/live").status_code == 200
        for name in ("NSE:ONE", "NSE:TWO"):
            client.get(f"/api/v1/instruments/{name}")
        for at in range(50):
            client.get(f"/made/up/{at}")
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    lines = [line for line in text.splitlines() if line.startswith("manjha_http_requests_total")]
    assert len(lines) < 6
    assert 'manjha_http_requests_total{method="GET",route="none",status="404"} 50.0' in lines
    assert any("/health/live" in line and 'status="200"' in line for line in lines)
    assert any("{" in line.partition('route="')[2] for line in lines)
    assert "NSE:ONE" not in text
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics")


def test_what_breaks_is_counted_as_well_and_a_strange_method_is_no_series() -> None:
    def broken(request: Request) -> PlainTextResponse:
        raise RuntimeError

    registry = CollectorRegistry()
    app = Starlette(routes=[Route("/broken/{name}", broken)])
    client = TestClient(Measured(app, HttpFigures(registry)), raise_server_exceptions=False)
    client.get("/broken/one")
    client.request("BREW", "/broken/one")
    assert value(registry, "manjha_http_requests_under_way") == 0
    samples = [sample for family in registry.collect() for sample in family.samples]
    found = {tuple(one.labels.values()) for one in samples if one.name == "manjha_http_requests_total"}
    assert ("GET", "500") in {(method, status) for method, _, status in found}
    assert "other" in {method for method, _, _ in found}
    assert not any("one" in route.split("/") for _, route, _ in found)


def test_a_port_that_is_taken_is_said_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        with (
            pytest.raises(UsageError, match=r"metrics\.trader_port") as caught,
            exposed(new_registry(), port, "metrics.trader_port"),
        ):
            pass
    assert "MANJHA_METRICS_TRADER_PORT" in caught.value.hint

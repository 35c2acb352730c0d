"""From where the API may be reached, whose address counts, and what every answer tells a browser."""

from pathlib import Path

import pytest

from manjha.app.serving.reach import reach_of
from manjha.domain.errors import SettingsError, UsageError
from manjha.services.identity.addresses import read_networks
from manjha.services.identity.caller import Caller, Scope
from tests.fakes.api import ROOT, KnownCallers, api_of, by

EVERYWHERE = ("0.0.0.0", "::", "192.0.2.7", "example.com")  # noqa: S104 - what is refused


@pytest.mark.parametrize("host", EVERYWHERE)
def test_where_others_could_reach_it_tokens_are_not_sent_in_the_open(host: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="in the open") as refused:
        reach_of(host, None, None, ())
    assert "--tls-cert" in refused.value.hint
    file = tmp_path / "one.pem"
    file.touch()
    assert reach_of(host, file, file, ()).scheme == "https"
    assert reach_of(host, None, None, ("10.0.0.2",)).scheme == "http"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_may_ask_without(host: str) -> None:
    assert reach_of(host, None, None, ()).scheme == "http"


def test_half_a_certificate_a_lost_file_and_no_network_are_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="go together"):
        reach_of("127.0.0.1", tmp_path, None, ())
    with pytest.raises(SettingsError, match="there is no file"):
        reach_of("127.0.0.1", tmp_path / "no.pem", tmp_path / "no.key", ())
    with pytest.raises(UsageError, match="--proxy expects"):
        reach_of("127.0.0.1", None, None, ("everybody",))


class Seen(KnownCallers):
    """Callers, and the addresses that they came from."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    def authenticate(self, bearer: str, address: str) -> Caller:
        self.addresses.append(address)
        return Caller("1", "one", "token", frozenset({Scope.READ}))


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        ((), "198.51.100.9", ""),
        (("0.0.0.0/0",), "198.51.100.9", ""),
    ],
)
def test_a_header_counts_only_from_a_proxy_that_was_declared(
    proxies: tuple[str, ...], forwarded: str, seen: str
) -> None:
    callers = Seen()
    with api_of(identity=callers, proxies=read_networks(proxies, "x")) as client:
        client.get(f"{ROOT}/version", headers=by("read") | {"x-forwarded-for": forwarded})
    # The test's client is no address at all, so nothing that it says is believed.
    assert callers.addresses == [seen]


def test_every_answer_tells_a_browser_to_run_frame_and_keep_nothing() -> None:
    with api_of() as client:
        for path in ("/health/live", "/version", "/nowhere"):
            headers = client.get(ROOT + path, headers=by("read")).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert headers["cache-control"] == "no-store"
            assert "strict-transport-security" not in headers
        client.base_url = "https://127.0.0.1"
        assert "strict-transport-security" in client.get(ROOT + "/health/live").headers

"""Vault: who logs in and how, what is renewed, what each of its answers means. Against a server that replays its API.

No Vault could be installed here: what is tried is what its documentation says (tests/fakes/vault_server.py).
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manjha.adapters.secrets.vault import TransitKey, VaultSecrets
from manjha.adapters.secrets.vault_link import VaultLink, VaultPlace
from manjha.domain.errors import ManjhaError, SettingsError, SourceError
from manjha.domain.secret import Secret
from tests.fakes.certificates import certificate
from tests.fakes.vault_server import VaultServer

CANARY = "s3cret-canary"


class Timed:
    """A server and a link on one clock."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.server = VaultServer(lambda: self.now_s)
        self.opens = {"vault.role_id": Secret("role-1"), "vault.secret_id": Secret("sid-1")}

    def link(self, **changes: object) -> VaultLink:
        place = VaultPlace(self.server.base)._replace(**changes)  # type: ignore[arg-type]
        return VaultLink(place, self.opens.get, lambda: int(self.now_s * 1e9))

    def secrets(self, **changes: object) -> VaultSecrets:
        return VaultSecrets(self.link(**changes), "secret", "manjha")


@pytest.fixture
def timed() -> Iterator[Timed]:
    made = Timed()
    with made.server.running():
        yield made


def read(store: VaultSecrets, name: str = "one") -> str:
    found = store.get(name)
    assert found is not None
    return found.reveal()


def test_one_login_serves_many_questions_and_is_renewed_before_it_ends(timed: Timed) -> None:
    store = timed.secrets()
    store.put("one", Secret(CANARY))
    for now in (0, 1_000, 2_399, 2_400, 4_000, 4_801, 7_000):
        timed.now_s = now
        assert read(store) == CANARY
    assert (timed.server.count("approle/login"), timed.server.count("renew-self")) == (1, 2)


def test_a_lease_that_cannot_be_renewed_is_logged_in_anew_when_it_ends(timed: Timed) -> None:
    timed.server.renewable = False
    store = timed.secrets()
    store.put("one", Secret(CANARY))
    timed.now_s = 3_600
    assert read(store) == CANARY
    assert (timed.server.count("approle/login"), timed.server.count("renew-self")) == (2, 0)


def test_a_token_that_vault_ended_is_replaced_at_once(timed: Timed) -> None:
    store = timed.secrets()
    store.put("one", Secret(CANARY))
    timed.server.tokens.clear()
    assert read(store) == CANARY
    assert timed.server.count("approle/login") == 2


def test_a_renewal_that_fails_leaves_the_token_to_its_end(timed: Timed) -> None:
    store = timed.secrets()
    store.put("one", Secret(CANARY))
    timed.now_s = 2_500
    timed.server.renewable = False
    assert read(store) == CANARY
    timed.now_s = 3_700
    assert read(store) == CANARY
    assert timed.server.count("approle/login") == 2


def test_a_policy_that_does_not_allow_is_no_outage(timed: Timed) -> None:
    timed.server.forbids = True
    with pytest.raises(SettingsError, match="does not allow to read secret/data/manjha/one"):
        timed.secrets().get("one")
    assert timed.server.count("approle/login") == 2


def test_a_wrapped_secret_id_opens_once_for_all_logins(timed: Timed) -> None:
    timed.server.secret_ids = {"sid-wrapped"}
    timed.opens = {
        "vault.role_id": Secret("role-1"),
        "vault.wrapped_secret_id": Secret(timed.server.wrap("sid-wrapped")),
    }
    store = timed.secrets()
    store.put("one", Secret(CANARY))
    timed.server.tokens.clear()
    assert read(store) == CANARY
    assert timed.server.count("wrapping/unwrap") == 1


@pytest.mark.parametrize("how", ["opened before", "another path", "made up"])
def test_a_wrapping_that_somebody_touched_is_an_alarm(timed: Timed, how: str) -> None:
    token = timed.server.wrap(
        "sid-1", "auth/approle/role/manjha/secret-id" if how == "opened before" else "cubbyhole/x"
    )
    if how == "opened before":
        timed.server.wrapped.clear()
    timed.opens = {
        "vault.role_id": Secret("role-1"),
        "vault.wrapped_secret_id": Secret(token if "path" in how else "x"),
    }
    with pytest.raises(SettingsError, match="ALARM") as alarm:
        timed.secrets().get("one")
    assert "stolen" in alarm.value.hint
    assert timed.server.count("wrapping/unwrap") == timed.server.count("approle/login") == 0


def test_a_token_is_looked_at_before_it_is_used(timed: Timed) -> None:
    timed.opens = {"vault.token": Secret(timed.server.issue())}
    store = timed.secrets(auth="token")
    store.put("one", Secret(CANARY))
    assert read(store) == CANARY
    assert timed.server.asked[0].path == "/v1/auth/token/lookup-self"


def test_a_root_token_is_refused(timed: Timed) -> None:
    timed.server.policies = ["root"]
    timed.opens = {"vault.token": Secret(timed.server.issue())}
    with pytest.raises(SettingsError, match="root token"):
        timed.secrets(auth="token").get("one")
    assert [asked.path for asked in timed.server.asked] == ["/v1/auth/token/lookup-self"]


@pytest.mark.parametrize("ttl", [0, 3_601, 86_400 * 32])
def test_a_login_that_lives_too_long_is_refused(timed: Timed, ttl: int) -> None:
    timed.server.ttl = ttl
    with pytest.raises(SettingsError, match=r"at most 3,600 s"):
        timed.secrets().get("one")


@pytest.mark.parametrize(
    ("opens", "words"),
    [({}, "MANJHA_VAULT_ROLE_ID"), ({"vault.role_id": "role-1"}, "MANJHA_VAULT_SECRET_ID"),
     ({"vault.role_id": "role-1", "vault.secret_id": "old"}, "issue a new secret_id")],
)  # fmt: skip
def test_what_is_missing_or_wrong_is_said(timed: Timed, opens: dict[str, str], words: str) -> None:
    timed.opens = {name: Secret(value) for name, value in opens.items()}
    with pytest.raises(SettingsError) as refused:
        timed.secrets().get("one")
    assert words in refused.value.hint


def raw(status: int, body: bytes, **headers: str) -> Callable[[VaultServer], None]:
    return lambda server: setattr(server, "raw", (status, body, headers))


OUTAGES: list[tuple[Callable[[VaultServer], None], str]] = [
    (lambda server: setattr(server, "sealed", True), "sealed"),
    (raw(500, b'{"errors": ["internal error"]}'), "InternalServerError"),
    (raw(502, b"<html>"), "BadGateway"),
    (raw(429, b"{}"), "RateLimitExceeded"),
    (raw(501, b"{}"), "VaultNotInitialized"),
    (raw(200, b"<html>a page</html>"), "cannot be read"),
    (raw(200, b'{"data": 7}'), "cannot be read"),
    (raw(200, b"[]"), "cannot be read"),
    (raw(307, b"", Location="http://127.0.0.1:9/elsewhere"), "cannot be read"),
    (lambda server: server.gate.clear(), "does not answer"),
]


@pytest.mark.parametrize(("breaks", "words"), OUTAGES)
def test_an_outage_is_one_and_shows_no_secret(timed: Timed, breaks: Callable[[VaultServer], None], words: str) -> None:
    store = timed.secrets(timeout_s=0.2)
    store.put("one", Secret(CANARY))
    breaks(timed.server)
    with pytest.raises(SourceError, match=words) as outage:
        store.get("one")
    told = f"{outage.value} {outage.value!r} {outage.value.__cause__}"
    assert not any(word in told for word in (CANARY, "sid-1", "role-1", *timed.server.tokens))


def test_a_vault_that_is_not_there_is_an_outage(timed: Timed) -> None:
    with timed.server.running():
        store = timed.secrets()
    with pytest.raises(SourceError, match="does not answer"):
        store.get("one")


def test_a_secret_deleted_in_vault_is_none_and_one_that_is_no_text_is_said(timed: Timed) -> None:
    store = timed.secrets()
    timed.server.kv["manjha/gone"] = [{"value": "1"}, None]
    timed.server.kv["manjha/number"] = [{"value": 7}]  # type: ignore[dict-item]
    assert store.get("gone") is None
    with pytest.raises(SettingsError, match="no text"):
        store.get("number")


def test_a_key_is_wrapped_by_vault_and_an_older_version_still_opens(timed: Timed) -> None:
    key = TransitKey(timed.link(), "transit", "manjha")
    wrapped = key.wrap(b"a key")
    assert wrapped.startswith("vault:v1:")
    key.turn()
    assert (key.unwrap(wrapped), key.wrap(b"x")[:9]) == (b"a key", "vault:v2:")
    for bad in (wrapped[:-8] + "AAAAAAA=", "vault:v1:x", ""):
        with pytest.raises(ManjhaError):
            key.unwrap(bad)
    with pytest.raises(SettingsError, match="no key transit/other"):
        TransitKey(timed.link(), "transit", "other").wrap(b"x")


@pytest.mark.parametrize("url", ["http://vault.example.com:8200", "ftp://x", "vault", "", "https://", "https://u:p@x"])
def test_an_address_that_is_none_or_sends_in_the_clear_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="vault_url") as refused:
        VaultLink(VaultPlace(url), no_secret, lambda: 0)
    assert "u:p" not in str(refused.value)


def no_secret(name: str) -> Secret | None:
    return None


# ---- TLS


@pytest.mark.parametrize(
    ("host", "days", "is_known", "opens"),
    [("127.0.0.1", 1, True, True), ("127.0.0.1", 1, False, False), ("vault.example.com", 1, True, False),
     ("127.0.0.1", -1, True, False)],
    ids=["good", "self-signed", "another host's", "expired"],
)  # fmt: skip
def test_nothing_is_said_to_a_server_whose_certificate_is_not_good(
    timed: Timed, tmp_path: Path, host: str, days: int, is_known: bool, opens: bool
) -> None:
    context, file = certificate(tmp_path, host, days=days)
    with timed.server.running(context):
        store = timed.secrets(ca=str(file) if is_known else "")
        if opens:
            store.put("one", Secret(CANARY))
            assert read(store) == CANARY
            return
        with pytest.raises(SourceError, match="certificate"):
            store.put("one", Secret(CANARY))
    assert timed.server.asked == []


def test_no_variable_takes_the_way_elsewhere(timed: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "VAULT_ADDR"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("VAULT_TOKEN", "from-outside")
    store = timed.secrets()
    store.put("one", Secret(CANARY))
    assert read(store) == CANARY
    assert "from-outside" not in {asked.token for asked in timed.server.asked}

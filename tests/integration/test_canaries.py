"""Words that are secrets are driven through all that writes, and then looked for: plainly, backwards, encoded."""

import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manjha.adapters.kite.login import AppKeys, Session
from manjha.adapters.secrets.environment import EnvironmentSecrets
from manjha.adapters.secrets.os_keyring import OsKeyring
from manjha.adapters.secrets.sealed import LocalKeys, new_key
from manjha.adapters.secrets.vault import VaultSecrets
from manjha.adapters.secrets.vault_link import VaultLink, VaultPlace
from manjha.app.kite.login import SavedLogin, app_keys, keep, saved_login
from manjha.app.secret_stores import secret_store, stores
from manjha.app.settings import load_settings
from manjha.domain.moments import TsNs
from manjha.domain.secret import Secret
from tests.fakes.canaries import canary, files, forms, found_in
from tests.fakes.kite_desk import Desk, a_desk
from tests.fakes.vault_server import VaultServer

NAMES = (
    "api-key", "api-secret", "access-token", "stream-token", "stream-user", "stream-password", "stream-creds",
    "vault-token", "vault-role", "vault-secret-id", "set-by-stdin", "set-again",
)  # fmt: skip
RUN = "from manjha.app.cli import main; main()"


@pytest.fixture
def words() -> dict[str, str]:
    return {name: canary(name) for name in NAMES}


def variables_of(words: dict[str, str], home: Path) -> dict[str, str]:
    return os.environ | {
        "MANJHA_HOME": str(home), "MANJHA_SEAL_KEY": new_key(), "MANJHA_KITE_API_KEY": words["api-key"],
        "MANJHA_KITE_API_SECRET": words["api-secret"], "MANJHA_KITE_ACCESS_TOKEN": words["access-token"],
        "MANJHA_STREAM_TOKEN": words["stream-token"], "MANJHA_STREAM_USER": words["stream-user"],
        "MANJHA_STREAM_PASSWORD": words["stream-password"], "MANJHA_STREAM_CREDS": words["stream-creds"],
        "MANJHA_VAULT_TOKEN": words["vault-token"], "MANJHA_VAULT_ROLE_ID": words["vault-role"],
        "MANJHA_VAULT_SECRET_ID": words["vault-secret-id"],
        # Nobody listens there: everything that is asked fails.
        "MANJHA_KITE_URL": "http://127.0.0.1:9", "MANJHA_KITE_STREAM_URL": "ws://127.0.0.1:9",
        "MANJHA_STREAM_URL": "nats://127.0.0.1:9", "MANJHA_SECRETS_VAULT_URL": "http://127.0.0.1:9",
    }  # fmt: skip


def without_vault(variables: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in variables.items() if "SECRETS_VAULT" not in name}


def test_the_search_finds_what_it_should(tmp_path: Path) -> None:
    word = canary("planted")
    for form, text in forms(word).items():
        (tmp_path / form.replace(" ", "-")).write_bytes(b"before " + text + b" after")
    assert len(found_in([word], files(tmp_path))) >= len(forms(word))
    assert not found_in([canary("planted")], files(tmp_path))


COMMANDS = [
    ("secret", "list"), ("secret", "list", "--json"), ("secret", "set", "one"), ("secret", "set", "one", "--json"),
    ("secret", "get", "one"), ("secret", "get", "kite.api_secret"), ("secret", "get", "one", "two"),
    ("secret", "set", "kite.api_key"), ("secret", "set", "one", "--in", "vault"), ("secret", "nothing"),
    ("doctor",), ("doctor", "--json"), ("orders",), ("funds", "--json"), ("positions",), ("logout",),
    ("feed", "serve", "NSE:RELIANCE"), ("trade", "-s", "sma_cross", "-i", "NSE:RELIANCE", "--live"),
    ("db", "upgrade"), ("journal", "verify"), ("notify", "test"), ("login", "--paste", "--no-browser"),
]  # fmt: skip


@pytest.mark.slow
def test_no_command_shows_or_writes_a_secret_and_no_error_does(tmp_path: Path, words: dict[str, str]) -> None:
    home = tmp_path / "home"
    variables = variables_of(words, home)
    told: list[tuple[str, bytes]] = []
    for one in ("", "approle", "token"):
        auth = {"MANJHA_SECRETS_VAULT_AUTH": one or "approle"}
        base = (
            variables | auth if one else {name: text for name, text in variables.items() if "SECRETS_VAULT" not in name}
        )
        for command in COMMANDS if not one else COMMANDS[:10]:
            given = words["set-by-stdin"]
            done = subprocess.run(
                [sys.executable, "-c", RUN, *command],
                env=base,
                input=given.encode(),
                capture_output=True,
                timeout=120,
                check=False,
            )
            told += [(" ".join(command), done.stdout), (f"stderr of {' '.join(command)}", done.stderr)]
            assert b"Traceback" not in done.stderr
    assert (home / "secrets.sealed").exists()
    assert found_in(words.values(), [*told, *files(home)]) == []


def test_the_list_of_processes_shows_none(tmp_path: Path, words: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", f"print('begun', flush=True); {RUN}", "secret", "set", "one"],
        env=without_vault(variables_of(words, tmp_path / "home")),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    process.stdin.write(words["set-by-stdin"].encode())
    process.stdin.flush()
    listed = subprocess.run(["ps", "-ef"], capture_output=True, check=True).stdout
    assert str(process.pid).encode() in listed
    out, erred = process.communicate(timeout=60)
    assert process.returncode == 0, erred
    assert found_in(words.values(), [("ps", listed), ("stdout", out), ("stderr", erred)]) == []


def shows(words: dict[str, str], home: Path) -> Iterator[object]:
    """Yield every value that carries secrets, and every store."""
    key = Secret(words["api-secret"])
    yield from (AppKeys("key", key), Session("AB1234", "Asha", key, TsNs(1)), SavedLogin("AB1234", key, TsNs(1)))
    variables = variables_of(words, home)
    settings = load_settings({"MANJHA_HOME": str(home), "MANJHA_SECRETS_VAULT_URL": "http://127.0.0.1:9"})
    yield from (settings, secret_store(settings, variables), stores(settings, variables))
    yield from (EnvironmentSecrets(variables), LocalKeys(lambda: (key,), "here"), OsKeyring(home, lambda _: None))  # type: ignore[arg-type,return-value]
    place = VaultPlace("http://127.0.0.1:9")
    link = VaultLink(place, lambda _: key, lambda: 0)
    yield from (link, place, VaultSecrets(link, "secret", "manjha"))


def test_no_value_and_no_store_shows_one(tmp_path: Path, words: dict[str, str]) -> None:
    told = [(type(value).__name__, f"{value!r} {value} {[value]}".encode()) for value in shows(words, tmp_path)]
    assert found_in(words.values(), told) == []


def failures(words: dict[str, str], home: Path) -> list[Callable[[], object]]:
    """Return what fails with a secret in hand."""
    settings = load_settings({"MANJHA_HOME": str(home)})
    sealed = secret_store(settings, {"MANJHA_SEAL_KEY": new_key()})
    sealed.put("one", Secret(words["set-by-stdin"]))
    sealed.put("kite.access_token", Secret('{"user_id": 7, "access_token": "x"}'))
    other = secret_store(settings, {"MANJHA_SEAL_KEY": new_key()})
    guessed = secret_store(settings, {"MANJHA_SEAL_KEY": words["set-again"]})
    brought = secret_store(settings, {"MANJHA_KITE_API_KEY": words["api-key"], "MANJHA_SEAL_KEY": new_key()})
    opens = {"vault.role_id": Secret(words["vault-role"]), "vault.secret_id": Secret(words["vault-secret-id"])}
    away = VaultSecrets(VaultLink(VaultPlace("http://127.0.0.1:9"), opens.get, lambda: 0), "secret", "manjha")
    return [
        lambda: other.get("one"), lambda: other.put("one", Secret(words["set-again"])), lambda: guessed.get("one"),
        lambda: brought.put("kite.api_key", Secret(words["set-again"])), lambda: app_keys(brought),
        lambda: saved_login(sealed), lambda: sealed.put("../x", Secret(words["set-again"])),
        lambda: keep(brought, Session("AB1234", "Asha", Secret(words["access-token"]), TsNs(1))),
        lambda: away.get("one"), lambda: away.put("one", Secret(words["set-again"])),
    ]  # fmt: skip


def test_no_traceback_shows_one(tmp_path: Path, words: dict[str, str]) -> None:
    told = []
    for number, fails in enumerate(failures(words, tmp_path / "home")):
        with pytest.raises(Exception) as failed:  # noqa: PT011 - whatever it is, it shows none
            fails()
        told.append((f"failure {number}", "".join(traceback.format_exception(failed.value)).encode()))
    assert found_in(words.values(), told) == []


def test_vault_is_told_no_secret_in_an_address(words: dict[str, str]) -> None:
    with VaultServer(lambda: 0.0).running() as server:
        server.role_id, server.secret_ids = words["vault-role"], {words["vault-secret-id"]}
        opens = {"vault.role_id": Secret(words["vault-role"]), "vault.secret_id": Secret(words["vault-secret-id"])}
        store = VaultSecrets(VaultLink(VaultPlace(server.base), opens.get, lambda: 0), "secret", "manjha")
        store.put("one", Secret(words["set-by-stdin"]))
        found = store.get("one")
        assert found is not None
        assert found.matches(words["set-by-stdin"])
        store.delete("one")
    assert found_in(words.values(), [("address", asked.path.encode()) for asked in server.asked]) == []


@pytest.mark.slow
def test_a_day_at_the_broker_writes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Log in, look, log out at an exchange on a socket: the access token and the seal's key are nowhere."""
    with a_desk(tmp_path, monkeypatch, capfd) as desk:
        told = [(" ".join(words), said) for words in DAY for said in spoken(desk, words)]
        tokens = [session.access_token for session in desk.exchange.sessions.live.values()]
        assert tokens
        told += [("logout", said) for said in spoken(desk, ("logout",))]
        assert found_in([*tokens, desk.variables["MANJHA_SEAL_KEY"]], [*told, *files(desk.home)]) == []


DAY = [("login", "--json"), ("doctor", "--json"), ("orders",), ("positions",), ("funds",), ("db", "upgrade")]


def spoken(desk: Desk, words: tuple[str, ...]) -> list[bytes]:
    desk(*words)
    return [desk.said.encode(), desk.erred.encode()]

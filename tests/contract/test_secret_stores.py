"""What every store of secrets keeps; and what only the sealed file can: it opens with its keys alone."""

import base64
import errno
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from cryptography.fernet import Fernet

from manjha.adapters.files.durable import exclusive, write_private
from manjha.adapters.secrets.chained import ChainedSecrets
from manjha.adapters.secrets.environment import EnvironmentSecrets
from manjha.adapters.secrets.os_keyring import OsKeyring
from manjha.adapters.secrets.sealed import Disk, LocalKeys, SealedFile, Writer, new_key
from manjha.adapters.secrets.vault import VaultSecrets
from manjha.adapters.secrets.vault_link import VaultLink, VaultPlace
from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.secret import Secret
from manjha.ports.secret_store import SecretStore
from tests.fakes.keyrings import named
from tests.fakes.vault_server import VaultServer

VALUE = "a secret, with ₹ and \n"
KEY = new_key()
Made = Callable[[dict[str, str]], SecretStore]
Clock = Callable[[], int]


def keys(*texts: str) -> LocalKeys:
    made = tuple(Secret(text) for text in texts or (KEY,))
    return LocalKeys(lambda: made, "the test")


def sealed(path: Path, *texts: str, now: Clock = lambda: 0, write: Writer = write_private) -> SealedFile:
    return SealedFile(path, keys(*texts), Disk(write, exclusive, now))


def shown(found: Secret | None) -> str | None:
    return None if found is None else found.reveal()


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    with VaultServer().running() as server:
        yield server


@pytest.fixture(params=["environment", "keyring", "vault", "sealed", "chained"])
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vault: VaultServer) -> Made:
    """Return what makes a store that has some secrets."""
    monkeypatch.setattr("keyring.get_keyring", named("keyring.backends.SecretService", "Keyring"))
    desktop = keyring.get_keyring()
    monkeypatch.setattr("keyring.get_keyring", lambda: desktop)

    def empty() -> SecretStore:
        if request.param == "keyring":
            return OsKeyring(tmp_path, exclusive)
        if request.param == "vault":
            opens = {"vault.role_id": Secret("role-1"), "vault.secret_id": Secret("sid-1")}
            return VaultSecrets(VaultLink(VaultPlace(vault.base), opens.get, lambda: 0), "secret", "manjha")
        return sealed(tmp_path / "secrets.sealed")

    def make(given: dict[str, str]) -> SecretStore:
        if request.param == "environment":
            return EnvironmentSecrets({f"MANJHA_{name.upper().replace('.', '_')}": given[name] for name in given})
        store = empty()
        if request.param == "chained":
            store = ChainedSecrets([EnvironmentSecrets({}), store])
        for name, value in given.items():
            store.put(name, Secret(value))
        return store

    return make


def test_a_secret_comes_back_as_it_was_given(made: Made) -> None:
    store = made({"kite.api_key": VALUE})
    assert shown(store.get("kite.api_key")) == VALUE
    assert store.get("kite.api_secret") is None
    assert store.delete("kite.api_secret") is False


def test_what_is_kept_anew_takes_the_place_of_what_was_before(made: Made) -> None:
    store = made({"one": "old", "two": "2"})
    if store.names():
        store.put("one", Secret("new"))
        assert (shown(store.get("one")), store.names()) == ("new", ["one", "two"])
        assert store.delete("one")
        assert (store.get("one"), store.names(), store.delete("one")) == (None, ["two"], False)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "A", "a..b", "a.", "a b", "a\0", "ü", "x" * 101])
def test_a_name_that_is_none_is_kept_nowhere(made: Made, name: str) -> None:
    with pytest.raises(UsageError):
        made({}).put(name, Secret("value"))


def test_nothing_shows_a_secret(made: Made) -> None:
    store = made({"kite.api_key": "s3cret"})
    assert "s3cret" not in f"{store!r} {store} {store.name} {store.names()}"


def test_what_comes_first_in_a_chain_hides_the_rest_and_is_never_covered(tmp_path: Path) -> None:
    kept = sealed(tmp_path / "secrets.sealed")
    kept.put("kite.api_key", Secret("old"))
    chain = ChainedSecrets([EnvironmentSecrets({"MANJHA_KITE_API_KEY": "given"}), kept])
    assert (shown(chain.get("kite.api_key")), chain.names()) == ("given", ["kite.api_key"])
    with pytest.raises(UsageError, match="would hide"):
        chain.put("kite.api_key", Secret("new"))
    assert shown(kept.get("kite.api_key")) == "old"
    chain.put("kite.api_secret", Secret("s"))
    assert shown(kept.get("kite.api_secret")) == "s"
    assert chain.delete("kite.api_secret")
    assert chain.get("kite.api_secret") is None


def test_the_environment_is_only_read() -> None:
    store = EnvironmentSecrets({"MANJHA_KITE_API_KEY": "x", "MANJHA_EMPTY": ""})
    assert store.get("empty") is None
    with pytest.raises(UsageError, match="MANJHA_KITE_API_KEY"):
        store.put("kite.api_key", Secret("y"))
    with pytest.raises(UsageError):
        store.delete("kite.api_key")


def test_the_file_shows_names_and_no_values(tmp_path: Path) -> None:
    path = tmp_path / "secrets.sealed"
    store = sealed(path)
    store.put("two", Secret("s3cret"))
    store.put("one", Secret("other"))
    assert store.names() == ["one", "two"]
    assert b"s3cret" not in path.read_bytes()
    assert shown(sealed(path).get("two")) == "s3cret"
    assert store.delete("two")
    assert store.names() == ["one"]


def test_the_file_is_its_owners_alone_whatever_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "secrets.sealed"
    (tmp_path / "secrets.sealed.tmp").touch(0o644)
    sealed(path).put("one", Secret(VALUE))
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    sealed(tmp_path / "s").put("one", Secret(VALUE))
    with pytest.raises(SettingsError, match="does not open") as found:
        sealed(tmp_path / "s", new_key()).get("one")
    assert VALUE not in str(found.value)


def test_keys_are_changed_and_the_one_before_opens_for_a_while(tmp_path: Path) -> None:
    path, fresh, now = tmp_path / "s", new_key(), [1_000]
    before = sealed(path, now=lambda: now[0])
    before.put("one", Secret(VALUE))
    tokens = json.loads(path.read_text())["sealed"]
    assert before.rotate(keys(fresh), 50) == 1
    after = sealed(path, fresh, now=lambda: now[0])
    assert json.loads(path.read_text())["sealed"] != tokens
    assert (shown(before.get("one")), shown(after.get("one"))) == (VALUE, VALUE)
    before.put("two", Secret("2"))
    assert shown(after.get("two")) == "2"
    now[0] += 50
    with pytest.raises(SettingsError, match="not sealed with the key of the test"):
        before.get("one")
    after.put("three", Secret("3"))
    assert len(json.loads(path.read_text())["slots"]) == 1


def test_a_key_before_is_let_go_of_at_once_where_that_is_wanted(tmp_path: Path) -> None:
    path, fresh = tmp_path / "s", new_key()
    sealed(path).put("one", Secret(VALUE))
    sealed(path).rotate(keys(fresh), 50)
    sealed(path).retire()
    assert shown(sealed(path, fresh).get("one")) == VALUE
    with pytest.raises(SettingsError):
        sealed(path).get("one")


def test_secrets_that_were_swapped_do_not_open(tmp_path: Path) -> None:
    path = tmp_path / "s"
    sealed(path).put("one", Secret("1"))
    sealed(path).put("two", Secret("2"))
    kept = json.loads(path.read_text())
    kept["sealed"] = {"one": kept["sealed"]["two"], "two": kept["sealed"]["one"]}
    path.write_text(json.dumps(kept))
    for name in ("one", "two"):
        with pytest.raises(SettingsError, match=name):
            sealed(path).get(name)
    before = path.read_bytes()
    with pytest.raises(SettingsError):
        sealed(path).rotate(keys(new_key()), 50)
    assert path.read_bytes() == before


def test_two_installations_share_neither_salt_nor_key(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        sealed(tmp_path / folder / "s").put("one", Secret("1"))
    a, b = (json.loads((tmp_path / folder / "s").read_text()) for folder in ("a", "b"))
    assert a["salt"] != b["salt"]
    for taken in ({"salt": b["salt"]}, {"slots": b["slots"]}, {"sealed": b["sealed"]}):
        (tmp_path / "a" / "s").write_text(json.dumps(a | taken))
        with pytest.raises(SettingsError, match="does not open"):
            sealed(tmp_path / "a" / "s").get("one")


def test_a_file_of_the_format_before_opens_and_is_written_as_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text(json.dumps({"format": 1, "sealed": {"one": Fernet(KEY).encrypt(b"old").decode()}}))
    assert shown(sealed(path).get("one")) == "old"
    with pytest.raises(SettingsError, match="does not open"):
        sealed(path, new_key()).get("one")
    sealed(path).put("two", Secret("2"))
    assert json.loads(path.read_text())["format"] == 2
    assert (shown(sealed(path).get("one")), shown(sealed(path).get("two"))) == ("old", "2")


def test_a_file_whose_slots_are_gone_is_not_taken_for_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text(json.dumps({"format": 2, "sealed": {"one": Fernet(KEY).encrypt(b"planted").decode()}}))
    with pytest.raises(SettingsError, match="not the key"):
        sealed(path).get("one")


def test_a_change_of_the_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "s"
    sealed(path).put("one", Secret(VALUE))
    kept = json.loads(path.read_text())
    token = kept["sealed"]["one"]
    kept["sealed"]["one"] = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]
    path.write_text(json.dumps(kept))
    with pytest.raises(SettingsError, match="was changed"):
        sealed(path).get("one")


@pytest.mark.parametrize("text", ["", "no json", '{"format": 9, "sealed": {}}', "[]"])
def test_a_file_that_is_none_says_so_and_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s"
    path.write_text(text)
    with pytest.raises(SettingsError):
        sealed(path).put("one", Secret(VALUE))
    assert path.read_text() == text


ENCODED = [base64.urlsafe_b64encode(text.encode()).decode() for text in (
    "a" * 32, "0123456789abcdef" * 2, "correct horse battery staple 123", "password" * 4, "changeme" * 4,
)]  # fmt: skip
BAD_KEYS = [
    "x", "short", "password", "changeme", "super-secret", "secret", "0" * 44, "A" * 43 + "=", "a" * 44, "=" * 44,
    "é" * 44, KEY[:-1], KEY[:-2] + "=", KEY[1:], KEY[:20], KEY + "AAAA", "\0" * 44, "MANJHA_SEAL_KEY", "null", "None",
    "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", Fernet.generate_key().hex(),
    base64.urlsafe_b64encode(bytes(range(16)) + bytes(16)).decode()[:44],
    base64.urlsafe_b64encode(bytes([1, 200] * 16)).decode(), base64.urlsafe_b64encode(os.urandom(31)).decode(),
    base64.urlsafe_b64encode(os.urandom(33)).decode(), *ENCODED,
]  # fmt: skip


@pytest.mark.parametrize("key", BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_a_key_that_is_none_or_can_be_guessed_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(SettingsError, match=r"no Fernet key|not made by chance") as found:
        sealed(tmp_path / "s", key).put("one", Secret("1"))
    assert key not in str(found.value) or key in ("secret", "MANJHA_SEAL_KEY")
    assert not (tmp_path / "s").exists()


def test_a_file_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s"
    sealed(path).put("one", Secret(VALUE))

    def full(_path: Path, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(SettingsError, match="No space left"):
        sealed(path, write=full).put("one", Secret("new"))
    assert shown(sealed(path).get("one")) == VALUE

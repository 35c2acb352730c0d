"""What every store of secrets keeps; and what only the sealed file can: it opens with its keys alone."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from manjha.adapters.files.durable import exclusive, write_private
from manjha.adapters.secrets.chained import ChainedSecrets
from manjha.adapters.secrets.environment import EnvironmentSecrets
from manjha.adapters.secrets.sealed import SealedFile, new_key
from manjha.domain.errors import SettingsError, UsageError
from manjha.ports.secret_store import SecretStore

VALUE = "a secret, with ₹ and \n"
KEY = new_key()
Made = Callable[[dict[str, str]], SecretStore]


def sealed(path: Path, *keys: str) -> SealedFile:
    return SealedFile(path, keys or (KEY,), write_private, exclusive)


@pytest.fixture(params=["environment", "sealed", "chained"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """Return what makes a store that has some secrets."""

    def make(given: dict[str, str]) -> SecretStore:
        if request.param == "environment":
            return EnvironmentSecrets({f"MANJHA_{name.upper().replace('.', '_')}": given[name] for name in given})
        store: SecretStore = sealed(tmp_path / "secrets.sealed")
        if request.param == "chained":
            store = ChainedSecrets([EnvironmentSecrets({}), store])
        for name, value in given.items():
            store.put(name, value)
        return store

    return make


def test_a_secret_comes_back_as_it_was_given(made: Made) -> None:
    store = made({"kite.api_key": VALUE})
    assert store.get("kite.api_key") == VALUE
    assert store.get("kite.api_secret") is None
    assert store.delete("kite.api_secret") is False


def test_nothing_shows_a_secret(made: Made) -> None:
    store = made({"kite.api_key": "s3cret"})
    assert "s3cret" not in f"{store!r} {store} {store.name} {store.names()}"


def test_what_comes_first_in_a_chain_hides_the_rest_and_is_never_covered(tmp_path: Path) -> None:
    kept = sealed(tmp_path / "secrets.sealed")
    kept.put("kite.api_key", "old")
    chain = ChainedSecrets([EnvironmentSecrets({"MANJHA_KITE_API_KEY": "given"}), kept])
    assert (chain.get("kite.api_key"), chain.names()) == ("given", ["kite.api_key"])
    with pytest.raises(UsageError, match="would hide"):
        chain.put("kite.api_key", "new")
    assert kept.get("kite.api_key") == "old"
    chain.put("kite.api_secret", "s")
    assert kept.get("kite.api_secret") == "s"
    assert chain.delete("kite.api_secret")
    assert chain.get("kite.api_secret") is None


def test_the_environment_is_only_read() -> None:
    store = EnvironmentSecrets({"MANJHA_KITE_API_KEY": "x", "MANJHA_EMPTY": ""})
    assert store.get("empty") is None
    with pytest.raises(UsageError, match="MANJHA_KITE_API_KEY"):
        store.put("kite.api_key", "y")
    with pytest.raises(UsageError):
        store.delete("kite.api_key")


def test_the_file_shows_names_and_no_values(tmp_path: Path) -> None:
    path = tmp_path / "secrets.sealed"
    store = sealed(path)
    store.put("two", "s3cret")
    store.put("one", "other")
    assert store.names() == ["one", "two"]
    assert b"s3cret" not in path.read_bytes()
    assert sealed(path).get("two") == "s3cret"
    assert store.delete("two")
    assert store.names() == ["one"]


def test_the_file_is_its_owners_alone_whatever_was_there_before(tmp_path: Path) -> None:
    path = tmp_path / "secrets.sealed"
    (tmp_path / "secrets.sealed.tmp").touch(0o644)
    sealed(path).put("one", VALUE)
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    sealed(tmp_path / "s").put("one", VALUE)
    with pytest.raises(SettingsError, match="does not open") as found:
        sealed(tmp_path / "s", new_key()).get("one")
    assert VALUE not in str(found.value)


def test_keys_are_changed_without_a_break(tmp_path: Path) -> None:
    path, fresh = tmp_path / "s", new_key()
    sealed(path).put("one", VALUE)
    both = sealed(path, fresh, KEY)
    assert both.get("one") == VALUE
    assert both.rotate() == 1
    assert sealed(path, fresh).get("one") == VALUE
    with pytest.raises(SettingsError):
        sealed(path).get("one")


def test_a_change_of_the_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "s"
    sealed(path).put("one", VALUE)
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
        sealed(path).put("one", VALUE)
    assert path.read_text() == text


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no Fernet key"):
        sealed(tmp_path / "s", "too short")


def test_a_file_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s"
    sealed(path).put("one", VALUE)

    def full(_path: Path, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(SettingsError, match="No space left"):
        SealedFile(path, (KEY,), full, exclusive).put("one", "new")
    assert sealed(path).get("one") == VALUE

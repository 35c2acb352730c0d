"""The login that is kept: sealed as one value, taken up by who runs, over when it is over, and refused in words."""

from pathlib import Path

import pytest

from manjha.adapters.kite.login import Session
from manjha.adapters.secrets.sealed import new_key
from manjha.app.kite.login import (
    LOGIN,
    LOOK_AGAIN_NS,
    LoginNow,
    app_keys,
    keep,
    saved_login,
)
from manjha.app.secret_stores import FILE, SEAL_KEY, require_seal, secret_store
from manjha.app.settings import Settings
from manjha.domain.errors import SettingsError, UsageError
from manjha.domain.moments import TsNs
from manjha.domain.secret import Secret
from manjha.ports.secret_store import SecretStore

KEYS = {"MANJHA_KITE_API_KEY": "key", "MANJHA_KITE_API_SECRET": "sec"}
SIX = TsNs(1_000_000_000_000)


def session(word: str = "tok3n") -> Session:
    return Session("AB1234", "Asha", Secret(word), SIX)


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    return secret_store(Settings(home=tmp_path), KEYS | {SEAL_KEY: new_key()})


def test_a_login_is_kept_as_one_sealed_value(store: SecretStore, tmp_path: Path) -> None:
    keep(store, session())
    kept = saved_login(store)
    assert kept is not None
    assert (kept.user_id, kept.access_token.reveal(), kept.expires_ns) == ("AB1234", "tok3n", SIX)
    assert "tok3n" not in repr(kept)
    written = (tmp_path / FILE).read_bytes()
    assert b"tok3n" not in written
    assert b"AB1234" not in written


def test_another_key_opens_nothing(store: SecretStore, tmp_path: Path) -> None:
    keep(store, session())
    other = secret_store(Settings(home=tmp_path), {SEAL_KEY: new_key()})
    with pytest.raises(SettingsError, match="does not open with this key"):
        saved_login(other)


def test_without_a_key_the_words_make_one_and_nothing_is_lost(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=SEAL_KEY) as refused:
        require_seal(Settings(home=tmp_path), {})
    assert "manjha login --new-seal-key" in refused.value.hint
    with pytest.raises(UsageError, match="cannot be kept in the environment"):
        keep(secret_store(Settings(home=tmp_path), KEYS), session())
    require_seal(Settings(home=tmp_path), {SEAL_KEY: new_key()})


def test_a_token_of_the_environment_hides_none_that_is_kept(store: SecretStore, tmp_path: Path) -> None:
    given = secret_store(Settings(home=tmp_path), {"MANJHA_KITE_ACCESS_TOKEN": "bare", SEAL_KEY: new_key()})
    found = saved_login(given)
    assert found is not None
    assert (found.access_token.reveal(), found.user_id, found.expires_ns) == ("bare", "", 0)
    assert not found.is_over(10**30)
    with pytest.raises(UsageError, match="would hide"):
        keep(given, session())


def test_missing_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"kite\.api_secret") as refused:
        app_keys(secret_store(Settings(home=tmp_path), {"MANJHA_KITE_API_KEY": "key"}))
    assert "MANJHA_KITE_API_SECRET" in refused.value.hint


@pytest.mark.failure("F08")
def test_who_runs_takes_a_new_login_up_and_lets_an_old_one_go(store: SecretStore) -> None:
    now, mono = [TsNs(SIX - 10)], [0]
    login = LoginNow(store, lambda: now[0], lambda: mono[0])
    assert login.token() == ""
    assert "nobody is logged in" in login.why_not()

    keep(store, session("first"))
    mono[0] += LOOK_AGAIN_NS + 1
    assert (login.token(), login.why_not(), login.credentials()) == ("first", "", ("key", "first"))

    now[0] = SIX
    assert login.token() == ""
    assert "ended" in login.why_not()

    keep(store, Session("AB1234", "Asha", Secret("second"), TsNs(2 * SIX)))
    mono[0] += LOOK_AGAIN_NS + 1
    assert (login.token(), login.why_not()) == ("second", "")


def test_a_file_that_does_not_open_for_a_moment_leaves_the_login_in_force(store: SecretStore, tmp_path: Path) -> None:
    keep(store, session("first"))
    mono = [0]
    login = LoginNow(store, lambda: TsNs(0), lambda: mono[0])
    assert login.token() == "first"
    (tmp_path / FILE).write_bytes(b"{")
    mono[0] += LOOK_AGAIN_NS + 1
    assert login.token() == "first"


def test_a_login_that_is_no_login_says_so(store: SecretStore) -> None:
    store.put(LOGIN, Secret('{"user_id": 7}'))
    with pytest.raises(SettingsError, match="cannot be read"):
        saved_login(store)

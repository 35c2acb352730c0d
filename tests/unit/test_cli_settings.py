"""Settings: where they come from, and what is said when one cannot be."""

from pathlib import Path

import pytest

from manjha.app.settings import load_settings
from manjha.domain.errors import SettingsError


def test_defaults_need_no_file(tmp_path: Path) -> None:
    settings = load_settings({"MANJHA_HOME": str(tmp_path)})
    assert (settings.home, settings.store.cache_mb, settings.fetch.per_minute) == (tmp_path, 4096, 60)


def test_without_a_home_the_users_data_folder_is_taken() -> None:
    assert load_settings({}).home.name == "manjha"


def test_the_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / "manjha.toml").write_text('rules_file = "mine.toml"\n[store]\ncache_mb = 7\n[fetch]\nburst = 9\n')
    settings = load_settings({"MANJHA_HOME": str(tmp_path), "MANJHA_STORE_CACHE_MB": "8"})
    assert (settings.store.cache_mb, settings.fetch.burst, settings.rules_file) == (8, 9, tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[stor]\ncache_mb = 1\n", "Did you mean store?"),
        ("[store]\ncache = 1\n", "Did you mean store.cache_mb?"),
        (
            "zzz = 1\n",
            "risk, protections, notify, stream, secrets, logs, metrics, traces, jobs.",
        ),
        ("store = 1\n", "store is a section"),
        ("[rules_file]\nx = 1\n", "rules_file is a value"),
        ('[store]\ncache_mb = "many"\n', "store.cache_mb must be a whole number of at least 1, was 'many'"),
        ("[store]\ncache_mb = 0\n", "store.cache_mb must be a whole number of at least 1, was 0"),
        ("[fetch]\nburst = 1.5\n", "fetch.burst must be a whole number of at least 1, was 1.5"),
        ("[fetch]\nburst = true\n", "fetch.burst must be a whole number of at least 1, was True"),
        ('[fetch]\nnse_url = "nse"\n', "fetch.nse_url must be an address like https://example.com, was 'nse'"),
        ("[protections]\nstop_guard_per_instrument = 1\n", "stop_guard_per_instrument must be true or false, was 1"),
        ("rules_file = 5\n", "rules_file must be a path, was 5"),
        ('[kite]\nstream_url = "https://x"\n', "kite.stream_url must be an address like wss://example.com"),
        ("[store\n", "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "manjha.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings({"MANJHA_HOME": str(tmp_path)})
    assert said in str(caught.value)


def test_an_unknown_variable_is_refused_with_a_close_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"MANJHA_HOME": str(tmp_path), "MANJHA_FETCH_BURTS": "1"})
    assert caught.value.hint == "Did you mean MANJHA_FETCH_BURST?"


def test_a_wrong_value_of_a_variable_is_corrected_there_and_not_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"fetch\.burst must be a whole number of at least 1, was 'x'") as caught:
        load_settings({"MANJHA_HOME": str(tmp_path), "MANJHA_FETCH_BURST": "x"})
    assert caught.value.hint == "Correct it in MANJHA_FETCH_BURST."


@pytest.mark.parametrize(("value", "is_on"), [("true", True), ("false", False)])
def test_a_switch_is_set_in_a_variable(tmp_path: Path, value: str, is_on: bool) -> None:
    variables = {"MANJHA_HOME": str(tmp_path), "MANJHA_PROTECTIONS_STOP_GUARD_PER_INSTRUMENT": value}
    assert load_settings(variables).protections.stop_guard_per_instrument is is_on


def test_a_home_that_is_a_file_is_refused_as_that(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(SettingsError, match="MANJHA_HOME must be a folder"):
        load_settings({"MANJHA_HOME": str(tmp_path / "home")})

"""Where an account's journal lies, by the settings and by what a person names."""

from pathlib import Path

import pytest

from manjha.app.settings import Settings
from manjha.app.trading.account_parts import journal_asked, journal_of, journal_to_trade
from manjha.domain.errors import SettingsError, UsageError

URL = "postgresql://manjha@host/name"


def test_without_the_setting_each_account_has_a_file(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, account="MINE")
    file = str(tmp_path / "accounts" / "AB1" / "journal.db")
    assert journal_of(settings, "AB1") == journal_to_trade(settings, "AB1") == file
    assert journal_asked(settings, "", "AB1") == (file, "AB1")
    assert journal_asked(settings, "", "") == (str(tmp_path / "accounts" / "MINE" / "journal.db"), "MINE")
    assert journal_asked(settings, "other.db", "") == ("other.db", "")
    Path(file).parent.mkdir(parents=True)
    Path(file).touch()
    assert journal_to_trade(settings, "AB1") == file
    with pytest.raises(UsageError, match="cannot be named"):
        journal_asked(settings, "", "../x")


def test_with_the_setting_all_lie_in_the_database_and_what_was_named_wins(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, journal_url=URL)
    assert journal_asked(settings, "", "AB1") == (URL, "AB1")
    assert journal_asked(settings, "", "") == (URL, "paper")
    assert journal_asked(settings, "other.db", "AB1") == ("other.db", "AB1")


@pytest.mark.parametrize("url", ["sqlite:///one.db", "one.db", "mysql://u:secret@host/name"])
def test_another_kind_of_address_is_refused_without_being_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="journal_url must be the URL of a PostgreSQL database") as refused:
        journal_of(Settings(home=tmp_path, journal_url=url), "AB1")
    assert "secret" not in str(refused.value)

"""`manjha trade` with `journal_url`: the account's journal lies in PostgreSQL, and every command finds it there."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from manjha.app.bootstrap import bar_store, instrument_book, journal_to_read, market_rules
from manjha.app.cli import main
from manjha.app.cli.demo import INSTRUMENT
from manjha.app.cli.errors import HELD
from manjha.app.settings import load_settings
from manjha.app.trading.account_parts import journal_of, leader_lock
from manjha.domain.moments import parse_day
from manjha.domain.orders import AccountId
from manjha.services.synthetic_market import seed_store
from tests.fakes.postgres import ABSENT, binaries, server

pytestmark = pytest.mark.slow

ACCOUNT = "PG-1"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start a durable server, and make a home with two weeks of the synthetic market whose journals lie there."""
    if binaries() is None:
        pytest.skip(ABSENT)
    with server(durable=True) as url:
        monkeypatch.setenv("MANJHA_HOME", str(tmp_path))
        (tmp_path / "manjha.toml").write_text(f'journal_url = "{url}"\naccount = "{ACCOUNT}"\n', encoding="utf-8")
        settings = load_settings()
        span = (parse_day("2024-01-15"), parse_day("2024-01-31"))
        seed_store(bar_store(settings), instrument_book(settings), market_rules(settings), 7, span)
        yield url


def said(capture: pytest.CaptureFixture[str], *words: object) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    return stop.value.code, *capture.readouterr()


def trade(capture: pytest.CaptureFixture[str], start: str, end: str) -> tuple[object, str, str]:
    what = ("-s", "nifty-intraday-trend", "--instrument", INSTRUMENT, "-i", "15m", "--speed", 0, "--json")
    return said(capture, "trade", *what, "--from", start, "--to", end, "--account", ACCOUNT)


def test_it_trades_goes_on_and_is_verified_replayed_and_read(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, erred = trade(capfd, "2024-01-30", "2024-01-31")
    assert code == 0, erred
    first = json.loads(out)
    assert first["is_new"]
    assert not (tmp_path / "accounts" / ACCOUNT / "journal.db").exists()

    code, out, _ = trade(capfd, "2024-01-30", "2024-01-31")
    assert code == 0
    assert not json.loads(out)["is_new"]

    journal = journal_to_read(url, ACCOUNT)
    rows = journal.head().seq
    journal.close()
    code, out, _ = said(capfd, "journal", "verify", "--json")
    assert (code, json.loads(out)["rows"], json.loads(out)["account"]) == (0, rows, ACCOUNT)
    code, out, _ = said(capfd, "journal", "replay", "--account", ACCOUNT, "--json")
    assert (code, [one["difference"] for one in json.loads(out)["runs"]]) == (0, [None])
    code, out, _ = said(capfd, "db", "rebuild", "--json")
    assert (code, json.loads(out)) == (0, {"account": ACCOUNT, "from": 0, "reached": rows})

    # As with another home: where it is traded is not known there, and its market data are not either.
    (tmp_path / "accounts" / ACCOUNT / "traded-at").unlink()
    for _ in range(2):
        code, _, erred = trade(capfd, "2024-01-30", "2024-01-31")
        assert code == 2
        assert "was begun with another MANJHA_HOME" in erred


def test_its_lock_is_the_databases_and_a_file_beside_it_is_not_forgotten(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lock = leader_lock(url, AccountId(ACCOUNT))
    lock.acquire()
    try:
        assert trade(capfd, "2024-01-31", "2024-01-31")[0] == HELD
        shown = said(capfd, "leader", "show", "--account", ACCOUNT, "--json")[1]
        assert json.loads(shown)["holder"]["pid"] == os.getpid()
    finally:
        lock.release()

    file = tmp_path / "accounts" / ACCOUNT / "journal.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    code, _, erred = trade(capfd, "2024-01-31", "2024-01-31")
    assert code == 2
    assert f"journal_url is set, but {ACCOUNT} has a journal in {file}" in erred
    assert journal_of(load_settings(), ACCOUNT) == url

"""`manjha sentinel` says what it watches, and that a name has never been heard of."""

import subprocess
import sys
from pathlib import Path

import pytest

from manjha.app.settings import Settings
from manjha.app.trading.account_parts import places, vitals
from manjha.app.trading.traded_where import KITE, PAPER, claim
from manjha.domain.moments import TsNs
from manjha.domain.vitals import Heartbeat

CALL = "from manjha.app.cli import main; main()"


def said_at_start(account: str, lines: int) -> list[str]:
    """Start the command, return the first lines that it says, and end it."""
    command = [sys.executable, "-c", CALL, "sentinel", "--account", account]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = [process.stderr.readline().strip() for _ in range(lines)]
        process.terminate()
        rest = process.stderr.read().splitlines()
    return said + rest


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANJHA_HOME", str(tmp_path))
    return tmp_path


def test_a_name_that_no_trader_ever_had_is_said_with_those_that_have(home: Path) -> None:
    settings = Settings(home=home)
    said = said_at_start("TYPO", 2)
    assert said[0] == f"watching the trader of TYPO by {places(settings, 'TYPO').vitals}; ^C ends it"
    assert said[1].startswith(f"warning: no trader of TYPO has ever left a sign of life in {home} (nor has any other)")
    (home / "accounts" / "EMPTY").mkdir(parents=True)
    vitals(settings, "AB1234").beat(Heartbeat(1, TsNs(1), has_risk=False, reconciled_ns=TsNs(0), ended=True))
    assert "(those of AB1234 have)" in said_at_start("TYPO", 2)[1]


def test_a_trader_that_has_been_there_is_watched_without_a_warning(home: Path) -> None:
    vitals(Settings(home=home), "AB1234").beat(Heartbeat(1, TsNs(1), has_risk=False, reconciled_ns=TsNs(0), ended=True))
    said = said_at_start("AB1234", 1)
    assert said[0].startswith("watching the trader of AB1234 by ")
    assert not [line for line in said if "warning" in line]


def test_on_paper_it_says_that_nothing_can_be_compared(home: Path) -> None:
    folder = places(Settings(home=home), "AB1234").folder
    folder.mkdir(parents=True)
    claim(folder, PAPER)
    said = said_at_start("AB1234", 3)
    assert (
        "it is traded on paper, whose exchange lives in the trader: nothing is compared or cancelled from here" in said
    )


def test_without_a_login_it_watches_and_says_that_it_cannot_compare(home: Path) -> None:
    folder = places(Settings(home=home), "AB1234").folder
    folder.mkdir(parents=True)
    claim(folder, KITE)
    said = said_at_start("AB1234", 4)
    assert "what the account shows is read at https://api.kite.trade" in said
    assert "warning: nobody is logged in at Kite: run `manjha login`; until that changes nothing is compared" in said[3]

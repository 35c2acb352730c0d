"""`manjha kill` and `manjha resume`, with nothing else running."""

import json
from pathlib import Path

import pytest

from manjha.app.cli import main

Said = tuple[int, str, str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANJHA_HOME", str(tmp_path))
    monkeypatch.setenv("MANJHA_ACCOUNT", "AB1234")
    return tmp_path


def said(capfd: pytest.CaptureFixture[str], *words: str) -> Said:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    out, err = capfd.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


@pytest.mark.failure("F55")
def test_kill_holds_until_it_is_lifted_with_the_accounts_id(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capfd, "kill", "--reason", "it buys and buys")
    assert (code, out.splitlines()) == (
        0,
        [
            "everything: cancel-all (it buys and buys)",
            "in force for everything: cancel-all, open orders are cancelled, nothing new is sent",
        ],
    )
    code, _, err = said(capfd, "resume", "--reason", "mended", "--yes", "AB1235")
    assert code == 2
    assert "expected the account's id AB1234, was 'AB1235'; the kill switch stays as it is" in err
    assert "it buys and buys" in (home / "kill.json").read_text()
    code, out, _ = said(capfd, "resume", "--reason", "mended", "--yes", "AB1234")
    assert (code, out.splitlines()) == (0, ["everything: off (mended)", "the kill switch is off"])


def test_nobody_at_the_terminal_lifts_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    said(capfd, "kill", "--reason", "why")
    code, _, err = said(capfd, "resume", "--reason", "mended")
    assert code == 2
    assert "was ''" in err


def test_a_scope_and_a_level_are_told_in_json(capfd: pytest.CaptureFixture[str]) -> None:
    words = ("--level", "flatten", "--strategy", "sma-cross", "--reason", "why", "--json")
    code, out, _ = said(capfd, "kill", *words)
    assert code == 0
    told = json.loads(out)
    assert told.pop("who")
    assert told == {
        "level": "flatten",
        "scope": "sma-cross",
        "reason": "why",
        "in_force": [{"scope": "sma-cross", "level": "flatten"}],
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("kill", "--reason", "why", "--level", "stop"), "Levels: reduce-only, no-new, cancel-all, flatten."),
        (("kill", "--reason", " "), "a reason is needed"),
        (("kill",), "--reason"),
        (("kill", "--reason", "why", "--instrument", "NSE:NOSUCH"), "NSE:NOSUCH"),
        (("resume", "--reason", "why", "--yes", "AB1234"), "the kill switch is not on for everything"),
        (("resume", "--reason", "why", "--yes", "AB1234"), "its journal keeps what the file has lost"),
    ],
)
def test_what_cannot_be_is_said(
    words: tuple[str, ...], says: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capfd, *words)
    assert code == 2
    assert says in err
    assert not (home / "kill.json").exists()


def test_a_file_that_cannot_be_read_is_told_of(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (home / "kill.json").write_text("?")
    code, out, _ = said(capfd, "kill", "--level", "no-new", "--reason", "why")
    assert code == 0
    assert "in force for everything: flatten" in out


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("sma-cros", "warning: no strategy named 'sma-cros' is known here. Did you mean 'sma-cross'?"),
        ("SMA-Cross", "Did you mean 'sma-cross'?"),
        ("zzz", "warning: no strategy named 'zzz' is known here. The switch was thrown"),
        ("sma-cross", ""),
        ("MANUAL", ""),
    ],
)
def test_a_strategy_that_nobody_knows_is_stopped_with_a_warning(
    name: str, says: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, err = said(capfd, "kill", "--strategy", name, "--reason", "why")
    assert (code, out.splitlines()[0]) == (0, f"{name}: cancel-all (why)")
    assert says in err if says else "warning" not in err
    assert name in (home / "kill.json").read_text()


def test_a_strategys_file_that_is_broken_keeps_no_kill_back(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (home / "strategies").mkdir()
    (home / "strategies" / "broken.py").write_text("1/0\n", encoding="utf-8")
    code, _, err = said(capfd, "kill", "--strategy", "mine", "--reason", "why")
    assert code == 0
    assert "warning: whether there is a strategy 'mine' cannot be looked up" in err
    assert "mine" in (home / "kill.json").read_text()

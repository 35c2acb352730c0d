"""`manjha walk-forward` from words to verdict, and what wrong words are told."""

from pathlib import Path

import pytest

from tests.fakes.searched_home import Home

SPACE = ("-p", "fast=2:4", "-p", "slow=5:9:2")
ALPHA = ("--instrument", "NSE:ALPHA")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    return Home(tmp_path, monkeypatch, capsys)


@pytest.mark.slow
def test_one_worker_and_two_say_the_same(home: Home) -> None:
    words = (*SPACE, "--windows", "3", "--trials", "6", "--seed", "3", "--no-report")
    one, two = (home.search("walk-forward", "sma-cross", *words, "-j", jobs) for jobs in "12")
    assert (one.pop("new_trials"), two.pop("new_trials")) == (18, 0)
    assert one == two
    assert (one["trials"], one["combinations"], len(one["windows"])) == (6, 6, 3)


def test_the_verdict_is_printed_and_a_page_written(home: Home) -> None:
    words = ("-s", "sma-cross", *ALPHA, *SPACE, "--windows", "3", "--gap", "1", "--anchored", "-j", "1")
    assert home.run("walk-forward", *words, "--report", "walk.html") == 0, home.erred
    assert "Parameters chosen in 3 windows earned" in home.said
    assert "3 windows of 9 combinations." in home.said
    assert "9 variants of sma-cross have been tried on NSE:ALPHA in all." in home.said
    assert "Parameters chosen in 3 windows earned" in Path("walk.html").read_text("utf-8")


def test_an_interrupt_keeps_the_windows_that_are_done(home: Home) -> None:
    words = ("-p", "length=2:9", "-p", "stop=0,8", "--windows", "3", "-j", "1", "--no-report")
    found = home.search("walk-forward", "trouble.py", *words, code=130)
    assert found["interrupted"]
    assert len(found["windows"]) < found["windows_planned"] == 3
    assert found["trials"] > 0


def test_what_failed_in_training_is_told(home: Home) -> None:
    words = ("-s", "sma-cross", *ALPHA, "-p", "fast=3", "-p", "slow=9,88", "--windows", "2", "-j", "1", "--no-report")
    assert home.run("walk-forward", *words) == 0, home.erred
    assert "2 windows of 2 combinations; 2 evaluations failed." in home.said


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((*SPACE, "--windows", "90"), "90 windows with 4 times as much training as test and a gap of 0 are longer"),
        ((*SPACE, "--ratio", "0"), "ratio of training to test must be a positive number"),
        ((), "there is nothing to vary"),
        ((*SPACE, "--sample", "sobol:5"), "unknown sample 'sobol:5'"),
    ],
)
def test_wrong_words_are_told(home: Home, words: tuple[str, ...], error: str) -> None:
    assert home.run("walk-forward", "-s", "sma-cross", *ALPHA, "-j", "1", *words) == 2
    assert f"error: {error}" in home.erred
    assert "Traceback" not in home.erred

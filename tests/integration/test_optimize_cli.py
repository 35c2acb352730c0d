"""`manjha optimize` from words to table, studies that go on, and what wrong words are told."""

from pathlib import Path

import pytest

from tests.fakes.searched_home import Home

SPACE = ("-p", "fast=2:10", "-p", "slow=5:30", "--constraint", "fast < slow")
ALPHA = ("--instrument", "NSE:ALPHA")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    return Home(tmp_path, monkeypatch, capsys)


def test_a_study_goes_on_where_it_was(home: Home) -> None:
    words = (*SPACE, "-j", "1", "--batch", "4", "--study", "mine")
    first = home.search("optimize", "sma-cross", *words, "--trials", "8")
    rest = home.search("optimize", "sma-cross", *words, "--trials", "12")
    assert (first["study"], first["planned"], first["evaluated"] + first["repeated"]) == ("mine", 8, 8)
    assert rest["evaluated"] + rest["repeated"] == 12
    assert rest["trials"] == rest["evaluated"] == first["new_trials"] + rest["new_trials"]
    assert (home.folder / "home" / "studies" / "mine.journal").exists()
    fresh = home.search("optimize", "sma-cross", *SPACE, "-j", "1", "--batch", "4", "--trials", "12")
    assert fresh["best"] == rest["best"]


def test_a_database_keeps_a_study_too(home: Home) -> None:
    url = f"sqlite:///{home.folder / 'studies.db'}"
    found = home.search("optimize", "sma-cross", *SPACE, "-j", "1", "--trials", "4", "--storage", url)
    assert found["evaluated"] + found["repeated"] == 4
    assert (home.folder / "studies.db").exists()


def test_several_objectives_are_shown_as_a_front(home: Home) -> None:
    words = ("--objective", "total_return", "--objective", "volatility", "--trials", "12", "-j", "1")
    assert home.run("optimize", "-s", "sma-cross", *ALPHA, *SPACE, *words) == 0
    head = home.said.splitlines()[0].split()
    assert head == ["fast", "slow", "total_return", "volatility", "max_drawdown", "trades"]
    found = home.search("optimize", "sma-cross", *SPACE, *words)
    assert [one["direction"] for one in found["objectives"]] == ["maximize", "minimize"]
    risks = [row["values"]["volatility"] for row in found["best"]]
    assert risks == sorted(risks, reverse=True)


def test_an_interrupted_study_is_not_lost(home: Home) -> None:
    words = ("-p", "length=2:12", "-p", "stop=7", "-j", "1", "--trials", "40", "--study", "mine")
    found = home.search("optimize", "trouble.py", *words, "--objective", "total_return", code=130)
    assert found["interrupted"]
    assert found["trials"] == found["evaluated"] < 11
    again = home.search("optimize", "trouble.py", *words, "--objective", "total_return")
    assert again["evaluated"] >= found["evaluated"]
    assert again["evaluated"] + again["repeated"] == 40


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ((), "there is nothing to vary", "It has: fast (2 to 500)"),
        ((*SPACE, "--constraint", "fast > slow"), "no combination can be tried: all 234 are ruled out", "Widen"),
        ((*SPACE, "--objective", "sharp"), "unknown objective 'sharp'", "Did you mean 'sharpe'?"),
        ((*SPACE, "--sampler", "random"), "unknown sampler 'random'", "There are tpe, cma-es, nsga2."),
        (
            (*SPACE, "--sampler", "cma-es", "--objective", "sharpe", "--objective", "volatility"),
            "CMA-ES has one objective",
            "--sampler nsga2",
        ),
        ((*SPACE, "--storage", "here.db"), "--storage expects the URL of a database, was 'here.db'", "postgresql://"),
        ((*SPACE, "--study", "a/b"), "a study cannot be named 'a/b'", "Letters, digits"),
        ((*SPACE, "--prune", "--to", "2024-01-02"), "1/4 of the span is less than a day", "no --prune"),
        (("-p", "fast=3", "-p", "slow=200:300", "--trials", "3"), "all 3 combinations failed", "recorded"),
    ],
)
def test_wrong_words_are_told(home: Home, words: tuple[str, ...], error: str, hint: str) -> None:
    assert home.run("optimize", "-s", "sma-cross", *ALPHA, "-j", "1", *words) == 2
    assert f"error: {error}" in home.erred
    assert hint in home.erred
    assert "Traceback" not in home.erred

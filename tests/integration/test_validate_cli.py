"""`manjha validate` from words to verdict, and what wrong words are told."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.searched_home import Home

SPACE = ("-p", "fast=2:6:2", "-p", "slow=8:20:4", "--study", "mine", "-j", "1")
ALPHA = ("--instrument", "NSE:ALPHA")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    return Home(tmp_path, monkeypatch, capsys)


def judged(home: Home, *words: str) -> dict[str, Any]:
    assert home.run("validate", "--json", "--no-report", *words) == 0, home.erred
    found: dict[str, Any] = json.loads(home.said)
    return found


def test_the_best_is_judged_by_all_that_were_tried(home: Home) -> None:
    best = home.search("sweep", "sma-cross", *SPACE)["best"][0]
    home.search("sweep", "sma-cross", "-p", "fast=3:5:2", "-p", "slow=9", "--no-returns", "-j", "1")
    found = judged(home, "-s", "sma-cross", *ALPHA)
    assert (found["trials"], found["compared"]) == (14, 12)
    assert found["parameters"] == {"both_sides": False, **best["parameters"]}
    assert 0 <= found["statistics"]["deflated_sharpe"] <= 1
    assert found["sentence"].endswith(f"{found['verdict']}.")
    assert found["trades"]["closed"] == best["values"]["trades"]
    assert any("2 further trials" in note for note in found["notes"])


def test_a_study_by_its_name_says_the_same(home: Home) -> None:
    home.search("sweep", "sma-cross", *SPACE)
    named, asked = judged(home, "--study", "mine"), judged(home, "-s", "sma-cross", *ALPHA, "--study", "mine")
    assert named == asked
    assert named["trades"] is not None


def test_a_variant_that_cannot_be_run_again_is_judged_without_its_trades(home: Home) -> None:
    home.search("sweep", "sma-cross", *SPACE, "--cash", "5 lakh")
    found = judged(home, "--study", "mine", "--variant", "fast=4,slow=12")
    assert (found["parameters"]["fast"], found["trades"]) == (4, None)
    assert "under these options it is another run" in found["notes"][-1]
    assert judged(home, "--study", "mine", "--cash", "5 lakh")["trades"] is not None


def test_the_verdict_is_printed_and_a_page_written(home: Home) -> None:
    home.search("sweep", "sma-cross", *SPACE)
    assert home.run("validate", "-s", "sma-cross", *ALPHA, "--report", "pages") == 0, home.erred
    assert "The best of 12 trials has a deflated Sharpe of" in home.said
    assert "Deflated Sharpe" in home.said
    page = Path("pages") / "validate-sma-cross.html"
    assert f"Report: {page}" in home.said
    assert "The best of 12 trials has a deflated Sharpe of" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ((), "expected a strategy and an instrument, or a study", "--study NAME"),
        (("-s", "sma-cross", *ALPHA), "there are no trials to judge", "manjha sweep"),
        (("--study", "none"), "the ledger has no study 'none'", "manjha sweep"),
        (("--study", "none", "--independence", "some"), "unknown independence 'some'", "clusters"),
        (("--study", "none", "--variant", "fast"), "expected a parameter like fast=20, was 'fast'", ""),
    ],
)
def test_wrong_words_are_told(home: Home, words: tuple[str, ...], error: str, hint: str) -> None:
    assert home.run("validate", *words) == 2
    assert f"error: {error}" in home.erred
    assert hint in home.erred


def test_a_study_without_such_trials_is_named(home: Home) -> None:
    home.search("sweep", "sma-cross", *SPACE)
    assert home.run("validate", "-s", "sma-cross", *ALPHA, "--study", "yours") == 2
    assert "error: the study yours has no trials of sma-cross on NSE:ALPHA 1d" in home.erred


def test_trials_on_another_span_are_named(home: Home) -> None:
    home.search("sweep", "sma-cross", *SPACE)
    assert home.run("validate", "-s", "sma-cross", *ALPHA, "--to", "2024-03-31") == 2
    assert "none of the trials is on the bars of this span" in home.erred
    assert "There are: 2024-01-01 to 2024-05-" in home.erred


def test_trials_without_returns_are_told(home: Home) -> None:
    home.search("sweep", "sma-cross", *SPACE, "--no-returns")
    assert home.run("validate", "--study", "mine") == 2
    assert "none of the 12 trials kept its daily returns" in home.erred
    assert "--no-returns" in home.erred

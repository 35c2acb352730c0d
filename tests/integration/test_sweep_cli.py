"""`manjha sweep` from words to table, and what wrong words are told."""

import json
import sys
from pathlib import Path

import pytest

import manjha
from tests.fakes.searched_home import Home

SPACE = ("-p", "fast=2:6", "-p", "slow=5:20:5", "--constraint", "fast < slow")
ALPHA = ("--instrument", "NSE:ALPHA")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    return Home(tmp_path, monkeypatch, capsys)


@pytest.mark.slow
def test_one_worker_and_two_say_the_same(home: Home) -> None:
    one, two = (
        home.search("sweep", "sma-cross", *SPACE, "--sample", "lhs:12", "--seed", "3", "-j", jobs) for jobs in "12"
    )
    assert one["best"] == two["best"]
    assert (one["evaluated"], one["new_trials"], one["trials"]) == (12, 12, 12)
    assert (two["evaluated"], two["new_trials"], two["trials"]) == (12, 0, 12)
    assert one["study"] == two["study"]


def test_the_table_names_the_best_and_how_many_there_were(home: Home) -> None:
    assert home.run("sweep", "-s", "sma-cross", *ALPHA, *SPACE, "-j", "1", "--top", "3") == 0
    lines = home.said.splitlines()
    assert lines[0].split() == ["fast", "slow", "sharpe", "total_return", "max_drawdown", "trades"]
    assert lines[4] == ""
    assert "18 of 18 combinations evaluated; 2 left out by conditions." in home.said
    assert "18 variants of sma-cross have been tried on NSE:ALPHA in all" in home.said


def test_a_page_is_written_where_it_is_asked_for(home: Home) -> None:
    assert home.run("sweep", "-s", "sma-cross", *ALPHA, *SPACE, "-j", "1", "--report", "pages", "--study", "mine") == 0
    assert "Report: pages/mine.html" in home.said
    page = Path("pages/mine.html").read_text("utf-8")
    assert "The best of 18 trials has a deflated Sharpe of" in page
    assert "The best of 18 trials has a deflated Sharpe of" in home.said
    found = home.search("sweep", "sma-cross", *SPACE, "-j", "1")
    assert (found["report"], list(Path().rglob("*.html"))) == (None, [Path("pages/mine.html")])


def test_the_deflated_ratio_is_that_of_validate(home: Home) -> None:
    found = home.search("sweep", "sma-cross", *SPACE, "-j", "1", "--study", "mine")
    assert home.run("validate", "--study", "mine", "--no-report", "--json") == 0
    judged = json.loads(home.said)["statistics"]
    assert found["deflated_sharpe"] == pytest.approx(judged["deflated_sharpe"], abs=1e-6)


def test_a_backtest_is_a_trial_too(home: Home) -> None:
    run = ("backtest", "-s", "sma-cross", *ALPHA, "-p", "fast=3", "-p", "slow=7", "--no-band", "--no-report")
    assert home.run(*run) == home.run(*run) == 0
    assert "Trials: 1 variant of sma-cross tried on NSE:ALPHA so far" in home.said
    result = manjha.backtest("sma-cross", "NSE:ALPHA", fast=3, slow=8)
    manjha.report(result, "page.html")
    assert "One of 2 variants of sma-cross tried on NSE:ALPHA so far." in Path("page.html").read_text("utf-8")
    found = home.search("sweep", "sma-cross", "-p", "fast=3", "-p", "slow=7:9", "-j", "1")
    assert (found["new_trials"], found["trials"]) == (1, 3)


@pytest.mark.slow
def test_a_killed_worker_changes_nothing(home: Home) -> None:
    calm = home.search("sweep", "trouble.py", "-p", "length=2:7", "-p", "kill=0", "-j", "1")
    killed = home.search("sweep", "trouble.py", "-p", "length=2:7", "-p", "kill=5", "-j", "2")
    assert Path("misbehaved").exists()
    assert [row["values"] for row in killed["best"]] == [row["values"] for row in calm["best"]]
    assert (killed["evaluated"], killed["failed"], killed["new_trials"], killed["trials"]) == (6, 0, 6, 12)


@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_an_interrupt_keeps_what_is_done_and_it_counts(home: Home, jobs: str) -> None:
    found = home.search("sweep", "trouble.py", "-p", "length=2:24", "-p", "stop=8", "-j", jobs, code=130)
    assert found["interrupted"]
    assert "interrupted" not in home.erred
    assert 4 <= found["evaluated"] < found["planned"] == 23
    assert found["trials"] == found["evaluated"]
    again = home.search("sweep", "trouble.py", "-p", "length=2:24", "-p", "stop=8", "-j", "1")
    assert again["trials"] == again["evaluated"] == 23
    assert again["new_trials"] == 23 - found["evaluated"]


def test_orders_that_were_all_refused_are_told(home: Home) -> None:
    words = ("sweep", "-s", "sma-cross", *ALPHA, *SPACE, "-j", "1", "--size", "qty:100000")
    assert home.run(*words, "--objective", "total_return") == 0
    assert "No combination closed a trade: " in home.said
    assert " orders were refused by risk, the first: not enough funds for the margin." in home.said
    assert home.run(*words, "--objective", "win_rate") == 2
    assert " orders were refused by risk, the first: not enough funds for the margin" in home.erred


def test_a_database_that_cannot_be_used_does_not_hide_a_backtest(home: Home) -> None:
    (home.folder / "home" / "manjha.db").write_text("no database " * 200)
    assert home.run("backtest", "-s", "buy-and-hold", *ALPHA, "--no-band", "--no-report") == 2
    assert "buy-and-hold on NSE:ALPHA" in home.said
    assert "manjha.db cannot be used: file is not a database" in home.erred


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ((), "there is nothing to vary", "Give -p name=low:high:step or -p name=a,b,c. It has: fast (2 to 500)"),
        (("-p", "fats=2:5"), "strategy sma-cross has no parameter 'fats'", "Did you mean 'fast'?"),
        (("-p", "fast=5:2"), "the range 5:2 of fast is empty", "2:5"),
        (
            (*SPACE, "--constraint", "fast > slow"),
            "no combination can be tried: all 20 are ruled out",
            "Widen the ranges",
        ),
        ((*SPACE, "--constraint", "fast << slow"), "the condition 'fast << slow' may not have", "comparisons"),
        ((*SPACE, "--objective", "sharp"), "unknown objective 'sharp'", "Did you mean 'sharpe'?"),
        ((*SPACE, "--sample", "sobol:5"), "unknown sample 'sobol:5'", "--sample lhs:500"),
        ((*SPACE, "--sample", "lhs:²"), "unknown sample 'lhs:²'", "--sample lhs:500"),
        ((*SPACE, "--size", "qty:²"), "unknown sizing 'qty:²'", "qty:100"),
        (
            ("-p", "fast=80", "-p", "slow=88", "--objective", "win_rate"),
            "the objective win_rate is not defined for any of 1 combinations",
            "are recorded",
        ),
        (("-p", "fast=3", "-p", "slow=200,300"), "all 2 combinations failed; the first with DataError", "recorded"),
        ((*SPACE, "--to", "2020-01-01"), "no bars of NSE:ALPHA 1d are stored", "Stored is 1d (raw) from 2024-01-01"),
        (("-p", "fast"), "expected a parameter like fast=20, was 'fast'", ""),
        (("-p", "fast=3:5", "-p", "fast=9"), "the parameter fast is given twice: 3:5 and 9", ""),
    ],
)
def test_wrong_words_are_told(home: Home, words: tuple[str, ...], error: str, hint: str) -> None:
    assert home.run("sweep", "-s", "sma-cross", *ALPHA, "-j", "1", *words) == 2
    assert f"error: {error}" in home.erred
    assert hint in home.erred
    assert "Traceback" not in home.erred


def test_without_ray_the_extra_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANJHA_TASKS_RAY_ADDRESS", "local")
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "manjha.adapters.ray.runner", raising=False)
    assert home.run("sweep", "-s", "sma-cross", *ALPHA, *SPACE) == 2
    assert "tasks.ray_address is 'local', but Ray is not installed" in home.erred
    assert "manjha[scale]" in home.erred

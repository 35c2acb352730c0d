"""`manjha evolve` from words to strategy files that do again what was seen when they were bred."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

import manjha
from manjha.app.bootstrap import market_rules, strategy_source
from manjha.app.research.evolution import EvolutionWords, plan_evolution
from manjha.app.settings import load_settings
from manjha.research.backtest import run_backtest
from manjha.research.conformance import check_strategy
from manjha.research.metrics.sample import sample
from manjha.services.evolution import Evolving, ruled
from tests.fakes.evolved import rows_that_return
from tests.fakes.market_rules import shipped_rules
from tests.fakes.searched_home import HEAD, Home

SMALL = ("--generations", "2", "--population", "10", "--seed", "7", "-j", "1")
BETA = ("--instrument", "NSE:BETA")


def days_of(symbol: str, count: int, volume: int = 10**6) -> str:
    """Return days of a share in which what is cheap is dearer the next day, as a file."""
    from manjha.domain.moments import format_day, parse_day
    from manjha.market.calendar import trading_days

    days = list(trading_days(shipped_rules(), parse_day("2022-01-03"), parse_day("2024-12-31")))
    rows = [
        f"{format_day(day)},{symbol},{o:.2f},{h:.2f},{low:.2f},{c:.2f},{volume}"
        for day, (o, h, low, c) in zip(days, rows_that_return(count), strict=False)
    ]
    return "\n".join((HEAD, *rows, ""))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    home = Home(tmp_path, monkeypatch, capsys)
    (tmp_path / "more.csv").write_text(days_of("BETA", 300), encoding="utf-8")
    (tmp_path / "silent.csv").write_text(days_of("SILENT", 200, volume=0), encoding="utf-8")
    assert home.run("data", "import", "more.csv", "silent.csv") == 0, home.erred
    return home


def bred(home: Home, *words: str) -> dict[str, Any]:
    assert home.run("evolve", "--json", *words) == 0, home.erred
    found: dict[str, Any] = msgspec.json.decode(home.said)
    return found


def fills_of(result: Any) -> list[tuple[object, ...]]:
    return [(fill.ts_ns, fill.side, fill.qty, fill.px) for fill in result.fills]


@pytest.mark.slow
def test_a_file_does_again_what_was_bred(home: Home) -> None:
    found = bred(home, *BETA, *SMALL, "--out", "bred")
    assert sorted(str(path) for path in Path("bred").iterdir()) == sorted(one["file"] for one in found["survivors"])
    settings = load_settings()
    plan = plan_evolution(settings, EvolutionWords(instrument="NSE:BETA", terms={}), Evolving())
    first, last = found["in_sample"].split(" to ")
    for one in found["survivors"]:
        there = run_backtest(ruled(plan.spec, plan.grammar, one["rule"]))
        again = manjha.backtest(one["file"], "NSE:BETA", start=first, end=last)
        assert fills_of(there) == fills_of(again)
        assert there.curve.equity.tolist() == again.curve.equity.tolist()
        assert check_strategy(strategy_source(settings).find(one["file"]), market_rules(settings)) == []
        text = Path(one["file"]).read_text(encoding="utf-8")
        assert all(word in text for word in ("seed 7", "In sample, ", "Held out, ", f"{found['trials']} rules"))


@pytest.mark.slow
def test_the_table_says_that_most_of_it_is_luck(home: Home) -> None:
    assert home.run("evolve", *BETA, *SMALL) == 0, home.erred
    assert "sharpe held out" in home.said.splitlines()[0]
    assert "evolved rules have been tried on NSE:BETA in all. Most of what looks good" in home.said
    assert len(list(Path("evolved").glob("evolved_*.py"))) == 3
    assert home.run("strategy", "check", str(next(Path("evolved").iterdir()))) == 0, home.erred


@pytest.mark.slow
def test_a_file_can_be_swept_and_optimised(home: Home) -> None:
    found = bred(home, *BETA, *SMALL, "--out", "bred")
    file = next(one["file"] for one in found["survivors"] if "_length: int" in Path(one["file"]).read_text("utf-8"))
    made = strategy_source(load_settings()).find(file)
    name = next(name for name in made.params if name.endswith("_length"))
    default = int(made.params[name].default)
    first, last = found["in_sample"].split(" to ")
    words = ("-s", file, *BETA, "--from", first, "--to", last, "--objective", "total_return", "-j", "1", "--json")
    assert home.run("sweep", *words, "-p", f"{name}={default}:{default + 2}:1") == 0, home.erred
    rows = msgspec.json.decode(home.said)["best"]
    assert {row["parameters"][name] for row in rows} == {default, default + 1, default + 2}
    as_bred = next(row["values"]["total_return"] for row in rows if row["parameters"][name] == default)
    survivor = next(one for one in found["survivors"] if one["file"] == file)
    assert as_bred == survivor["in_sample"]["total_return"]
    for row in rows:
        alone = sample(manjha.backtest(file, "NSE:BETA", start=first, end=last, **row["parameters"]))
        assert pytest.approx(alone.final / alone.initial - 1, abs=1e-12) == row["values"]["total_return"]
    assert home.run("optimize", *words, "-p", f"{name}=*", "--trials", "3") == 0, home.erred


@pytest.mark.slow
def test_a_file_is_judged_by_all_the_rules_that_it_was_chosen_from(home: Home) -> None:
    found = bred(home, *BETA, *SMALL, "--out", "bred")
    file = next(one["file"] for one in found["survivors"] if "_length: int" in Path(one["file"]).read_text("utf-8"))
    made = strategy_source(load_settings()).find(file)
    name = next(name for name in made.params if name.endswith("_length"))
    low = int(made.params[name].default)
    first, last = found["in_sample"].split(" to ")
    words = ("-s", file, *BETA, "--from", first, "--to", last)
    space = ("-p", f"{name}={low}:{low + 2}:1", "-j", "1", "--json")
    assert home.run("sweep", *words, *space, "--study", "swept", "--objective", "total_return") == 0, home.erred
    swept = msgspec.json.decode(home.said)
    assert swept["chosen_from"] == "evolved"
    counts = [swept["trials"]]
    more = ("--trials", "2", "--seed", "3", "--objective", "total_return")
    assert home.run("optimize", *words, "-p", f"{name}={low + 3}:{low + 9}:1", "-j", "1", "--json", *more) == 0
    optimised = msgspec.json.decode(home.said)
    counts.append(optimised["trials"])
    assert home.run("walk-forward", *words, *space, "--windows", "2") == 0, home.erred
    counts.append(msgspec.json.decode(home.said)["trials"])
    for asked in (("--study", "swept"), words):
        assert home.run("validate", "--json", "--no-report", *asked) == 0, home.erred
        counts.append(msgspec.json.decode(home.said)["trials"])
    assert optimised["new_trials"] > 0
    assert counts == [found["trials"] + 3, *[found["trials"] + 3 + optimised["new_trials"]] * 4]
    assert home.run("backtest", *words) == 0, home.erred
    assert f"variants of {made.name} (chosen from evolved) tried on NSE:BETA so far" in home.said
    assert home.run("validate", "--no-report", *words) == 0, home.erred
    assert f"{made.name} (chosen from evolved) on NSE:BETA 1d" in home.said


@pytest.mark.slow
def test_the_same_command_shows_its_result_again_and_replaces_only_its_own_files(home: Home) -> None:
    words = ("evolve", "--json", *BETA, *SMALL)
    first = bred(home, *words[2:])
    again = bred(home, *words[2:])
    assert again == first
    assert f"The study {first['study']} was finished before" in home.erred
    assert (home.folder / "home" / "studies" / f"{first['study']}.journal").exists()
    more = bred(home, *BETA, "--generations", "3", *SMALL[2:])
    assert f"The study {more['study']} goes on in generation 3 of 3." in home.erred
    assert sorted(str(path) for path in Path("evolved").iterdir()) == sorted(one["file"] for one in more["survivors"])
    edited = Path(more["survivors"][0]["file"])
    edited.write_text(edited.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    assert home.run(*words, "--fresh") == 2
    assert f"{edited} was changed since the study wrote it" in home.erred
    assert home.run(*words, "--fresh", "--out", "anew") == 0, home.erred
    found = msgspec.json.decode(home.said)
    assert [one["rule"] for one in found["survivors"]] == [one["rule"] for one in first["survivors"]]
    assert (found["evaluated"], found["new_trials"]) == (first["evaluated"], 0)


@pytest.mark.slow
def test_a_named_study_is_of_one_search(home: Home) -> None:
    bred(home, *BETA, *SMALL, "--study", "mine")
    for words, error in (
        (("--seed", "8"), "the study mine was begun with --seed 7, now it is 8"),
        (("--holdout", "0.3"), "the study mine was begun with days "),
        (("--cash", "1cr"), "the study mine was begun with terms of the backtest "),
    ):
        assert home.run("evolve", *BETA, *SMALL, "--study", "mine", "--out", "other", *words) == 2
        assert error in home.erred
        assert not Path("other").exists()
    search = ("-p", "length=2:12", "-j", "1", "--trials", "2", "--objective", "total_return")
    assert home.run("optimize", "-s", "trouble.py", "--instrument", "NSE:ALPHA", *search, "--study", "mine") == 2
    home.search("optimize", "trouble.py", *search, "--study", "optimised")
    assert home.run("evolve", *BETA, *SMALL, "--study", "optimised", "--fresh", "--out", "other") == 2
    assert "the study optimised is none of bred rules" in home.erred


@pytest.mark.slow
def test_without_volume_its_indicators_are_left_out(home: Home) -> None:
    found = bred(home, "--instrument", "NSE:SILENT", *SMALL, "--participation", "any")
    assert found["notes"] == ["NSE:SILENT has no volume: indicators that need it are left out."]
    assert not any(word in one["rule"] for one in found["survivors"] for word in ("volume", "vwap", "obv", "mfi"))


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (("--objective", "sharp"), "unknown objective 'sharp'", "Did you mean 'sharpe'?"),
        (("--population", "3"), "--population must be at least 4, was 3", "usual value"),
        (("--max-size", "5"), "--max-size must be at least 9, was 5", "usual value"),
        (("--holdout", "1"), "--holdout must be from 0.05 to 0.9, was 1.0", "0.25"),
        (("--to", "2022-03-01"), "too little data: ", "Give a longer span"),
        (("--to", "2020-03-01"), "no bars of NSE:BETA 1d are stored", "Stored is 1d"),
        (("--short",), "a position that ends with the day needs bars within the day, was 1d", "-i 15m"),
        (("--short", "--product", "CNC"), "shares for delivery cannot be sold short", "--product MIS"),
        (("--out", "."), "--out . is a folder with other files; nothing is overwritten", "another folder"),
        (("--out", "more.csv/bred"), "--out more.csv/bred cannot be made", "another folder"),
        (("--out", "more.csv"), "--out more.csv is a file; nothing is overwritten", "another folder"),
        (("--instrument", "NSE:NONE"), "unknown instrument 'NSE:NONE'", ""),
    ],
)
def test_wrong_words_are_told(home: Home, words: tuple[str, ...], error: str, hint: str) -> None:
    before = sorted(home.folder.iterdir())
    assert home.run("evolve", *BETA, *SMALL, *words) == 2
    assert f"error: {error}" in home.erred
    assert hint in home.erred
    assert "Traceback" not in home.erred
    assert sorted(home.folder.iterdir()) == before

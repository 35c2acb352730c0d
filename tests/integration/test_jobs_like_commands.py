"""A job's result is the command's: the same documents from the same data, whoever asks and how."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.job_home import api_here, artefact_text, begun, done_here
from tests.fakes.searched_home import Home, days_of_alpha

ALPHA = {"strategy": "sma-cross", "instruments": ["NSE:ALPHA"]}
TERMS: dict[str, Any] = {"from": "2024-01-10", "cash": "3 lakh", "slippage": "5bps", "fill": "close"}
WORDS = ["--from", "2024-01-10", "--cash", "3 lakh", "--slippage", "5bps", "--fill", "close"]
RANGES = ["fast=2:5:1", "slow=8:16:4"]
RANGED = ["-p", RANGES[0], "-p", RANGES[1]]
ON_ALPHA = ["-s", "sma-cross", "--instrument", "NSE:ALPHA"]
CASES: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "backtest": (
        "backtests",
        ALPHA | {"terms": TERMS, "params": {"fast": 3, "slow": 9}},
        ["backtest", *ON_ALPHA, *WORDS, "-p", "fast=3", "-p", "slow=9"],
    ),
    "backtest with defaults": ("backtests", ALPHA, ["backtest", *ON_ALPHA]),
    "sweep": (
        "sweeps",
        ALPHA | {"terms": TERMS, "ranges": RANGES, "constraints": ["fast < slow"], "top": 3},
        ["sweep", *ON_ALPHA, *WORDS, *RANGED, "--constraint", "fast < slow", "--top", "3", "-j", "1"],
    ),
    "sample": (
        "sweeps",
        ALPHA | {"ranges": RANGES, "sample": "lhs:5", "seed": 3, "objective": "min:max_drawdown"},
        ["sweep", *ON_ALPHA, *RANGED, "--sample", "lhs:5", "--seed", "3", "--objective", "min:max_drawdown", "-j", "1"],
    ),
    "optimisation": (
        "optimisations",
        ALPHA | {"ranges": RANGES, "trials": 9, "batch": 3, "seed": 5},
        ["optimize", *ON_ALPHA, *RANGED, "--trials", "9", "--batch", "3", "--seed", "5", "-j", "1"],
    ),
    "walk-forward": (
        "walk-forwards",
        ALPHA | {"ranges": ["fast=2:4:1", "slow=8:10:2"], "windows": 3, "ratio": 2},
        [
            "walk-forward",
            *ON_ALPHA,
            "-p",
            "fast=2:4:1",
            "-p",
            "slow=8:10:2",
            "--windows",
            "3",
            "--ratio",
            "2",
            "-j",
            "1",
        ],
    ),
    "validation": ("validations", ALPHA, ["validate", *ON_ALPHA]),
    "bias-check": (
        "bias-checks",
        ALPHA | {"points": 4, "params": {"fast": 3, "slow": 9}},
        ["bias-check", *ON_ALPHA, "--points", "4", "-p", "fast=3", "-p", "slow=9"],
    ),
    "bias of an indicator": (
        "bias-checks",
        {"indicator": "sma", "instruments": ["NSE:ALPHA"], "points": 4},
        ["bias-check", "--indicator", "sma", "--instrument", "NSE:ALPHA", "--points", "4"],
    ),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Home:
    return Home(tmp_path, monkeypatch, capsys)


def command(home: Home, *words: str) -> dict[str, Any]:
    assert home.run(*words, "--json") == 0, home.erred
    found: dict[str, Any] = json.loads(home.said)
    return found | {"report": None}


def in_a_twin(home: Home, patch: pytest.MonkeyPatch) -> None:
    """Go over to a home that has what this one has."""
    shutil.copytree(home.folder / "home", home.folder / "twin")
    patch.setenv("MANJHA_HOME", str(home.folder / "twin"))


@pytest.mark.parametrize("case", CASES)
def test_the_documents_are_equal(home: Home, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    resource, body, words = CASES[case]
    if case == "validation":
        command(home, "sweep", *ON_ALPHA, *RANGED, "-j", "1")
    in_a_twin(home, monkeypatch)
    with api_here() as client:
        outcome, result = done_here(begun(client, resource, body))
    monkeypatch.setenv("MANJHA_HOME", str(home.folder / "home"))
    assert result | {"report": None} == command(home, *words)
    assert outcome.is_whole
    assert outcome.problem is None
    parts = ("best", "metrics")
    assert all(result[name] == value for name, value in outcome.summary.items() if name in result.keys() - {*parts})


def test_an_import_is_equal_but_for_where_the_file_lay(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = days_of_alpha(20).replace("ALPHA", "BETA") + "2024-02-31,BETA,1,2,3,4,5\n"
    (home.folder / "beta.csv").write_text(bad)
    in_a_twin(home, monkeypatch)
    with api_here() as client:
        answer = client.post("/api/v1/data/imports", params={"name": "beta.csv"}, content=bad.encode())
        _, result = done_here(answer.json()["id"])
    monkeypatch.setenv("MANJHA_HOME", str(home.folder / "home"))
    assert home.run("data", "import", "beta.csv", "--json") == 0, home.erred
    expected = json.loads(home.said)
    for report in (*result["files"], *expected["files"]):
        report["file"] = Path(report["file"]).name
        report["quarantine_file"] = Path(report["quarantine_file"]).name
    assert result == expected
    assert result["files"][0]["quarantined"]


def test_rows_and_trades_are_those_of_the_result(home: Home) -> None:
    del home
    with api_here() as client:
        sweep = begun(client, "sweeps", CASES["sweep"][1])
        _, result = done_here(sweep)
        rows = list(csv.DictReader(io.StringIO(artefact_text(sweep, "rows.csv"))))
        assert len(rows) == result["evaluated"]
        best = result["best"][0]
        mine = [row for row in rows if {name: int(row[name]) for name in best["parameters"]} == best["parameters"]]
        assert [float(row["sharpe"]) for row in mine] == [best["values"]["sharpe"]]
        backtest = begun(client, "backtests", CASES["backtest"][1])
        _, result = done_here(backtest)
        trades = list(csv.DictReader(io.StringIO(artefact_text(backtest, "trades.csv"))))
        assert [row["net"] for row in trades] == [trip["net"] for trip in result["round_trips"]]
        assert trades

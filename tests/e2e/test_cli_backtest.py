"""The command line as a newcomer meets it: the demo end to end, and what wrong input is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = "import sys; from manjha.app.cli import main; main(sys.argv[1:])"
SPAN = ("--from", "2024-01-01", "--to", "2024-02-29")


def manjha(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MANJHA_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-c", CODE, *args], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the synthetic market of two months in it."""
    home = tmp_path_factory.mktemp("home")
    done = manjha(home, "demo", *SPAN, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["simulated"] is True
    assert Path(told["report"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    return next((home / "demo").iterdir())


def test_the_demo_shows_that_the_order_within_a_bar_matters(market: Path) -> None:
    told = json.loads(manjha(market.parent.parent, "demo", *SPAN, "--json").stdout)
    final = {row["label"]: row["final"] for row in told["bands"]}
    assert final["worst case, slippage 1 tick"] != final["best case, slippage 1 tick"]
    assert told["metrics"]["trades"] > 10


def test_the_next_steps_of_the_demo_work_when_pasted(market: Path, tmp_path: Path) -> None:
    home = tmp_path / "a home"
    home.symlink_to(market.parent.parent, target_is_directory=True)
    said = manjha(home, "demo", *SPAN).stderr
    lines = [line.strip() for line in said.partition("Next, to paste:")[2].splitlines() if line.startswith("  ")]
    assert len(lines) == 3
    for line in lines:
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == 0, line + done.stderr


def test_a_backtest_tells_what_it_did(market: Path) -> None:
    done = manjha(market, "backtest", "-s", "ema-cross", "--instrument", "NSE:MANJHA", "-i", "60m", "--no-report")
    assert done.returncode == 0, done.stderr
    assert "ema-cross on NSE:MANJHA" in done.stdout
    assert "as reported above" in done.stdout


def test_json_is_one_document_with_metrics_and_hashes(market: Path) -> None:
    args = ("backtest", "-s", "sma-cross", "--instrument", "patang", "-i", "30m", "--json", "--no-report", "--no-band")
    first, second = (json.loads(manjha(market, *args).stdout) for _ in range(2))
    assert first["order_list_hash"] == second["order_list_hash"]
    assert first["state_digest"] == second["state_digest"]
    assert first["metrics"]["trades"] >= 0
    assert first["charges"]["total"] != "0.00"
    # Units as documented: rupees as text, moments in Indian time.
    assert first["metrics"]["charges"] == first["charges"]["total"]
    assert first["metrics"]["final"] == first["final"]
    assert first["schema"] == 1
    assert first["assumptions"]["bars"] == "NSE:PATANG: 30m made from 1m"
    assert first["assumptions"]["slippage"] == "1 tick on market and stop orders"
    assert not first["warnings"]


def test_an_empty_range_names_what_is_stored(market: Path) -> None:
    done = manjha(
        market, "backtest", "-s", "sma-cross", "--instrument", "patang", "--from", "2030-01-01", "--no-report"
    )
    assert done.returncode == 2
    assert "from 2030-01-01" in done.stderr
    assert "the first" not in done.stderr


def test_an_index_needs_its_stand_in(market: Path) -> None:
    args = ("backtest", "-s", "nifty-intraday-trend", "--instrument", "NSE:SYNTH 50", "-i", "5m", "--no-report")
    refused = manjha(market, *args)
    assert refused.returncode == 2
    assert "--index-proxy" in refused.stderr
    assert manjha(market, *args, "--index-proxy", "--no-band").returncode == 0


def test_what_is_for_delivery_runs_on_an_index_as_a_contract(market: Path) -> None:
    args = ("backtest", "-s", "sma-cross", "--instrument", "NSE:SYNTH 50", "-i", "60m", "--no-report", "--index-proxy")
    refused = manjha(market, *args)
    assert refused.returncode == 2
    assert "--product NRML" in refused.stderr
    assert manjha(market, *args, "--product", "NRML", "--no-band").returncode == 0


GOOD = ("-s", "sma-cross", "--instrument", "NSE:PATANG", "-i", "15m")
WRONG: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "strategy": (("-s", "sma-cros", "--instrument", "NSE:PATANG"), ("sma-cros", "Did you mean 'sma-cross'")),
    "strategy file": (("-s", "./none.py", "--instrument", "NSE:PATANG"), ("none.py", "strategy new")),
    "parameter": ((*GOOD, "-p", "fst=3"), ("fst", "Did you mean 'fast'")),
    "parameter value": ((*GOOD, "-p", "fast=abc"), ("abc", "whole number from 2 to 500")),
    "parameter range": ((*GOOD, "-p", "fast=1"), ("fast", "2 to 500", "'1'")),
    "parameter form": ((*GOOD, "-p", "fast"), ("fast=20",)),
    "parameters together": ((*GOOD, "-p", "fast=60", "-p", "slow=50"), ("fast must be below slow",)),
    "instrument": (("-s", "sma-cross", "--instrument", "NSE:PATAN"), ("NSE:PATAN", "Did you mean NSE:PATANG")),
    "interval": (("-s", "sma-cross", "--instrument", "NSE:PATANG", "-i", "7x"), ("7x", "5m")),
    "reversed range": ((*GOOD, "--from", "2024-02-01", "--to", "2024-01-01"), ("empty", "Swap")),
    "range without data": ((*GOOD, "--from", "2019-01-01", "--to", "2019-02-01"), ("2019-01-01", "Stored is")),
    "date": ((*GOOD, "--from", "01/02/2024"), ("01/02/2024", "2026-11-22")),
    "warm-up": ((*GOOD[:4], "-i", "1d", "-p", "slow=500"), ("not enough history",)),
    "volume": (
        ("-s", "vwap-reversion", "--instrument", "NSE:SYNTH 50", "-i", "5m", "--index-proxy"),
        ("volume", "index"),
    ),
    "cash": ((*GOOD, "--cash", "lots"), ("lots", "5 lakh")),
    "size": ((*GOOD, "--size", "all"), ("all", "capital:0.5")),
    "slippage": ((*GOOD, "--slippage", "some"), ("some", "5bps")),
    "fill": ((*GOOD, "--fill", "now"), ("now", "next-open")),
    "number of instruments": ((*GOOD, "--instrument", "NSE:MANJHA"), ("needs 1 instrument, was given 2", "by itself")),
    "too few instruments": (("-s", "pairs-spread", *GOOD[2:]), ("needs 2 instruments, was given 1", "Repeat")),
    "product": ((*GOOD, "--product", "NRML"), ("NSE:PATANG cannot be held as NRML", "CNC or MIS")),
    "risk without a stop": ((*GOOD, "--size", "risk:1%"), ("needs a stop", "sma-cross", "capital:0.5")),
    "adjustment": ((*GOOD, "--adjustment", "splits"), ("'splits'", "raw, split, total")),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_wrong_input_is_told_what_to_do(market: Path, case: str, tmp_path: Path) -> None:
    args, said = WRONG[case]
    page = tmp_path / "report.html"
    done = manjha(market, "backtest", *args, "--report", str(page))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in said), done.stderr
    assert not page.exists()


def test_a_new_strategy_is_found_by_the_command_that_is_named(market: Path, tmp_path: Path) -> None:
    written = manjha(market, "strategy", "new", str(tmp_path / "my_own"))
    assert written.returncode == 0
    path = tmp_path / "my_own.py"
    assert path.exists()
    assert f"-s {path} " in written.stdout
    assert manjha(market, "strategy", "check", str(path)).returncode == 0
    assert manjha(market, "strategy", "new", str(tmp_path / "my_own")).returncode == 2


def test_an_index_beside_a_contract_may_be_looked_at(market: Path, tmp_path: Path) -> None:
    """A strategy that acts bar by bar trades the one by the other; one that states targets would have to trade both."""
    own = tmp_path / "watching.py"
    own.write_text(
        "from manjha import Strategy\n\n\nclass Watching(Strategy):\n"
        '    """Trade the second instrument, looking at the first."""\n\n    instruments_min = instruments_max = 2\n\n'
        "    def on_bar(self, ctx):\n        index, future = ctx.markets.values()\n"
        "        if future.position == 0 and index.close[-1] > index.close[-2]:\n            future.buy()\n",
        encoding="utf-8",
    )
    both = (
        "--instrument",
        "NSE:SYNTH 50",
        "--instrument",
        "NFO:SYNTH5024MARFUT",
        "-i",
        "15m",
        "--cash",
        "1cr",
        "--no-report",
    )
    done = manjha(market, "backtest", "-s", str(own), *both, "--no-band", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {fill["instrument"] for fill in told["fills"]} == {"NFO:SYNTH5024MARFUT"}
    assert not told["refusals"]
    stated = manjha(market, "backtest", "-s", "buy-and-hold", *both)
    assert stated.returncode == 2
    assert "NSE:SYNTH 50 is an index and cannot be bought" in stated.stderr


def test_a_strategy_that_fails_is_named_with_its_line(market: Path, tmp_path: Path) -> None:
    own = tmp_path / "failing.py"
    own.write_text(
        "from manjha import Strategy\n\n\nclass Failing(Strategy):\n"
        '    """Fail."""\n\n    def on_bar(self, ctx):\n        ctx.buy(1 // 0)\n',
        encoding="utf-8",
    )
    done = manjha(market, "backtest", "-s", str(own), *GOOD[2:], "--no-report", "--no-band")
    assert done.returncode == 2
    assert "ZeroDivisionError" in done.stderr
    assert f"{own}, line 8" in done.stderr
    assert "bug in Manjha" not in done.stderr


def test_a_size_that_is_not_used_is_said(market: Path) -> None:
    args = ("-s", "buy-and-hold", *GOOD[2:], "--size", "qty:10", "--no-report", "--no-band")
    done = manjha(market, "backtest", *args)
    assert done.returncode == 0
    assert "warning: --size is not used: buy-and-hold states its own sizes (weight)" in done.stdout


def test_data_without_volume_is_told_what_to_do(tmp_path: Path) -> None:
    rows = [f"2024-01-{day:02} 09:15:00+05:30,100,101,99,100,0" for day in (1, 2, 3, 4, 5, 8)]
    source = tmp_path / "silent.csv"
    source.write_text("\n".join(["date,open,high,low,close,volume", *rows]) + "\n", encoding="utf-8")
    imported = manjha(tmp_path, "data", "import", str(source), "--instrument", "NSE:SILENT", "--interval", "1d")
    assert imported.returncode == 0, imported.stderr
    args = ("backtest", "-s", "buy-and-hold", "--instrument", "NSE:SILENT", "-i", "1d", "--no-report", "--no-band")
    refused = manjha(tmp_path, *args)
    assert refused.returncode == 2
    assert "NSE:SILENT" in refused.stderr
    assert "--participation any" in refused.stderr
    assert manjha(tmp_path, *args, "--participation", "any").returncode == 0


def test_a_backtest_over_ticks_of_a_file_and_over_synthetic_ones(market: Path, tmp_path: Path) -> None:
    lines = [
        f"2024-02-28 {9 + (15 + at) // 60:02}:{(15 + at) % 60:02}:07,{100 + at % 9}.05,{at + 1}" for at in range(370)
    ]
    file = tmp_path / "ticks.csv"
    file.write_text("\n".join(["timestamp,ltp,volume", *lines]) + "\n", encoding="utf-8")
    args = ("backtest", "-s", "ema-cross", "--instrument", "NSE:MANJHA", "-i", "5m", "--json", "--no-report", "--ticks")
    told = [json.loads(manjha(market, *args, ticks).stdout) for ticks in (str(file), "synthetic:4")]
    assert "370 ticks" in json.dumps(told[0]["assumptions"])
    assert "4 inside each bar" in json.dumps(told[1]["assumptions"])
    assert all(each["assumptions"]["market orders"] == "at the next tick" for each in told)
    assert not any(each["bands"] for each in told)
    refused = manjha(market, *args, str(tmp_path / "none.csv"))
    assert refused.returncode != 0
    assert "no file or folder" in refused.stderr

"""`python -m benchmarks [quick | peers-setup | all | kite]`: measure, compare, and check the contract.

`make bench` runs it.

`quick` (the default) runs our own side and checks the contract's results; `peers-setup` makes the peers' environments
under `.bench/`; `all` interleaves us and the peers that are set up, and prints the ratios of processor time; `kite`
measures the goals of trading on Kite, beside the official client.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import kite
from benchmarks.columns import EXPECTED_COLUMNS
from benchmarks.contract_data import write
from benchmarks.workloads import EXPECTED

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".bench"
PEERS = ("backtestingpy", "nautilus", "zipline", "vectorbt")
PEER_RUNS = (
    ("backtestingpy", "1000000"),
    ("nautilus", "1000000"),
    ("zipline", "20000"),
    ("vectorbt", "1000000", "W1"),
    ("vectorbt", "100000", "W1-IST"),
    ("vectorbt", "100000", "W3"),
    ("vectorbt", "100000", "W4"),
)
"""What a peer's `run.py` is called with after the folder of the data; vectorbt each time anew, for its peak memory."""
IST = ", IST index"
"""A peer's run over an index in Indian time. Ours counts moments and knows no other index: it is the same run."""
ROUNDS = int(os.environ.get("ROUNDS", "3"))
W3_MINUTES = 100_000


def main(what: str = "quick") -> int:
    """Do what is asked; the exit code is 1 when a result of the contract is not reproduced."""
    if what == "kite":
        return kite.main()
    data = HOME / "data"
    if not (data / "port_v.npy").exists():
        write(data)
    if what == "peers-setup":
        return _setup()
    rows = [_ours(data, *key) for key in (("W1", 100_000), ("W2", 100_000), *_large(what), ("W3", W3_MINUTES))]
    rows += [_compiled(data, name) for name in ("W1", "W2")]
    rows += _columns(data, "W4")
    if what == "all":
        rows += _run([sys.executable, "-m", "benchmarks.indicators", str(data), "1000000"], "manjha, indicators")
        rows += _interleaved(data)
    _print(rows)
    replayed = _run([sys.executable, "-m", "benchmarks.replay", str(_events(what))], "manjha")
    _print_replayed(*replayed)
    out = ROOT / "benchmarks" / "out"
    out.mkdir(exist_ok=True)
    (out / f"{what}.json").write_text(json.dumps(rows + replayed, indent=1), encoding="utf-8")
    return _contract(rows) or int(not all(row["same"] for row in replayed))


def _events(what: str) -> int:
    """Return how many events of a journal are replayed."""
    return 1_000_000 if what != "quick" or os.environ.get("LARGE") else 100_000


def _print_replayed(row: dict[str, Any]) -> None:
    rates = (
        f"{row['events'] / row['cpu']:,.0f} events/s of processor time, {row['events'] / row['wall']:,.0f} by the clock"
    )
    same = "every decision and state as recorded" if row["same"] else "OTHER THAN RECORDED"
    print(f"journal  {row['events']:,} events replayed in {row['wall']:.1f} s ({rates}, {row['peak_mb']:,} MB): {same}")


def _large(what: str) -> list[tuple[str, int]]:
    return [("W1", 1_000_000), ("W2", 1_000_000)] if what != "quick" or os.environ.get("LARGE") else []


def _setup() -> int:
    for peer in PEERS:
        folder = HOME / peer
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        wanted = ROOT / "benchmarks" / "peers" / peer / "requirements.txt"
        subprocess.run([str(folder / "bin" / "pip"), "-q", "install", "-r", str(wanted)], check=True)
    return 0


def _ours(data: Path, name: str, count: int) -> dict[str, Any]:
    return _run([sys.executable, "-m", "benchmarks.ours", str(data), name, str(count)], "manjha")[0]


def _compiled(data: Path, name: str) -> dict[str, Any]:
    return _run([sys.executable, "-m", "benchmarks.compiled", str(data), name, "1000000"], "manjha, compiled")[0]


def _columns(data: Path, name: str) -> list[dict[str, Any]]:
    return _run([sys.executable, "-m", "benchmarks.columns", str(data), name], "manjha, compiled")


def _interleaved(data: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        rows += [_ours(data, "W1", 1_000_000), _ours(data, "W2", 1_000_000), _ours(data, "W3", W3_MINUTES)]
        for name in ("W1", "W3", "W4"):
            rows += _columns(data, name)
        rows.append(_compiled(data, "W2"))
        for peer, *words in PEER_RUNS:
            python = HOME / peer / "bin" / "python"
            if python.exists():
                script = ROOT / "benchmarks" / "peers" / peer / "run.py"
                rows += _run([str(python), str(script), str(data), *words], peer)
    return rows


def _run(command: list[str], who: str) -> list[dict[str, Any]]:
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return [{"who": who} | json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def _print(rows: list[dict[str, Any]]) -> None:
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for row in rows:
        if "indicator" in row:
            print(f"W8  {row['indicator']:<14} {_times(row['times_as_fast'])}")
        else:
            groups.setdefault((row["workload"], row["who"], row["bars"]), []).append(row)
        for way, times in row.get("times_by_hand", {}).items():
            rate = row["bars"] / row["by_way"][way]
            print(f"{row['workload']}  compiled, {way:<20} {rate:>14,.0f} bars/s   {times:.2f} times the loop by hand")
    ours: dict[str, dict[str, float]] = {}
    for (name, who, bars), runs in sorted(groups.items()):
        # The longest run called back is what peers are held against, a compiled one where there is no other.
        if who == "manjha" or (who.startswith("manjha") and name not in ours):
            ours[name] = _rates(bars, runs)
    for (name, who, bars), runs in sorted(groups.items()):
        rates, mine = _rates(bars, runs), ours.get(name.removesuffix(IST))
        ratio = ""
        if mine and not who.startswith("manjha"):
            by_cpu, by_wall = (mine[key] / rates[key] for key in ("cpu", "wall"))
            ratio = f"   ours is {by_cpu:.2f} times as fast, by the clock {by_wall:.2f}"
        memory = f", {max(row['peak_mb'] for row in runs):,} MB" if "peak_mb" in runs[0] else ""
        print(f"{name}  {who:<16} {bars:>11,} bars  {rates['cpu']:>13,.0f} bars/s ({len(runs)} runs{memory}){ratio}")
    for name, times in _compiled_against_called_back(rows).items():
        print(f"{name}  on_bar compiled, one more run: {times:,.0f} times backtesting.py, by processor time")
    peak = max((row["rss_mb"] for row in rows if "rss_mb" in row), default=0)
    print(f"peak memory of a run of ours, called back or compiled alone: {peak} MB")


def _compiled_against_called_back(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return by workload how many times the rate of backtesting.py a compiled `on_bar` has, by the medians of both."""
    ratios = {}
    for name in ("W1", "W2"):
        mine = [row for row in rows if row["workload"] == name and "on_bar" in row.get("by_way", {})]
        theirs = [row for row in rows if row["workload"] == name and row["who"] == "backtestingpy"]
        if mine and theirs:
            spent = statistics.median(row["by_way"]["on_bar"] / row["bars"] for row in mine)
            ratios[name] = statistics.median(row["cpu"] / row["bars"] for row in theirs) / spent
    return ratios


def _rates(bars: int, runs: list[dict[str, Any]]) -> dict[str, float]:
    """Return bars a second of processor time and of the clock, by the medians; 0 where a run does not say."""
    known = {key: [row[key] for row in runs if key in row] for key in ("cpu", "wall")}
    return {key: bars / statistics.median(each) if each else 0.0 for key, each in known.items()}


def _times(ratios: dict[str, float]) -> str:
    return ", ".join(f"{ratio:.2f} times the rate of: {way}" for way, ratio in ratios.items())


def _contract(rows: list[dict[str, Any]]) -> int:
    expected = {**EXPECTED, **EXPECTED_COLUMNS}
    wrong = [
        f"{row['workload']} at {row['bars']:,} bars gave {row['result']}, expected {list(expected[key])}"
        for row in rows
        if row["who"].startswith("manjha") and (key := (row["workload"], row["bars"])) in expected
        if row["result"] != list(expected[key])
    ]
    print("\n".join(wrong) if wrong else "contract: every result reproduced exactly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

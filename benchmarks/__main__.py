"""`python -m benchmarks [quick | peers-setup | all]`: measure, compare, and check the contract. `make bench` runs it.

`quick` (the default) runs our own side and checks the contract's results; `peers-setup` makes the peers' environments
under `.bench/`; `all` interleaves us and the peers that are set up, and prints the ratios of processor time.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.contract_data import write
from benchmarks.workloads import EXPECTED

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".bench"
PEERS = ("backtestingpy", "nautilus", "zipline")
ROUNDS = int(os.environ.get("ROUNDS", "3"))
W3_MINUTES = 100_000


def main(what: str = "quick") -> int:
    """Do what is asked; the exit code is 1 when a result of the contract is not reproduced."""
    data = HOME / "data"
    if not (data / "port_v.npy").exists():
        write(data)
    if what == "peers-setup":
        return _setup()
    rows = [_ours(data, *key) for key in (("W1", 100_000), ("W2", 100_000), *_large(what), ("W3", W3_MINUTES))]
    rows += [_compiled(data, name) for name in ("W1", "W2")]
    if what == "all":
        rows += _interleaved(data)
    _print(rows)
    out = ROOT / "benchmarks" / "out"
    out.mkdir(exist_ok=True)
    (out / f"{what}.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return _contract(rows)


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


def _interleaved(data: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        rows += [_ours(data, "W1", 1_000_000), _ours(data, "W2", 1_000_000), _ours(data, "W3", W3_MINUTES)]
        for peer, count in (("backtestingpy", 1_000_000), ("nautilus", 1_000_000), ("zipline", 20_000)):
            python = HOME / peer / "bin" / "python"
            if python.exists():
                script = ROOT / "benchmarks" / "peers" / peer / "run.py"
                rows += _run([str(python), str(script), str(data), str(count)], peer)
    return rows


def _run(command: list[str], who: str) -> list[dict[str, Any]]:
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return [{"who": who} | json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def _print(rows: list[dict[str, Any]]) -> None:
    groups: dict[tuple[str, str, int], list[float]] = {}
    for row in rows:
        groups.setdefault((row["workload"], row["who"], row["bars"]), []).append(row["cpu"])
    ours = {name: bars / statistics.median(cpu) for (name, who, bars), cpu in groups.items() if who == "manjha"}
    for row in rows:
        for way, times in row.get("times_by_hand", {}).items():
            rate = row["bars"] / row["by_way"][way]
            print(f"{row['workload']}  compiled, {way:<20} {rate:>14,.0f} bars/s   {times:.2f} times the loop by hand")
    for (name, who, bars), cpu in sorted(groups.items()):
        rate = bars / statistics.median(cpu)
        ratio = "" if who.startswith("manjha") else f"   ours is {ours[name] / rate:.1f} times as fast"
        print(f"{name}  {who:<14} {bars:>9,} bars  {rate:>12,.0f} bars/s of processor time ({len(cpu)} runs){ratio}")
    peak = max((row["rss_mb"] for row in rows if "rss_mb" in row), default=0)
    print(f"peak memory of a run of ours: {peak} MB")


def _contract(rows: list[dict[str, Any]]) -> int:
    wrong = [
        f"{row['workload']} at {row['bars']:,} bars gave {row['result']}, expected {list(EXPECTED[key])}"
        for row in rows
        if row["who"].startswith("manjha") and (key := (row["workload"], row["bars"])) in EXPECTED
        if row["result"] != list(EXPECTED[key])
    ]
    print("\n".join(wrong) if wrong else "contract: every result reproduced exactly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

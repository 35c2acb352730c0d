"""Our own side of a benchmark, in a process of its own: `python -m benchmarks.ours DATA WORKLOAD BARS`."""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.workloads import Bracket, Cross, Rotation, columns_of, outcome, spec
from manjha.domain.money import format_cash
from manjha.research.backtest import BacktestSpec, run_backtest


def _made(folder: str, name: str, size: int) -> BacktestSpec:
    prefix = "port" if name == "W3" else "bars1m"
    names = ("ts", "o", "h", "l", "c", "v")
    ts, *data = (np.load(Path(folder) / f"{prefix}_{key}.npy", mmap_mode="r")[:size] for key in names)
    ts = np.array(ts)
    if name == "W3":
        parts = [tuple(column[:, j] for column in data) for j in range(data[0].shape[1])]
        return spec(Rotation(), *(columns_of(f"S{j:02d}", ts, part) for j, part in enumerate(parts)))
    return spec(Cross() if name == "W1" else Bracket(), columns_of("BENCH", ts, tuple(data)))


def main(folder: str, name: str, count: int) -> None:
    """Run one workload on little data to load and compile, then once for the record."""
    run_backtest(_made(folder, name, min(count, 4_000)))
    made = _made(folder, name, count)
    wall, cpu = time.perf_counter(), time.process_time()
    result = run_backtest(made)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    told = [format_cash(result.final), len(result.fills)] if name == "W3" else list(outcome(name, result))
    units = count * len(made.bars)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"workload": name, "bars": units, "wall": wall, "cpu": cpu, "rss_mb": rss, "result": told}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

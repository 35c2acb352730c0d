"""The compiled backtest against the same work by hand: `python -m benchmarks.compiled DATA WORKLOAD BARS`.

Three ways to count: the kernel alone (what a sweep pays once more), with what the strategy states and the equity curve,
and from nothing (looking up days and rates too). The same strategy as an `on_bar` is counted beside them: one more run
with its indicators, from nothing, and the process's first one (`warm_start`: compiled code is read from the disk, and
the strategy's source is made and looked at). Ratios are within the same seconds, by processor time.
"""

import json
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.by_hand import bracket, cross
from benchmarks.workloads import Bracket, BracketColumns, Cross, CrossColumns, columns_of, spec
from manjha.domain.money import format_cash
from manjha.research.kernel import records as s
from manjha.research.kernel.outcome import KernelOutcome
from manjha.research.kernel.run import KernelMarket, run_kernel, run_stated

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 7
NAMES = ("ts", "o", "h", "l", "c", "v")


def main(folder: str, name: str, count: int) -> None:
    """Run a workload compiled and by hand, alternating, and print one row."""
    ts, *data = (np.load(Path(folder) / f"bars1m_{key}.npy", mmap_mode="r")[:count] for key in NAMES)
    opened, high, low, close, volume = (np.array(column) for column in data)
    columns = columns_of("BENCH", np.array(ts), (opened, high, low, close, volume))
    strategy = CrossColumns() if name == "W1" else BracketColumns()
    made, acting = spec(strategy, columns), spec(Cross() if name == "W1" else Bracket(), columns)
    began = time.process_time()
    run_kernel(acting)
    warm_start = time.process_time() - began
    market = KernelMarket(made)
    stated, equity = market.stated(strategy), np.empty(count)

    def by_hand() -> None:
        if name == "W1":
            cross(close, equity)
        else:
            bracket(opened, high, low, close)

    ways: dict[str, Callable[[], Any]] = {
        "by hand": by_hand,
        "kernel": lambda: run_stated(made, market, stated),
        "with curve": lambda: run_kernel(made, market).equity,
        "from nothing": lambda: run_kernel(made).equity,
        "on_bar": lambda: run_kernel(acting, market),
        "on_bar from nothing": lambda: run_kernel(acting).equity,
    }
    for run in ways.values():
        run()
    spent: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            began = time.process_time()
            run()
            spent[way].append(time.process_time() - began)
    cpu = {way: statistics.median(each) for way, each in spent.items()}
    outcome = run_kernel(made, market)
    if told(name, run_kernel(acting, market)) != told(name, outcome):
        raise SystemExit(f"{name}: on_bar and columns give different results")
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    ratios = {way: each / cpu["by hand"] for way, each in cpu.items()}
    row = {
        "workload": name,
        "bars": count,
        "cpu": cpu["kernel"],
        "by_way": cpu,
        "times_by_hand": ratios,
        "warm_start": warm_start,
    }
    print(json.dumps(row | {"rss_mb": rss, "result": told(name, outcome)}))


def told(name: str, outcome: KernelOutcome) -> list[Any]:
    """Return what the contract's table states."""
    if name == "W1":
        return [format_cash(outcome.final), outcome.count]
    kinds = outcome.orders["purpose"][outcome.fills["order"]]
    return [format_cash(outcome.final), *(int((kinds == kind).sum()) for kind in (s.SIGNAL, s.STOP, s.TARGET))]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

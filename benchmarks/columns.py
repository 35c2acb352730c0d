"""Our side of what vectorbt does, whole columns compiled: `python -m benchmarks.columns DATA W1 | W3 | W4`.

W1 with the equity of each bar and the closed trades; W3 as targets in weights, fifty shares, one account; W4 as W1 for
1,000 pairs of averages over 100,000 bars, in two processes of a core each, as the workers of `manjha sweep` do it: with
its tasks, its rows, daily returns and moments, all but the pipe and the ledger. Beside it run a loop written by hand
that knows final equity and fills, another one that reckons the same row, and the kernel alone. What a run looks up
about its market (days, sessions, rates) is counted in W3 and W4, where it is done once; `market_cpu` says what it takes
in W1.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.by_hand import pair, pair_row
from benchmarks.contract_data import Floats, Ints
from benchmarks.workloads import EPS, CrossColumns, PairColumns, RotationColumns, averages, columns_of, spec
from manjha.adapters.system.processes import InlineRunner
from manjha.domain.bars import BarColumns
from manjha.domain.money import RUPEE, format_cash
from manjha.ports.tasks import TaskFailed
from manjha.research.backtest import BacktestSpec
from manjha.research.kernel.run import KernelMarket, run_kernel, run_stated
from manjha.research.search.compiled import CompiledSample, look_up, warm
from manjha.research.search.ground import REMEMBERED
from manjha.research.search.objective import parse_objective
from manjha.research.search.summary import Asked
from manjha.services.handfuls import MOST, Handfuls
from manjha.services.searches import Attempt, variant_of, work_of

NAMES = ("ts", "o", "h", "l", "c", "v")
FAST, SLOW = range(5, 30), range(30, 230, 5)
Pair = tuple[int, int]
Found = tuple[int, int]
"""The best final equity of some pairs, in 1e-4 rupee, and the closed trades of all."""
PAIRS: list[Pair] = [(fast, slow) for fast in FAST for slow in SLOW]
PROCESSES = 2
ROUNDS = 3
"""How often each process runs its pairs, and does the same by hand; medians count."""
EXPECTED_COLUMNS: Mapping[tuple[str, int], tuple[Any, ...]] = {
    ("W1 with curve", 1_000_000): ("9348590.20", 11_275),
    ("W4", 100_000_000): ("9971844.7385", 824_693),
}
"""Final equity and closed trades of W1; the best final equity and all closed trades of W4. vectorbt gives the same."""


def main(folder: str, name: str, part: str = "") -> None:
    """Run a workload on little data to load the code, then once for the record; print its row."""
    if name == "W4" and not part:
        print(json.dumps(_both(folder)))
        return
    warm(lambda _: None)
    if name == "W4":
        print(json.dumps(_pairs(folder, int(part))))
        return
    print(json.dumps(_cross(folder) if name == "W1" else _rotation(folder)))


def single(folder: str, count: int) -> BarColumns:
    """Return the one share."""
    ts, *data = (np.load(Path(folder) / f"bars1m_{key}.npy", mmap_mode="r")[:count] for key in NAMES)
    return columns_of("BENCH", np.array(ts), tuple(data))


def portfolio(folder: str, count: int) -> list[BarColumns]:
    """Return the fifty shares."""
    ts, *data = (np.load(Path(folder) / f"port_{key}.npy", mmap_mode="r")[:count] for key in NAMES)
    parts = [tuple(column[:, j] for column in data) for j in range(data[0].shape[1])]
    return [columns_of(f"S{j:02d}", np.array(ts), part) for j, part in enumerate(parts)]


def _cross(folder: str) -> dict[str, Any]:
    made = spec(CrossColumns(), single(folder, 1_000_000))
    began = time.process_time()
    found = look_up(made)
    looking = time.process_time() - began
    run_kernel(made, found.market)
    wall, cpu = time.perf_counter(), time.process_time()
    run = CompiledSample(made, found, run_kernel(made, found.market))
    curve, trades = run.equity, run.trades
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    row = {"workload": "W1 with curve", "bars": len(curve), "wall": wall, "cpu": cpu, "market_cpu": looking}
    return row | _told(format_cash(int(curve[-1])), trades)


def _rotation(folder: str) -> dict[str, Any]:
    bars = portfolio(folder, 100_000)
    small = spec(RotationColumns(), *portfolio(folder, 4_000))
    run_kernel(small, KernelMarket(small))
    made = spec(RotationColumns(), *bars)
    wall, cpu = time.perf_counter(), time.process_time()
    outcome = run_kernel(made)
    curve = outcome.equity
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    row = {"workload": "W3 as targets", "bars": len(curve) * len(bars), "wall": wall, "cpu": cpu}
    return row | _told(format_cash(int(curve[-1])), outcome.count)


def _pairs(folder: str, part: int) -> dict[str, Any]:
    """Run our share of the pairs on a core of our own."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[part % len(cores)]})
    columns = single(folder, 100_000)
    close = np.array(np.load(Path(folder) / "bars1m_c.npy", mmap_mode="r")[: len(columns)])
    # The tables of market rules are read here, before the clock runs: the loops by hand know no rules.
    made = spec(PairColumns(), columns)
    ends = look_up(made).ends
    mine = PAIRS[part::PROCESSES]
    ways: dict[str, Callable[[list[Pair]], Found]] = {
        "by hand": lambda pairs: _by_hand(close, pairs),
        "by hand, whole rows": lambda pairs: _rows_by_hand(close, ends, pairs),
        "kernel": lambda pairs: _kernel(made, pairs),
        "sweep": lambda pairs: _swept(made, pairs),
    }
    spent: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for run in ways.values():
        run([(5, 30)])
    for _ in range(ROUNDS):
        found = {}
        for way, run in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            found[way] = run(mine)
            spent[way].append((time.perf_counter() - wall, time.process_time() - cpu))
        if len(set(found.values())) > 1:
            raise SystemExit(f"W4: the ways differ: {found}")
    wall, cpu = (statistics.median(each) for each in zip(*spent["sweep"], strict=True))
    by_way = {way: statistics.median(cpu for _, cpu in each) for way, each in spent.items()}
    return {"wall": wall, "cpu": cpu, "by_way": by_way} | _told(*found["sweep"])


def _by_hand(close: Floats, pairs: list[Pair]) -> Found:
    """Return what `_swept` does, from the loop written by hand."""
    fast, slow = averages(close, {fast for fast, _ in pairs}), averages(close, {slow for _, slow in pairs}, EPS)
    found = [pair(close, fast[one], slow[other]) for one, other in pairs]
    return round(max(final for final, _ in found) * RUPEE), sum(fills // 2 for _, fills in found)


def _rows_by_hand(close: Floats, ends: Ints, pairs: list[Pair]) -> Found:
    """Return what `_swept` does, from the loop written by hand that reckons a whole row of each pair."""
    fast, slow = averages(close, {fast for fast, _ in pairs}), averages(close, {slow for _, slow in pairs}, EPS)
    found = []
    for one, other in pairs:
        returns = np.empty(len(ends))
        found.append((pair_row(close, fast[one], slow[other], ends, returns), returns.astype("<f4")))
    return round(max(row[0] for row, _ in found) * RUPEE), sum(row[1] // 2 for row, _ in found)


def _kernel(made: BacktestSpec, pairs: list[Pair]) -> Found:
    """Return what `_swept` does, from outcomes alone."""
    market = KernelMarket(made)
    market.history.memo.limit = REMEMBERED
    best = trades = 0
    outcome = None
    for at in range(0, len(pairs), MOST):
        for stated in [market.stated(PairColumns(fast=one, slow=other)) for one, other in pairs[at : at + MOST]]:
            outcome = run_stated(made, market, stated, over=outcome)
            best, trades = max(best, outcome.final), trades + outcome.count // 2
    return best, trades


def _swept(made: BacktestSpec, pairs: list[Pair]) -> Found:
    """Return the best final equity and all closed trades of some pairs, by a worker of a sweep in this process."""
    points = [Attempt({"fast": fast, "slow": slow}) for fast, slow in pairs]
    work = work_of(lambda: made, partial(variant_of, Asked((parse_objective("sharpe"),), with_returns=True)))
    best = trades = 0
    with InlineRunner().hire(work) as crew:
        for _, row in Handfuls(crew).run(points):
            if isinstance(row, TaskFailed):
                raise SystemExit(f"W4: {row.error}")
            best, trades = max(best, row.outcome.final or 0), trades + row.outcome.trades
    return best, trades


def _both(folder: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.columns", folder, "W4"]
    started = [subprocess.Popen([*command, str(part)], stdout=subprocess.PIPE) for part in range(PROCESSES)]
    rows = [json.loads(process.communicate()[0]) for process in started]
    total = {key: sum(row[key] for row in rows) for key in ("cpu", "peak_mb")}
    best, fills = max(row["result"][0] for row in rows), sum(row["result"][1] for row in rows)
    wall = max(row["wall"] for row in rows)
    bars = len(PAIRS) * 100_000
    by_way = {way: sum(row["by_way"][way] for row in rows) for way in rows[0]["by_way"]}
    ratios = {way: each / by_way["by hand"] for way, each in by_way.items()}
    row = {"workload": "W4", "bars": bars, "wall": wall, "by_way": by_way, "times_by_hand": ratios}
    return row | total | {"result": [format_cash(best), fills]}


def _told(*result: object) -> dict[str, Any]:
    return {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "result": list(result)}


if __name__ == "__main__":
    main(*sys.argv[1:])

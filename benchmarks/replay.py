"""A recorded run replayed: `python -m benchmarks.replay [EVENTS]`, a million unless said.

A backtest that buys or sells at every bar is recorded on SQLite and files; another process, whose memory is its own,
replays it from the beginning and compares every decision and state.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contract_data import SEED, bars, session_ts
from benchmarks.journal import EVENTS_A_BAR, Restless
from benchmarks.workloads import columns_of, spec
from manjha.adapters.files.segments import SegmentFolder
from manjha.adapters.sql.journal import SqlJournal
from manjha.research.backtest import BACKTEST, run_backtest
from manjha.services.recorded_backtests import Recording
from manjha.services.replays import Replays, recorded_runs


def main(events: str = "1000000") -> None:
    """Record, have it replayed, and print one row."""
    count = int(events) // EVENTS_A_BAR
    columns = columns_of("BENCH", session_ts(count), bars(count, np.random.default_rng(SEED)))
    with tempfile.TemporaryDirectory() as folder:
        journal, segments = _storage(Path(folder))
        Recording(journal, segments, "restless").run(run_backtest, spec(Restless(), columns))
        segments.close()
        journal.close()
        command = [sys.executable, "-m", "benchmarks.replay", "of", folder]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="")


def replay(folder: str) -> None:
    """Replay the run that stands in a folder, and print one row."""
    journal, segments = _storage(Path(folder))
    (run,) = recorded_runs(journal)
    began, cpu = time.perf_counter(), time.process_time()
    rules = spec(Restless(), columns_of("BENCH", session_ts(2), bars(2, np.random.default_rng(SEED)))).rules
    found = Replays(journal, segments, lambda _name: Restless, rules).replay(run).found
    row: dict[str, Any] = {"workload": "replay", "events": found.events, "decisions": found.decisions}
    row |= {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    row |= {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    print(json.dumps(row | {"states": found.digests, "same": found.difference is None and found.has_ended}))


def _storage(folder: Path) -> tuple[SqlJournal, SegmentFolder]:
    return SqlJournal(f"sqlite:///{folder / 'journal.db'}", BACKTEST), SegmentFolder(folder / "segments", BACKTEST)


if __name__ == "__main__":
    replay(sys.argv[2]) if sys.argv[1:2] == ["of"] else main(*sys.argv[1:])

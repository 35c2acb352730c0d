"""The journal on SQLite: `python -m benchmarks.journal [APPENDS [ROWS [EVENTS]]]`.

One event an append, each on disk before the next; then how fast rows are read, verified and turned back into values.
Then a backtest of about so many events, alone, recorded, verified and replayed: it buys or sells at every bar, so that
few events are bars and most are what the exchange answers.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.contract_data import SEED, bars, session_ts
from benchmarks.workloads import columns_of, spec
from manjha.adapters.files.segments import SegmentFolder
from manjha.adapters.sql.journal import SqlJournal
from manjha.domain.events import OrderAccepted
from manjha.domain.journal import faults
from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, OrderId, RunId
from manjha.engine.journaling import entry_of, value_of
from manjha.research.backtest import BACKTEST, run_backtest
from manjha.services.journals import verified
from manjha.services.recorded_backtests import Recording
from manjha.services.replays import Replays, recorded_runs
from manjha.strategy.context import Context
from manjha.strategy.interface import Strategy

AT = TsNs(1_720_000_000_000_000_000)
BATCH = 1_000


EVENTS_A_BAR = 2
T = TypeVar("T")


class Restless(Strategy):
    """In at one bar, out at the next."""

    def on_bar(self, ctx: Context) -> None:
        """Ask for ten more or ten fewer."""
        if ctx.position:
            ctx.sell(10)
        else:
            ctx.buy(10)


def main(appends: int = 10_000, rows: int = 100_000, events: int = 100_000) -> None:
    """Measure and print two rows."""
    print(json.dumps(storage(appends, rows)))
    print(json.dumps(recorded(events)))


def recorded(events: int) -> dict[str, Any]:
    """Return seconds, by the clock and of the processor, of a run alone and recorded, and of what is done with it."""
    count, told = max(events // EVENTS_A_BAR, 100), dict[str, Any]()
    columns = columns_of("BENCH", session_ts(count), bars(count, np.random.default_rng(SEED)))

    def timed(name: str, work: Callable[[], T]) -> T:
        began, cpu = time.perf_counter(), time.process_time()
        found = work()
        told[f"{name}_s"], told[f"{name}_cpu_s"] = time.perf_counter() - began, time.process_time() - cpu
        return found

    with tempfile.TemporaryDirectory() as folder:
        journal = SqlJournal(f"sqlite:///{Path(folder) / 'journal.db'}", BACKTEST)
        segments = SegmentFolder(Path(folder) / "segments", BACKTEST)
        made = spec(Restless(), columns)
        plain = timed("alone", lambda: run_backtest(made))
        record = Recording(journal, segments, "restless").run
        result = timed("recorded", lambda: record(run_backtest, made))
        replays = Replays(journal, segments, lambda _name: Restless, made.rules)
        (run,) = recorded_runs(journal)
        whole = timed("replayed", lambda: replays.replay(run)).found
        last = timed("replayed_from_snapshot", lambda: replays.replay(run, from_snapshot=True)).found
        found = timed("verified", lambda: verified(journal, segments))
        size = sum(path.stat().st_size for path in Path(folder).iterdir() if path.is_file())
        journal.close()
    same = {plain.state_digest, result.state_digest, whole.digest, last.digest} == {plain.state_digest}
    told |= {"events": whole.events, "rows": found.rows, "same": same and not found.faults}
    told |= {"replayed_events_s": whole.events / told["replayed_s"], "bytes_a_row": size / found.rows}
    return {"workload": "replay", "market_bytes": found.market_bytes, **told}


def storage(appends: int, rows: int) -> dict[str, Any]:
    """Return how fast rows are appended, verified and read."""
    with tempfile.TemporaryDirectory() as folder:
        journal = SqlJournal(f"sqlite:///{Path(folder) / 'journal.db'}", AccountId("BENCH"))
        journal.begin(RunId("run"))
        entry = entry_of(OrderAccepted(OrderId("run-1"), AT), AT)
        took = []
        for _ in range(appends):
            began = time.perf_counter()
            journal.append([entry])
            took.append(time.perf_counter() - began)
        took.sort()
        began = time.perf_counter()
        for _ in range(rows // BATCH):
            journal.append([entry] * BATCH)
        batched = (rows // BATCH * BATCH) / (time.perf_counter() - began)
        count, began = journal.head().seq, time.perf_counter()
        whole = not list(faults(journal.rows(), journal.head()))
        walked, began = time.perf_counter() - began, time.perf_counter()
        for row in journal.rows():
            value_of(row.entry)
        read = time.perf_counter() - began
        journal.close()
    told: dict[str, Any] = {"workload": "journal", "whole": whole}
    told |= {f"append_p{part}_ms": took[appends * part // 100] * 1e3 for part in (50, 99)}
    told |= {"batched_rows_s": batched, "verified_rows_s": count / walked, "read_rows_s": count / read}
    return told


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

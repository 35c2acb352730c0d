"""The journal on SQLite: `python -m benchmarks.journal [APPENDS [ROWS]]`.

One event an append, each on disk before the next; then how fast rows are read, verified and turned back into values.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from manjha.adapters.sql.journal import SqlJournal
from manjha.domain.events import OrderAccepted
from manjha.domain.journal import faults
from manjha.domain.moments import TsNs
from manjha.domain.orders import AccountId, OrderId, RunId
from manjha.engine.journaling import entry_of, value_of

AT = TsNs(1_720_000_000_000_000_000)
BATCH = 1_000


def main(appends: int = 10_000, rows: int = 100_000) -> None:
    """Measure and print one row."""
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
    print(json.dumps(told))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

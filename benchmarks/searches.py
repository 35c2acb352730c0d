"""How fast searches are, from the command line to the last line: `python -m benchmarks.searches [JOBS]`.

A synthetic share, 100,000 minutes. A sweep of 1,000 combinations over all of them; 40 of them event
by event; a walk-forward of 20 windows with 200 trials each. Wall time, start of the workers included.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from manjha.app.bootstrap import bar_store, instrument_book, market_rules
from manjha.app.settings import load_settings
from manjha.domain.bars import MINUTE
from manjha.domain.moments import day_of, format_day, parse_day
from manjha.services.synthetic_market import seed_store

BARS = 100_000
SPAN = ("2024-01-01", "2025-02-28")
INSTRUMENT = "NSE:PATANG"
RANGES = ("-p", "fast=5:50", "-p", "slow=60:300")
# The same strategy, called back: the kernel leaves it to the event engine.
CALLED = '''"""sma-cross that hears of its fills."""

from manjha.strategy.library.sma_cross import SmaCross


class Called(SmaCross):
    """Decides as sma-cross does."""

    def on_fill(self, ctx, fill):
        self.heard = fill
'''


def main(jobs: str = "2") -> int:
    """Measure, and print a row for each search."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MANJHA_HOME"] = str(Path(folder) / "home")
        end = _seeded()
        own = Path(folder) / "called.py"
        own.write_text(CALLED, encoding="utf-8")
        shared = ("--instrument", INSTRUMENT, "-i", "1m", "--to", end, *RANGES, "-j", jobs)
        walk = ("--windows", "20", "--trials", "200", "--no-report")
        # The first run compiles where there is no cache, and is not counted.
        _timed("sweep", "sma-cross", "--sample", "lhs:4", *shared)
        for command, strategy, *words in (
            ("sweep", "sma-cross", "--sample", "lhs:1000"),
            ("sweep", f"{own}", "--sample", "lhs:40"),
            ("walk-forward", "sma-cross", *walk),
        ):
            print(json.dumps(_timed(command, strategy, *words, *shared)), flush=True)
    return 0


def _seeded() -> str:
    """Make the market; return the day on which it has `BARS` minutes."""
    settings = load_settings()
    store, book = bar_store(settings), instrument_book(settings)
    first, last = parse_day(SPAN[0]), parse_day(SPAN[1])
    seeded = seed_store(store, book, market_rules(settings), 7, (first, last))
    share = next(one for one in seeded.instruments if one.display == INSTRUMENT)
    opens = store.read(share.id, MINUTE, 0, 2**62).ts_open_ns
    return format_day(day_of(opens[BARS - 1]))


def _timed(command: str, strategy: str, *words: str) -> dict[str, Any]:
    manjha = str(Path(sys.executable).with_name("manjha"))
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([manjha, command, "-s", strategy, "--json", *words], check=True, capture_output=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(done.stdout)
    count = found["evaluated"] if command == "sweep" else found["combinations"] * len(found["windows"])
    return {
        "search": f"{command} {Path(strategy).name}",
        "evaluations": count,
        "bars": BARS,
        "wall": round(wall, 1),
        "evaluations_per_s": round(count / wall, 1),
        # Workers of the pool are not children of ours: this is the command's own process.
        "cpu_of_parent": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
    }


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

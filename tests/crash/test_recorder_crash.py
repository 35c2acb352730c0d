"""A process that is killed while it records leaves journal and market data whole, as far as rows state them."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from manjha.adapters.files.segments import SegmentFolder
from manjha.adapters.sql.journal import SqlJournal
from manjha.domain.segments import MarketWritten
from manjha.research.backtest import BACKTEST
from manjha.services.journals import verified

KILLS = int(os.environ.get("MANJHA_KILLS", "6"))
WRITER = """
import sys
from pathlib import Path
from manjha.adapters.files.segments import SegmentFolder
from manjha.adapters.sql.journal import SqlJournal
from manjha.domain.events import MarketAdvanced
from manjha.domain.segments import Frame
from manjha.research.backtest import BACKTEST
from manjha.services.recorder import open_recorder
from tests.unit.test_recorder import TERMS
folder = Path(sys.argv[1])
segments = SegmentFolder(folder / "segments", BACKTEST, segment_bytes=3_000)
recorder = open_recorder(SqlJournal(f"sqlite:///{folder / 'journal.db'}", BACKTEST), segments, TERMS, 1)
at = 0
while True:
    at += 1
    recorder.market([Frame(2, bytes(72 * (at % 5)))] * (at % 3), at)
    recorder.record(MarketAdvanced(at - 1, at), at)
    if at % 4 == 0:
        print(recorder.commit().seq, flush=True)
"""


def killed(folder: Path, lines: int) -> int:
    """Let a writer say some lines, kill it, and return the last number that it said was durable."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    said += [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    return said[-1]


@pytest.mark.slow
def test_what_was_acknowledged_is_there_after_every_kill(tmp_path: Path) -> None:
    chance = random.Random(7)
    for kill in range(1, KILLS + 1):
        acknowledged = killed(tmp_path, chance.randrange(1, 30))
        journal = SqlJournal(f"sqlite:///{tmp_path / 'journal.db'}", BACKTEST, reads_only=True)
        segments = SegmentFolder(tmp_path / "segments", BACKTEST)
        found = verified(journal, segments)
        assert found.faults == ()
        assert (found.head.epoch, found.head.seq >= acknowledged) == (kill, True)
        assert len(list(journal.of_kind(MarketWritten.__name__))) >= found.segments >= kill
        journal.close()

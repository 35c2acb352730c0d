"""A writer that is killed, at every point at which it touches the disk, leaves a whole store; the next one finishes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from manjha.adapters.files.bar_store import ParquetBarStore
from manjha.domain.bars import MINUTE
from manjha.domain.moments import parse_day
from tests.fakes.market_data import RAW, batch, listed, minute_bars, share

EVER = (0, 2**62)
ROOT = Path(__file__).parents[2]
OLD = minute_bars(parse_day("2020-12-31"), [1_0000]) + minute_bars(parse_day("2021-01-01"), [2_0000])
NEW = minute_bars(parse_day("2020-12-30"), [3_0000]) + minute_bars(parse_day("2021-01-04"), [4_0000])

CHILD = """
import os, signal, sys
from pathlib import Path
from manjha.adapters.files.manifest import Manifest
from tests.crash.test_store_crash import write_new

left = [int(sys.argv[2])]

def counted(function):
    def call(*args, **named):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return function(*args, **named)
    return call

os.fsync = counted(os.fsync)
Path.rename = counted(Path.rename)
Path.unlink = counted(Path.unlink)
Manifest.commit = counted(Manifest.commit)
Manifest.entry = counted(Manifest.entry)
write_new(Path(sys.argv[1]))
print("done", left[0])
"""
ENOUGH = 1_000


def write_new(folder: Path) -> None:
    """Add a bar to each of two partitions, as one batch."""
    ParquetBarStore(folder).write(batch({share(): NEW}, MINUTE), RAW)


def run_child(folder: Path, point: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD, str(folder), str(point)]
    path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}, check=False, timeout=60
    )


@pytest.mark.slow
def test_a_kill_anywhere_leaves_all_or_nothing_and_the_next_write_finishes(tmp_path: Path) -> None:
    points = ENOUGH - int(run_child(prepared(tmp_path / "whole"), ENOUGH).stdout.split()[1])
    assert points > 10
    outcomes = set()
    for point in range(points):
        folder = prepared(tmp_path / str(point))
        assert run_child(folder, point).returncode == -signal.SIGKILL
        outcomes.add(check_whole(folder))
        write_new(folder)
        assert check_whole(folder) == "new"
        assert no_litter(folder)
    assert outcomes == {"old", "new"}


def prepared(folder: Path) -> Path:
    ParquetBarStore(folder).write(batch({share(): OLD}, MINUTE), RAW)
    return folder


def check_whole(folder: Path) -> str:
    store = ParquetBarStore(folder)
    assert store.verify() == []
    found = listed(store.read(share().id, MINUTE, *EVER))
    if found == OLD:
        return "old"
    assert found == sorted(OLD + NEW, key=lambda bar: bar.ts_open_ns)
    return "new"


def no_litter(folder: Path) -> bool:
    named = {folder / entry.file for entry in ParquetBarStore(folder).partitions()}
    return {path for path in (folder / "raw").rglob("*") if path.is_file()} == named

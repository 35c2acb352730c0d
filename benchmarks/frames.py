"""Frames of Kite's ticker, read by us and by the official Python client: `python -m benchmarks.frames [ROUNDS]`.

Packets of the full mode in frames of one, 200, 1,000 and 3,000. Rounds of both sides take turns; a ratio is that of the
medians of processor time. The official client is that of the tests (`make .tools/official/.made`).
"""

import json
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from manjha.adapters.kite.packets import PacketReader, warm

SIZES = (1, 200, 1_000, 3_000)
GOALS = {1: 10, 200: 150, 1_000: 150, 3_000: 150}
OURS, THEIRS = 2_000_000, 24_000
"""Packets a round: enough for each side to be measured, and no more."""
OFFICIAL = Path(__file__).parents[1] / ".tools" / "official" / "python" / "bin" / "python"
SCRIPT = """
import json, sys, time
from kiteconnect import KiteTicker
ticker, found = KiteTicker("key", "token"), {}
for path, times in json.load(sys.stdin).items():
    data = open(path, "rb").read()
    began = time.process_time()
    for _ in range(times):
        ticker._parse_binary(data)
    found[path] = time.process_time() - began
json.dump(found, sys.stdout)
"""


def main(rounds: str = "5") -> int:
    """Measure, and print a row for each size of a frame."""
    warm()
    with tempfile.TemporaryDirectory() as folder:
        paths = {size: _written(Path(folder), size) for size in SIZES}
        ours: dict[int, list[float]] = {size: [] for size in SIZES}
        theirs: dict[int, list[float]] = {size: [] for size in SIZES}
        for _ in range(int(rounds)):
            for size, path in paths.items():
                ours[size].append(_rate(path.read_bytes(), size))
            for size, rate in _official(paths).items():
                theirs[size].append(rate)
    for size in SIZES:
        print(json.dumps(_row(size, ours[size], theirs[size])), flush=True)
    return 0


def _written(folder: Path, size: int) -> Path:
    draw = random.Random(size)
    bodies = [struct.pack(">H", 184) + _full(draw) for _ in range(size)]
    path = folder / f"{size}.frame"
    path.write_bytes(struct.pack(">H", size) + b"".join(bodies))
    return path


def _full(draw: random.Random) -> bytes:
    token = draw.randrange(1, 2**20) << 8 | 1
    return struct.pack(">46I", token, *(draw.randrange(200_000) for _ in range(45)))


def _rate(data: bytes, size: int) -> float:
    reader, times = PacketReader(), max(OURS // size // (10 if size == 1 else 1), 3)
    reader.read(data)
    began = time.process_time()
    for _ in range(times):
        reader.read(data)
    return size * times / (time.process_time() - began)


def _official(paths: dict[int, Path]) -> dict[int, float]:
    if not OFFICIAL.exists():
        return {}
    asked = {str(path): max(THEIRS // size, 3) for size, path in paths.items()}
    command = [str(OFFICIAL), "-c", SCRIPT]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
    took = json.loads(done.stdout)
    return {size: size * asked[str(path)] / took[str(path)] for size, path in paths.items()}


def _row(size: int, ours: list[float], theirs: list[float]) -> dict[str, Any]:
    row: dict[str, Any] = {"packets a frame": size, "packets/s": round(statistics.median(ours))}
    if theirs:
        row["official"] = round(statistics.median(theirs))
        row["ratio"] = round(statistics.median(ours) / statistics.median(theirs), 1)
        row["goal"] = GOALS[size]
    return row


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

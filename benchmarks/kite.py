"""All goals of trading on Kite in one run: `python -m benchmarks kite`. Prints what was measured, met or missed.

Each part is a benchmark of its own and can be run alone: `frames`, `order_overhead`, `feed_load`, `stream_clients`.
Whoever is compared with the official client takes turns with it, so that a ratio comes from the same minutes.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PARTS = (
    ("benchmarks.frames", "3"),
    ("benchmarks.order_overhead", "300"),
    ("benchmarks.feed_load", "60"),
    ("benchmarks.stream_clients", "3000"),
)


class Line(NamedTuple):
    """A goal, what was measured, and whether that is enough; None where there is no goal."""

    what: str
    measured: str
    goal: str
    met: bool | None


def main() -> int:
    """Measure, print and keep; the exit code is 1 where a goal is missed."""
    rows = [row for module, *words in PARTS for row in _rows(module, words)]
    lines = [line for row in rows for line in lines_of(row)]
    for what, measured, goal, met in lines:
        verdict = "" if met is None else "met" if met else "MISSED"
        print(f"{what:<64} {measured:<34} {goal:<14} {verdict}")
    out = ROOT / "benchmarks" / "out"
    out.mkdir(exist_ok=True)
    (out / "kite.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return int(any(line.met is False for line in lines))


def _rows(module: str, words: list[str]) -> list[dict[str, Any]]:
    # A goal that is missed is a result: only what printed none has failed.
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not found:
        raise SystemExit(f"{module} printed no result; its last words are above")
    return found


def lines_of(row: dict[str, Any]) -> Iterator[Line]:
    """Yield what one row of a benchmark says of the goals."""
    kind = row.get("workload", "frames")
    yield from {"frames": _frames, "order overhead": _orders, "feed": _feed, "stream clients": _clients}[kind](row)


def _frames(row: dict[str, Any]) -> Iterator[Line]:
    what = f"packets decoded, {row['packets a frame']:,} a frame"
    if "ratio" not in row:
        yield Line(what, f"{row['packets/s']:,.0f} a second", "", None)
        return
    yield Line(what, f"{row['ratio']:g} times the official", f"{row['goal']} times", row["ratio"] >= row["goal"])


def _orders(row: dict[str, Any]) -> Iterator[Line]:
    for part, goal in zip((50, 99), row["goals"], strict=True):
        ours, theirs, server = (row[f"{who}_ms_p{part}"] for who in ("ours", "official", "bare"))
        ratio = row[f"ratio_p{part}"]
        yield Line(
            f"order, decision to answer booked, p{part}", f"{ratio:.2f} of the official", f"{goal}", ratio <= goal
        )
        yield Line(f"  ours, official, bare socket p{part}", f"{ours:.2f}, {theirs:.2f}, {server:.2f} ms", "", None)
        rest = row[f"ratio_without_disk_p{part}"]
        yield Line(f"  the same without waiting for the disk p{part}", f"{rest:.2f} of the official", "", None)


def _feed(row: dict[str, Any]) -> Iterator[Line]:
    rate = row["ticks"] / row["seconds"]
    yield Line(f"{rate:,.0f} ticks/s for {row['seconds']} s, p99", f"{row['ms_p99']:.1f} ms", "20 ms", row["met"])
    yield Line("  p50, most", f"{row['ms_p50']:.1f}, {row['ms_max']:.1f} ms", "", None)
    yield Line("  processor's time of the trader a tick", f"{row['cpu_us_a_tick']:.1f} µs", "", None)
    fills = f"{row['broker_fills']}, {row['booked']}; {row['hints_sent']}, {row['hints_heard']}"
    yield Line("  fills in, out; news of orders in, out", fills, "all", row["no_event_lost"])


def _clients(row: dict[str, Any]) -> Iterator[Line]:
    yield Line("orders at the exchange server", f"{row['orders_s_alone']:,.0f} a second", "300", row["met"])
    streams = f"{row['clients']} clients x {row['instruments']} instruments, in full"
    yield Line(streams, f"{row['packets_s']:,.0f} packets/s", "", None)
    yield Line("  orders beside them", f"{row['orders_s_beside']:,.0f} a second", "", None)
    gaps = f"{row['gap_s_p50']:.2f}, {row['gap_s_p99']:.2f}, {row['gap_s_max']:.2f} s"
    yield Line("  from one frame to the next, p50, p99, most (sent each 0.25 s)", gaps, "", None)
    yield Line("  processor's time of the server", f"{row['server_cpu_share']:.0%} of a core", "", None)
    right = f"{row['frames_differ']} of {row['frames_compared']} differ"
    yield Line("  frames read alike by us and the official client", right, "0", row["frames_differ"] == 0)


if __name__ == "__main__":
    sys.exit(main())

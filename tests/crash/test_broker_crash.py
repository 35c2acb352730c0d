"""A trader that is killed at every named point and at random moments, and stopped and overtaken; its broker lives on.

On SQLite and on PostgreSQL; `KILLS` says how often, `make crash KILLS=5000` takes its time. Many kills can be divided:
`FIRST_KILL=1000 KILLS=500` are five hundred others than the first thousand. What must hold is judged by
`tests.crash.judge`, from what the broker wrote down itself.
"""

import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.armed import POINTS
from tests.crash.campaign import Kill, Tally, deaths, lived
from tests.crash.stopping import succeeded
from tests.fakes.postgres import ABSENT, binaries, server

KILLS = int(os.environ.get("KILLS", "20"))
FIRST = int(os.environ.get("FIRST_KILL", "0"))
"""Whose number the first campaign has: those of a part that begins so many kills later are others."""
AT_ONCE = 36
"""Kills of one campaign at most: about as many as half an hour of its market has room for."""
STOPS_AT_ONCE = 3
STOPS = max(STOPS_AT_ONCE, KILLS // 10)
PER_KILL_S = 12
"""Seconds that a kill may take, all in all, on a machine that does other things too."""
BACKENDS = ("sqlite", "postgresql")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240 + PER_KILL_S * KILLS)]


@pytest.fixture(scope="module")
def durable_postgres() -> Iterator[str]:
    if binaries() is None:
        pytest.skip(ABSENT)
    with server(durable=True) as url:
        yield url


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return which database it is, and its address where it is a server."""
    return request.param, "" if request.param == "sqlite" else request.getfixturevalue("durable_postgres")


Life = Callable[[Path, int, str], Tally]
Say = Callable[[str], None]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Return what writes to the terminal, whatever is captured."""

    def written(words: str) -> None:
        with capsys.disabled():
            sys.stdout.write(words + "\n")
            sys.stdout.flush()

    return written


def campaigns(folder: Path, backend: tuple[str, str], first: int, live: Life, wanted: int, say: Say) -> list[Tally]:
    """Live campaigns until traders were struck often enough; what each found is kept only where it found a fault."""
    found: list[Tally] = []
    seed = first
    while (struck := sum(sum(one.kills.values()) for one in found)) < wanted:
        if found:
            say(f"  {backend[0]}: {struck} of {wanted} times, before seed {seed}")
        place = folder / str(seed)
        place.mkdir()
        one = live(place, seed, backend[1] or str(place / "journal.db"))
        found.append(one._replace(faults=[f"seed {seed}: {fault}" for fault in one.faults]))
        if one.faults:
            break
        shutil.rmtree(place)
        seed += 1
    return found


def told(what: str, found: list[Tally], say: Say) -> Counter[str]:
    """Say how often traders were struck where, what came of it, and how quickly they were back; return the first."""
    struck, outcomes = Counter[str](), Counter[str]()
    for one in found:
        struck += one.kills
        outcomes += one.outcomes
    times = sorted(time for one in found for time in one.recoveries_s) or [0.0]
    half, tail = (times[min(len(times) - 1, len(times) * share // 100)] for share in (50, 99))
    sent, trades, faults = (sum(getattr(one, name) for one in found) for name in ("sent", "trades", "lost"))
    lines = [
        f"\n{what}: {sum(struck.values())} times in {len(found)} campaigns; {sent} orders sent, {trades} trades",
        f"  {faults} lost, doubled, untracked, stale or different",
        "  how sending ended: " + ", ".join(f"{name} {count}" for name, count in sorted(outcomes.items())),
        f"  from a start to compared books: p50 {half:.2f} s, p99 {tail:.2f} s",
        *(f"  {count:5}  {name}" for name, count in sorted(struck.items())),
    ]
    say("\n".join(lines))
    return struck


@pytest.mark.failure("F18")
def test_killed_at_any_point_it_loses_doubles_and_forgets_nothing(
    tmp_path: Path, backend: tuple[str, str], say: Say
) -> None:
    which = BACKENDS.index(backend[0])
    wanted = KILLS // 2
    coming = deaths(random.Random(f"{FIRST} {KILLS} {which}"), which)
    left: list[Kill] = []

    def live(place: Path, seed: int, where: str) -> Tally:
        left.extend(next(coming) for _ in range(min(AT_ONCE, wanted) - len(left)))
        return lived(place, seed, where, left)

    found = campaigns(tmp_path, backend, 100_000 * (which + 1) + FIRST, live, wanted, say)
    struck = told(f"killed on {backend[0]}", found, say)
    assert [fault for one in found for fault in one.faults] == []
    assert sum(one.trades for one in found) > 0
    if wanted >= 4 * len(POINTS):
        assert set(POINTS) - struck.keys() == set()


@pytest.mark.failure("F47")
def test_who_was_stopped_and_overtaken_sends_nothing_to_the_broker(
    tmp_path: Path, backend: tuple[str, str], say: Say
) -> None:
    which = BACKENDS.index(backend[0])

    def live(place: Path, seed: int, where: str) -> Tally:
        return succeeded(place, seed, where, STOPS_AT_ONCE)

    found = campaigns(tmp_path, backend, 100_000 * (which + 5) + FIRST, live, STOPS // 2, say)
    told(f"stopped and overtaken on {backend[0]}", found, say)
    assert [fault for one in found for fault in one.faults] == []

"""The power goes at any moment: what was acknowledged is on the disc, whole, and a trader can go on from it.

Real processes of the product write on a disc that is listened to; then, for each of `CUTS` moments, a disc is made that
the power cut may have left (see `tests.fakes.power_cuts`), and the product opens it.
"""

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.power_cuts import Disc
from tests.fakes.power_lives import lived, recorded_lives
from tests.fakes.power_promises import NOTHING, Promised, broken, heard
from tests.fakes.scratch import in_memory
from tests.fakes.tapped_disk import Happened, Tap
from tests.fakes.tapped_sqlite import ABSENT, can_be_tapped, tapped

CUTS = int(os.environ.get("CUTS") or 500)
AGAIN = max(CUTS // 20, 20)
"""Recoveries that the power interrupts,"""
TWICE = 5
"""at as many moments each."""
LIVES = [(120, False), (100, True), (110, False)]


WAL_HEADER = 32
"""Bytes with which SQLite begins its write-ahead log, and begins it anew after it was taken over into the file."""


def cut(log: list[Happened], cuts: int, seed: int) -> Iterator[tuple[Disc, Promised]]:
    """Yield the disc at as many moments, in their order, and what had been promised by then."""
    chance = random.Random(seed)
    disc, said = Disc(log[0].path, chance), NOTHING
    marks = [at for at, event in enumerate(log) if event.kind == "mark"]
    # A third of the moments are just after something was acknowledged: nothing of it may be on its way then.
    for point in sorted(
        chance.choice(marks) + 1 if marks and chance.random() < 0.3 else chance.randint(1, len(log))
        for _ in range(cuts)
    ):
        said = heard(said, log[disc.told : point])
        disc.tell(log[disc.told : point])
        yield disc, said


def _moments(log: list[Happened], begins: int, said: Promised, chance: random.Random) -> Iterator[tuple[int, Promised]]:
    at = begins
    for point in sorted(chance.randint(begins, len(log)) for _ in range(TWICE)):
        said = heard(said, log[at:point])
        at = point
        yield point, said


def failures(log: list[Happened], folder: Path, cuts: int, seed: int) -> list[str]:
    """Return what was broken at as many moments; the discs lie in a folder that is emptied each time."""
    found = []
    for disc, said in cut(log, cuts, seed):
        disc.image(folder)
        if why := broken(folder, said):
            found.append(why)
    return found


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_be_tapped(), reason=ABSENT),
    # On a machine with other work a cut has taken half a second.
    pytest.mark.timeout(600 + CUTS),
]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> list[Happened]:
    """What happened to the disc of three processes, of which two were killed; the write-ahead log began anew often."""
    with in_memory(tmp_path_factory.mktemp("lives")) as folder:
        return recorded_lives(folder / "disc", LIVES)


@pytest.fixture
def after(tmp_path: Path) -> Iterator[Path]:
    """Where the discs are put after a cut."""
    with in_memory(tmp_path) as folder:
        yield folder / "disc"


@pytest.mark.failure("F42")
def test_what_was_acknowledged_survives_every_power_cut(
    log: list[Happened], after: Path, record_property: Callable[[str, object], None]
) -> None:
    logs = [event for event in log if event.kind == "write" and event.at == 0 and len(event.data) == WAL_HEADER]
    assert len(logs) > len(LIVES)
    assert failures(log, after, CUTS, seed=1) == []
    rows = sum(event.kind == "mark" and event.path == "rows" for event in log)
    record_property("counted", f"{CUTS} power cuts among {rows} commits: nothing that was acknowledged is lost")


@pytest.mark.failure("F42")
def test_a_power_cut_while_a_power_cut_is_recovered_from(
    log: list[Happened], after: Path, record_property: Callable[[str, object], None]
) -> None:
    found = []
    for number, (disc, said) in enumerate(cut(log, AGAIN, seed=2)):
        disc.image(after)
        tap = Tap(after)
        tap.adopt()
        begins = len(tap.log)
        with tapped(tap):
            lived(after, 100 + number, 3, tap)
        again = Disc(str(after), random.Random(number))
        again.tell(tap.log[:begins])
        for point, then in _moments(tap.log, begins, said, random.Random(number)):
            again.tell(tap.log[again.told : point])
            again.image(after)
            found += [why] if (why := broken(after, then)) else []
    assert found == []
    record_property("counted", f"{AGAIN * TWICE} power cuts while one is recovered from: the same")


@pytest.mark.parametrize(
    ("bug", "sign"),
    [
        ("normal", "acknowledged rows are lost"),
        ("loose-market", "the chain is broken"),
        ("loose-tail", "the chain is broken"),
        ("loose-names", "the kill switch has lost"),
    ],
)
def test_a_disc_that_is_not_waited_for_is_found_out(
    bug: str, sign: str, after: Path, record_property: Callable[[str, object], None]
) -> None:
    found = failures(recorded_lives(after.parent / "lives", [(60, False)], bug), after, 100, seed=3)
    assert any(sign in why for why in found), found
    record_property("planted bug", f"power cuts, {bug}: found by {len(found)} of 100 cuts")

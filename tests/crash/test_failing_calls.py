"""Every call to the disc fails once: the journal halts and stays shut, nothing acknowledged is lost, a restart goes on.

A short session is lived as often as it has calls; at the n-th time the n-th call fails, as a broken disc or a full one
does. Then it is started again on what is there, and at last the power goes: a sync that failed may have lost for good
what a later one claims to have written.
"""

import itertools
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from manjha.domain.errors import JournalHalted
from manjha.domain.events import TradingSwitched
from manjha.domain.journal import Snapshot
from manjha.domain.moments import TsNs
from manjha.domain.segments import Frame
from tests.fakes.power_cuts import Disc
from tests.fakes.power_lives import Acknowledged, Places, begun, lived, recorded_lives, throw
from tests.fakes.power_promises import NOTHING, broken, heard
from tests.fakes.scratch import in_memory
from tests.fakes.tapped_disk import BROKEN, NO_SPACE, Tap
from tests.fakes.tapped_sqlite import ABSENT, can_be_tapped, tapped

if TYPE_CHECKING:
    from manjha.services.recorder import Recorder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_be_tapped(), reason=ABSENT),
    pytest.mark.timeout(900),
]

MORE = TradingSwitched(True, TsNs(9), "x" * 6_000)
MAY_BE_FULL = {"open", "write", "mkdir", "truncate"}
EVERY = MAY_BE_FULL | {"read", "fsync", "unlink", "rename"}


def session(disc: Path, tap: Tap, dies: Callable[[], None]) -> str:
    """Live a life in which a call may fail; return what came of it. `dies` is called where it halts."""
    places = Places(disc)
    try:
        journal = places.journal()
    except JournalHalted:
        return "halted before it began"
    segments = places.segments()
    recorder: Recorder | None = None
    try:
        recorder = begun(journal, segments, 5)
        for at in range(1, 3):
            recorder.market([Frame(2, bytes(400))] * 9, TsNs(at))
            recorder.record(MORE, TsNs(at))
            head = recorder.commit()
            tap.mark("rows", Acknowledged(head.epoch, head.seq, head.hash))
            _thrown(places, tap, str(at))
        journal.keep(Snapshot(head.seq, "digest", bytes(9_000)))
        tap.mark("snapshot", head.seq)
    except JournalHalted:
        dies()
        if recorder is not None:
            recorder.record(MORE, TsNs(9))
            with pytest.raises(JournalHalted):
                recorder.commit()
        return "halted"
    finally:
        segments.close()
        journal.close()
    return "done"


def _thrown(places: Places, tap: Tap, reason: str) -> None:
    """Throw the kill switch; who is told that it did not work has been promised nothing."""
    try:
        throw(places, tap, reason)
    except OSError:
        return


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disc on which a process was killed after some commits."""
    disc = tmp_path_factory.mktemp("lives") / "disc"
    recorded_lives(disc, [(4, False)])
    return disc


@pytest.fixture
def disc(tmp_path: Path) -> Iterator[Path]:
    with in_memory(tmp_path) as folder:
        yield folder / "disc"


class Failed(NamedTuple):
    """Which call failed, what came of it, and what was heard; `died` as it was where the session halted."""

    kind: str
    came: str
    heard: Tap
    died: Tap | None


def failed_calls(left: Path, disc: Path, number: int, kinds: set[str]) -> Iterator[Failed]:
    """Yield one session for each of its calls of some kinds, in which that call fails; each leaves its disc.

    Beside the disc lies one as it was where the session halted, as if the process had died there.
    """
    for count in itertools.count(1):
        for folder in (disc, _beside(disc)):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(left, disc)
        tap, failed, died = Tap(disc), list[str](), list[Tap]()
        tap.adopt()

        def fails(kind: str, at: int, count: int = count, failed: list[str] = failed) -> int:
            if at != count or kind not in kinds:
                return 0
            failed.append(kind)
            return number

        def dies(tap: Tap = tap, died: list[Tap] = died) -> None:
            shutil.copytree(disc, _beside(disc), ignore=shutil.ignore_patterns("*-shm"))
            died.append(tap.until_now())

        tap.fails = fails
        with tapped(tap):
            came = session(disc, tap, dies)
        if tap.calls < count:
            return
        if failed:
            yield Failed(failed[0], came, tap, died[0] if died else None)


def _beside(disc: Path) -> Path:
    return disc.with_name("died")


@pytest.mark.parametrize("number", [BROKEN, NO_SPACE])
@pytest.mark.failure("F40")
@pytest.mark.failure("F41")
def test_whatever_call_fails_nothing_acknowledged_is_lost(
    number: int, left: Path, disc: Path, record_property: Callable[[str, object], None]
) -> None:
    came_of: dict[str, int] = {}
    for one in failed_calls(left, disc, number, EVERY if number == BROKEN else MAY_BE_FULL):
        came_of[one.came] = came_of.get(one.came, 0) + 1
        assert broken(disc, heard(NOTHING, one.heard.log)) == "", one.kind
        assert one.died is None or broken(_beside(disc), heard(NOTHING, one.died.log)) == "", one.kind
    assert min(came_of.get("halted", 0), came_of.get("halted before it began", 0)) > 0
    record_property("counted", f"{sum(came_of.values())} calls to the disc failed with error {number}: {came_of}")


@pytest.mark.failure("F41")
def test_a_sync_that_failed_is_not_believed_by_the_next_process(left: Path, disc: Path) -> None:
    found, syncs = [], 0
    for one in failed_calls(left, disc, BROKEN, {"fsync"}):
        if one.died is None:
            continue
        syncs += 1
        shutil.rmtree(disc)
        _beside(disc).rename(disc)
        tap = Tap(disc, one.died)
        with tapped(tap):
            lived(disc, 6, 2, tap)
        log = one.died.log + tap.log
        for seed in range(6):
            after = Disc(str(disc), random.Random(seed))
            after.tell(log)
            after.image(disc)
            found += [f"sync {syncs}: {why}"] if (why := broken(disc, heard(NOTHING, log))) else []
    assert syncs > 5
    assert found == []

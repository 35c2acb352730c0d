"""Processes that write a journal, its market data and the kill switch on a disc that is listened to.

`main` is such a process: what happened to the disc is left in a file beside it, and the process ends without letting
anything go, unless it is to close what it opened.
"""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from manjha.adapters.files import durable
from manjha.adapters.files.kill_switch import KillSwitchFile
from manjha.adapters.files.segments import SegmentFolder
from manjha.adapters.sql import journal as journal_module
from manjha.adapters.sql.journal import SqlJournal
from manjha.adapters.system.clock import SystemClock
from manjha.domain.events import KillSwitched, TradingSwitched
from manjha.domain.journal import Snapshot
from manjha.domain.kill import EVERYTHING, KillLevel
from manjha.domain.moments import TsNs
from manjha.domain.orders import RunId, StrategyId
from manjha.domain.segments import Frame, MarketWritten
from manjha.research.backtest import BACKTEST, prepare
from manjha.services.recorded_backtests import terms_of
from manjha.services.recorder import Recorder, open_recorder
from tests.fakes.recorded import restless_run
from tests.fakes.tapped_disk import Happened, Tap
from tests.fakes.tapped_sqlite import tapped

LONG = "x" * 20_000
"""A row of five pages: the write-ahead log is full, and begun anew, after some seventy commits."""
SNAPSHOT_BYTES = 20_000
ROOT = Path(__file__).parents[2]
PROCESS = "from tests.fakes.power_lives import main; import sys; main(*sys.argv[1:])"


class Acknowledged(NamedTuple):
    """The last row that was said to be durable, and its hash."""

    epoch: int
    seq: int
    hash: bytes


class Places(NamedTuple):
    """Where things lie on the disc."""

    folder: Path

    def journal(self, **how: bool) -> SqlJournal:
        return SqlJournal(f"sqlite:///{self.folder / 'home' / 'AB1234' / 'journal.db'}", BACKTEST, **how)

    def segments(self) -> SegmentFolder:
        return SegmentFolder(
            self.folder / "home" / "AB1234" / "segments", BACKTEST, segment_bytes=6_000, tail_bytes=1_000
        )

    def kill(self) -> KillSwitchFile:
        return KillSwitchFile(self.folder / "home" / "kill.json", SystemClock())


def lived(disc: Path, number: int, commits: int, tap: Tap, *, closes: bool = True) -> None:
    """Record a run; say after each commit, and each throw of the kill switch, that it holds."""
    places = Places(disc)
    journal, segments = places.journal(), places.segments()
    try:
        recorder = begun(journal, segments, number)
        for at in range(1, commits + 1):
            _commit(recorder, at)
            head = journal.head()
            tap.mark("rows", Acknowledged(head.epoch, head.seq, head.hash))
            if at % 40 == 0:
                journal.keep(Snapshot(head.seq, "digest", bytes(SNAPSHOT_BYTES)))
                tap.mark("snapshot", head.seq)
            if at % 20 == 7:
                throw(places, tap, f"{number}-{at}")
    finally:
        if closes:
            segments.close()
            journal.close()


def begun(journal: SqlJournal, segments: SegmentFolder, number: int) -> Recorder:
    """Begin to record a run."""
    spec = restless_run(6)
    terms = terms_of(spec, prepare(spec).origin, "restless")
    named = replace(terms, origin=replace(terms.origin, run=RunId(f"run-{number}")))
    return open_recorder(journal, segments, named, TsNs(1))


def throw(places: Places, tap: Tap, reason: str) -> None:
    """Throw the kill switch for a strategy of that name, and say so."""
    scope = replace(EVERYTHING, strategy=StrategyId(reason))
    places.kill().throw(KillSwitched(KillLevel.CANCEL_ALL, scope, reason, "a test", TsNs(1)))
    tap.mark("kill", reason)


def _commit(recorder: Recorder, at: int) -> None:
    recorder.market([Frame(2, bytes(72 * (at % 5)))] * (at % 3), TsNs(at))
    recorder.record(TradingSwitched(at % 2 == 0, TsNs(at), LONG), TsNs(at))
    if at % 4 == 0:
        recorder.record(TradingSwitched(at % 2 == 0, TsNs(at), "short"), TsNs(at))
    # Three times as before a send, then as at rest.
    if at % 4:
        recorder.commit_at_once()
    else:
        recorder.commit()


def recorded_lives(disc: Path, lives: list[tuple[int, bool]], *words: str) -> list[Happened]:
    """Live some lives after each other, each a process of its own: (how many commits, whether it closes)."""
    log: list[Happened] = []
    for number, (commits, closes) in enumerate(lives, 1):
        told = [str(disc), str(number), str(commits), *words, *(["closes"] if closes else [])]
        subprocess.run([sys.executable, "-c", PROCESS, *told], check=True, cwd=ROOT)
        log += _left(disc).log
    return log


def _left(disc: Path) -> Tap:
    found: Tap = pickle.loads(disc.with_suffix(".log").read_bytes())  # noqa: S301 - our own process has written it
    return found


def main(folder: str, number: str, commits: str, *words: str) -> None:
    """Live one life. `words` are bugs to plant, and `closes`."""
    disc = Path(folder)
    tap = Tap(disc, _left(disc) if disc.exists() else None)
    disc.mkdir(exist_ok=True)
    _spoil(words)
    with tapped(tap):
        lived(disc, int(number), int(commits), tap, closes="closes" in words)
        disc.with_suffix(".log").write_bytes(pickle.dumps(tap.until_now()))
        if "closes" not in words:
            os._exit(0)


def _spoil(words: tuple[str, ...]) -> None:
    """Plant a bug into this process: what a test must find, or it tests nothing."""
    for word, (module, name, bug) in BUGS.items():
        if word in words:
            setattr(module, name, bug)
    if "normal" in words:
        journal_module.DURABLE["sqlite"] = (("PRAGMA journal_mode", ("wal",)),)


_prepared = journal_module._prepare_sqlite


def _forgetful(raw: Any, record: object) -> None:
    _prepared(raw, record)
    raw.execute("PRAGMA synchronous=NORMAL")


def _unsynced(segments: SegmentFolder) -> MarketWritten | None:
    return segments._last if segments._chain is None else segments._chain.written()


def _tailless(segments: SegmentFolder) -> MarketWritten | None:
    made = _stated(segments)
    return None if made is None else replace(made, tail=b"")


_stated = SegmentFolder.stated


BUGS: dict[str, tuple[Any, str, Any]] = {
    "normal": (journal_module, "_prepare_sqlite", _forgetful),
    "loose-market": (SegmentFolder, "sync", _unsynced),
    "loose-tail": (SegmentFolder, "stated", _tailless),
    "loose-names": (durable, "sync_folder", lambda _folder: None),
}

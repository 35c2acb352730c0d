"""Bringing files into the store: open, detect, read, check against the calendar, write, report."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from manjha.domain.actions import CorporateAction
from manjha.domain.bars import Interval
from manjha.domain.errors import ManjhaError, UsageError
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TradingDay, at, day_of, format_day
from manjha.market.rules import MarketRules
from manjha.ports.clock import Clock
from manjha.ports.market_data import (
    BarBatch,
    BarStore,
    CorporateActionSource,
    Files,
    Imported,
    ImportHints,
    InstrumentSource,
    Provenance,
    QuarantineBin,
    WriteReport,
)
from manjha.services.price_steps import find_steps
from manjha.services.reports import FileReport, ImportSummary, Problem, Tally

Reader = Callable[[bytes, str, ImportHints], Imported]
"""Reads a file of any format; bound to the calendar's sessions when the services are put together."""

_NO_DATA = ("__MACOSX", "Thumbs.db", "desktop.ini")

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much is done and of how much in all; 0 of 0 where that is not known."""


class DataServices(msgspec.Struct, frozen=True):
    """What data jobs work with."""

    store: BarStore
    instruments: InstrumentSource
    actions: CorporateActionSource
    files: Files
    quarantine: QuarantineBin
    read: Reader
    clock: Clock
    rules: MarketRules


class Terms(msgspec.Struct, frozen=True):
    """How files are to be taken. `source` goes into the manifest, empty stands for the format's name.

    `replace` lets rows overwrite stored ones that differ. `doubt` is what else may have been meant by the name of an
    instrument that is not known yet.
    """

    hints: ImportHints = ImportHints()
    source: str = ""
    replace: bool = False
    doubt: str = ""


class Touched(msgspec.Struct):
    """Which raw series an import changed, by interval and instrument, and from which bar to which."""

    first: dict[tuple[Interval, InstrumentId], int] = {}
    last: dict[tuple[Interval, InstrumentId], int] = {}


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def import_paths(
    services: DataServices, paths: Sequence[Path], terms: Terms | None = None, progress: Progress = no_progress
) -> ImportSummary:
    """Import files and folders. A file that cannot be used is reported and does not stop the others.

    Raises
    ------
    UsageError
        A path does not exist, or no file was found.
    """
    absent = [str(path) for path in paths if not path.exists()]
    if absent:
        raise UsageError(f"no such file or folder: {', '.join(absent)}", hint="Check the path; folders are walked.")
    terms = terms or Terms()
    if terms.hints.instrument:
        name, doubt = typed_name(services.instruments, terms.hints.instrument)
        hints = msgspec.structs.replace(terms.hints, instrument=name)
        terms = msgspec.structs.replace(terms, hints=hints, doubt=doubt)
    touched = Touched()
    reports: list[FileReport] = []
    again: list[tuple[int, tuple[str, bytes]]] = []
    for item in _opened(services.files, paths):
        if isinstance(item, FileReport):
            reports.append(item)
            continue
        progress(item[0], len(reports), 0)
        reports.append(import_one(services, *item, terms, touched))
        if reports[-1].problem and reports[-1].format:
            again.append((len(reports) - 1, item))
    for place, item in again:
        # It was read but not taken, as actions of a share whose bars came after them.
        reports[place] = import_one(services, *item, terms, touched)
    if not reports:
        raise UsageError(f"no file to import in {', '.join(map(str, paths))}", hint="Name files, archives or folders.")
    return ImportSummary(tuple(reports), find_steps(services.store, services.instruments, services.actions, touched))


def import_one(services: DataServices, file: str, data: bytes, terms: Terms, touched: Touched) -> FileReport:
    """Import the content of one file and report; what is wrong with it is part of the report."""
    report = FileReport(file, sha256=hashlib.sha256(data).hexdigest())
    if not data:
        return msgspec.structs.replace(report, problem=Problem("the file is empty", "Download or export it again."))
    try:
        imported = services.read(data, file, terms.hints)
        report = msgspec.structs.replace(report, format=imported.format)
        return _store(services, report, imported, terms, touched)
    except ManjhaError as error:
        return msgspec.structs.replace(report, problem=Problem(error.message, error.hint))


def typed_name(instruments: InstrumentSource, name: str) -> tuple[str, str]:
    """Return the name of what a user typed where it is known, else what was typed, and what else may have been meant.

    A contract's name is its id, because its trading symbol does not hold the expiry.

    Raises
    ------
    UsageError
        It is not known and has no exchange, which what is new needs.
    """
    try:
        found = instruments.find(name)
    except UsageError as error:
        close = error.hint if error.hint.startswith("Did you mean") else ""
        if ":" in name:
            return name, close
        new = f"What is new is named with its exchange: --instrument NSE:{name.strip().upper()}."
        raise UsageError(error.message, hint=f"{close} {new}".strip()) from None
    return (found.id if found.is_derivative else found.display), ""


def _opened(files: Files, paths: Iterable[Path]) -> Iterator[tuple[str, bytes] | FileReport]:
    """Yield files; one that cannot be opened is a report of its own, and its neighbours in a folder are not lost."""
    for path in paths:
        if path.is_dir():
            yield from _opened(files, (one for one in sorted(path.iterdir()) if _may_hold_data(one)))
            continue
        try:
            yield from files.open_all([path])
        except ManjhaError as error:
            yield FileReport(str(path), problem=Problem(error.message, error.hint))
        except OSError as error:
            yield FileReport(str(path), problem=Problem(f"{path} cannot be read: {error.strerror or error}"))


def _may_hold_data(path: Path) -> bool:
    """Tell whether to open what lies in a folder: no hidden or system's file, no pipe, no link to a folder (a loop)."""
    if path.name in _NO_DATA or path.name.startswith("."):
        return False
    return path.is_file() or (path.is_dir() and not path.is_symlink())


def _store(
    services: DataServices, report: FileReport, imported: Imported, terms: Terms, touched: Touched
) -> FileReport:
    provenance = Provenance(
        terms.source or imported.format,
        imported.format,
        report.file,
        report.sha256,
        services.clock.now_ns(),
        imported.adjustment,
    )
    news = _take_instruments(services, imported, provenance)
    joins = services.instruments.joins()
    actions = _actions_under_known_ids(services.instruments, imported)
    writes: list[WriteReport] = []
    for batch in imported.batches:
        known = _under_known_ids(batch, joins)
        written = services.store.write(known, provenance, replace=terms.replace)
        writes.append(written)
        if imported.adjustment == "raw" and (written.added or written.replaced):
            _touch(touched, known)
    put = services.actions.put(actions)
    kept = services.quarantine.keep(report.sha256, imported.quarantined) if imported.quarantined else ""
    return msgspec.structs.replace(
        report,
        format=imported.format,
        adjustment=imported.adjustment,
        rows=imported.rows,
        added=sum(write.added for write in writes),
        unchanged=sum(write.unchanged for write in writes),
        conflicting=sum(write.conflicting for write in writes),
        replaced=sum(write.replaced for write in writes),
        conflicts=tuple(conflict for write in writes for conflict in write.conflicts)[:1000],
        quarantined=_tally(imported),
        quarantine_file=kept,
        instruments=news,
        actions=put,
        notes=(*imported.notes, *_doubts(terms, news), *_calendar_notes(services.rules, imported.batches)),
    )


def _doubts(terms: Terms, news: int) -> list[str]:
    """Say that an instrument is new where another one has nearly its name: it may be mistyped."""
    return [f"{terms.hints.instrument} was not known and is new. {terms.doubt}"] if terms.doubt and news else []


def _take_instruments(services: DataServices, imported: Imported, provenance: Provenance) -> int:
    """Record instruments by the day that they are as of, and move bars whose instrument turned out to have an ISIN."""
    before = set(services.instruments.joins())
    news = 0
    for day, instruments in _by_day(imported, services.clock).items():
        news += services.instruments.put(instruments, day)
    joins = services.instruments.joins()
    fresh = {old: new for old, new in joins.items() if old not in before}
    if fresh:
        services.store.join(fresh, provenance)
    return news


def _by_day(imported: Imported, clock: Clock) -> dict[TradingDay, list[Instrument]]:
    """Say as of which day instruments are known: the file's own, or the first bar's; today for a bare list of them."""
    days: dict[TradingDay, list[Instrument]] = {}
    if imported.instruments:
        day = imported.day
        if day is None:
            opens = [day_of(batch.ts_open_ns[0]) for batch in imported.batches if len(batch.ts_open_ns)]
            day = min(opens) if opens else day_of(clock.now_ns())
        days[day] = list(imported.instruments)
    named = {instrument.id for instrument in imported.instruments}
    for batch in imported.batches:
        rest = [instrument for instrument in batch.instruments if instrument.id not in named]
        if rest and len(batch.ts_open_ns):
            days.setdefault(imported.day or day_of(batch.ts_open_ns[0]), []).extend(rest)
            named.update(instrument.id for instrument in rest)
    return days


def _under_known_ids(batch: BarBatch, joins: Mapping[InstrumentId, InstrumentId]) -> BarBatch:
    if not any(instrument.id in joins for instrument in batch.instruments):
        return batch
    renamed = tuple(
        msgspec.structs.replace(instrument, id=joins.get(instrument.id, instrument.id))
        for instrument in batch.instruments
    )
    return msgspec.structs.replace(batch, instruments=renamed)


def _actions_under_known_ids(instruments: InstrumentSource, imported: Imported) -> list[CorporateAction]:
    """Name each action by the id that its instrument is known by; a file may say it as people do.

    Raises
    ------
    UsageError
        An instrument is not known: an action that no bar ever meets would be lost without a word.
    """
    found = (instruments.find(action.instrument, action.ex_day).id for action in imported.actions)
    return [msgspec.structs.replace(a, instrument=name) for a, name in zip(imported.actions, found, strict=True)]


def _touch(touched: Touched, batch: BarBatch) -> None:
    import numpy as np

    code, opened = np.asarray(batch.instrument), np.asarray(batch.ts_open_ns)
    first = np.full(len(batch.instruments), np.iinfo(np.int64).max)
    last = np.zeros(len(batch.instruments), np.int64)
    np.minimum.at(first, code, opened)
    np.maximum.at(last, code, opened)
    for instrument, begin, end in zip(batch.instruments, first.tolist(), last.tolist(), strict=True):
        if not instrument.is_derivative and end:
            key = (batch.interval, instrument.id)
            touched.first[key] = min(begin, touched.first.get(key, begin))
            touched.last[key] = max(end, touched.last.get(key, end))


def _tally(imported: Imported) -> tuple[Tally, ...]:
    reasons = Counter(row.reason for row in imported.quarantined)
    listed = reasons.total()
    if imported.bad_rows > listed:
        reasons["not listed, see the notes"] = imported.bad_rows - listed
    return tuple(Tally(reason, count) for reason, count in reasons.most_common())


def _calendar_notes(rules: MarketRules, batches: Iterable[BarBatch]) -> list[str]:
    """Say how many rows lie where no calendar could tell whether the exchange was open."""
    import numpy as np

    start, end = at(rules.first, 0), at(rules.last + 1, 0)
    outside = 0
    for batch in batches:
        opened = np.asarray(batch.ts_open_ns)
        outside += int(np.count_nonzero((opened < start) | (opened >= end)))
    if not outside:
        return []
    span = f"{format_day(rules.first)} to {format_day(rules.last)}"
    return [f"{outside:,} rows lie outside the market calendar ({span}): their days and hours could not be checked"]

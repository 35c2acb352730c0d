"""Where bars, instruments and corporate actions come from and are kept."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from manjha.domain.actions import CorporateAction
from manjha.domain.bars import BarColumns, Interval
from manjha.domain.instrument import Instrument, InstrumentId
from manjha.domain.moments import TradingDay, TsNs


class Provenance(msgspec.Struct, frozen=True):
    """Where rows came from. `adjustment` is "raw", "split" (splits and bonuses applied) or "total" (dividends too)."""

    source: str
    format: str
    file: str
    sha256: str
    fetched_ns: TsNs
    adjustment: str = "raw"


class Quarantined(msgspec.Struct, frozen=True):
    """A row that was not taken. `row` counts data rows from 1; `text` is the row as it stood, cut to a line."""

    file: str
    row: int
    reason: str
    text: str


class Conflict(msgspec.Struct, frozen=True):
    """A row that contradicts a stored one; the stored row was kept."""

    instrument: InstrumentId
    interval: Interval
    ts_open_ns: TsNs
    field: str
    stored: int
    offered: int


class SeriesInfo(msgspec.Struct, frozen=True):
    """One stored series: what `manjha data list` shows. `first_ns` and `last_ns` are bar opens."""

    instrument: InstrumentId
    interval: Interval
    rows: int
    first_ns: TsNs
    last_ns: TsNs
    sources: tuple[str, ...]
    adjustment: str
    sha256: str


class WriteReport(msgspec.Struct, frozen=True):
    """What a write did, in rows. `added + unchanged + replaced + conflicting` is what was offered.

    `conflicts` names the fields of conflicting rows, several a row where several differ, and at most a thousand.
    """

    added: int
    unchanged: int
    conflicts: tuple[Conflict, ...]
    conflicting: int = 0
    replaced: int = 0


class BarBatch(msgspec.Struct, frozen=True):
    """Rows of many instruments and one interval as parallel columns (see `BarColumns` for units and order).

    `instrument[i]` indexes `instruments`. Rows of one instrument are in time order; instruments may alternate.
    This is how a day's file of 35,000 contracts travels without 35,000 objects of columns.
    """

    interval: Interval
    instruments: tuple[Instrument, ...]
    instrument: memoryview
    ts_open_ns: memoryview
    ts_close_ns: memoryview
    open: memoryview
    high: memoryview
    low: memoryview
    close: memoryview
    volume: memoryview
    oi: memoryview


class Imported(msgspec.Struct, frozen=True):
    """What a file gave: batches of good rows, the instruments and actions it names, and what was quarantined.

    `bad_rows` counts every quarantined row; `quarantined` lists them up to a bound that the reader states in `notes`.
    `day` is the day that the instruments are as of, None where the file does not say it (an instrument dump).
    """

    format: str
    adjustment: str
    batches: tuple[BarBatch, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    actions: tuple[CorporateAction, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()
    rows: int = 0
    notes: tuple[str, ...] = ()
    bad_rows: int = 0
    day: TradingDay | None = None


class ImportHints(msgspec.Struct, frozen=True):
    """What only the user can know about a file; empty means find out, and ask where it cannot be known.

    `unit` is "rupees" or "paise"; `stamps` is "open" or "close"; `zone` is "IST" or "UTC"; `instrument` is what people
    type (`NSE:RELIANCE`); `interval` in seconds, 0 to find out; `format` forces a format by name. `day` is the day of a
    file that does not state its own (BSE's old files); None takes it from the file's name where that has one.
    """

    format: str = ""
    instrument: str = ""
    interval: Interval = Interval(0)
    unit: str = ""
    stamps: str = ""
    zone: str = ""
    day: TradingDay | None = None


class ImportFormat(Protocol):
    """One file format, recognised by content."""

    @property
    def name(self) -> str:
        """Return the name that `--format` takes, like "nse-fo-udiff"."""
        ...

    def matches(self, head: bytes) -> bool:
        """Tell whether the first bytes (at most 64 KiB, decompressed) are of this format. Names are not looked at."""
        ...

    def read(self, data: bytes, file: str, hints: ImportHints) -> Imported:
        """Read a whole decompressed file. `file` is for messages, and for the day where the content has none.

        Raises
        ------
        DataError
            Nothing in it can be used, or something only the user can know is missing (the hint names the flag).
        """
        ...


class BarStore(Protocol):
    """Bars kept as Parquet partitions with a manifest."""

    def write(self, batch: BarBatch, provenance: Provenance, *, replace: bool = False) -> WriteReport:
        """Add rows atomically. Rows already there change nothing; contradicting ones are reported, not taken.

        With `replace` a contradicting row takes the place of the stored one. A bar that reaches into another of its
        series is always a conflict. Rows of different adjustment are different series.
        """
        ...

    def read(
        self, instrument: InstrumentId, interval: Interval, start_ns: int, end_ns: int, *, adjustment: str = ""
    ) -> BarColumns:
        """Return bars with `start_ns <= ts_open_ns < end_ns`, oldest first, possibly none.

        All are of one state of adjustment: the one asked for, else the first of raw, split, total that has any there.
        """
        ...

    def read_many(
        self,
        instruments: Sequence[InstrumentId],
        interval: Interval,
        start_ns: int,
        end_ns: int,
        *,
        adjustment: str = "",
    ) -> Sequence[BarColumns]:
        """Read several instruments in the order asked for, each as `read` gives it; quicker than one by one."""
        ...

    def adjustment(self, instrument: InstrumentId, interval: Interval, start_ns: int, end_ns: int) -> str:
        """Return the state of adjustment that `read` gives for this span; empty where there are no bars."""
        ...

    def join(self, renames: Mapping[InstrumentId, InstrumentId], provenance: Provenance) -> WriteReport:
        """Give the bars of ids to other ids of the same exchange, as when a symbol's ISIN becomes known.

        The old ids hold nothing afterwards. Bars that contradict those of the new id are reported and dropped.
        """
        ...

    def series(self, instrument: InstrumentId | None = None) -> Sequence[SeriesInfo]:
        """Return what is stored, of one instrument or of all, by instrument id, interval and adjustment."""
        ...

    def verify(self) -> Sequence[str]:
        """Return what is wrong with the stored files, one sentence each; empty when every hash and row count holds."""
        ...


class InstrumentSource(Protocol):
    """The instruments that are known, and the names they go by."""

    def get(self, instrument: InstrumentId, day: TradingDay | None = None) -> Instrument:
        """Return an instrument as of a day (latest when None). Raises `UsageError` with close names if unknown."""
        ...

    def find(self, name: str, day: TradingDay | None = None) -> Instrument:
        """Resolve what people type (`NSE:RELIANCE`, `reliance`, an id). Raises `UsageError` with a "did you mean"."""
        ...

    def put(self, instruments: Sequence[Instrument], day: TradingDay) -> int:
        """Record instruments as seen on a day; returns how many were new or changed."""
        ...

    def all(self) -> Sequence[Instrument]:
        """Return every instrument in its latest form."""
        ...

    def joins(self) -> Mapping[InstrumentId, InstrumentId]:
        """Return ids that turned out to name an instrument known by another id, and that id."""
        ...


class CorporateActionSource(Protocol):
    """Corporate actions by instrument."""

    def actions(self, instrument: InstrumentId) -> Sequence[CorporateAction]:
        """Return the actions of one instrument by ex-day."""
        ...

    def put(self, actions: Sequence[CorporateAction]) -> int:
        """Record actions; returns how many were new."""
        ...


class FetchRequest(msgspec.Struct, frozen=True):
    """What to download: `start` and `end` are trading days, both included."""

    instrument: Instrument
    interval: Interval
    start: TradingDay
    end: TradingDay


class Fetched(msgspec.Struct, frozen=True):
    """One downloaded piece, in the form that an `ImportFormat` reads, so that files and downloads are one path.

    A piece that the source does not have is without data, and `note` says why.
    """

    file: str
    format: str
    data: bytes
    hints: ImportHints = ImportHints()
    note: str = ""


class HistorySource(Protocol):
    """A source of history over the network."""

    @property
    def name(self) -> str:
        """Return the name that `--source` takes."""
        ...

    @property
    def adjustment(self) -> str:
        """Return the state of adjustment that its bars are in: what is stored in another one is missing here."""
        ...

    def plan(self, request: FetchRequest, missing: Sequence[tuple[TradingDay, TradingDay]]) -> int:
        """Return how many pieces `fetch` would give now for the missing spans. Raises `UsageError` as it does."""
        ...

    def fetch(self, request: FetchRequest, missing: Sequence[tuple[TradingDay, TradingDay]]) -> Iterator[Fetched]:
        """Download the missing spans piece by piece, oldest first; what is had in common with others only once.

        Raises `UsageError` for what the source never has, else `SourceError`; what was yielded before is good.
        """
        ...

    def introduce(self, name: str, day: TradingDay) -> Iterator[Fetched]:
        """Yield what may make an instrument known that people type: a list, or a file with it up to a day."""
        ...


class QuarantineBin(Protocol):
    """Keeps rows that were not taken where a person finds them."""

    def keep(self, sha256: str, rows: Sequence[Quarantined]) -> str:
        """Write the rows of the file with this hash, in place of what was kept of it before; returns where."""
        ...


class Files(Protocol):
    """Finds and opens files to import: folders are walked, zip and gz are opened, resource forks are skipped."""

    def open_all(self, paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
        """Yield a display name and the decompressed content of each file in order."""
        ...
